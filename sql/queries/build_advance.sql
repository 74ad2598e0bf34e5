-- Notes how far a rebuild has come: that everything is loaded, and up to where it has caught up.
UPDATE projection_builds SET loaded = true, checkpoint = coalesce(%(checkpoint)s, checkpoint) WHERE projection = %(projection)s
