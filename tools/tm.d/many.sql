-- many.sql - the tasks that a filter asks for and that the verb would change, a thousand a turn.
CREATE TEMP TABLE chosen (id INTEGER);

INSERT INTO temp.chosen
SELECT id FROM tm_select((SELECT json FROM temp.object))
WHERE CASE :verb
    WHEN 'retry' THEN state IN ('discarded', 'cancelled', 'retryable', 'scheduled')
    WHEN 'cancel' THEN state NOT IN ('cancelling', 'cancelled', 'completed', 'discarded') OR :children
    WHEN 'hold' THEN state NOT IN ('running', 'cancelling', 'held', 'completed', 'cancelled', 'discarded')
    WHEN 'unhold' THEN state = 'held'
    WHEN 'delete' THEN state IN ('cancelled', 'discarded')
  END
  OR (:verb IN ('retry', 'delete') AND state = 'completed'
    AND 'completed' IN (SELECT value FROM json_each((SELECT json FROM temp.object), '$.state')));

CREATE TEMP TABLE turn AS SELECT 1 AS from_rowid,
  (SELECT json_extract(json, '$.state') FROM temp.object) AS states,
  iif(:children, '{"children":true}', NULL) AS children;

-- The states are asked for once more: a task that has moved meanwhile is left alone.
CREATE TEMP VIEW part AS
SELECT CASE
    WHEN turn.states IS NULL THEN json_object('ids', json(ids))
    WHEN json_valid(turn.states) THEN json_object('ids', json(ids), 'state', json(turn.states))
    ELSE json_object('ids', json(ids), 'state', turn.states)
  END AS filter, turn.children
FROM temp.turn, (
  SELECT json_group_array(id) AS ids FROM temp.chosen
  WHERE rowid >= (SELECT from_rowid FROM temp.turn) AND rowid < (SELECT from_rowid + 1000 FROM temp.turn)
);

SELECT count(*) FROM temp.chosen;
