-- 0004_schedules: tasks by the clock.
--
-- * A schedule says when a task is enqueued; a slot is one such time, decided once: its row
--   is UNIQUE, and outlives the task.
-- * next_ms can be computed by the library alone. So a row is born, and what next_ms depends
--   on is changed, by verbs: they count in `revision`, whose default is refused and which
--   a change of those columns must move. Everything else is plain SQL.
-- * What verbs keep of a queue says whether it has schedules, so the stamp changes with them. A
--   slot that fires leaves the stamp alone: it moves times only, which are always looked up.

-- spec, zone (NULL is UTC), start_ms and end_ms say which slots there are. next_ms is the first
-- that is not decided yet, NULL where there will be none; due_ms is when to look at it: then, or
-- later where looking failed. Slots up to resumed_ms passed while it was paused.
-- waits_for_id is the task before, where overlap is 'queue' and it is not finished.
CREATE TABLE main.tm_schedule (
  name TEXT NOT NULL,
  spec TEXT NOT NULL,
  zone TEXT,
  queue TEXT NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  next_ms INTEGER,
  due_ms INTEGER,
  runs INTEGER NOT NULL DEFAULT 0,
  last_ms INTEGER,
  last_task_id INTEGER,
  waits_for_id INTEGER,
  resumed_ms INTEGER,
  error TEXT,
  revision INTEGER NOT NULL DEFAULT -1,
  created_ms INTEGER NOT NULL,
  catch_up TEXT NOT NULL DEFAULT 'one',
  overlap TEXT NOT NULL DEFAULT 'allow',
  start_ms INTEGER,
  end_ms INTEGER,
  max_runs INTEGER,
  jitter_ms INTEGER NOT NULL DEFAULT 0,
  delay_ms INTEGER NOT NULL DEFAULT 0,
  held INTEGER NOT NULL DEFAULT 0,
  priority INTEGER,
  max_attempts INTEGER,
  lease_ms INTEGER,
  backoff_kind TEXT,
  backoff_base_ms INTEGER,
  backoff_max_ms INTEGER,
  backoff_jitter REAL,
  kind TEXT,
  tags TEXT,
  metadata TEXT,
  payload ANY,
  CONSTRAINT schedule_is_unique PRIMARY KEY (name),
  CONSTRAINT schedule_fills_a_queue FOREIGN KEY (queue) REFERENCES tm_queue (name),
  CONSTRAINT schedule_is_made_by_tm_schedule CHECK (revision >= 0),
  CONSTRAINT schedule_name_is_1_to_255_bytes CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT schedule_spec_is_1_to_1000_bytes CHECK (length(CAST(spec AS BLOB)) BETWEEN 1 AND 1000),
  CONSTRAINT schedule_zone_is_1_to_64_bytes CHECK (length(CAST(zone AS BLOB)) BETWEEN 1 AND 64),
  CONSTRAINT schedule_paused_is_0_or_1 CHECK (paused IN (0, 1)),
  CONSTRAINT schedule_next_is_between_1970_and_9999 CHECK (next_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT schedule_is_due_at_its_next_slot_or_later CHECK (
    (due_ms IS NULL) = (next_ms IS NULL) AND (due_ms IS NULL OR due_ms >= next_ms)
  ),
  CONSTRAINT schedule_runs_are_not_negative CHECK (runs >= 0),
  CONSTRAINT schedule_catch_up_is_known CHECK (catch_up IN ('none', 'one', 'all')),
  CONSTRAINT schedule_overlap_is_known CHECK (overlap IN ('allow', 'skip', 'queue')),
  CONSTRAINT schedule_start_is_between_1970_and_9999 CHECK (start_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT schedule_end_is_between_1970_and_9999 CHECK (end_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT schedule_max_runs_is_positive CHECK (max_runs > 0),
  CONSTRAINT schedule_jitter_is_in_range CHECK (jitter_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT schedule_delay_is_in_range CHECK (delay_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT schedule_held_is_0_or_1 CHECK (held IN (0, 1)),
  CONSTRAINT schedule_priority_is_in_range CHECK (priority BETWEEN -32768 AND 32767),
  CONSTRAINT schedule_max_attempts_is_in_range CHECK (max_attempts BETWEEN 1 AND 1000000),
  CONSTRAINT schedule_lease_is_in_range CHECK (lease_ms BETWEEN 1 AND 3153600000000),
  CONSTRAINT schedule_backoff_kind_is_known CHECK (backoff_kind IN ('fixed', 'linear', 'exponential')),
  CONSTRAINT schedule_backoff_base_is_in_range CHECK (backoff_base_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT schedule_backoff_max_is_in_range CHECK (backoff_max_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT schedule_backoff_jitter_is_0_to_1 CHECK (backoff_jitter BETWEEN 0 AND 1),
  CONSTRAINT schedule_kind_is_1_to_255_bytes CHECK (length(CAST(kind AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT schedule_tags_look_like_a_json_array CHECK (tags GLOB '[[]*[]]'),
  CONSTRAINT schedule_metadata_looks_like_a_json_object CHECK (metadata GLOB '{*}')
) STRICT, WITHOUT ROWID;

CREATE INDEX main.tm_schedule_due ON tm_schedule (queue, due_ms) WHERE paused = 0 AND due_ms IS NOT NULL;

-- By the id of the task, which tm_get looks up. The task may be gone: its id is not used again,
-- and the slot must not fire a second time.
CREATE TABLE main.tm_schedule_slot (
  task_id INTEGER PRIMARY KEY,
  schedule TEXT NOT NULL,
  slot_ms INTEGER NOT NULL,
  CONSTRAINT slot_fires_once UNIQUE (schedule, slot_ms),
  CONSTRAINT slot_belongs_to_a_schedule FOREIGN KEY (schedule) REFERENCES tm_schedule (name) ON DELETE CASCADE
) STRICT;

-- ---- by hand ----------------------------------------------------------------

CREATE TRIGGER main.tm_schedule_keeps_its_next_slot
BEFORE UPDATE OF name, spec, zone, start_ms, end_ms, max_runs, runs, next_ms, due_ms, last_ms, waits_for_id ON tm_schedule
WHEN OLD.revision IS NEW.revision
  AND (
    OLD.name IS NOT NEW.name
    OR OLD.spec IS NOT NEW.spec
    OR OLD.zone IS NOT NEW.zone
    OR OLD.start_ms IS NOT NEW.start_ms
    OR OLD.end_ms IS NOT NEW.end_ms
    OR OLD.max_runs IS NOT NEW.max_runs
    OR OLD.runs IS NOT NEW.runs
    OR OLD.next_ms IS NOT NEW.next_ms
    OR OLD.due_ms IS NOT NEW.due_ms
    OR OLD.last_ms IS NOT NEW.last_ms
    OR OLD.waits_for_id IS NOT NEW.waits_for_id
  )
BEGIN
  SELECT RAISE(ABORT, 'tm_schedule: what the next slot depends on is changed by SELECT tm_schedule(), the name not at all [bad_argument]');
END;

CREATE TRIGGER main.tm_schedule_keeps_its_name
BEFORE UPDATE OF name ON tm_schedule
WHEN OLD.name IS NOT NEW.name
BEGIN
  SELECT RAISE(ABORT, 'tm_schedule: a schedule keeps its name, make a new one [bad_argument]');
END;

-- Slots of the pause do not fire later. tm_resume_schedule says so itself.
CREATE TRIGGER main.tm_schedule_resumes
AFTER UPDATE OF paused ON tm_schedule
WHEN OLD.paused AND NOT NEW.paused AND OLD.resumed_ms IS NEW.resumed_ms
BEGIN
  UPDATE tm_schedule
  SET
    resumed_ms = coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    )
  WHERE name = NEW.name;
END;

-- What the foreign keys say, for clients that have them off.
CREATE TRIGGER main.tm_schedule_is_born_in_a_queue
BEFORE INSERT ON tm_schedule
WHEN NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue)
BEGIN
  SELECT RAISE(ABORT, 'tm_schedule: the queue is not in tm_queue [no_such_queue]');
END;

CREATE TRIGGER main.tm_schedule_stays_in_a_queue
BEFORE UPDATE OF queue ON tm_schedule
WHEN NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue)
BEGIN
  SELECT RAISE(ABORT, 'tm_schedule: the queue is not in tm_queue [no_such_queue]');
END;

CREATE TRIGGER main.tm_schedule_takes_its_slots_along
BEFORE DELETE ON tm_schedule
BEGIN
  DELETE FROM tm_schedule_slot WHERE schedule = OLD.name;
END;

CREATE TRIGGER main.tm_schedule_slot_has_a_schedule
BEFORE INSERT ON tm_schedule_slot
WHEN NOT EXISTS (SELECT 1 FROM tm_schedule WHERE name = NEW.schedule)
BEGIN
  SELECT RAISE(ABORT, 'tm_schedule_slot: the schedule is not in tm_schedule [no_such_schedule]');
END;

CREATE TRIGGER main.tm_schedule_slot_does_not_change
BEFORE UPDATE ON tm_schedule_slot
BEGIN
  SELECT RAISE(ABORT, 'tm_schedule_slot: a slot that fired does not change [wrong_state]');
END;

CREATE TRIGGER main.tm_queue_with_schedules_stays
BEFORE DELETE ON tm_queue
WHEN EXISTS (SELECT 1 FROM tm_schedule WHERE queue = OLD.name)
BEGIN
  SELECT RAISE(ABORT, 'tm_queue: the queue has schedules, remove them by tm_unschedule() first [wrong_state]');
END;

CREATE TRIGGER main.tm_queue_with_schedules_keeps_its_name
BEFORE UPDATE OF name ON tm_queue
WHEN OLD.name IS NOT NEW.name AND EXISTS (SELECT 1 FROM tm_schedule WHERE queue = OLD.name)
BEGIN
  SELECT RAISE(ABORT, 'tm_queue: the queue has schedules and keeps its name [wrong_state]');
END;

-- ---- the stamp --------------------------------------------------------------

CREATE TRIGGER main.tm_schedule_changes_the_stamp
BEFORE UPDATE OF queue, paused ON tm_schedule
BEGIN
  UPDATE tm_setting SET stamp = random() WHERE id = 1;
END;

CREATE TRIGGER main.tm_schedule_insert_changes_the_stamp
BEFORE INSERT ON tm_schedule
BEGIN
  UPDATE tm_setting SET stamp = random() WHERE id = 1;
END;

CREATE TRIGGER main.tm_schedule_delete_changes_the_stamp
BEFORE DELETE ON tm_schedule
BEGIN
  UPDATE tm_setting SET stamp = random() WHERE id = 1;
END;
