-- Back to 0007_depend.
DROP TRIGGER main.tm_dependency_closes_no_cycle;
DROP TRIGGER main.tm_dependency_comes_back_without_cycle;
DROP TRIGGER main.tm_group_wait_closes_no_cycle;
DROP TRIGGER main.tm_group_wait_comes_back_without_cycle;

CREATE TRIGGER main.tm_dependency_closes_no_cycle
BEFORE INSERT ON tm_dependency
WHEN NEW.status = 0 AND EXISTS (SELECT 1 FROM tm_dependency WHERE needs_id = NEW.task_id AND status = 0)
BEGIN
  SELECT RAISE(ABORT, 'tm_dependency: the task would wait for itself in the end [cycle]')
  WHERE NEW.needs_id IN (
    WITH RECURSIVE waiter (id) AS (
      SELECT NEW.task_id
      UNION
      SELECT d.task_id
      FROM waiter
      CROSS JOIN tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
    )
    SELECT id FROM waiter
  );
END;

CREATE TRIGGER main.tm_dependency_comes_back_without_cycle
BEFORE UPDATE OF status ON tm_dependency
WHEN OLD.status <> 0
  AND NEW.status = 0
  AND EXISTS (SELECT 1 FROM tm_dependency WHERE needs_id = NEW.task_id AND status = 0)
BEGIN
  SELECT RAISE(ABORT, 'tm_dependency: the task would wait for itself in the end [cycle]')
  WHERE NEW.needs_id IN (
    WITH RECURSIVE waiter (id) AS (
      SELECT NEW.task_id
      UNION
      SELECT d.task_id
      FROM waiter
      CROSS JOIN tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
    )
    SELECT id FROM waiter
  );
END;
