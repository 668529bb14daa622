-- 0017_guards: what plain SQL could write and no verb could cope with.
--
-- * A parent is older than its children: ids only grow, and so a walk down the tree ends. A row of tm_flow
--   that says otherwise is refused; one that is there is named by an invariant.
-- * The rows of the graph were kept from DELETE alone. Now they take no INSERT and no UPDATE either; a
--   migration that extends the graph drops these triggers and makes them again behind its rows.

CREATE TRIGGER main.tm_flow_is_of_a_younger_task_than_its_parent
AFTER INSERT ON tm_flow
WHEN NEW.parent_id > NEW.task_id
BEGIN
  SELECT RAISE(ABORT, 'tm_flow: a parent is older than its child, its id is lower [cycle]');
END;

CREATE TRIGGER main.tm_flow_stays_younger_than_its_parent
AFTER UPDATE OF task_id, parent_id ON tm_flow
WHEN NEW.parent_id > NEW.task_id AND (OLD.task_id IS NOT NEW.task_id OR OLD.parent_id IS NOT NEW.parent_id)
BEGIN
  SELECT RAISE(ABORT, 'tm_flow: a parent is older than its child, its id is lower [cycle]');
END;

CREATE TRIGGER main.tm_state_does_not_change
BEFORE UPDATE OF name, kind, meaning ON tm_state
WHEN OLD.name IS NOT NEW.name OR OLD.kind IS NOT NEW.kind OR OLD.meaning IS NOT NEW.meaning
BEGIN
  SELECT RAISE(ABORT, 'tm_state: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_state_takes_no_other
BEFORE INSERT ON tm_state
BEGIN
  SELECT RAISE(ABORT, 'tm_state: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_transition_does_not_change
BEFORE UPDATE OF from_state, to_state, made_by ON tm_transition
WHEN OLD.from_state IS NOT NEW.from_state OR OLD.to_state IS NOT NEW.to_state OR OLD.made_by IS NOT NEW.made_by
BEGIN
  SELECT RAISE(ABORT, 'tm_transition: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_transition_takes_no_other
BEFORE INSERT ON tm_transition
BEGIN
  SELECT RAISE(ABORT, 'tm_transition: the graph does not change [bad_argument]');
END;
