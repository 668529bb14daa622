-- 0015_let_go: whoever lets a task go by hand lets it go without what it waits for, wherever to.
--
-- * A held task that waited for others may be put back by plain SQL as retryable or waiting too, states
--   that wait for a time or an event: as with available and scheduled, it waits for no other then.

DROP TRIGGER main.tm_task_that_may_run_waits_for_nothing;
CREATE TRIGGER main.tm_task_that_may_run_waits_for_nothing
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 2
  AND NEW.from_state IS NOT NULL
  AND (NEW.to_state = 'available' OR NEW.to_state = 'scheduled' OR NEW.to_state = 'retryable' OR NEW.to_state = 'waiting')
  AND EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id AND unmet > 0)
BEGIN
  UPDATE tm_dependency SET status = 2 WHERE task_id = NEW.id AND status = 0;
END;

DROP TRIGGER main.tm_task_that_may_run_waits_for_no_group;
CREATE TRIGGER main.tm_task_that_may_run_waits_for_no_group
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 2
  AND NEW.from_state IS NOT NULL
  AND (NEW.to_state = 'available' OR NEW.to_state = 'scheduled' OR NEW.to_state = 'retryable' OR NEW.to_state = 'waiting')
  AND EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id AND unmet > 0)
BEGIN
  UPDATE tm_group_wait SET status = 3 WHERE task_id = NEW.id AND status = 0;
END;

-- Those that were let go so before.
UPDATE main.tm_dependency SET status = 2
WHERE status = 0
  AND task_id IN (
    SELECT id FROM main.tm_task
    WHERE state = 'retryable' OR state = 'waiting' OR (state = 'held' AND held_from IN ('retryable', 'waiting'))
  );
UPDATE main.tm_group_wait SET status = 3
WHERE status = 0
  AND task_id IN (
    SELECT id FROM main.tm_task
    WHERE state = 'retryable' OR state = 'waiting' OR (state = 'held' AND held_from IN ('retryable', 'waiting'))
  );
