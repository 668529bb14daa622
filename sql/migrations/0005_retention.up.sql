-- Retention: how long a queue keeps its finished tasks, and how many of them. NULL keeps for ever.
--
-- There is no index on finished tasks, because each finish would write a page of it. Only a task
-- of a queue that has a limit is noted in tm_finished, by the triggers below, in order of the time
-- of finishing; who sets none of these columns pays nothing.

ALTER TABLE main.tm_queue ADD COLUMN keep_completed_ms INTEGER
  CONSTRAINT queue_keep_completed_is_in_range CHECK (keep_completed_ms BETWEEN 0 AND 3153600000000);
ALTER TABLE main.tm_queue ADD COLUMN keep_cancelled_ms INTEGER
  CONSTRAINT queue_keep_cancelled_is_in_range CHECK (keep_cancelled_ms BETWEEN 0 AND 3153600000000);
ALTER TABLE main.tm_queue ADD COLUMN keep_discarded_ms INTEGER
  CONSTRAINT queue_keep_discarded_is_in_range CHECK (keep_discarded_ms BETWEEN 0 AND 3153600000000);
ALTER TABLE main.tm_queue ADD COLUMN keep_count INTEGER
  CONSTRAINT queue_keep_count_is_not_negative CHECK (keep_count >= 0);

-- phase is the task's state and at_ms the time of its finish; or phase is in_use, where pruning
-- could not delete it, and at_ms the time of the next try.
CREATE TABLE main.tm_finished (
  queue TEXT NOT NULL,
  phase TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  task_id INTEGER NOT NULL,
  CONSTRAINT finished_task_is_noted_once PRIMARY KEY (queue, phase, at_ms, task_id),
  CONSTRAINT finished_task_is_of_a_queue FOREIGN KEY (queue) REFERENCES tm_queue (name) ON UPDATE CASCADE,
  CONSTRAINT finished_phase_is_known CHECK (
    phase = 'completed' OR phase = 'cancelled' OR phase = 'discarded' OR phase = 'in_use'
  )
) STRICT, WITHOUT ROWID;

-- How many tasks of a queue are in tm_finished and not in use; a row for each keep_count.
CREATE TABLE main.tm_finished_count (
  queue TEXT NOT NULL,
  tasks INTEGER NOT NULL,
  CONSTRAINT finished_are_counted_once PRIMARY KEY (queue),
  CONSTRAINT finished_count_is_of_a_queue FOREIGN KEY (queue) REFERENCES tm_queue (name) ON UPDATE CASCADE
) STRICT, WITHOUT ROWID;

-- While there is a row: tasks after after_id, up to last_id, may be finished and not noted.
CREATE TABLE main.tm_finished_walk (
  id INTEGER PRIMARY KEY,
  after_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL,
  CONSTRAINT finished_walk_is_one_row CHECK (id = 1)
) STRICT;

-- A chain of OR, because IN (...) of three builds a table in memory at every update: 0.1 µs
-- instead of 5. What is done is in a trigger of its own, because a program that is not run
-- costs as much as its size, at every move of every task. A note is taken back whatever the queue
-- says now: it may have had a limit when the task finished. The row is read as it is now: the
-- trigger for moves by hand sets moved_ms.
CREATE TRIGGER main.tm_task_finish_is_noted
AFTER UPDATE OF state, moved_ms, queue ON tm_task
WHEN (OLD.state IS NOT NEW.state OR OLD.moved_ms IS NOT NEW.moved_ms OR OLD.queue IS NOT NEW.queue)
  AND (
    OLD.state = 'completed'
    OR OLD.state = 'cancelled'
    OR OLD.state = 'discarded'
    OR (
      (NEW.state = 'completed' OR NEW.state = 'cancelled' OR NEW.state = 'discarded')
      AND EXISTS (
        SELECT 1 FROM tm_queue
        WHERE name = NEW.queue
          AND (
            keep_count IS NOT NULL
            OR CASE NEW.state
              WHEN 'completed' THEN keep_completed_ms
              WHEN 'cancelled' THEN keep_cancelled_ms
              ELSE keep_discarded_ms
            END IS NOT NULL
          )
      )
    )
  )
BEGIN
  INSERT INTO tm_task_finish (id, queue, state, at_ms)
  VALUES (NEW.id, OLD.queue, OLD.state, OLD.moved_ms);
END;

CREATE VIEW main.tm_task_finish (id, queue, state, at_ms) AS
SELECT NULL, NULL, NULL, NULL WHERE 0;

CREATE TRIGGER main.tm_task_finish_changes_its_note
INSTEAD OF INSERT ON tm_task_finish
BEGIN
  DELETE FROM tm_finished
  WHERE queue = NEW.queue AND phase = NEW.state AND at_ms = NEW.at_ms AND task_id = NEW.id;
  SELECT RAISE(ABORT, 'tm_finished: the task is still noted, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_finished
  WHERE queue = NEW.queue AND phase = NEW.state AND at_ms = NEW.at_ms AND task_id = NEW.id;
  INSERT INTO tm_finished (queue, phase, at_ms, task_id)
  SELECT t.queue, t.state, t.moved_ms, t.id
  FROM tm_task AS t
  WHERE t.id = NEW.id
    AND (t.state = 'completed' OR t.state = 'cancelled' OR t.state = 'discarded')
    AND EXISTS (
      SELECT 1 FROM tm_queue
      WHERE name = t.queue
        AND (
          keep_count IS NOT NULL
          OR CASE t.state
            WHEN 'completed' THEN keep_completed_ms
            WHEN 'cancelled' THEN keep_cancelled_ms
            ELSE keep_discarded_ms
          END IS NOT NULL
        )
    )
    AND NOT EXISTS (
      SELECT 1 FROM tm_finished
      WHERE queue = t.queue AND phase = t.state AND at_ms = t.moved_ms AND task_id = t.id
    );
  SELECT RAISE(ABORT, 'tm_finished: the task was not noted, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_task AS t
  WHERE t.id = NEW.id
    AND (t.state = 'completed' OR t.state = 'cancelled' OR t.state = 'discarded')
    AND EXISTS (
      SELECT 1 FROM tm_queue
      WHERE name = t.queue
        AND (
          keep_count IS NOT NULL
          OR CASE t.state
            WHEN 'completed' THEN keep_completed_ms
            WHEN 'cancelled' THEN keep_cancelled_ms
            ELSE keep_discarded_ms
          END IS NOT NULL
        )
    )
    AND NOT EXISTS (
      SELECT 1 FROM tm_finished
      WHERE queue = t.queue AND phase = t.state AND at_ms = t.moved_ms AND task_id = t.id
    );
END;

CREATE TRIGGER main.tm_task_is_forgotten_when_deleted
AFTER DELETE ON tm_task
WHEN OLD.state = 'completed' OR OLD.state = 'cancelled' OR OLD.state = 'discarded'
BEGIN
  DELETE FROM tm_finished
  WHERE queue = OLD.queue AND phase = OLD.state AND at_ms = OLD.moved_ms AND task_id = OLD.id;
  SELECT RAISE(ABORT, 'tm_finished: the task is still noted, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_finished
  WHERE queue = OLD.queue AND phase = OLD.state AND at_ms = OLD.moved_ms AND task_id = OLD.id;
END;

CREATE TRIGGER main.tm_finished_is_counted
AFTER INSERT ON tm_finished
WHEN NEW.phase <> 'in_use'
BEGIN
  UPDATE tm_finished_count SET tasks = tasks + 1 WHERE queue = NEW.queue;
END;

CREATE TRIGGER main.tm_finished_is_counted_off
AFTER DELETE ON tm_finished
WHEN OLD.phase <> 'in_use'
BEGIN
  UPDATE tm_finished_count SET tasks = tasks - 1 WHERE queue = OLD.queue;
END;

CREATE TRIGGER main.tm_queue_counts_what_it_keeps
AFTER UPDATE OF keep_count ON tm_queue
WHEN (OLD.keep_count IS NULL) <> (NEW.keep_count IS NULL)
BEGIN
  DELETE FROM tm_finished_count WHERE queue = NEW.name;
  INSERT INTO tm_finished_count (queue, tasks)
  SELECT NEW.name, (SELECT count(*) FROM tm_finished WHERE queue = NEW.name AND phase <> 'in_use')
  WHERE NEW.keep_count IS NOT NULL;
END;

CREATE TRIGGER main.tm_queue_that_is_new_counts_too
AFTER INSERT ON tm_queue
BEGIN
  DELETE FROM tm_finished_count WHERE queue = NEW.name;
  INSERT INTO tm_finished_count (queue, tasks)
  SELECT NEW.name, (SELECT count(*) FROM tm_finished WHERE queue = NEW.name AND phase <> 'in_use')
  WHERE NEW.keep_count IS NOT NULL;
END;

CREATE TRIGGER main.tm_queue_takes_its_notes_along
BEFORE DELETE ON tm_queue
BEGIN
  DELETE FROM tm_finished WHERE queue = OLD.name;
  DELETE FROM tm_finished_count WHERE queue = OLD.name;
END;

-- A limit that is new reaches the tasks that finished before it: upkeep walks over tm_task.
CREATE TRIGGER main.tm_queue_with_a_new_limit_is_walked
AFTER UPDATE OF keep_completed_ms, keep_cancelled_ms, keep_discarded_ms, keep_count ON tm_queue
WHEN (OLD.keep_completed_ms IS NULL AND NEW.keep_completed_ms IS NOT NULL)
  OR (OLD.keep_cancelled_ms IS NULL AND NEW.keep_cancelled_ms IS NOT NULL)
  OR (OLD.keep_discarded_ms IS NULL AND NEW.keep_discarded_ms IS NOT NULL)
  OR (OLD.keep_count IS NULL AND NEW.keep_count IS NOT NULL)
BEGIN
  DELETE FROM tm_finished_walk;
  INSERT INTO tm_finished_walk (id, after_id, last_id)
  SELECT 1, 0, max(id) FROM tm_task HAVING max(id) IS NOT NULL;
END;

-- INSERT OR REPLACE changes a limit too, and no trigger of UPDATE sees it.
CREATE TRIGGER main.tm_queue_that_is_replaced_is_walked
BEFORE INSERT ON tm_queue
WHEN EXISTS (
  SELECT 1 FROM tm_queue AS old
  WHERE old.name = NEW.name
    AND (
      (old.keep_completed_ms IS NULL AND NEW.keep_completed_ms IS NOT NULL)
      OR (old.keep_cancelled_ms IS NULL AND NEW.keep_cancelled_ms IS NOT NULL)
      OR (old.keep_discarded_ms IS NULL AND NEW.keep_discarded_ms IS NOT NULL)
      OR (old.keep_count IS NULL AND NEW.keep_count IS NOT NULL)
    )
)
BEGIN
  DELETE FROM tm_finished_walk;
  INSERT INTO tm_finished_walk (id, after_id, last_id)
  SELECT 1, 0, max(id) FROM tm_task HAVING max(id) IS NOT NULL;
END;
