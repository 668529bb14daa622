-- 0006_flow: what a task may have beside its life: a place among others.
--
-- * tm_task.flow says in bits what there is of it, so that a task that has none of it pays for one
--   look at a number that it reads anyway:
--     1 unique    2 waits for others    4 others wait for it    8 in a group
--     16 times    32 partition          64 has children         128 has a parent
-- * tm_flow is the row beside tm_task for what the bits speak of.
-- * tm_task_moved is told of each birth (from_state is NULL) and each move of such a task, by the
--   verb that made it or by the trigger for moves by hand. What follows from it is in triggers on
--   this view, each with the bit that it is for, so that it is the same for both.
-- * A task that was asked to stop because its time was over has failed, where cancelling led to
--   nothing but an end.

ALTER TABLE main.tm_task ADD COLUMN flow INTEGER NOT NULL DEFAULT 0
  CONSTRAINT task_flow_is_known_bits CHECK (flow BETWEEN 0 AND 255);

CREATE TABLE main.tm_flow (
  task_id INTEGER PRIMARY KEY,
  partition TEXT,
  parent_id INTEGER,
  in_group TEXT,
  on_failure TEXT,
  unmet INTEGER NOT NULL DEFAULT 0,
  expires_ms INTEGER,
  timeout_ms INTEGER,
  deadline_ms INTEGER,
  due_ms INTEGER,
  stopping TEXT,
  CONSTRAINT flow_belongs_to_a_task FOREIGN KEY (task_id) REFERENCES tm_task (id) ON DELETE CASCADE,
  CONSTRAINT flow_parent_is_a_task FOREIGN KEY (parent_id) REFERENCES tm_task (id) ON DELETE SET NULL,
  CONSTRAINT flow_partition_is_1_to_255_bytes CHECK (length(CAST(partition AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT flow_group_is_1_to_255_bytes CHECK (length(CAST(in_group AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT flow_parent_is_another_task CHECK (parent_id <> task_id),
  CONSTRAINT flow_on_failure_is_known CHECK (on_failure IN ('cancel', 'ignore', 'hold')),
  CONSTRAINT flow_unmet_is_not_negative CHECK (unmet >= 0),
  CONSTRAINT flow_expires_between_1970_and_9999 CHECK (expires_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT flow_timeout_is_in_range CHECK (timeout_ms BETWEEN 1 AND 3153600000000),
  CONSTRAINT flow_deadline_is_between_1970_and_9999 CHECK (deadline_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT flow_is_due_between_1970_and_9999 CHECK (due_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT flow_stopping_is_known CHECK (stopping IN ('timeout', 'deadline'))
) STRICT;

-- For the foreign key, and for the children of a parent.
CREATE INDEX main.tm_flow_parent ON tm_flow (parent_id) WHERE parent_id IS NOT NULL;

CREATE VIEW main.tm_task_moved (id, flow, from_state, to_state) AS
SELECT NULL, NULL, NULL, NULL WHERE 0;

-- Who names the column with a bit that has no row would be counted nowhere.
CREATE TRIGGER main.tm_task_that_moves_has_its_flow
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 186 AND NOT EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'tm_task: flow says what has no row in tm_flow, leave it to tm_enqueue [bad_argument]');
END;

-- A plain client has foreign keys off.
CREATE TRIGGER main.tm_task_takes_its_flow_along
BEFORE DELETE ON tm_task
WHEN OLD.flow <> 0
BEGIN
  UPDATE tm_flow SET parent_id = NULL WHERE parent_id = OLD.id;
  DELETE FROM tm_flow WHERE task_id = OLD.id;
END;

-- As in 0003_speed, with the last statement new.
DROP TRIGGER main.tm_task_by_hand_keeps_history;
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
  INSERT INTO tm_task_moved (id, flow, from_state, to_state)
  SELECT id, flow, NEW.from_state, NEW.to_state
  FROM tm_task
  WHERE id = NEW.id AND NOT NEW.is_counted AND flow <> 0;
END;

-- begin generated from states.txt
INSERT OR IGNORE INTO main.tm_transition (from_state, to_state, made_by)
VALUES
  ('cancelling', 'retryable', 'tm_fail, or its time was over: it ran longer than its timeout'),
  ('cancelling', 'discarded', 'the same with no attempt left, or past its deadline');
-- end generated from states.txt
