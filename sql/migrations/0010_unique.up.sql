-- 0010_unique: tasks that are unique by a key, held by an index.
--
-- * tm_unique is the row beside a task that was enqueued with the option unique (bit 1 of
--   tm_task.flow). tm_unique_key, unique over the rows that hold their key, is what decides.
-- * A key is let go by the move that ends what its scope covers, and taken again by a move out of
--   a final state; both are triggers on tm_task_moved, so that moves by hand do it too.
-- * A key of a window (until_ms) outlives its task: is_orphan is 1 from the delete until upkeep
--   finds that the window is over. Therefore no foreign key leads to the task; triggers do what
--   it would.
-- * tm_task_moved refuses a row that says nothing: a verb asks it once for each time that its
--   statement is compiled, to know that no authorizer keeps the triggers from running.

CREATE TABLE main.tm_unique (
  task_id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  scope TEXT NOT NULL DEFAULT 'incomplete',
  until_ms INTEGER,
  is_held INTEGER NOT NULL DEFAULT 1,
  is_orphan INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT unique_scope_is_known CHECK (scope IN ('incomplete', 'queued', 'all')),
  CONSTRAINT unique_is_held_is_0_or_1 CHECK (is_held IN (0, 1)),
  CONSTRAINT unique_is_orphan_is_0_or_1 CHECK (is_orphan IN (0, 1)),
  CONSTRAINT unique_until_is_not_negative CHECK (until_ms >= 0),
  CONSTRAINT unique_for_all_is_always_held CHECK (scope <> 'all' OR is_held = 1),
  CONSTRAINT unique_until_is_for_all CHECK (until_ms IS NULL OR scope = 'all')
) STRICT;

CREATE UNIQUE INDEX main.tm_unique_key ON tm_unique (key) WHERE is_held = 1;

CREATE INDEX main.tm_unique_orphan ON tm_unique (until_ms) WHERE is_orphan = 1 AND until_ms IS NOT NULL;

CREATE TRIGGER main.tm_unique_is_of_a_task
BEFORE INSERT ON tm_unique
WHEN NOT EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.task_id AND flow & 1)
BEGIN
  SELECT RAISE(ABORT, 'tm_unique: the task is not one that was enqueued with the option unique [bad_argument]');
END;

CREATE TRIGGER main.tm_unique_keeps_its_task
BEFORE UPDATE OF task_id ON tm_unique
WHEN OLD.task_id IS NOT NEW.task_id
BEGIN
  SELECT RAISE(ABORT, 'tm_unique: a key stays with its task [bad_argument]');
END;

-- Without its row a task that is unique could not move.
CREATE TRIGGER main.tm_unique_stays_with_its_task
BEFORE DELETE ON tm_unique
WHEN OLD.is_orphan = 0 AND EXISTS (SELECT 1 FROM tm_task WHERE id = OLD.task_id AND flow & 1)
BEGIN
  SELECT RAISE(ABORT, 'tm_unique: the task is there, and lets go of its key when it ends [wrong_state]');
END;

-- Before, because a trigger of the user's that raises IGNORE after it would skip this one.
CREATE TRIGGER main.tm_task_takes_its_key_along
BEFORE DELETE ON tm_task
WHEN OLD.flow & 1
BEGIN
  UPDATE tm_unique SET is_orphan = 1 WHERE task_id = OLD.id;
  DELETE FROM tm_unique
  WHERE task_id = OLD.id
    AND is_orphan = 1
    AND coalesce(until_ms, 0) <= coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    );
  SELECT RAISE(ABORT, 'tm_unique: the key was not let go, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_unique
  WHERE task_id = OLD.id AND (is_orphan = 0 OR until_ms IS NULL);
END;

CREATE TRIGGER main.tm_task_moved_says_what
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.id IS NULL OR NEW.flow IS NULL OR NEW.to_state IS NULL
BEGIN
  SELECT RAISE(ABORT, 'tm_task_moved: id, flow or to_state is NULL [bad_argument]');
END;

CREATE TRIGGER main.tm_task_that_is_unique_has_its_row
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 1 AND NOT EXISTS (SELECT 1 FROM tm_unique WHERE task_id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'tm_task: flow says that it is unique, and tm_unique has no row of it, leave it to tm_enqueue [bad_argument]');
END;

-- A claim ends queued; an end ends incomplete too.
CREATE TRIGGER main.tm_task_lets_go_of_its_key
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 1
  AND (
    NEW.to_state = 'running'
    OR NEW.to_state = 'completed'
    OR NEW.to_state = 'cancelled'
    OR NEW.to_state = 'discarded'
  )
BEGIN
  UPDATE tm_unique
  SET is_held = 0
  WHERE task_id = NEW.id
    AND is_held = 1
    AND (scope = 'queued' OR (scope = 'incomplete' AND NEW.to_state <> 'running'));
  SELECT RAISE(ABORT, 'tm_unique: the key was not let go, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_unique
  WHERE task_id = NEW.id
    AND is_held = 1
    AND (scope = 'queued' OR (scope = 'incomplete' AND NEW.to_state <> 'running'));
END;

CREATE TRIGGER main.tm_task_takes_its_key_again
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 1
  AND (NEW.from_state = 'completed' OR NEW.from_state = 'cancelled' OR NEW.from_state = 'discarded')
BEGIN
  SELECT RAISE(ABORT, 'tm_task: another task holds the unique key of this one by now, see tm_unique [not_unique]')
  FROM tm_unique AS mine
  WHERE mine.task_id = NEW.id
    AND mine.is_held = 0
    AND EXISTS (SELECT 1 FROM tm_unique AS other WHERE other.key = mine.key AND other.is_held = 1);
  UPDATE tm_unique SET is_held = 1 WHERE task_id = NEW.id AND is_held = 0;
  SELECT RAISE(ABORT, 'tm_unique: the key was not taken, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_unique
  WHERE task_id = NEW.id AND is_held = 0;
END;
