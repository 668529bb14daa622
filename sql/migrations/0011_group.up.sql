-- 0011_group: tasks that belong together, and tasks that a task made.
--
-- * tm_group is a row for each group: a batch that is sealed when it is whole. It comes into being
--   with its first task. What there is of it is counted, never by counting rows: triggers on
--   tm_flow and tm_task_moved do it, so that it is the same whoever moves or deletes a task.
-- * The numbers are of all tasks that the group ever had: those that were deleted stay counted, in
--   the state they ended in, and as removed. The row goes when it can never matter again: sealed,
--   all of its tasks deleted, and nobody left that waited for it.
-- * revision rises with each write of these triggers; another write of the counts is refused.
-- * tm_group_wait has a row for each task that waits, or waited, for a group, beside those that it
--   waits for by tm_dependency; tm_flow.unmet counts both. status 0 waits; 1 met; 2 failed, and still
--   to be acted upon; 3 failed and acted upon, or overruled.
-- * A parent does not wait for its children. It is there to be found with them.

CREATE TABLE main.tm_group (
  name TEXT NOT NULL PRIMARY KEY,
  is_sealed INTEGER NOT NULL DEFAULT 0,
  tasks INTEGER NOT NULL DEFAULT 0,
  open INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  discarded INTEGER NOT NULL DEFAULT 0,
  removed INTEGER NOT NULL DEFAULT 0,
  progress REAL AS (
    CASE WHEN tasks > 0 THEN CAST(tasks - open AS REAL) / tasks ELSE CAST(is_sealed AS REAL) END
  ) VIRTUAL,
  created_ms INTEGER NOT NULL,
  sealed_ms INTEGER,
  finished_ms INTEGER,
  revision INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT group_name_is_1_to_255_bytes CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT group_is_sealed_is_0_or_1 CHECK (is_sealed IN (0, 1)),
  CONSTRAINT group_counts_add_up CHECK (
    tasks = open + completed + cancelled + discarded
    AND min(open, completed, cancelled, discarded, removed) >= 0
    AND removed <= tasks - open
  ),
  CONSTRAINT group_ends_when_sealed_and_done CHECK (finished_ms IS NULL OR (is_sealed AND open = 0)),
  CONSTRAINT group_is_made_by_its_first_task CHECK (revision > 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX main.tm_flow_group ON tm_flow (in_group) WHERE in_group IS NOT NULL;

-- ---- into a group ------------------------------------------------------------------------------

CREATE TRIGGER main.tm_flow_joins_its_group
BEFORE INSERT ON tm_flow
WHEN NEW.in_group IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'tm_group: the group is sealed, give another [wrong_state]')
  WHERE EXISTS (SELECT 1 FROM tm_group WHERE name = NEW.in_group AND is_sealed);
  INSERT INTO tm_group (name, created_ms, revision)
  SELECT
    NEW.in_group,
    coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    ),
    1
  WHERE NOT EXISTS (SELECT 1 FROM tm_group WHERE name = NEW.in_group);
END;

CREATE TRIGGER main.tm_flow_stays_in_its_group
BEFORE UPDATE OF in_group ON tm_flow
WHEN NEW.in_group IS NOT OLD.in_group
BEGIN
  SELECT RAISE(ABORT, 'tm_flow: a task stays in its group [bad_argument]');
END;

-- ---- counting ----------------------------------------------------------------------------------

-- A birth, an end, or a retry after one.
CREATE TRIGGER main.tm_task_that_moves_counts_in_its_group
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 8
  AND (
    NEW.from_state IS NULL
    OR NEW.to_state = 'completed' OR NEW.to_state = 'cancelled' OR NEW.to_state = 'discarded'
    OR NEW.from_state = 'completed' OR NEW.from_state = 'cancelled' OR NEW.from_state = 'discarded'
  )
BEGIN
  UPDATE tm_group
  SET
    tasks = tasks + (NEW.from_state IS NULL),
    open = open
      + (NEW.from_state IS NULL OR NEW.from_state = 'completed' OR NEW.from_state = 'cancelled' OR NEW.from_state = 'discarded')
      - (NEW.to_state = 'completed' OR NEW.to_state = 'cancelled' OR NEW.to_state = 'discarded'),
    completed = completed - (NEW.from_state IS 'completed') + (NEW.to_state = 'completed'),
    cancelled = cancelled - (NEW.from_state IS 'cancelled') + (NEW.to_state = 'cancelled'),
    discarded = discarded - (NEW.from_state IS 'discarded') + (NEW.to_state = 'discarded'),
    finished_ms = CASE
      WHEN is_sealed
        AND open = 1
        AND (NEW.to_state = 'completed' OR NEW.to_state = 'cancelled' OR NEW.to_state = 'discarded')
      THEN (SELECT moved_ms FROM tm_task WHERE id = NEW.id)
    END,
    revision = revision + 1
  WHERE name = (SELECT in_group FROM tm_flow WHERE task_id = NEW.id);
END;

-- One that goes before its end counts as cancelled.
CREATE TRIGGER main.tm_flow_leaves_its_group
AFTER DELETE ON tm_flow
WHEN OLD.in_group IS NOT NULL
BEGIN
  UPDATE tm_group
  SET
    open = open - 1,
    cancelled = cancelled + 1,
    finished_ms = CASE
      WHEN is_sealed AND open = 1 THEN coalesce(
        (SELECT clock_ms FROM tm_setting WHERE id = 1),
        CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
      )
    END,
    revision = revision + 1
  WHERE name = OLD.in_group
    AND EXISTS (SELECT 1 FROM tm_task WHERE id = OLD.task_id AND finished_ms IS NULL);
  UPDATE tm_group SET removed = removed + 1, revision = revision + 1 WHERE name = OLD.in_group;
  DELETE FROM tm_group
  WHERE name = OLD.in_group
    AND is_sealed
    AND removed = tasks
    AND NOT EXISTS (SELECT 1 FROM tm_group_wait WHERE group_name = OLD.in_group);
END;

CREATE TRIGGER main.tm_group_counts_for_itself
BEFORE UPDATE ON tm_group
WHEN NEW.revision <= OLD.revision
  AND (
    NEW.name IS NOT OLD.name
    OR NEW.tasks IS NOT OLD.tasks
    OR NEW.open IS NOT OLD.open
    OR NEW.completed IS NOT OLD.completed
    OR NEW.cancelled IS NOT OLD.cancelled
    OR NEW.discarded IS NOT OLD.discarded
    OR NEW.removed IS NOT OLD.removed
    OR NEW.created_ms IS NOT OLD.created_ms
    OR NEW.sealed_ms IS NOT OLD.sealed_ms
    OR NEW.finished_ms IS NOT OLD.finished_ms
    OR NEW.revision IS NOT OLD.revision
  )
BEGIN
  SELECT RAISE(ABORT, 'tm_group: the group counts for itself, change nothing but is_sealed [bad_argument]');
END;

-- ---- who waits for it ---------------------------------------------------------------------------

CREATE TABLE main.tm_group_wait (
  group_name TEXT NOT NULL,
  task_id INTEGER NOT NULL,
  needs TEXT NOT NULL DEFAULT 'final',
  status INTEGER NOT NULL DEFAULT -1,
  CONSTRAINT group_wait_is_there_once PRIMARY KEY (task_id, group_name),
  CONSTRAINT group_wait_is_of_a_task FOREIGN KEY (task_id) REFERENCES tm_task (id) ON DELETE CASCADE,
  CONSTRAINT group_wait_is_for_a_group FOREIGN KEY (group_name) REFERENCES tm_group (name),
  CONSTRAINT group_wait_needs_completed_or_final CHECK (needs = 'completed' OR needs = 'final'),
  CONSTRAINT group_wait_is_made_by_a_verb CHECK (status BETWEEN 0 AND 3)
) STRICT, WITHOUT ROWID;

CREATE INDEX main.tm_group_wait_needed ON tm_group_wait (group_name, status, task_id);

-- A group comes into being with its first waiter, too.
CREATE TRIGGER main.tm_group_wait_is_for_a_group
BEFORE INSERT ON tm_group_wait
BEGIN
  SELECT RAISE(ABORT, 'tm_group_wait: task_id is an id of tm_task [no_such_task]')
  WHERE NOT EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.task_id);
  INSERT INTO tm_group (name, created_ms, revision)
  SELECT
    NEW.group_name,
    coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    ),
    1
  WHERE NOT EXISTS (SELECT 1 FROM tm_group WHERE name = NEW.group_name);
END;

CREATE TRIGGER main.tm_group_wait_keeps_its_ends
BEFORE UPDATE OF group_name, task_id ON tm_group_wait
WHEN OLD.group_name IS NOT NEW.group_name OR OLD.task_id IS NOT NEW.task_id
BEGIN
  SELECT RAISE(ABORT, 'tm_group_wait: who waits for which group does not change, delete the row [bad_argument]');
END;

CREATE TRIGGER main.tm_group_wait_is_counted
AFTER INSERT ON tm_group_wait
BEGIN
  UPDATE tm_flow SET unmet = unmet + 1 WHERE task_id = NEW.task_id AND NEW.status = 0;
  UPDATE tm_task SET flow = flow | 2 WHERE id = NEW.task_id AND flow & 2 = 0;
END;

CREATE TRIGGER main.tm_group_wait_is_counted_anew
AFTER UPDATE OF status ON tm_group_wait
WHEN (OLD.status = 0) <> (NEW.status = 0)
BEGIN
  UPDATE tm_flow SET unmet = unmet + iif(NEW.status = 0, 1, -1) WHERE task_id = NEW.task_id;
END;

-- Who takes away the last thing that a task waits for lets it go; the next claim or tick moves it.
CREATE TRIGGER main.tm_group_wait_is_counted_off
AFTER DELETE ON tm_group_wait
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

-- One that came into being with a waiter, and never had a task, goes with the last of them.
CREATE TRIGGER main.tm_group_wait_that_goes_frees_its_group
AFTER DELETE ON tm_group_wait
BEGIN
  DELETE FROM tm_group
  WHERE name = OLD.group_name
    AND removed = tasks
    AND (is_sealed OR tasks = 0)
    AND NOT EXISTS (SELECT 1 FROM tm_group_wait WHERE group_name = OLD.group_name);
END;

-- Those who waited are noted; a verb goes on with them at once, after a move by hand the next claim
-- or tick does.
CREATE TRIGGER main.tm_group_that_ends_lets_go
AFTER UPDATE OF finished_ms ON tm_group
WHEN NEW.finished_ms IS NOT NULL
  AND OLD.finished_ms IS NULL
  AND EXISTS (SELECT 1 FROM tm_group_wait WHERE group_name = NEW.name AND status = 0)
BEGIN
  INSERT INTO tm_settle (task_id)
  SELECT task_id FROM tm_group_wait AS w
  WHERE w.group_name = NEW.name
    AND w.status = 0
    AND NOT EXISTS (SELECT 1 FROM tm_settle WHERE task_id = w.task_id);
  UPDATE tm_group_wait
  SET status = CASE WHEN needs = 'final' OR NEW.cancelled + NEW.discarded = 0 THEN 1 ELSE 2 END
  WHERE group_name = NEW.name AND status = 0;
  UPDATE tm_setting SET stamp = random() WHERE id = 1;
END;

-- Whoever lets a task run lets it run whatever it waits for.
CREATE TRIGGER main.tm_task_that_may_run_waits_for_no_group
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 2
  AND NEW.from_state IS NOT NULL
  AND (NEW.to_state = 'available' OR NEW.to_state = 'scheduled')
  AND EXISTS (SELECT 1 FROM tm_flow WHERE task_id = NEW.id AND unmet > 0)
BEGIN
  UPDATE tm_group_wait SET status = 3 WHERE task_id = NEW.id AND status = 0;
END;

CREATE TRIGGER main.tm_task_takes_its_waits_along
BEFORE DELETE ON tm_task
WHEN OLD.flow & 2
BEGIN
  DELETE FROM tm_group_wait WHERE task_id = OLD.id;
END;

-- ---- its end -----------------------------------------------------------------------------------

-- UPDATE tm_group SET is_sealed = 1 is what tm_seal does. With nothing left of it, it is over.
CREATE TRIGGER main.tm_group_is_sealed
AFTER UPDATE OF is_sealed ON tm_group
WHEN NEW.is_sealed AND NOT OLD.is_sealed
BEGIN
  UPDATE tm_group
  SET
    sealed_ms = coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    ),
    finished_ms = CASE
      WHEN open = 0 THEN coalesce(
        (SELECT clock_ms FROM tm_setting WHERE id = 1),
        CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
      )
    END,
    revision = revision + 1
  WHERE name = NEW.name;
  DELETE FROM tm_group
  WHERE name = NEW.name
    AND removed = tasks
    AND NOT EXISTS (SELECT 1 FROM tm_group_wait WHERE group_name = NEW.name);
END;

CREATE TRIGGER main.tm_group_stays_sealed
BEFORE UPDATE OF is_sealed ON tm_group
WHEN OLD.is_sealed AND NOT NEW.is_sealed
BEGIN
  SELECT RAISE(ABORT, 'tm_group: a sealed group stays sealed [wrong_state]');
END;

CREATE TRIGGER main.tm_group_stays_while_it_has_tasks
BEFORE DELETE ON tm_group
BEGIN
  SELECT RAISE(ABORT, 'tm_group: the group has tasks, delete them first [wrong_state]')
  WHERE EXISTS (SELECT 1 FROM tm_flow WHERE in_group = OLD.name);
  SELECT RAISE(ABORT, 'tm_group: tasks wait for the group, or did, seal it, it goes with the last of them [wrong_state]')
  WHERE EXISTS (SELECT 1 FROM tm_group_wait WHERE group_name = OLD.name);
END;

-- ---- parents -----------------------------------------------------------------------------------

CREATE TRIGGER main.tm_flow_has_a_parent_that_is_there
BEFORE INSERT ON tm_flow
WHEN NEW.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.parent_id)
BEGIN
  SELECT RAISE(ABORT, 'tm_flow: the parent is no task [no_such_task]');
END;

CREATE TRIGGER main.tm_flow_tells_its_parent
AFTER INSERT ON tm_flow
WHEN NEW.parent_id IS NOT NULL
BEGIN
  UPDATE tm_task SET flow = flow | 64 WHERE id = NEW.parent_id AND NOT flow & 64;
END;

-- It ends when the parent goes.
CREATE TRIGGER main.tm_flow_keeps_its_parent
BEFORE UPDATE OF parent_id ON tm_flow
WHEN NEW.parent_id IS NOT NULL AND NEW.parent_id IS NOT OLD.parent_id
BEGIN
  SELECT RAISE(ABORT, 'tm_flow: a task keeps its parent [bad_argument]');
END;
