-- Retention: which finished tasks go, found by a seek in tm_finished.

-- Queues without a limit have no notes, and are not even looked at.
-- name: prune_next
-- columns: queue
SELECT queue FROM main.tm_finished WHERE queue > :after ORDER BY queue LIMIT 1;

-- No row where the queue is gone, which plain SQL without foreign keys can do.
-- name: prune_settings
-- columns: keep_completed_ms keep_cancelled_ms keep_discarded_ms keep_count tasks
SELECT
  q.keep_completed_ms,
  q.keep_cancelled_ms,
  q.keep_discarded_ms,
  q.keep_count,
  c.tasks
FROM main.tm_queue AS q
LEFT JOIN main.tm_finished_count AS c ON c.queue = q.name
WHERE q.name = :queue;

-- is_current is 0 where somebody wrote around the rules, and the note is not true any more.
-- name: prune_due
-- columns: phase at_ms task_id state (is_current)
SELECT
  f.phase,
  f.at_ms,
  f.task_id,
  t.state,
  t.state IS f.phase AND t.queue IS f.queue AND t.moved_ms IS f.at_ms
FROM main.tm_finished AS f
LEFT JOIN main.tm_task AS t ON t.id = f.task_id
WHERE f.queue = :queue AND f.phase = :phase AND f.at_ms <= :until_ms
ORDER BY f.at_ms, f.task_id
LIMIT :limit;

-- The first of all final states together: each arm is a seek and reads :limit rows at most.
-- name: prune_oldest
-- columns: phase at_ms task_id state (is_current)
SELECT
  f.phase,
  f.at_ms,
  f.task_id,
  t.state,
  t.state IS f.phase AND t.queue IS f.queue AND t.moved_ms IS f.at_ms
FROM (
  SELECT queue AS queue, phase AS phase, at_ms AS at_ms, task_id AS task_id FROM (
    SELECT queue AS queue, phase AS phase, at_ms AS at_ms, task_id AS task_id FROM main.tm_finished
    WHERE queue = :queue AND phase = 'completed'
    ORDER BY at_ms, task_id
    LIMIT :limit
  )
  UNION ALL
  SELECT queue, phase, at_ms, task_id FROM (
    SELECT queue AS queue, phase AS phase, at_ms AS at_ms, task_id AS task_id FROM main.tm_finished
    WHERE queue = :queue AND phase = 'cancelled'
    ORDER BY at_ms, task_id
    LIMIT :limit
  )
  UNION ALL
  SELECT queue, phase, at_ms, task_id FROM (
    SELECT queue AS queue, phase AS phase, at_ms AS at_ms, task_id AS task_id FROM main.tm_finished
    WHERE queue = :queue AND phase = 'discarded'
    ORDER BY at_ms, task_id
    LIMIT :limit
  )
) AS f
LEFT JOIN main.tm_task AS t ON t.id = f.task_id
ORDER BY f.at_ms, f.task_id
LIMIT :limit;

-- name: prune_forget
DELETE FROM main.tm_finished
WHERE queue = :queue AND phase = :phase AND at_ms = :at_ms AND task_id = :task_id;

-- name: prune_note
INSERT OR REPLACE INTO main.tm_finished (queue, phase, at_ms, task_id)
VALUES (:queue, :phase, :at_ms, :task_id);

-- A task that was set aside. is_wanted: it is still of this queue, finished, and not noted.
-- name: prune_aside
-- columns: state at_ms (is_wanted)
SELECT
  t.state,
  t.moved_ms,
  t.finished_ms IS NOT NULL
    AND t.queue IS :queue
    AND NOT EXISTS (
      SELECT 1 FROM main.tm_finished
      WHERE queue = t.queue AND phase = t.state AND at_ms = t.moved_ms AND task_id = t.id
    )
FROM main.tm_task AS t
WHERE t.id = :task_id;

-- end_id is the last of the next :tasks tasks, NULL where none is left.
-- name: prune_walk
-- columns: after_id (end_id) last_id
SELECT
  w.after_id,
  (
    SELECT max(id)
    FROM (
      SELECT id FROM main.tm_task
      WHERE id > w.after_id AND id <= w.last_id
      ORDER BY id
      LIMIT :tasks
    )
  ),
  w.last_id
FROM main.tm_finished_walk AS w
WHERE w.id = 1;

-- Those among them that their queue has a limit for and that are not noted.
-- name: prune_walk_finds
-- columns: task_id queue phase at_ms keep_count
SELECT t.id, t.queue, t.state, t.moved_ms, q.keep_count
FROM main.tm_task AS t
CROSS JOIN main.tm_queue AS q ON q.name = t.queue
WHERE t.id > :after_id
  AND t.id <= :end_id
  AND t.finished_ms IS NOT NULL
  AND (
    q.keep_count IS NOT NULL
    OR CASE t.state
      WHEN 'completed' THEN q.keep_completed_ms
      WHEN 'cancelled' THEN q.keep_cancelled_ms
      ELSE q.keep_discarded_ms
    END IS NOT NULL
  )
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_finished
    WHERE queue = t.queue AND phase = t.state AND at_ms = t.moved_ms AND task_id = t.id
  )
ORDER BY t.id
LIMIT :limit;

-- name: prune_walk_on
UPDATE main.tm_finished_walk SET after_id = :after_id WHERE id = 1;

-- name: prune_walk_end
DELETE FROM main.tm_finished_walk WHERE id = 1;
