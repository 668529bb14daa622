-- 0001_core: the state graph, queues, tasks, their history and their errors.
--
-- tm_migration comes first, so that whoever applies this file can record it.
-- Comments stand outside the tables, because SQLite keeps those inside.

CREATE TABLE main.tm_migration (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_ms INTEGER NOT NULL,
  CONSTRAINT version_is_positive CHECK (version > 0),
  CONSTRAINT checksum_is_sha256_in_hex CHECK (length(checksum) = 64)
) STRICT;

-- One row of facts about the database itself. clock_ms is NULL while the clock
-- runs, else the frozen time. last_deleted_* keep ids from being used again after
-- the newest row was deleted: an old token must be worth nothing on a new task,
-- and who follows the history by id must miss nothing.
CREATE TABLE main.tm_setting (
  id INTEGER PRIMARY KEY,
  strict_queues INTEGER NOT NULL DEFAULT 0,
  clock_ms INTEGER,
  last_deleted_task_id INTEGER NOT NULL DEFAULT 0,
  last_deleted_event_id INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT settings_are_one_row CHECK (id = 1),
  CONSTRAINT strict_queues_is_0_or_1 CHECK (strict_queues IN (0, 1)),
  CONSTRAINT clock_is_between_1970_and_9999 CHECK (clock_ms BETWEEN 0 AND 253402300799999)
) STRICT;
INSERT INTO main.tm_setting (id) VALUES (1);

CREATE TABLE main.tm_state (
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  meaning TEXT NOT NULL,
  CONSTRAINT state_is_unique PRIMARY KEY (name),
  CONSTRAINT state_kind_is_known CHECK (kind IN ('waits', 'leased', 'final'))
) STRICT, WITHOUT ROWID;

CREATE TABLE main.tm_transition (
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  made_by TEXT NOT NULL,
  CONSTRAINT transition_is_unique PRIMARY KEY (from_state, to_state),
  CONSTRAINT transition_starts_in_a_state FOREIGN KEY (from_state) REFERENCES tm_state (name),
  CONSTRAINT transition_ends_in_a_state FOREIGN KEY (to_state) REFERENCES tm_state (name),
  CONSTRAINT transition_changes_the_state CHECK (from_state <> to_state)
) STRICT, WITHOUT ROWID;

-- begin generated from states.txt
INSERT INTO main.tm_state (name, kind, meaning)
VALUES
  ('scheduled', 'waits', 'waits for its time'),
  ('blocked', 'waits', 'waits for other tasks'),
  ('available', 'waits', 'may be claimed'),
  ('running', 'leased', 'is leased to a worker'),
  ('waiting', 'waits', 'sleeps or waits for an event'),
  ('retryable', 'waits', 'failed and waits out its backoff'),
  ('cancelling', 'leased', 'runs, and was asked to stop'),
  ('held', 'waits', 'was set aside by a person'),
  ('completed', 'final', 'done'),
  ('cancelled', 'final', 'called off'),
  ('discarded', 'final', 'attempts exhausted, expired, or not worth retrying');

INSERT INTO main.tm_transition (from_state, to_state, made_by)
VALUES
  ('scheduled', 'available', 'its time came, tm_retry or tm_reschedule'),
  ('scheduled', 'held', 'tm_hold'),
  ('scheduled', 'cancelled', 'tm_cancel'),
  ('scheduled', 'discarded', 'expired'),
  ('scheduled', 'blocked', 'a dependency was added'),
  ('blocked', 'available', 'the last dependency was met'),
  ('blocked', 'scheduled', 'the last dependency was met, its time has not come'),
  ('blocked', 'held', 'tm_hold, or a dependency failed'),
  ('blocked', 'cancelled', 'tm_cancel, or a dependency failed'),
  ('blocked', 'discarded', 'expired'),
  ('available', 'running', 'tm_claim'),
  ('available', 'scheduled', 'tm_reschedule'),
  ('available', 'held', 'tm_hold'),
  ('available', 'cancelled', 'tm_cancel'),
  ('available', 'discarded', 'expired'),
  ('available', 'blocked', 'a dependency was added'),
  ('running', 'completed', 'tm_complete'),
  ('running', 'retryable', 'tm_fail'),
  ('running', 'discarded', 'tm_fail, or the lease lapsed with no attempt left'),
  ('running', 'scheduled', 'tm_snooze'),
  ('running', 'available', 'tm_release, or the lease lapsed'),
  ('running', 'waiting', 'a durable step sleeps'),
  ('running', 'cancelling', 'tm_cancel'),
  ('waiting', 'available', 'its event or its time came'),
  ('waiting', 'held', 'tm_hold'),
  ('waiting', 'cancelled', 'tm_cancel'),
  ('waiting', 'discarded', 'expired'),
  ('retryable', 'available', 'its time came, tm_retry or tm_reschedule'),
  ('retryable', 'held', 'tm_hold'),
  ('retryable', 'cancelled', 'tm_cancel'),
  ('retryable', 'discarded', 'expired'),
  ('cancelling', 'completed', 'tm_complete: the work was done all the same'),
  ('cancelling', 'cancelled', 'the worker stopped, or the lease lapsed'),
  ('held', 'scheduled', 'tm_unhold'),
  ('held', 'blocked', 'tm_unhold'),
  ('held', 'available', 'tm_unhold'),
  ('held', 'waiting', 'tm_unhold'),
  ('held', 'retryable', 'tm_unhold'),
  ('held', 'cancelled', 'tm_cancel'),
  ('held', 'discarded', 'expired'),
  ('completed', 'available', 'tm_retry with the option completed'),
  ('cancelled', 'available', 'tm_retry'),
  ('discarded', 'available', 'tm_retry');
-- end generated from states.txt

CREATE TABLE main.tm_queue (
  name TEXT NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  history INTEGER NOT NULL DEFAULT 1,
  priority INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL DEFAULT 20,
  lease_ms INTEGER NOT NULL DEFAULT 60000,
  backoff_kind TEXT NOT NULL DEFAULT 'exponential',
  backoff_base_ms INTEGER NOT NULL DEFAULT 10000,
  backoff_max_ms INTEGER NOT NULL DEFAULT 3600000,
  backoff_jitter REAL NOT NULL DEFAULT 0.1,
  CONSTRAINT queue_is_unique PRIMARY KEY (name),
  CONSTRAINT queue_name_is_1_to_255_bytes CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT queue_paused_is_0_or_1 CHECK (paused IN (0, 1)),
  CONSTRAINT queue_history_is_0_or_1 CHECK (history IN (0, 1)),
  CONSTRAINT queue_priority_is_in_range CHECK (priority BETWEEN -32768 AND 32767),
  CONSTRAINT queue_max_attempts_is_in_range CHECK (max_attempts BETWEEN 1 AND 1000000),
  CONSTRAINT queue_lease_is_in_range CHECK (lease_ms BETWEEN 1 AND 3153600000000),
  CONSTRAINT queue_backoff_kind_is_known CHECK (backoff_kind IN ('fixed', 'linear', 'exponential')),
  CONSTRAINT queue_backoff_base_is_in_range CHECK (backoff_base_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT queue_backoff_max_is_in_range CHECK (backoff_max_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT queue_backoff_jitter_is_0_to_1 CHECK (backoff_jitter BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;

-- A task. Short columns stand before wide ones. NULL in lease_ms and backoff_*
-- means: what the queue says. worker is who holds the lease, and after that who
-- held it last until maintenance or an operator moves the task. moves counts its
-- changes of state; one that leaves the count as it was is one made by hand.
-- moved_ms is when the last was made, event_id its row in the history. phase,
-- sort_key and sort_ms are the one index over the tasks that a claim looks at: 0
-- may be claimed (best priority first, then oldest), 1 waits for a time, 2 is
-- leased until a time. The checks on JSON are
-- shallow because SQLite 3.40 refuses json_valid() in a schema that is not
-- trusted; invariants.sql has the whole check. No IN with three values or more is
-- in it: SQLite builds a table in memory for each, at every write.
CREATE TABLE main.tm_task (
  id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  run_at_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL DEFAULT 20,
  token INTEGER NOT NULL DEFAULT 0,
  lease_until_ms INTEGER,
  moves INTEGER NOT NULL DEFAULT 0,
  moved_ms INTEGER NOT NULL,
  started_ms INTEGER,
  event_id INTEGER,
  progress REAL,
  worker TEXT,
  kind TEXT,
  held_from TEXT,
  lease_ms INTEGER,
  backoff_kind TEXT,
  backoff_base_ms INTEGER,
  backoff_max_ms INTEGER,
  backoff_jitter REAL,
  reason TEXT,
  note TEXT,
  tags TEXT,
  metadata TEXT,
  error TEXT,
  result ANY,
  payload ANY,
  finished_ms INTEGER GENERATED ALWAYS AS (
    CASE state
      WHEN 'completed' THEN moved_ms
      WHEN 'cancelled' THEN moved_ms
      WHEN 'discarded' THEN moved_ms
    END
  ) VIRTUAL,
  phase INTEGER GENERATED ALWAYS AS (
    CASE state
      WHEN 'available' THEN 0
      WHEN 'running' THEN 2
      WHEN 'scheduled' THEN 1
      WHEN 'retryable' THEN 1
      WHEN 'waiting' THEN 1
      WHEN 'cancelling' THEN 2
    END
  ) VIRTUAL,
  sort_key INTEGER GENERATED ALWAYS AS (
    CASE state
      WHEN 'available' THEN -priority
      WHEN 'running' THEN lease_until_ms
      WHEN 'cancelling' THEN lease_until_ms
      ELSE run_at_ms
    END
  ) VIRTUAL,
  sort_ms INTEGER GENERATED ALWAYS AS (
    CASE state WHEN 'available' THEN run_at_ms END
  ) VIRTUAL,
  CONSTRAINT task_is_in_a_queue FOREIGN KEY (queue) REFERENCES tm_queue (name),
  CONSTRAINT task_is_in_a_known_state FOREIGN KEY (state) REFERENCES tm_state (name),
  CONSTRAINT task_was_held_in_a_known_state FOREIGN KEY (held_from) REFERENCES tm_state (name),
  CONSTRAINT task_id_is_positive CHECK (id > 0),
  CONSTRAINT leased_task_has_worker_lease_and_token CHECK (
    state NOT IN ('running', 'cancelling')
    OR (worker IS NOT NULL AND lease_until_ms IS NOT NULL AND token > 0 AND attempt > 0)
  ),
  CONSTRAINT task_priority_is_in_range CHECK (priority BETWEEN -32768 AND 32767),
  CONSTRAINT task_run_at_is_between_1970_and_9999 CHECK (run_at_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT task_moves_are_not_negative CHECK (moves >= 0),
  CONSTRAINT task_attempt_is_not_negative CHECK (attempt >= 0),
  CONSTRAINT task_max_attempts_is_in_range CHECK (max_attempts BETWEEN 1 AND 1000000),
  CONSTRAINT task_token_is_not_negative CHECK (token >= 0),
  CONSTRAINT task_lease_ends_between_1970_and_9999 CHECK (lease_until_ms BETWEEN 0 AND 253402300799999),
  CONSTRAINT task_progress_is_0_to_1 CHECK (progress BETWEEN 0 AND 1),
  CONSTRAINT task_worker_is_1_to_255_bytes CHECK (length(CAST(worker AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT task_kind_is_1_to_255_bytes CHECK (length(CAST(kind AS BLOB)) BETWEEN 1 AND 255),
  CONSTRAINT task_lease_is_in_range CHECK (lease_ms BETWEEN 1 AND 3153600000000),
  CONSTRAINT task_backoff_kind_is_known CHECK (
    backoff_kind = 'fixed' OR backoff_kind = 'linear' OR backoff_kind = 'exponential'
  ),
  CONSTRAINT task_backoff_base_is_in_range CHECK (backoff_base_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT task_backoff_max_is_in_range CHECK (backoff_max_ms BETWEEN 0 AND 3153600000000),
  CONSTRAINT task_backoff_jitter_is_0_to_1 CHECK (backoff_jitter BETWEEN 0 AND 1),
  CONSTRAINT task_tags_look_like_a_json_array CHECK (tags GLOB '[[]*[]]'),
  CONSTRAINT task_metadata_looks_like_a_json_object CHECK (metadata GLOB '{*}')
) STRICT;

CREATE INDEX main.tm_task_live ON tm_task (queue, phase, sort_key, sort_ms) WHERE phase IS NOT NULL;

-- The history: a table that only grows at its end, which costs one page a move.
-- An index by task would cost a second one, so the rows of a task are a chain
-- instead: tm_task.event_id is the newest, previous_id the one before. For the
-- same reason task_id is no foreign key (SQLite would look through the whole table
-- for each task deleted): two triggers below do what it would do. move is the
-- task's count of moves, and so tells whether history was kept without a gap.
CREATE TABLE main.tm_event (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL,
  previous_id INTEGER,
  move INTEGER NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  actor TEXT,
  reason TEXT,
  CONSTRAINT event_is_a_legal_move FOREIGN KEY (from_state, to_state) REFERENCES tm_transition (from_state, to_state)
) STRICT;

-- The error of each attempt that failed. The token tells attempts apart also
-- after tm_retry has started a fresh set.
CREATE TABLE main.tm_attempt (
  task_id INTEGER NOT NULL,
  token INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  worker TEXT,
  started_ms INTEGER,
  failed_ms INTEGER NOT NULL,
  error TEXT,
  CONSTRAINT attempt_is_unique PRIMARY KEY (task_id, token),
  CONSTRAINT attempt_belongs_to_a_task FOREIGN KEY (task_id) REFERENCES tm_task (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A plain client has foreign keys off: the graph is held by this trigger as well
-- as by the foreign key of tm_event.
CREATE TRIGGER main.tm_task_moves_legally
BEFORE UPDATE OF state ON tm_task
WHEN OLD.state IS NOT NEW.state
  AND NOT EXISTS (
    SELECT 1 FROM tm_transition WHERE from_state = OLD.state AND to_state = NEW.state
  )
BEGIN
  SELECT RAISE(ABORT, 'tm_task: tm_transition has no move from the old state to the new one [wrong_state]');
END;

-- The history of what the verbs do. A verb has counted the move, and set its time,
-- its reason, its worker and its event_id; where the queue keeps no history, event_id
-- stays as it was. Written before the move, because AFTER triggers of others, which may
-- move other tasks, run before ours. (A BEFORE trigger of theirs that moves another
-- task takes the id: the row below is then not unique and the move fails.) One row
-- of VALUES: a SELECT would cost a quarter more, and one that reads tm_event a half.
CREATE TRIGGER main.tm_task_keeps_history
BEFORE UPDATE OF state ON tm_task
WHEN OLD.event_id IS NOT NEW.event_id
  AND OLD.moves IS NOT NEW.moves
  AND OLD.state IS NOT NEW.state
BEGIN
  INSERT INTO tm_event (id, task_id, previous_id, move, from_state, to_state, at_ms, attempt, actor, reason)
  VALUES (
    NEW.event_id,
    NEW.id,
    OLD.event_id,
    NEW.moves,
    OLD.state,
    NEW.state,
    NEW.moved_ms,
    NEW.attempt,
    CASE WHEN NEW.state <> 'cancelling' THEN NEW.worker END,
    NEW.reason
  );
END;

-- What the foreign keys of a task say, for clients that have them off. A row with the
-- id of another is no way around the graph either: REPLACE fires no delete trigger.
-- A queue that is missing leaves max_attempts NULL where tm_enqueue made the row, and
-- that is told by NOT NULL.
CREATE TRIGGER main.tm_task_is_born_in_order
BEFORE INSERT ON tm_task
WHEN NEW.max_attempts IS NOT NULL
  AND (
    NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue)
    OR NOT EXISTS (SELECT 1 FROM tm_state WHERE name = NEW.state)
    OR EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.id)
  )
BEGIN
  SELECT RAISE(ABORT, 'tm_task: the queue is not in tm_queue [no_such_queue]')
  WHERE NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue);
  SELECT RAISE(ABORT, 'tm_task: the state is not in tm_state [wrong_state]')
  WHERE NOT EXISTS (SELECT 1 FROM tm_state WHERE name = NEW.state);
  SELECT RAISE(ABORT, 'tm_task: a task with this id is there already [bad_argument]')
  WHERE EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.id);
END;

CREATE TRIGGER main.tm_task_stays_in_a_queue
BEFORE UPDATE OF queue ON tm_task
WHEN NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue)
BEGIN
  SELECT RAISE(ABORT, 'tm_task: the queue is not in tm_queue [no_such_queue]');
END;

CREATE TRIGGER main.tm_queue_with_tasks_stays
BEFORE DELETE ON tm_queue
WHEN EXISTS (SELECT 1 FROM tm_task WHERE queue = OLD.name)
BEGIN
  SELECT RAISE(ABORT, 'tm_queue: the queue has tasks, delete them first [wrong_state]');
END;

CREATE TRIGGER main.tm_queue_with_tasks_keeps_its_name
BEFORE UPDATE OF name ON tm_queue
WHEN OLD.name IS NOT NEW.name AND EXISTS (SELECT 1 FROM tm_task WHERE queue = OLD.name)
BEGIN
  SELECT RAISE(ABORT, 'tm_queue: the queue has tasks and keeps its name [wrong_state]');
END;

CREATE TRIGGER main.tm_state_stays
BEFORE DELETE ON tm_state
BEGIN
  SELECT RAISE(ABORT, 'tm_state: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_transition_stays
BEFORE DELETE ON tm_transition
BEGIN
  SELECT RAISE(ABORT, 'tm_transition: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_task_keeps_its_id
BEFORE UPDATE OF id ON tm_task
WHEN OLD.id IS NOT NEW.id
BEGIN
  SELECT RAISE(ABORT, 'tm_task: the id of a task does not change [bad_argument]');
END;

-- A legal move made by hand: the columns that belong to the state, and then its row
-- in the history. julianday() counts in steps of a millisecond.
CREATE TRIGGER main.tm_task_keeps_history_by_hand
AFTER UPDATE OF state ON tm_task
WHEN OLD.state IS NOT NEW.state AND OLD.moves IS NEW.moves
BEGIN
  UPDATE tm_task
  SET
    moves = moves + 1,
    moved_ms = coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    ),
    lease_until_ms = CASE WHEN state IN ('running', 'cancelling') THEN lease_until_ms END,
    held_from = CASE WHEN state = 'held' THEN OLD.state END,
    reason = 'by hand'
  WHERE id = NEW.id;
  INSERT INTO tm_event (id, task_id, previous_id, move, from_state, to_state, at_ms, attempt, actor, reason)
  SELECT
    max(
      coalesce((SELECT max(id) FROM tm_event), 0),
      (SELECT last_deleted_event_id FROM tm_setting WHERE id = 1)
    ) + 1,
    t.id,
    t.event_id,
    t.moves,
    OLD.state,
    NEW.state,
    t.moved_ms,
    t.attempt,
    NULL,
    t.reason
  FROM tm_task AS t
  WHERE t.id = NEW.id AND (SELECT history FROM tm_queue WHERE name = t.queue);
  UPDATE tm_task
  SET event_id = (SELECT max(id) FROM tm_event)
  WHERE id = NEW.id AND (SELECT history FROM tm_queue WHERE name = NEW.queue);
END;

CREATE TRIGGER main.tm_event_belongs_to_a_task
BEFORE INSERT ON tm_event
WHEN NOT EXISTS (SELECT 1 FROM tm_task WHERE id = NEW.task_id)
BEGIN
  SELECT RAISE(ABORT, 'tm_event: no task has the id in task_id [no_such_task]');
END;

CREATE TRIGGER main.tm_event_does_not_change
BEFORE UPDATE ON tm_event
BEGIN
  SELECT RAISE(ABORT, 'tm_event: a row of history does not change [wrong_state]');
END;

CREATE TRIGGER main.tm_event_ids_are_used_once
AFTER DELETE ON tm_event
WHEN OLD.id > coalesce((SELECT max(id) FROM tm_event), 0)
BEGIN
  UPDATE tm_setting
  SET last_deleted_event_id = max(last_deleted_event_id, OLD.id)
  WHERE id = 1;
END;

-- What belongs to a task goes with it, also where foreign keys are off.
CREATE TRIGGER main.tm_task_takes_its_rows_along
BEFORE DELETE ON tm_task
BEGIN
  SELECT RAISE(ABORT, 'tm_task: a leased task is not deleted, its worker would lose it [wrong_state]')
  WHERE OLD.state IN ('running', 'cancelling');
  DELETE FROM tm_event
  WHERE id IN (
    WITH RECURSIVE
      chain (id) AS (
        SELECT OLD.event_id
        UNION ALL
        SELECT e.previous_id
        FROM chain
        CROSS JOIN tm_event AS e ON e.id = chain.id
        WHERE e.previous_id < e.id
      )
    SELECT id FROM chain
  );
  DELETE FROM tm_attempt WHERE task_id = OLD.id;
END;

CREATE TRIGGER main.tm_task_ids_are_used_once
AFTER DELETE ON tm_task
WHEN OLD.id > coalesce((SELECT max(id) FROM tm_task), 0)
BEGIN
  UPDATE tm_setting
  SET last_deleted_task_id = max(last_deleted_task_id, OLD.id)
  WHERE id = 1;
END;

CREATE TRIGGER main.tm_setting_is_kept
BEFORE DELETE ON tm_setting
BEGIN
  SELECT RAISE(ABORT, 'tm_setting: the row of settings is not deleted [bad_argument]');
END;
