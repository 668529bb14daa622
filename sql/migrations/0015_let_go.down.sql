-- Back to 0011_group.
DROP TRIGGER main.tm_task_that_may_run_waits_for_nothing;
CREATE TRIGGER main.tm_task_that_may_run_waits_for_nothing
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 2
  AND NEW.from_state IS NOT NULL
  AND (NEW.to_state = 'available' OR NEW.to_state = 'scheduled')
  AND EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id AND unmet > 0)
BEGIN
  UPDATE tm_dependency SET status = 2 WHERE task_id = NEW.id AND status = 0;
END;

DROP TRIGGER main.tm_task_that_may_run_waits_for_no_group;
CREATE TRIGGER main.tm_task_that_may_run_waits_for_no_group
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 2
  AND NEW.from_state IS NOT NULL
  AND (NEW.to_state = 'available' OR NEW.to_state = 'scheduled')
  AND EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id AND unmet > 0)
BEGIN
  UPDATE tm_group_wait SET status = 3 WHERE task_id = NEW.id AND status = 0;
END;
