-- What flow there was goes; the tasks stay in their states. The two moves stay where the history
-- has them.
DROP TRIGGER main.tm_task_by_hand_keeps_history;
DROP TRIGGER main.tm_task_takes_its_flow_along;
DROP VIEW main.tm_task_moved;
DROP TABLE main.tm_flow;
ALTER TABLE main.tm_task DROP COLUMN flow;
CREATE TRIGGER main.tm_task_by_hand_keeps_history
INSTEAD OF INSERT ON tm_task_by_hand
BEGIN
  SELECT RAISE(ABORT, 'tm_task: tm_transition has no move from the old state to the new one [wrong_state]')
  WHERE NOT EXISTS (
    SELECT 1 FROM tm_transition WHERE from_state = NEW.from_state AND to_state = NEW.to_state
  );
  SELECT RAISE(ABORT, 'tm_task: moves counts the rows of history, leave it to the trigger [bad_argument]')
  WHERE NEW.is_counted
    AND (SELECT q.history FROM tm_task AS t JOIN tm_queue AS q ON q.name = t.queue WHERE t.id = NEW.id);
  UPDATE tm_task
  SET
    moves = moves + 1,
    moved_ms = coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    ),
    lease_until_ms = CASE WHEN state IN ('running', 'cancelling') THEN lease_until_ms END,
    held_from = CASE WHEN state = 'held' THEN NEW.from_state END,
    reason = 'by hand'
  WHERE id = NEW.id AND NOT NEW.is_counted;
  INSERT INTO tm_event (id, task_id, previous_id, move, from_state, to_state, at_ms, attempt, actor, reason)
  SELECT
    max(
      coalesce((SELECT max(id) FROM tm_event), 0),
      (SELECT last_deleted_event_id FROM tm_setting WHERE id = 1)
    ) + 1,
    t.id,
    coalesce(t.event_id, 0),
    t.moves,
    NEW.from_state,
    NEW.to_state,
    t.moved_ms,
    t.attempt,
    NULL,
    t.reason
  FROM tm_task AS t
  WHERE t.id = NEW.id AND NOT NEW.is_counted AND (SELECT history FROM tm_queue WHERE name = t.queue);
  UPDATE tm_task
  SET event_id = (SELECT max(id) FROM tm_event)
  WHERE id = NEW.id
    AND NOT NEW.is_counted
    AND (SELECT history FROM tm_queue WHERE name = tm_task.queue);
END;

DROP TRIGGER main.tm_transition_stays;
DELETE FROM main.tm_transition
WHERE from_state = 'cancelling'
  AND to_state IN ('retryable', 'discarded')
  AND NOT EXISTS (
    SELECT 1 FROM tm_event AS e
    WHERE e.from_state = 'cancelling' AND e.to_state = tm_transition.to_state
  );
CREATE TRIGGER main.tm_transition_stays
BEFORE DELETE ON tm_transition
BEGIN
  SELECT RAISE(ABORT, 'tm_transition: the graph does not change [bad_argument]');
END;
