-- Maintenance.

-- name: tick_due
-- columns: id
-- plan: tm_task_live
SELECT id FROM main.tm_task INDEXED BY tm_task_live
WHERE queue = :queue AND phase = :phase AND phase IS NOT NULL AND sort_key <= :until_ms
ORDER BY sort_key
LIMIT :limit;

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
LIMIT :limit;
