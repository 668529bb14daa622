-- Maintenance. A phase that is a parameter, or a limit that is nothing else, makes newer SQLite
-- compile the statement again for every value.

-- name: tick_due
-- columns: id
-- plan: tm_task_live
SELECT id FROM main.tm_task INDEXED BY tm_task_live
WHERE queue = :queue AND phase = 1 AND sort_key <= :until_ms
ORDER BY sort_key
LIMIT :limit + 0;

-- The same for leases; the columns and the parameters are the same too.
-- name: tick_lapsed
-- columns: id
-- plan: tm_task_live
SELECT id FROM main.tm_task INDEXED BY tm_task_live
WHERE queue = :queue AND phase = 2 AND sort_key <= :until_ms
ORDER BY sort_key
LIMIT :limit + 0;

-- name: tick_leased
-- columns: id until_ms
-- plan: tm_task_live
SELECT id, sort_key FROM main.tm_task INDEXED BY tm_task_live
WHERE
  queue = :queue
  AND phase = 2
  AND (sort_key, id) > (:after_ms, :after_id)
  AND (:worker IS NULL OR worker = :worker)
ORDER BY sort_key, sort_ms, id
LIMIT :limit + 0;
