-- top.sql - what `tm top` remembers between two frames: the moves of the last minute, and the last failures.
-- The history is read from where the last frame stopped; the first one looks at the last 20,000 moves.
CREATE TEMP TABLE recent (
  at_ms INTEGER,
  queue TEXT,
  to_state TEXT,
  task_id INTEGER,
  attempt INTEGER,
  reason TEXT
);

CREATE TEMP TABLE mark AS
SELECT coalesce((SELECT max(id) FROM tm_event), 0) - 20000 AS event_id;

-- Nothing of this reads a task that is finished, so that it is as fast among ten million of them. Tasks are
-- read by themselves and not by a join: for a join SQLite 3.40 may put a Bloom filter before the index, where
-- ANALYZE has seen few tasks, and makes that of generated columns wrong.
CREATE TEMP VIEW line AS
SELECT
  q.name AS queue,
  q.paused,
  coalesce(t.available, 0) AS available,
  coalesce(t.running, 0) AS running,
  coalesce(t.later, 0) AS later,
  max(0, tm_now() - t.first_ms) AS oldest_ms
FROM tm_queue AS q
LEFT JOIN (
  SELECT
    queue,
    count(*) FILTER (WHERE phase = 0) AS available,
    count(*) FILTER (WHERE phase = 2) AS running,
    count(*) FILTER (WHERE phase = 1) AS later,
    min(sort_ms) AS first_ms
  FROM tm_task INDEXED BY tm_task_live
  WHERE queue IN (SELECT name FROM tm_queue) AND phase IN (0, 1, 2)
  GROUP BY queue
) AS t ON t.queue = q.name;

CREATE TEMP VIEW pace AS
SELECT
  queue,
  count(*) FILTER (WHERE to_state = 'completed') AS completed,
  count(*) FILTER (WHERE to_state <> 'completed') AS failed
FROM temp.recent WHERE at_ms > tm_now() - 60000
GROUP BY queue;

CREATE TEMP VIEW queues AS
SELECT l.queue, l.paused, l.available, l.running, l.later, l.oldest_ms,
  coalesce(p.completed, 0) AS completed_1m, coalesce(p.failed, 0) AS failed_1m
FROM temp.line AS l LEFT JOIN temp.pace AS p ON p.queue = l.queue
ORDER BY l.running > 0 DESC, l.available > 0 DESC, l.queue
LIMIT 200;

CREATE TEMP VIEW running AS
SELECT t.id, t.queue, t.kind, t.state, t.attempt, t.worker, tm_now() - t.started_ms AS ran_ms,
  t.lease_until_ms - tm_now() AS lease_ms, t.progress, t.note
FROM tm_task AS t INDEXED BY tm_task_live
WHERE t.queue IN (SELECT name FROM tm_queue) AND t.phase = 2
ORDER BY t.started_ms, t.id
LIMIT 200;

CREATE TEMP VIEW failures AS
SELECT r.at_ms, r.task_id AS id, r.queue, r.attempt, r.to_state,
  coalesce((
    SELECT a.error FROM tm_attempt AS a
    WHERE a.task_id = r.task_id AND a.attempt = r.attempt
    ORDER BY a.token DESC LIMIT 1
  ), r.reason) AS error
FROM temp.recent AS r WHERE r.to_state <> 'completed'
ORDER BY r.rowid DESC
LIMIT 100;
