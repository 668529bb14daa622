-- 0017_guards: what plain SQL could write and no verb could cope with.
--
-- * A parent is older than its children: ids only grow, and so a walk down the tree ends. A row of tm_flow
--   that says otherwise is refused; one that is there is named by an invariant.

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
