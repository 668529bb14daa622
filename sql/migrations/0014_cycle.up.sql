-- 0014_cycle: edges made by plain SQL close no cycle through a group either.
--
-- * As tm_depend and tm_enqueue look (depend_cycle, group_cycle): down from the task that is to wait to
--   all that wait for it, by tasks and by groups that they are in. Who has no dependant and is in no
--   group that is waited for is asked for no more than that.
-- * A task never changes its group, and is in it before it has needs: so whatever closes the cycle is
--   the row that is written last, an edge or a wait.

DROP TRIGGER main.tm_dependency_closes_no_cycle;
DROP TRIGGER main.tm_dependency_comes_back_without_cycle;

CREATE TRIGGER main.tm_dependency_closes_no_cycle
BEFORE INSERT ON tm_dependency
WHEN NEW.status = 0
  AND (
    EXISTS (SELECT 1 FROM tm_dependency WHERE needs_id = NEW.task_id AND status = 0)
    OR EXISTS (
      SELECT 1
      FROM tm_flow AS f
      CROSS JOIN tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
      WHERE f.task_id = NEW.task_id
    )
  )
BEGIN
  SELECT RAISE(ABORT, 'tm_dependency: the task would wait for itself in the end [cycle]')
  WHERE NEW.needs_id IN (
    WITH RECURSIVE waiter (id) AS (
      SELECT NEW.task_id
      UNION
      SELECT d.task_id
      FROM waiter
      CROSS JOIN tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
      UNION
      SELECT w.task_id
      FROM waiter
      CROSS JOIN tm_flow AS f ON f.task_id = waiter.id
      CROSS JOIN tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
    )
    SELECT id FROM waiter
  );
END;

CREATE TRIGGER main.tm_dependency_comes_back_without_cycle
BEFORE UPDATE OF status ON tm_dependency
WHEN OLD.status <> 0
  AND NEW.status = 0
  AND (
    EXISTS (SELECT 1 FROM tm_dependency WHERE needs_id = NEW.task_id AND status = 0)
    OR EXISTS (
      SELECT 1
      FROM tm_flow AS f
      CROSS JOIN tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
      WHERE f.task_id = NEW.task_id
    )
  )
BEGIN
  SELECT RAISE(ABORT, 'tm_dependency: the task would wait for itself in the end [cycle]')
  WHERE NEW.needs_id IN (
    WITH RECURSIVE waiter (id) AS (
      SELECT NEW.task_id
      UNION
      SELECT d.task_id
      FROM waiter
      CROSS JOIN tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
      UNION
      SELECT w.task_id
      FROM waiter
      CROSS JOIN tm_flow AS f ON f.task_id = waiter.id
      CROSS JOIN tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
    )
    SELECT id FROM waiter
  );
END;

CREATE TRIGGER main.tm_group_wait_closes_no_cycle
BEFORE INSERT ON tm_group_wait
WHEN NEW.status = 0
BEGIN
  SELECT RAISE(ABORT, 'tm_group_wait: a task of the group would wait for itself in the end [cycle]')
  WHERE EXISTS (
    WITH RECURSIVE waiter (id) AS (
      SELECT NEW.task_id
      UNION
      SELECT d.task_id
      FROM waiter
      CROSS JOIN tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
      UNION
      SELECT w.task_id
      FROM waiter
      CROSS JOIN tm_flow AS f ON f.task_id = waiter.id
      CROSS JOIN tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
    )
    SELECT 1
    FROM waiter
    CROSS JOIN tm_flow AS f ON f.task_id = waiter.id AND f.in_group = NEW.group_name
  );
END;

CREATE TRIGGER main.tm_group_wait_comes_back_without_cycle
BEFORE UPDATE OF status ON tm_group_wait
WHEN OLD.status <> 0
  AND NEW.status = 0
BEGIN
  SELECT RAISE(ABORT, 'tm_group_wait: a task of the group would wait for itself in the end [cycle]')
  WHERE EXISTS (
    WITH RECURSIVE waiter (id) AS (
      SELECT NEW.task_id
      UNION
      SELECT d.task_id
      FROM waiter
      CROSS JOIN tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
      UNION
      SELECT w.task_id
      FROM waiter
      CROSS JOIN tm_flow AS f ON f.task_id = waiter.id
      CROSS JOIN tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
    )
    SELECT 1
    FROM waiter
    CROSS JOIN tm_flow AS f ON f.task_id = waiter.id AND f.in_group = NEW.group_name
  );
END;
