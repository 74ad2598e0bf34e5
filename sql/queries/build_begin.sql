-- Notes that a rebuild has begun.
INSERT INTO projection_builds (projection, version, digest, checkpoint, indexes)
VALUES (%(projection)s, %(version)s, %(digest)s, %(checkpoint)s, %(indexes)s)
