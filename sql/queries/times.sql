-- Tasks whose time is over.

-- name: times_due
-- columns: task_id
-- plan: tm_flow_due
SELECT task_id FROM main.tm_flow INDEXED BY tm_flow_due
WHERE due_ms <= :until_ms
ORDER BY due_ms
LIMIT :limit + 0;

-- The first that will be over: a look before the lock asks for it.
-- name: times_next
-- columns: due_ms
-- plan: tm_flow_due
SELECT due_ms FROM main.tm_flow INDEXED BY tm_flow_due
WHERE due_ms IS NOT NULL
ORDER BY due_ms
LIMIT 1;

-- name: times_row
-- columns: due_ms deadline_ms stopping (is_true)
SELECT
  f.due_ms,
  f.deadline_ms,
  f.stopping,
  f.due_ms IS d.due_ms
  AND f.stopping IS d.stopping
  AND (SELECT has_times FROM main.tm_setting WHERE id = 1) AS is_true
FROM main.tm_flow AS f
JOIN main.tm_time_due AS d ON d.task_id = f.task_id
WHERE f.task_id = :task_id;

-- name: times_stop
UPDATE main.tm_flow SET stopping = :stopping WHERE task_id = :task_id;

-- Asked for by a person: what stopped it is not the reason any more.
-- name: times_cancel
UPDATE main.tm_flow SET stopping = NULL, due_ms = NULL WHERE task_id = :task_id;

-- A task that a person runs again is not held to what has passed already.
-- name: times_renew
UPDATE main.tm_flow
SET
  expires_ms = CASE WHEN expires_ms > :now_ms THEN expires_ms END,
  deadline_ms = CASE WHEN deadline_ms > :now_ms THEN deadline_ms END
WHERE task_id = :task_id;
