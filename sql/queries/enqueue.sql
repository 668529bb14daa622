-- The birth of a task.

-- One row of VALUES: SQLite needs no statement journal for it. The NULL that a
-- missing queue or a schema of another version leaves in max_attempts fails NOT NULL.
-- Ids are not used again after the newest task was deleted; settings that cannot be
-- read give the id 0, which a constraint refuses.
-- name: enqueue_insert
INSERT INTO main.tm_task (
  id,
  queue,
  state,
  priority,
  run_at_ms,
  created_ms,
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
  payload
)
VALUES (
  ifnull(
    max(
      coalesce((SELECT max(id) FROM main.tm_task), 0),
      (SELECT last_deleted_task_id FROM main.tm_setting WHERE id = 1)
    ) + 1,
    0
  ),
  :queue,
  CASE
    WHEN :held THEN 'held'
    WHEN :run_at_ms > coalesce((SELECT clock_ms FROM main.tm_setting WHERE id = 1), :wall_ms)
      THEN 'scheduled'
    WHEN :delay_ms > 0 THEN 'scheduled'
    ELSE 'available'
  END,
  coalesce(:priority, (SELECT priority FROM main.tm_queue WHERE name = :queue)),
  coalesce(
    :run_at_ms,
    coalesce((SELECT clock_ms FROM main.tm_setting WHERE id = 1), :wall_ms) + :delay_ms
  ),
  coalesce((SELECT clock_ms FROM main.tm_setting WHERE id = 1), :wall_ms),
  coalesce((SELECT clock_ms FROM main.tm_setting WHERE id = 1), :wall_ms),
  CASE
    WHEN (SELECT max(version) FROM main.tm_migration) = :schema
      THEN (SELECT coalesce(:max_attempts, max_attempts) FROM main.tm_queue WHERE name = :queue)
  END,
  :kind,
  CASE
    WHEN :held IS NULL THEN NULL
    WHEN :run_at_ms > coalesce((SELECT clock_ms FROM main.tm_setting WHERE id = 1), :wall_ms)
      THEN 'scheduled'
    WHEN :delay_ms > 0 THEN 'scheduled'
    ELSE 'available'
  END,
  :lease_ms,
  :backoff_kind,
  :backoff_base_ms,
  :backoff_max_ms,
  :backoff_jitter,
  :tags,
  :metadata,
  :payload
);
