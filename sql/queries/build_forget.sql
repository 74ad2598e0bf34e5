-- Forgets a rebuild, and which parts it has loaded.
DELETE FROM projection_builds WHERE projection = %(projection)s
