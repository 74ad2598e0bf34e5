-- Whether the publication is there.
SELECT pubname FROM pg_publication WHERE pubname = %(publication)s
