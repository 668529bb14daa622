-- Claims.

-- All that a claim needs to know of a queue: five look-ups, whatever its length.
-- name: claim_probe
-- columns: clock_ms version paused history best_id next_due_ms next_lapse_ms
-- plan: tm_task_live
SELECT
  s.clock_ms,
  (SELECT max(version) FROM main.tm_migration),
  q.paused,
  q.history,
  (
    SELECT id FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 0
    LIMIT 1
  ),
  (
    SELECT sort_key FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 1
    ORDER BY sort_key
    LIMIT 1
  ),
  (
    SELECT sort_key FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 2
    ORDER BY sort_key
    LIMIT 1
  )
FROM main.tm_setting AS s
LEFT JOIN main.tm_queue AS q ON q.name = :queue
WHERE s.id = 1;

-- Priority (higher first), then time, then id: the order of the index.
-- name: claim_best
-- columns: id moves
-- plan: tm_task_live
SELECT id, moves FROM main.tm_task INDEXED BY tm_task_live
WHERE queue = :queue AND phase = 0
ORDER BY sort_key, sort_ms, id
LIMIT 1;

-- name: claim_wanted
-- columns: id moves
SELECT id, moves FROM main.tm_task WHERE id = :id AND queue = :queue AND state = 'available';

-- name: claim_take
UPDATE main.tm_task
SET
  state = 'running',
  attempt = attempt + 1,
  token = token + 1,
  worker = :worker,
  lease_until_ms = min(
    253402300799999,
    :now_ms + coalesce(:lease_ms, lease_ms, (SELECT lease_ms FROM main.tm_queue WHERE name = :queue))
  ),
  moves = moves + 1,
  moved_ms = :now_ms,
  event_id = CASE
    WHEN :has_history THEN 1 + max(
      coalesce((SELECT max(id) FROM main.tm_event), 0),
      (SELECT last_deleted_event_id FROM main.tm_setting WHERE id = 1)
    )
    ELSE event_id
  END,
  started_ms = :now_ms,
  progress = NULL,
  note = NULL,
  reason = NULL
WHERE id = :id;

-- What the worker is given.
-- name: claim_row
-- columns: state moves id token queue kind payload attempt max_attempts priority run_at_ms lease_until_ms created_ms worker tags metadata error
SELECT
  state,
  moves,
  id,
  token,
  queue,
  kind,
  payload,
  attempt,
  max_attempts,
  priority,
  run_at_ms,
  lease_until_ms,
  created_ms,
  worker,
  tags,
  metadata,
  error
FROM main.tm_task
WHERE id = :id;
