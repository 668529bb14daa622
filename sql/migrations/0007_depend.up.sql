-- 0007_depend: tasks that wait for others.
--
-- * tm_dependency has one row for each task that a task waits for, or waited for; tm_flow.unmet
--   counts those that it waits for still, and a task is blocked while there are any.
-- * A verb that ends a task goes through its dependants itself. An end by hand is only noted, in
--   tm_settle, because a trigger must not move other tasks: the next claim or tick does the rest.
--   The stamp changes with such a note, so that nobody has to look for one.
-- * status 0 waits; 1 met; 2 failed, and not waited for any more. It has a default that a CHECK
--   refuses, so that no row is made by hand by accident.

CREATE TABLE main.tm_dependency (
  task_id INTEGER NOT NULL,
  needs_id INTEGER NOT NULL,
  needs TEXT NOT NULL DEFAULT 'completed',
  status INTEGER NOT NULL DEFAULT -1,
  CONSTRAINT dependency_is_there_once PRIMARY KEY (task_id, needs_id),
  CONSTRAINT dependency_is_of_a_task FOREIGN KEY (task_id) REFERENCES tm_task (id) ON DELETE CASCADE,
  CONSTRAINT dependency_needs_a_task FOREIGN KEY (needs_id) REFERENCES tm_task (id),
  CONSTRAINT dependency_is_on_another_task CHECK (needs_id <> task_id),
  CONSTRAINT dependency_needs_completed_or_final CHECK (needs = 'completed' OR needs = 'final'),
  CONSTRAINT dependency_is_made_by_a_verb CHECK (status BETWEEN 0 AND 2)
) STRICT, WITHOUT ROWID;

-- Those who wait are one stretch of it, whoever waited before.
CREATE INDEX main.tm_dependency_needed ON tm_dependency (needs_id, status, task_id);

-- Tasks whose dependants, or which themselves, are still to be looked at.
CREATE TABLE main.tm_settle (
  task_id INTEGER PRIMARY KEY,
  CONSTRAINT settle_is_of_a_task FOREIGN KEY (task_id) REFERENCES tm_task (id) ON DELETE CASCADE
) STRICT;

-- ---- edges and what counts them -----------------------------------------------------------------

-- A plain client has foreign keys off.
CREATE TRIGGER main.tm_dependency_is_between_tasks
BEFORE INSERT ON tm_dependency
BEGIN
  SELECT RAISE(ABORT, 'tm_dependency: task_id and needs_id are ids of tm_task [no_such_task]')
  WHERE NOT EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.task_id)
    OR NOT EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.needs_id);
END;

-- Down from the task to all that wait for it. Nobody does in the usual case.
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

CREATE TRIGGER main.tm_dependency_keeps_its_tasks
BEFORE UPDATE OF task_id, needs_id ON tm_dependency
WHEN OLD.task_id IS NOT NEW.task_id OR OLD.needs_id IS NOT NEW.needs_id
BEGIN
  SELECT RAISE(ABORT, 'tm_dependency: who waits for whom does not change, delete the row or use tm_depend [bad_argument]');
END;

CREATE TRIGGER main.tm_dependency_is_counted
AFTER INSERT ON tm_dependency
BEGIN
  UPDATE tm_flow SET unmet = unmet + 1 WHERE task_id = NEW.task_id AND NEW.status = 0;
  UPDATE tm_task SET flow = flow | 2 WHERE id = NEW.task_id AND flow & 2 = 0;
  UPDATE tm_task SET flow = flow | 4 WHERE id = NEW.needs_id AND flow & 4 = 0;
END;

CREATE TRIGGER main.tm_dependency_is_counted_anew
AFTER UPDATE OF status ON tm_dependency
WHEN (OLD.status = 0) <> (NEW.status = 0)
BEGIN
  UPDATE tm_flow SET unmet = unmet + iif(NEW.status = 0, 1, -1) WHERE task_id = NEW.task_id;
END;

-- Who takes away the last thing that a task waits for lets it go; the next claim or tick moves it.
CREATE TRIGGER main.tm_dependency_is_counted_off
AFTER DELETE ON tm_dependency
WHEN OLD.status = 0
BEGIN
  UPDATE tm_flow SET unmet = unmet - 1 WHERE task_id = OLD.task_id;
  INSERT INTO tm_settle (task_id)
  SELECT t.id
  FROM tm_task AS t
  JOIN tm_flow AS f ON f.task_id = t.id
  WHERE t.id = OLD.task_id
    AND t.state = 'blocked'
    AND f.unmet = 0
    AND NOT EXISTS (SELECT 1 FROM tm_settle WHERE task_id = OLD.task_id);
  UPDATE tm_setting SET stamp = random()
  WHERE id = 1 AND EXISTS (SELECT 1 FROM tm_settle WHERE task_id = OLD.task_id);
END;

-- ---- moves ---------------------------------------------------------------------------------------

-- A verb tells the view nothing of this bit and does it itself, so this is an end by hand.
CREATE TRIGGER main.tm_task_that_ends_by_hand_is_noted
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 4 AND (NEW.to_state = 'completed' OR NEW.to_state = 'cancelled' OR NEW.to_state = 'discarded')
BEGIN
  INSERT INTO tm_settle (task_id)
  SELECT NEW.id
  WHERE EXISTS (SELECT 1 FROM tm_dependency WHERE needs_id = NEW.id AND status = 0)
    AND NOT EXISTS (SELECT 1 FROM tm_settle WHERE task_id = NEW.id);
  UPDATE tm_setting SET stamp = random()
  WHERE id = 1 AND EXISTS (SELECT 1 FROM tm_settle WHERE task_id = NEW.id);
END;

-- Whoever lets a task run lets it run whatever it waits for.
CREATE TRIGGER main.tm_task_that_may_run_waits_for_nothing
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 2
  AND NEW.from_state IS NOT NULL
  AND (NEW.to_state = 'available' OR NEW.to_state = 'scheduled')
  AND EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id AND unmet > 0)
BEGIN
  UPDATE tm_dependency SET status = 2 WHERE task_id = NEW.id AND status = 0;
END;

CREATE TRIGGER main.tm_task_that_is_blocked_waits_for_something
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 2
  AND NEW.from_state IS NOT NULL
  AND NEW.to_state = 'blocked'
  AND NOT EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id AND unmet > 0)
BEGIN
  SELECT RAISE(ABORT, 'tm_task: the task waits for no other, leave blocked to tm_depend [wrong_state]');
END;

-- ---- the end of a row ----------------------------------------------------------------------------

CREATE TRIGGER main.tm_task_takes_its_dependencies_along
BEFORE DELETE ON tm_task
WHEN OLD.flow & 6
BEGIN
  SELECT RAISE(ABORT, 'tm_task: a task that is not finished waits for it, or waited and may ask for its result [wrong_state]')
  WHERE EXISTS (
    SELECT 1
    FROM tm_dependency AS d INDEXED BY tm_dependency_needed
    CROSS JOIN tm_task AS t ON t.id = d.task_id
    WHERE d.needs_id = OLD.id AND t.finished_ms IS NULL
  );
  DELETE FROM tm_dependency WHERE task_id = OLD.id;
  DELETE FROM tm_dependency WHERE needs_id = OLD.id;
  DELETE FROM tm_settle WHERE task_id = OLD.id;
END;
