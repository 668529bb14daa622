-- log.sql - what `tm log` asks again and again. temp.mark says how far it has read.
-- The first time it begins with the last :count rows, counted from the end.
CREATE TEMP TABLE mark AS SELECT
  coalesce((SELECT max(id) FROM tm_event), 0) AS event_id,
  coalesce((SELECT max(id) FROM tm_task), 0) AS task_id;

CREATE TEMP TABLE wanted AS SELECT CAST(:id AS INTEGER) AS id, :queue AS queue, CAST(:json AS INTEGER) AS is_json,
  CAST(:count AS INTEGER) AS lines;

CREATE TEMP VIEW birth AS
SELECT t.created_ms AS at_ms, 0 AS event_id, t.id AS task_id, t.queue, t.kind, NULL AS from_state,
  coalesce((SELECT e.from_state FROM tm_history(t.id) AS e WHERE e.from_state IS NOT NULL ORDER BY e.id LIMIT 1),
    t.state) AS to_state,
  0 AS attempt, NULL AS actor, NULL AS reason
FROM tm_task AS t, temp.wanted AS w
WHERE (w.id IS NULL OR t.id = w.id) AND (w.queue IS NULL OR t.queue = w.queue);

CREATE TEMP VIEW move AS
SELECT e.at_ms, e.id AS event_id, e.task_id, t.queue, t.kind, e.from_state, e.to_state, e.attempt, e.actor, e.reason
FROM tm_event AS e JOIN tm_task AS t ON t.id = e.task_id, temp.wanted AS w
WHERE (w.id IS NULL OR e.task_id = w.id) AND (w.queue IS NULL OR t.queue = w.queue);

CREATE TEMP VIEW news AS
SELECT CASE (SELECT is_json FROM temp.wanted)
    WHEN 1 THEN json_object('at_ms', at_ms, 'task_id', task_id, 'queue', queue, 'kind', kind,
      'from_state', from_state, 'to_state', to_state, 'attempt', attempt, 'actor', actor, 'reason', reason)
    ELSE strftime('%Y-%m-%d %H:%M:%f', at_ms / 1000.0, 'unixepoch', 'localtime')
      || char(9) || task_id || char(9) || replace(replace(queue, char(9), ' '), char(10), ' ')
      || char(9) || coalesce(from_state, '') || char(9) || to_state || char(9) || attempt
      || char(9) || replace(replace(coalesce(actor, ''), char(9), ' '), char(10), ' ')
      || char(9) || replace(replace(substr(coalesce(reason, ''), 1, 300), char(9), ' '), char(10), ' ')
  END AS text
FROM (
  SELECT * FROM temp.birth WHERE task_id > (SELECT task_id FROM temp.mark)
  UNION ALL
  SELECT * FROM temp.move WHERE event_id > (SELECT event_id FROM temp.mark)
)
ORDER BY at_ms, task_id, event_id;

UPDATE temp.mark SET
  event_id = coalesce((SELECT min(event_id) - 1 FROM (
    SELECT event_id FROM temp.move ORDER BY event_id DESC LIMIT (SELECT lines FROM temp.wanted))), event_id),
  task_id = coalesce((SELECT min(task_id) - 1 FROM (
    SELECT task_id FROM temp.birth ORDER BY task_id DESC LIMIT (SELECT lines FROM temp.wanted))), task_id);
