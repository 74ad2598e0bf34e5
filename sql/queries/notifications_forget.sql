-- Forgets pushes that were noted long ago.
DELETE FROM notifications WHERE noted_at < now() - %(kept)s::interval
