-- How a worker lets go of a task, and how it keeps it.

-- name: finish_complete
UPDATE main.tm_task
SET
  state = 'completed',
  lease_until_ms = NULL,
  moves = :moves + 1,
  moved_ms = :now_ms,
  event_id = coalesce(:event_id, event_id),
  reason = NULL,
  spare = :spare,
  result = :result
WHERE id = :id AND moves = :moves;

-- name: finish_keep_error
INSERT INTO main.tm_attempt (task_id, token, attempt, worker, started_ms, failed_ms, error)
SELECT id, token, attempt, worker, started_ms, :now_ms, :error
FROM main.tm_task
WHERE id = :id;

-- name: finish_heartbeat
UPDATE main.tm_task
SET
  lease_until_ms = :lease_until_ms,
  progress = iif(:sets_progress, :progress, progress),
  note = iif(:sets_note, :note, note),
  spare = :spare
WHERE id = :id AND moves = :moves;
