-- Tasks that are unique by a key.

-- The key as text: what of the task it is made of, each part as a SQL literal, so that no two
-- tasks share one by what stands at the borders. A REAL that is a whole number is that number, as
-- SQLite compares them. quote() ends a text at a NUL: such a text is given as its bytes.
-- name: unique_compose
-- columns: (key)
SELECT
  substr(
    iif(:key IS NULL, '', ' key=' || quote(:key))
    || iif(:fields & 1, ' queue=' || quote(:queue), '')
    || iif(:fields & 2, ' kind=' || quote(:kind), '')
    || iif(
      :fields & 4,
      ' payload=' || CASE
        WHEN typeof(:payload) = 'text' AND instr(:payload, char(0)) THEN 'T' || quote(CAST(:payload AS BLOB))
        WHEN typeof(:payload) = 'real' AND :payload = CAST(:payload AS INTEGER) THEN quote(CAST(:payload AS INTEGER))
        ELSE quote(:payload)
      END,
      ''
    )
    || iif(:fields & 8, ' partition=' || quote(:partition), '')
    || iif(:period_ms IS NULL, '', ' window=' || (:now_ms / :period_ms) || ' of ' || :period_ms || 'ms'),
    2
  );

-- Who holds a key; where it is of a window, that may be a task that was deleted.
-- name: unique_holder
-- columns: task_id until_ms state queue
-- plan: tm_unique_key
SELECT
  u.task_id,
  u.until_ms,
  t.state,
  t.queue
FROM main.tm_unique AS u INDEXED BY tm_unique_key
LEFT JOIN main.tm_task AS t ON t.id = u.task_id
WHERE u.key = :key AND u.is_held = 1;

-- The index refuses a key that is held.
-- name: unique_take
INSERT INTO main.tm_unique (task_id, key, scope, until_ms)
VALUES (:task_id, :key, :scope, :until_ms);

-- Who else holds the key of this task: the columns of unique_holder.
-- name: unique_rival
-- columns: task_id until_ms state queue
-- plan: tm_unique_key
SELECT
  other.task_id,
  other.until_ms,
  t.state,
  t.queue
FROM main.tm_unique AS mine
CROSS JOIN main.tm_unique AS other INDEXED BY tm_unique_key
  ON other.key = mine.key AND other.is_held = 1 AND other.task_id <> mine.task_id
LEFT JOIN main.tm_task AS t ON t.id = other.task_id
WHERE mine.task_id = :task_id;

-- What tm_get shows of it, and whether it can be read at all.
-- name: unique_row
-- columns: key scope until_ms is_held
SELECT
  key,
  scope,
  until_ms,
  is_held
FROM main.tm_unique
WHERE task_id = :task_id;

-- A waiting task takes what an enqueue brings; its time, and with it its state, comes after.
-- name: unique_replace
UPDATE main.tm_task
SET
  payload = :payload,
  priority = :priority,
  max_attempts = :max_attempts,
  kind = :kind,
  lease_ms = :lease_ms,
  backoff_kind = :backoff_kind,
  backoff_base_ms = :backoff_base_ms,
  backoff_max_ms = :backoff_max_ms,
  backoff_jitter = :backoff_jitter,
  tags = :tags,
  metadata = :metadata,
  spare = :spare
WHERE id = :id AND moves = :moves;

-- That the columns were written.
-- name: unique_replaced
-- columns: (is_replaced)
SELECT
  payload IS :payload
  AND priority = :priority
  AND max_attempts = :max_attempts
  AND kind IS :kind
  AND lease_ms IS :lease_ms
  AND backoff_kind IS :backoff_kind
  AND backoff_base_ms IS :backoff_base_ms
  AND backoff_max_ms IS :backoff_max_ms
  AND backoff_jitter IS :backoff_jitter
  AND tags IS :tags
  AND metadata IS :metadata
FROM main.tm_task
WHERE id = :id;

-- Keys of windows that are over, whose tasks were deleted.
-- name: unique_over
-- columns: task_id
-- plan: tm_unique_orphan
SELECT task_id FROM main.tm_unique INDEXED BY tm_unique_orphan
WHERE is_orphan = 1 AND until_ms <= :now_ms
ORDER BY until_ms
LIMIT :limit + 0;

-- name: unique_forget
DELETE FROM main.tm_unique WHERE task_id = :task_id AND is_orphan = 1;
