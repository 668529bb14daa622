-- top_frame.sql - a frame begins: one snapshot for all of it, and what has happened since the last one.
BEGIN;

INSERT INTO temp.recent (at_ms, queue, to_state, task_id, attempt, reason)
SELECT e.at_ms, t.queue, e.to_state, e.task_id, e.attempt, e.reason
FROM tm_event AS e JOIN tm_task AS t ON t.id = e.task_id
WHERE e.id > (SELECT event_id FROM temp.mark) AND (
  e.to_state = 'discarded'
  OR (e.to_state = 'retryable' AND e.from_state IN ('running', 'cancelling'))
  OR (e.to_state = 'completed' AND e.at_ms > tm_now() - 60000)
)
ORDER BY e.id;

UPDATE temp.mark SET event_id = coalesce((SELECT max(id) FROM tm_event), event_id);

DELETE FROM temp.recent WHERE to_state = 'completed' AND at_ms <= tm_now() - 60000;

DELETE FROM temp.recent WHERE to_state <> 'completed' AND at_ms <= tm_now() - 60000
  AND rowid <= (SELECT rowid FROM temp.recent WHERE to_state <> 'completed' ORDER BY rowid DESC LIMIT 1 OFFSET 100);
