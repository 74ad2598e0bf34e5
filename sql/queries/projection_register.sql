-- Records which version of a projection has made its table.
INSERT INTO projections (projection, version) VALUES (%(projection)s, %(version)s)
ON CONFLICT (projection) DO UPDATE SET version = excluded.version
