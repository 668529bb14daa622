-- show.sql - the rows of `tm show ID`, all of one moment.
BEGIN;
SELECT '=', 'task ' || id || ' in queue ' || replace(replace(queue, char(9), ' '), char(10), ' ')
FROM tm_task WHERE id = CAST(:id AS INTEGER);

WITH task AS (SELECT * FROM tm_task WHERE id = CAST(:id AS INTEGER)),
-- json_each() has columns id and json of its own, so what it is given comes from a column of another name.
whole (text) AS (SELECT tm_get(id) FROM task),
fact (place, name, value) AS (
  SELECT 1, 'state', state FROM task
  UNION ALL SELECT 2, 'kind', kind FROM task
  UNION ALL SELECT 3, 'priority', priority FROM task
  UNION ALL SELECT 4, 'attempt', attempt || ' of ' || max_attempts FROM task
  UNION ALL SELECT 5, 'created', strftime('%Y-%m-%d %H:%M:%S', created_ms / 1000.0, 'unixepoch', 'localtime') FROM task
  UNION ALL SELECT 6, 'runs at', strftime('%Y-%m-%d %H:%M:%S', run_at_ms / 1000.0, 'unixepoch', 'localtime')
    FROM task WHERE state IN ('scheduled', 'retryable', 'waiting')
  UNION ALL SELECT 7, 'worker', worker || iif(lease_until_ms IS NULL, '', ', token ' || token || ', lease until '
    || strftime('%H:%M:%S', lease_until_ms / 1000.0, 'unixepoch', 'localtime')) FROM task
  UNION ALL SELECT 8, 'progress', CAST(round(progress * 100) AS INTEGER) || '%' FROM task
  UNION ALL SELECT 9, 'finished', strftime('%Y-%m-%d %H:%M:%S', finished_ms / 1000.0, 'unixepoch', 'localtime') FROM task
  UNION ALL SELECT 10, 'tags', (SELECT group_concat(value, ', ') FROM json_each(text, '$.tags')) FROM whole
  UNION ALL SELECT 10.1, 'partition', text ->> '$.partition' FROM whole
  UNION ALL SELECT 10.2, 'group', text ->> '$.group' FROM whole
  UNION ALL SELECT 10.3, 'parent', 'task ' || (text ->> '$.parent_id') FROM whole
  UNION ALL SELECT 11, 'metadata', text ->> '$.metadata' FROM whole
  UNION ALL SELECT 12, 'payload', CASE typeof(payload) WHEN 'blob' THEN 'x''' || hex(substr(payload, 1, 1000)) || ''''
    ELSE substr(payload, 1, 2000) END FROM task
  UNION ALL SELECT 13, 'result', CASE typeof(result) WHEN 'blob' THEN 'x''' || hex(substr(result, 1, 1000)) || ''''
    ELSE substr(result, 1, 2000) END FROM task
  UNION ALL SELECT 14, 'error', substr(error, 1, 2000) FROM task
)
SELECT 'k', name, replace(replace(value, char(9), ' '), char(10), ' ') FROM fact
WHERE value IS NOT NULL ORDER BY place;

SELECT '=', 'attempts that failed' WHERE EXISTS (SELECT 1 FROM tm_attempt WHERE task_id = CAST(:id AS INTEGER));
SELECT 'h', 'n:ATTEMPT', 't:STARTED', 'd:TOOK', 't:WORKER', 't:ERROR'
WHERE EXISTS (SELECT 1 FROM tm_attempt WHERE task_id = CAST(:id AS INTEGER));
SELECT 'r', attempt, strftime('%H:%M:%f', started_ms / 1000.0, 'unixepoch', 'localtime'),
  failed_ms - started_ms, replace(replace(worker, char(9), ' '), char(10), ' '),
  replace(replace(substr(error, 1, 500), char(9), ' '), char(10), ' ')
FROM tm_attempt WHERE task_id = CAST(:id AS INTEGER) ORDER BY token;

SELECT '=', 'history';
SELECT 'h', 't:WHEN', 's:FROM', 's:TO', 'n:ATTEMPT', 't:BY', 't:REASON';
SELECT 'r', strftime('%Y-%m-%d %H:%M:%f', at_ms / 1000.0, 'unixepoch', 'localtime'), from_state, to_state,
  attempt, replace(replace(actor, char(9), ' '), char(10), ' '),
  replace(replace(substr(reason, 1, 300), char(9), ' '), char(10), ' ')
FROM tm_history(CAST(:id AS INTEGER)) ORDER BY id;

SELECT '=', 'why is it not running' WHERE (SELECT state FROM tm_task WHERE id = CAST(:id AS INTEGER)) NOT IN
  ('running', 'completed', 'cancelled', 'discarded');
SELECT 'h', 't:REASON', 't:DETAIL', 'w:CURE' WHERE (SELECT state FROM tm_task WHERE id = CAST(:id AS INTEGER))
  NOT IN ('running', 'completed', 'cancelled', 'discarded');
SELECT 'r', reason, replace(replace(detail, char(9), ' '), char(10), ' '),
  replace(replace(cure, char(9), ' '), char(10), ' ')
FROM tm_explain(CAST(:id AS INTEGER)) WHERE (SELECT state FROM tm_task WHERE id = CAST(:id AS INTEGER))
  NOT IN ('running', 'completed', 'cancelled', 'discarded');

COMMIT;
