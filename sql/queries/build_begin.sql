-- Notes that a rebuild has begun.
INSERT INTO projection_builds (projection, version, checkpoint, indexes)
VALUES (%(projection)s, %(version)s, %(checkpoint)s, %(indexes)s)
