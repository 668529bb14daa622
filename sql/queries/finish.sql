-- How a worker lets go of a task, and how it keeps it.

-- name: finish_complete
-- columns: state
UPDATE main.tm_task
SET
  state = 'completed',
  lease_until_ms = NULL,
  moves = moves + 1,
  moved_ms = :now_ms,
  reason = NULL,
  result = :result
WHERE id = :id
RETURNING state;

-- name: finish_keep_error
INSERT INTO main.tm_attempt (task_id, token, attempt, worker, started_ms, failed_ms, error)
SELECT id, token, attempt, worker, started_ms, :now_ms, :error
FROM main.tm_task
WHERE id = :id;

-- name: finish_heartbeat
-- columns: state
UPDATE main.tm_task
SET
  lease_until_ms = :lease_until_ms,
  progress = iif(:sets_progress, :progress, progress),
  note = iif(:sets_note, :note, note)
WHERE id = :id
RETURNING state;
