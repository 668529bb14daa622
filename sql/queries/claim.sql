-- Claims.

-- Whether a queue has anything for a claim, now or at a time: the first of its live tasks, which
-- is one that may be claimed, else the one that is due first, else the lease that ends first.
-- name: claim_look
-- columns: stamp clock_ms phase sort_key
-- plan: tm_task_live
SELECT
  s.stamp,
  s.clock_ms,
  t.phase,
  t.sort_key
FROM main.tm_setting AS s
LEFT JOIN main.tm_task AS t ON t.id = (
  SELECT id FROM main.tm_task INDEXED BY tm_task_live
  WHERE queue = :queue AND phase >= 0
  ORDER BY queue, phase, sort_key
  LIMIT 1
)
WHERE s.id = 1;

-- The lease that ends first, where tasks that wait for a time come before it.
-- name: claim_look_leased
-- columns: sort_key
-- plan: tm_task_live
SELECT sort_key FROM main.tm_task INDEXED BY tm_task_live
WHERE queue = :queue AND phase = 2
ORDER BY sort_key
LIMIT 1;

-- The same under the lock, and the best task as the worker will get it: what the claim will have
-- changed is in it already. Priority (higher first), then time, then id: the order of the index.
-- name: claim_probe
-- columns: stamp clock_ms (is_due) (is_lapsed) flow moves event_id (spare_bytes) id (token) queue kind payload (attempt) max_attempts priority run_at_ms (lease_until_ms) created_ms (worker) tags metadata error
-- plan: tm_task_live
SELECT
  s.stamp,
  s.clock_ms,
  (
    SELECT 1 FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 1 AND phase IS NOT NULL AND sort_key <= :now_ms
    LIMIT 1
  ),
  (
    SELECT 1 FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 2 AND phase IS NOT NULL AND sort_key <= :now_ms
    LIMIT 1
  ),
  t.flow,
  t.moves,
  t.event_id,
  length(t.spare),
  t.id,
  t.token + 1,
  t.queue,
  t.kind,
  t.payload,
  t.attempt + 1,
  t.max_attempts,
  t.priority,
  t.run_at_ms,
  min(253402300799999, :now_ms + coalesce(:lease_ms, t.lease_ms, :queue_lease_ms)),
  t.created_ms,
  :worker,
  t.tags,
  t.metadata,
  t.error
FROM main.tm_setting AS s
LEFT JOIN main.tm_task AS t ON t.id = (
  SELECT id FROM main.tm_task INDEXED BY tm_task_live
  WHERE queue = :queue AND phase = 0
  ORDER BY sort_key, sort_ms, id
  LIMIT 1
)
WHERE s.id = 1;

-- The next one, when more than the first is wanted: the same columns.
-- name: claim_best
-- columns: (stamp) (clock_ms) (is_due) (is_lapsed) flow moves event_id (spare_bytes) id (token) queue kind payload (attempt) max_attempts priority run_at_ms (lease_until_ms) created_ms (worker) tags metadata error
-- plan: tm_task_live
SELECT
  NULL,
  NULL,
  NULL,
  NULL,
  t.flow,
  t.moves,
  t.event_id,
  length(t.spare),
  t.id,
  t.token + 1,
  t.queue,
  t.kind,
  t.payload,
  t.attempt + 1,
  t.max_attempts,
  t.priority,
  t.run_at_ms,
  min(253402300799999, :now_ms + coalesce(:lease_ms, t.lease_ms, :queue_lease_ms)),
  t.created_ms,
  :worker,
  t.tags,
  t.metadata,
  t.error
FROM main.tm_task AS t INDEXED BY tm_task_live
WHERE queue = :queue AND phase = 0
ORDER BY sort_key, sort_ms, id
LIMIT 1;

-- One that is named, if it is available: the same columns.
-- name: claim_wanted
-- columns: (stamp) (clock_ms) (is_due) (is_lapsed) flow moves event_id (spare_bytes) id (token) queue kind payload (attempt) max_attempts priority run_at_ms (lease_until_ms) created_ms (worker) tags metadata error
SELECT
  NULL,
  NULL,
  NULL,
  NULL,
  t.flow,
  t.moves,
  t.event_id,
  length(t.spare),
  t.id,
  t.token + 1,
  t.queue,
  t.kind,
  t.payload,
  t.attempt + 1,
  t.max_attempts,
  t.priority,
  t.run_at_ms,
  min(253402300799999, :now_ms + coalesce(:lease_ms, t.lease_ms, :queue_lease_ms)),
  t.created_ms,
  :worker,
  t.tags,
  t.metadata,
  t.error
FROM main.tm_task AS t
WHERE t.id = :id AND t.queue = :queue AND t.state = 'available';

-- name: claim_take
UPDATE main.tm_task
SET
  state = 'running',
  attempt = :attempt,
  token = :token,
  lease_until_ms = :lease_until_ms,
  moves = :moves + 1,
  moved_ms = :now_ms,
  started_ms = :now_ms,
  event_id = coalesce(:event_id, event_id),
  progress = NULL,
  worker = :worker,
  reason = NULL,
  note = NULL,
  spare = :spare
WHERE id = :id AND moves = :moves;
