-- Queues.

-- name: queue_exists
SELECT 1 FROM main.tm_queue WHERE name = :name;

-- name: queue_names
-- columns: name
SELECT name FROM main.tm_queue ORDER BY name LIMIT 10000;

-- name: queue_create
-- columns: name
INSERT INTO main.tm_queue (name) VALUES (:name) RETURNING name;

-- name: queue_set_paused
-- columns: paused
UPDATE main.tm_queue SET paused = :paused WHERE name = :name RETURNING paused;

-- name: queue_next
-- columns: name
SELECT name FROM main.tm_queue WHERE name > :after ORDER BY name LIMIT 1;

-- What a verb reads of a queue; kept with the stamp.
-- name: queue_row
-- columns: paused history priority max_attempts lease_ms backoff_kind backoff_base_ms backoff_max_ms backoff_jitter is_limited is_partitioned schedule
SELECT
  paused,
  history,
  priority,
  max_attempts,
  lease_ms,
  backoff_kind,
  backoff_base_ms,
  backoff_max_ms,
  backoff_jitter,
  is_limited,
  is_partitioned,
  (SELECT name FROM main.tm_schedule WHERE queue = :name AND paused = 0 AND due_ms IS NOT NULL LIMIT 1)
FROM main.tm_queue
WHERE name = :name;
