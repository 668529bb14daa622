-- The birth of a task.

-- One row of VALUES: SQLite needs no statement journal for it. What it says of the queue
-- was read before; where the stamp is another by now, max_attempts is NULL and NOT NULL
-- fails. floor is given where the newest task was deleted: ids are not used again.
-- name: enqueue_insert
INSERT INTO main.tm_task (
  id,
  queue,
  state,
  priority,
  run_at_ms,
  created_ms,
  moves,
  moved_ms,
  max_attempts,
  kind,
  held_from,
  lease_ms,
  backoff_kind,
  backoff_base_ms,
  backoff_max_ms,
  backoff_jitter,
  tags,
  metadata,
  spare,
  payload,
  flow
)
VALUES (
  CASE WHEN :floor IS NOT NULL THEN 1 + max(coalesce((SELECT max(id) FROM main.tm_task), 0), :floor) END,
  :queue,
  :state,
  :priority,
  :run_at_ms,
  :now_ms,
  0,
  :now_ms,
  CASE WHEN (SELECT stamp FROM main.tm_setting WHERE id = 1) = :stamp THEN :max_attempts END,
  :kind,
  :held_from,
  :lease_ms,
  :backoff_kind,
  :backoff_base_ms,
  :backoff_max_ms,
  :backoff_jitter,
  :tags,
  :metadata,
  :spare,
  :payload,
  :flow
);
