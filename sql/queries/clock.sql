-- The database's clock.

-- name: clock_set
-- columns: clock_ms
UPDATE main.tm_setting SET clock_ms = :clock_ms WHERE id = 1 RETURNING clock_ms;
