-- The schema as 0001_core and 0002_inbox made it.

CREATE TABLE main.tm_task_guard (
  foreign_keys INTEGER,
  CONSTRAINT foreign_keys_are_off_while_tm_task_is_rebuilt CHECK (foreign_keys = 0)
) STRICT;
INSERT INTO main.tm_task_guard (foreign_keys) SELECT foreign_keys FROM pragma_foreign_keys;
DROP TABLE main.tm_task_guard;

DROP TRIGGER main.tm_migration_update_changes_the_stamp;
DROP TRIGGER main.tm_migration_delete_changes_the_stamp;
DROP TRIGGER main.tm_migration_changes_the_stamp;
DROP TRIGGER main.tm_setting_changes_the_stamp;
DROP TRIGGER main.tm_queue_delete_changes_the_stamp;
DROP TRIGGER main.tm_queue_insert_changes_the_stamp;
DROP TRIGGER main.tm_queue_changes_the_stamp;
ALTER TABLE main.tm_setting DROP COLUMN stamp;
CREATE TABLE main.tm_event_copy AS SELECT id, task_id, previous_id, move, from_state, to_state, at_ms, attempt, actor, reason FROM main.tm_event;
DROP TABLE main.tm_event;

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

INSERT INTO main.tm_event (id, task_id, previous_id, move, from_state, to_state, at_ms, attempt, actor, reason)
SELECT id, task_id, nullif(previous_id, 0), move, from_state, to_state, at_ms, attempt, actor, reason
FROM main.tm_event_copy
ORDER BY id;
DROP TABLE main.tm_event_copy;

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

DROP TRIGGER main.tm_inbox_enqueues;
DROP VIEW main.tm_task_by_hand;
DROP VIEW main.tm_task_gone;
CREATE TABLE main.tm_task_copy AS
  SELECT
    id, queue, state, priority, run_at_ms, created_ms, attempt, max_attempts,
    token, lease_until_ms, moves, moved_ms, started_ms, event_id, progress, worker,
    kind, held_from, lease_ms, backoff_kind, backoff_base_ms, backoff_max_ms, backoff_jitter, reason,
    note, tags, metadata, error, result, payload
  FROM main.tm_task;
DROP TABLE main.tm_task;

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
INSERT INTO main.tm_task (
    id, queue, state, priority, run_at_ms, created_ms, attempt, max_attempts,
    token, lease_until_ms, moves, moved_ms, started_ms, event_id, progress, worker,
    kind, held_from, lease_ms, backoff_kind, backoff_base_ms, backoff_max_ms, backoff_jitter, reason,
    note, tags, metadata, error, result, payload
)
SELECT
    id, queue, state, priority, run_at_ms, created_ms, attempt, max_attempts,
    token, lease_until_ms, moves, moved_ms, started_ms, event_id, progress, worker,
    kind, held_from, lease_ms, backoff_kind, backoff_base_ms, backoff_max_ms, backoff_jitter, reason,
    note, tags, metadata, error, result, payload
FROM main.tm_task_copy
ORDER BY id;
DROP TABLE main.tm_task_copy;

CREATE INDEX main.tm_task_live ON tm_task (queue, phase, sort_key, sort_ms) WHERE phase IS NOT NULL;

CREATE TRIGGER main.tm_task_moves_legally
BEFORE UPDATE OF state ON tm_task
WHEN OLD.state IS NOT NEW.state
  AND NOT EXISTS (
    SELECT 1 FROM tm_transition WHERE from_state = OLD.state AND to_state = NEW.state
  )
BEGIN
  SELECT RAISE(ABORT, 'tm_task: tm_transition has no move from the old state to the new one [wrong_state]');
END;

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

CREATE TRIGGER main.tm_task_keeps_its_id
BEFORE UPDATE OF id ON tm_task
WHEN OLD.id IS NOT NEW.id
BEGIN
  SELECT RAISE(ABORT, 'tm_task: the id of a task does not change [bad_argument]');
END;

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

CREATE TRIGGER main.tm_inbox_enqueues
INSTEAD OF INSERT ON tm_inbox
BEGIN
  SELECT RAISE(ABORT, 'tm_inbox: queue is not text of 1 to 255 bytes without a NUL [bad_argument]')
  WHERE typeof(NEW.queue) <> 'text' OR NEW.queue = '' OR instr(NEW.queue, char(0));
  SELECT RAISE(ABORT, 'tm_inbox: queue has more than 255 bytes [too_large]')
  WHERE length(CAST(NEW.queue AS BLOB)) > 255;
  SELECT RAISE(ABORT, 'tm_inbox: no queue of this name, and this database has strict queues: insert it into tm_queue first [no_such_queue]')
  WHERE (SELECT strict_queues FROM tm_setting WHERE id = 1)
    AND NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue);
  SELECT RAISE(ABORT, 'tm_inbox: delay and run_at_ms exclude each other, give one [bad_argument]')
  WHERE NEW.delay IS NOT NULL AND NEW.run_at_ms IS NOT NULL;
  SELECT RAISE(ABORT, 'tm_inbox: priority, run_at_ms and max_attempts are whole numbers [bad_argument]')
  WHERE (NEW.priority IS NOT NULL AND (typeof(NEW.priority) NOT IN ('integer', 'real') OR NEW.priority <> round(NEW.priority)))
    OR (NEW.run_at_ms IS NOT NULL AND (typeof(NEW.run_at_ms) NOT IN ('integer', 'real') OR NEW.run_at_ms <> round(NEW.run_at_ms)))
    OR (NEW.max_attempts IS NOT NULL AND (typeof(NEW.max_attempts) NOT IN ('integer', 'real') OR NEW.max_attempts <> round(NEW.max_attempts)));
  SELECT RAISE(ABORT, 'tm_inbox: priority is outside -32768..32767 [out_of_range]')
  WHERE NEW.priority NOT BETWEEN -32768 AND 32767;
  SELECT RAISE(ABORT, 'tm_inbox: run_at_ms is outside 0..253402300799999 [out_of_range]')
  WHERE NEW.run_at_ms NOT BETWEEN 0 AND 253402300799999;
  SELECT RAISE(ABORT, 'tm_inbox: max_attempts is outside 1..1000000 [out_of_range]')
  WHERE NEW.max_attempts NOT BETWEEN 1 AND 1000000;
  SELECT RAISE(ABORT, 'tm_inbox: held is 0 or 1 [bad_argument]')
  WHERE NEW.held IS NOT NULL AND NEW.held NOT IN (0, 1);
  SELECT RAISE(ABORT, 'tm_inbox: kind is not text of 1 to 255 bytes without a NUL [bad_argument]')
  WHERE NEW.kind IS NOT NULL AND (typeof(NEW.kind) <> 'text' OR NEW.kind = '' OR instr(NEW.kind, char(0)));
  SELECT RAISE(ABORT, 'tm_inbox: kind has more than 255 bytes [too_large]')
  WHERE length(CAST(NEW.kind AS BLOB)) > 255;
  SELECT RAISE(ABORT, 'tm_inbox: tags are not a JSON array of texts [bad_argument]')
  WHERE NEW.tags IS NOT NULL
    AND (
      (SELECT type FROM json_tree(NEW.tags) LIMIT 1) <> 'array'
      OR EXISTS (SELECT 1 FROM json_each(NEW.tags) WHERE type <> 'text')
    );
  SELECT RAISE(ABORT, 'tm_inbox: metadata is not a JSON object [bad_argument]')
  WHERE NEW.metadata IS NOT NULL AND (SELECT type FROM json_tree(NEW.metadata) LIMIT 1) <> 'object';
  SELECT RAISE(ABORT, 'tm_inbox: backoff is not a JSON object [bad_argument]')
  WHERE NEW.backoff IS NOT NULL AND (SELECT type FROM json_tree(NEW.backoff) LIMIT 1) <> 'object';
  SELECT RAISE(ABORT, 'tm_inbox: backoff has a key twice [bad_json]')
  WHERE NEW.backoff IS NOT NULL
    AND (SELECT count(*) > count(DISTINCT key) FROM json_each(NEW.backoff));
  SELECT RAISE(ABORT, 'tm_inbox: backoff has another key than kind, base, max and jitter [unknown_option]')
  WHERE EXISTS (SELECT 1 FROM json_each(NEW.backoff) WHERE key NOT IN ('kind', 'base', 'max', 'jitter'));
  SELECT RAISE(ABORT, 'tm_inbox: backoff kind is fixed, linear or exponential, base and max are durations, jitter is a number [bad_argument]')
  WHERE EXISTS (
    SELECT 1 FROM json_each(NEW.backoff)
    WHERE CASE key
      WHEN 'kind' THEN type <> 'text' OR atom NOT IN ('fixed', 'linear', 'exponential')
      WHEN 'jitter' THEN type NOT IN ('integer', 'real')
      ELSE type NOT IN ('integer', 'real', 'text')
    END
  );
  SELECT RAISE(ABORT, 'tm_inbox: backoff jitter is outside 0..1 [out_of_range]')
  WHERE EXISTS (SELECT 1 FROM json_each(NEW.backoff) WHERE key = 'jitter' AND atom NOT BETWEEN 0 AND 1);

  INSERT INTO tm_queue (name)
  SELECT NEW.queue WHERE NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue);

  INSERT INTO tm_task (
    id, queue, state, priority, run_at_ms, created_ms, moved_ms, max_attempts, kind, held_from, lease_ms,
    backoff_kind, backoff_base_ms, backoff_max_ms, backoff_jitter, tags, metadata, payload
  )
  SELECT
    max(coalesce((SELECT max(id) FROM tm_task), 0), birth.last_deleted_task_id) + 1,
    NEW.queue,
    CASE
      WHEN NEW.held THEN 'held'
      WHEN birth.run_at_ms > birth.now_ms THEN 'scheduled'
      ELSE 'available'
    END,
    CAST(coalesce(NEW.priority, birth.priority) AS INTEGER),
    CASE WHEN birth.run_at_ms > 253402300799999 THEN RAISE(ABORT, 'tm_inbox: delay reaches beyond the year 9999 [out_of_range]') ELSE birth.run_at_ms END,
    birth.now_ms,
    birth.now_ms,
    CAST(coalesce(NEW.max_attempts, birth.max_attempts) AS INTEGER),
    NEW.kind,
    CASE WHEN NEW.held THEN CASE WHEN birth.run_at_ms > birth.now_ms THEN 'scheduled' ELSE 'available' END END,
    CASE WHEN birth.lease_ms < 1 THEN RAISE(ABORT, 'tm_inbox: lease is shorter than 1 ms [out_of_range]') ELSE birth.lease_ms END,
    (SELECT atom FROM json_each(NEW.backoff) WHERE key = 'kind'),
    birth.base_ms,
    birth.max_ms,
    (SELECT atom FROM json_each(NEW.backoff) WHERE key = 'jitter'),
    (SELECT value FROM json_each('[' || NEW.tags || ']')),
    (SELECT value FROM json_each('[' || NEW.metadata || ']')),
    NEW.payload
  FROM (
    SELECT
      clock.now_ms,
      clock.last_deleted_task_id,
      q.priority,
      q.max_attempts,
      coalesce(CAST(NEW.run_at_ms AS INTEGER), clock.now_ms + coalesce(span.delay_ms, 0)) AS run_at_ms,
      span.lease_ms,
      span.base_ms,
      span.max_ms
    FROM (
      SELECT
        last_deleted_task_id,
        coalesce(clock_ms, CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)) AS now_ms
      FROM tm_setting
      WHERE id = 1
    ) AS clock
    JOIN tm_queue AS q ON q.name = NEW.queue
    JOIN (
      WITH RECURSIVE
        word (name, value) AS (
          SELECT 'delay', NEW.delay
          UNION ALL
          SELECT 'lease', NEW.lease
          UNION ALL
          SELECT key, atom FROM json_each(NEW.backoff) WHERE key IN ('base', 'max')
        ),
        part (name, rest, number, total_ms) AS (
          SELECT name, iif(value GLOB '-?*', substr(value, 2), value), NULL, 0.0
          FROM word
          WHERE typeof(value) = 'text'
          UNION ALL
          SELECT
            name,
            ltrim(rest, iif(number IS NULL, '0123456789.', 'abcdefghijklmnopqrstuvwxyz')),
            CASE WHEN number IS NULL THEN substr(rest, 1, length(rest) - length(ltrim(rest, '0123456789.'))) END,
            CASE
              WHEN number IS NULL THEN total_ms
              WHEN number GLOB '[0-9]*' AND number NOT GLOB '*.*.*' AND number NOT GLOB '*.' THEN
                total_ms + CAST(number AS REAL)
                  * CASE substr(rest, 1, length(rest) - length(ltrim(rest, 'abcdefghijklmnopqrstuvwxyz')))
                    WHEN 'ms' THEN 1
                    WHEN 's' THEN 1000
                    WHEN 'm' THEN 60000
                    WHEN 'h' THEN 3600000
                    WHEN 'd' THEN 86400000
                    WHEN 'w' THEN 604800000
                  END
            END
          FROM part
          WHERE total_ms IS NOT NULL AND (rest <> '' OR number IS NOT NULL)
        ),
        span (name, ms) AS (
          SELECT p.name, round(iif(w.value GLOB '-*', -p.total_ms, p.total_ms), 6)
          FROM part AS p
          JOIN word AS w ON w.name = p.name
          WHERE p.total_ms IS NULL OR (p.rest = '' AND p.number IS NULL)
          UNION ALL
          SELECT name, CASE WHEN typeof(value) IN ('integer', 'real') THEN value * 1000.0 END
          FROM word
          WHERE typeof(value) NOT IN ('text', 'null')
        ),
        known (name, ms) AS (
          SELECT
            w.name,
            CASE
              WHEN w.value IS NULL THEN NULL
              WHEN s.ms IS NULL OR w.value = '' THEN RAISE(ABORT, 'tm_inbox: delay, lease, base and max are seconds, or text such as 90s or 1h30m [bad_argument]')
              WHEN s.ms NOT BETWEEN 0 AND 3153600000000 THEN RAISE(ABORT, 'tm_inbox: a duration is outside 0..36500d [out_of_range]')
              ELSE CAST(round(s.ms) AS INTEGER)
            END
          FROM word AS w
          LEFT JOIN span AS s ON s.name = w.name
        )
      SELECT
        max(CASE name WHEN 'delay' THEN ms END) AS delay_ms,
        max(CASE name WHEN 'lease' THEN ms END) AS lease_ms,
        max(CASE name WHEN 'base' THEN ms END) AS base_ms,
        max(CASE name WHEN 'max' THEN ms END) AS max_ms
      FROM known
    ) AS span
  ) AS birth;

  -- A trigger of somebody's that raises IGNORE, or an authorizer, may have dropped it.
  SELECT RAISE(ABORT, 'tm_inbox: the task was not written, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  WHERE changes() <> 1;
END;
