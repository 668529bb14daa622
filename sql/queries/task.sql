-- One task: read it, move it, remove it.

-- The stamp comes with it, which saves a verb its run_begin.
-- name: task_load
-- columns: stamp clock_ms id queue state flow held_from event_id moves token attempt max_attempts run_at_ms lease_until_ms worker (spare_bytes) lease_ms backoff_kind backoff_base_ms backoff_max_ms backoff_jitter
SELECT
  s.stamp,
  s.clock_ms,
  t.id,
  t.queue,
  t.state,
  t.flow,
  t.held_from,
  t.event_id,
  t.moves,
  t.token,
  t.attempt,
  t.max_attempts,
  t.run_at_ms,
  t.lease_until_ms,
  t.worker,
  length(t.spare),
  t.lease_ms,
  t.backoff_kind,
  t.backoff_base_ms,
  t.backoff_max_ms,
  t.backoff_jitter
FROM main.tm_setting AS s
LEFT JOIN main.tm_task AS t ON t.id = :id
WHERE s.id = 1;

-- The history of a move, written before it: triggers of others on the task may move other
-- tasks, whose rows then come after. floor is given where the newest row was deleted.
-- name: task_event
INSERT INTO main.tm_event (
  id, task_id, previous_id, move, from_state, to_state, at_ms, attempt, actor, reason
)
VALUES (
  CASE WHEN :floor IS NOT NULL THEN 1 + max(coalesce((SELECT max(id) FROM main.tm_event), 0), :floor) END,
  :task_id,
  :previous_id,
  :move,
  :from_state,
  :to_state,
  :now_ms,
  :attempt,
  :actor,
  :reason
);

-- Every move but the two that are worth a statement of their own, claim_take and
-- finish_complete. Each holds only where the row is as it was read: a trigger of somebody's may
-- have changed it since.
-- name: task_move
UPDATE main.tm_task
SET
  state = :state,
  run_at_ms = :run_at_ms,
  attempt = :attempt,
  moves = :moves + 1,
  moved_ms = :now_ms,
  event_id = coalesce(:event_id, event_id),
  lease_until_ms = :lease_until_ms,
  held_from = :held_from,
  worker = iif(:keeps_worker, worker, NULL),
  reason = :reason,
  error = coalesce(:error, error),
  spare = :spare
WHERE id = :id AND moves = :moves AND run_at_ms = :was_run_at_ms AND held_from IS :was_held_from;

-- What decides the size of the row of a task with a large payload.
-- name: task_sizes
-- columns: (spare_bytes) state attempt token lease_until_ms moves moved_ms started_ms event_id progress worker held_from run_at_ms reason note error result
SELECT
  length(spare),
  state,
  attempt,
  token,
  lease_until_ms,
  moves,
  moved_ms,
  started_ms,
  event_id,
  progress,
  worker,
  held_from,
  run_at_ms,
  reason,
  note,
  error,
  result
FROM main.tm_task
WHERE id = :id;

-- What a write should have left; a SELECT is cheaper than RETURNING, which builds a
-- table in memory.
-- name: task_written
-- columns: state moves run_at_ms lease_until_ms
SELECT state, moves, run_at_ms, lease_until_ms FROM main.tm_task WHERE id = :id;

-- What came meanwhile: a move of the same number behind ours in the history, and its flow by now.
-- name: task_meanwhile
-- columns: (is_overtaken) flow
SELECT
  EXISTS (SELECT 1 FROM main.tm_event WHERE id > :event_id AND task_id = t.id AND move <= :moves),
  t.flow
FROM main.tm_task AS t
WHERE t.id = :id;

-- name: task_set_run_at
UPDATE main.tm_task SET run_at_ms = :run_at_ms WHERE id = :id AND moves = :moves;

-- name: task_delete
DELETE FROM main.tm_task WHERE id = :id AND moves = :moves;

-- One row of the history of a task that is deleted, and the one before it.
-- name: event_before
-- columns: previous_id
SELECT previous_id FROM main.tm_event WHERE id = :id AND task_id = :task_id;

-- name: event_delete
DELETE FROM main.tm_event WHERE id = :id;

-- What a delete leaves: nothing of the task, and its ids not to be used again.
-- name: task_leftover
-- columns: task event attempt (next_task_id) (next_event_id)
SELECT
  (SELECT id FROM main.tm_task WHERE id = :id),
  (SELECT id FROM main.tm_event WHERE id = :event_id),
  (SELECT task_id FROM main.tm_attempt WHERE task_id = :id LIMIT 1),
  1 + max(coalesce((SELECT max(id) FROM main.tm_task), 0), last_deleted_task_id),
  1 + max(coalesce((SELECT max(id) FROM main.tm_event), 0), last_deleted_event_id)
FROM main.tm_setting
WHERE id = 1;

-- name: task_row
-- columns: id queue state kind payload priority run_at_ms attempt max_attempts worker token lease_until_ms progress note result error reason created_ms started_ms finished_ms tags metadata
SELECT
  id,
  queue,
  state,
  kind,
  payload,
  priority,
  run_at_ms,
  attempt,
  max_attempts,
  worker,
  token,
  lease_until_ms,
  progress,
  note,
  result,
  error,
  reason,
  created_ms,
  started_ms,
  finished_ms,
  tags,
  metadata
FROM main.tm_task
WHERE id = :id;

-- name: task_errors
-- columns: attempt token worker started_ms failed_ms error
SELECT
  attempt,
  token,
  worker,
  started_ms,
  failed_ms,
  error
FROM main.tm_attempt
WHERE task_id = :id
ORDER BY token;
