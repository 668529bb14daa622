-- 0017_guards: what plain SQL could write and no verb could cope with.
--
-- * A parent is older than its children: ids only grow, and so a walk down the tree ends. A row of tm_flow
--   that says otherwise is refused; one that is there is named by an invariant.
-- * The rows of the graph were kept from DELETE alone. Now they take no INSERT and no UPDATE either; a
--   migration that extends the graph drops these triggers and makes them again behind its rows.
-- * tm_inbox has no LIKE: under PRAGMA case_sensitive_like that is a function which a schema that is not
--   trusted may not call, and no INSERT could be compiled.
-- * A trigger of the user's on what a move by hand writes may delete the task or move it on: the row of
--   history would be one of no task, or end in a state that the task is not in. Both are refused, in words
--   that blame no IGNORE. A task that is gone before its row is written takes all of its history along.

CREATE TRIGGER main.tm_flow_is_of_a_younger_task_than_its_parent
AFTER INSERT ON tm_flow
WHEN NEW.parent_id > NEW.task_id
BEGIN
  SELECT RAISE(ABORT, 'tm_flow: a parent is older than its child, its id is lower [cycle]');
END;

CREATE TRIGGER main.tm_flow_stays_younger_than_its_parent
AFTER UPDATE OF task_id, parent_id ON tm_flow
WHEN NEW.parent_id > NEW.task_id AND (OLD.task_id IS NOT NEW.task_id OR OLD.parent_id IS NOT NEW.parent_id)
BEGIN
  SELECT RAISE(ABORT, 'tm_flow: a parent is older than its child, its id is lower [cycle]');
END;

CREATE TRIGGER main.tm_state_does_not_change
BEFORE UPDATE OF name, kind, meaning ON tm_state
WHEN OLD.name IS NOT NEW.name OR OLD.kind IS NOT NEW.kind OR OLD.meaning IS NOT NEW.meaning
BEGIN
  SELECT RAISE(ABORT, 'tm_state: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_state_takes_no_other
BEFORE INSERT ON tm_state
BEGIN
  SELECT RAISE(ABORT, 'tm_state: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_transition_does_not_change
BEFORE UPDATE OF from_state, to_state, made_by ON tm_transition
WHEN OLD.from_state IS NOT NEW.from_state OR OLD.to_state IS NOT NEW.to_state OR OLD.made_by IS NOT NEW.made_by
BEGIN
  SELECT RAISE(ABORT, 'tm_transition: the graph does not change [bad_argument]');
END;

CREATE TRIGGER main.tm_transition_takes_no_other
BEFORE INSERT ON tm_transition
BEGIN
  SELECT RAISE(ABORT, 'tm_transition: the graph does not change [bad_argument]');
END;

DROP TRIGGER main.tm_inbox_reads_a_place;
CREATE TRIGGER main.tm_inbox_reads_a_place
INSTEAD OF INSERT ON tm_inbox_reads
BEGIN
  SELECT RAISE(ABORT, 'tm_inbox: partition and group are text of 1 to 255 bytes without a NUL [bad_argument]')
  WHERE (NEW.partition IS NOT NULL AND (typeof(NEW.partition) <> 'text' OR NEW.partition = '' OR instr(NEW.partition, char(0))))
    OR (NEW."group" IS NOT NULL AND (typeof(NEW."group") <> 'text' OR NEW."group" = '' OR instr(NEW."group", char(0))));
  SELECT RAISE(ABORT, 'tm_inbox: partition or group has more than 255 bytes [too_large]')
  WHERE length(CAST(NEW.partition AS BLOB)) > 255 OR length(CAST(NEW."group" AS BLOB)) > 255;
  SELECT RAISE(ABORT, 'tm_inbox: parent is the id of a task [bad_argument]')
  WHERE NEW.parent IS NOT NULL
    AND (typeof(NEW.parent) NOT IN ('integer', 'real') OR NEW.parent <> round(NEW.parent) OR NEW.parent < 1);
  SELECT RAISE(ABORT, 'tm_inbox: expires and deadline are durations, or JSON such as {"at_ms":1700000000000} [bad_argument]')
  WHERE EXISTS (
    SELECT 1
    FROM (SELECT NEW.expires AS at UNION ALL SELECT NEW.deadline)
    WHERE at GLOB '{*'
      AND (
        (SELECT count(*) FROM json_each(at)) <> 1
        OR NOT EXISTS (
          SELECT 1 FROM json_each(at)
          WHERE key = 'at_ms' AND type IN ('integer', 'real') AND atom = round(atom) AND atom BETWEEN 0 AND 253402300799999
        )
      )
  );
  SELECT RAISE(ABORT, 'tm_inbox: after is an id, JSON such as {"id":1,"on":"final"} or {"group":"g"}, or a JSON array of them [bad_argument]')
  WHERE NEW.after IS NOT NULL
    AND (
      typeof(NEW.after) = 'blob'
      OR EXISTS (
        SELECT 1
        FROM json_each(iif(NEW.after GLOB '[[]*', NEW.after, '[' || NEW.after || ']')) AS need
        WHERE CASE need.type
          WHEN 'integer' THEN need.value < 1
          WHEN 'real' THEN need.value <> round(need.value) OR need.value < 1
          WHEN 'object' THEN
            (SELECT count(*) FROM json_each(need.value) WHERE key IN ('id', 'group')) <> 1
            OR EXISTS (
              SELECT 1 FROM json_each(need.value)
              WHERE CASE key
                WHEN 'id' THEN type NOT IN ('integer', 'real') OR atom <> round(atom) OR atom < 1
                WHEN 'group' THEN type <> 'text' OR atom = '' OR instr(atom, char(0))
                WHEN 'on' THEN type <> 'text' OR atom NOT IN ('completed', 'final')
                ELSE 1
              END
            )
          ELSE 1
        END
      )
    );
  SELECT RAISE(ABORT, 'tm_inbox: after has more than 10000 tasks or 16 groups, or a group of more than 255 bytes [too_large]')
  WHERE NEW.after GLOB '[[]*'
    AND (
      (SELECT count(*) FROM json_each(NEW.after)) > 10000
      OR (SELECT count(DISTINCT (SELECT atom FROM json_each(outside.value) WHERE key = 'group')) FROM json_each(NEW.after) AS outside WHERE outside.type = 'object') > 16
    )
    OR EXISTS (
      SELECT 1
      FROM json_each(iif(NEW.after GLOB '[[]*', NEW.after, '[' || NEW.after || ']')) AS outside
      WHERE outside.type = 'object' AND length(CAST((SELECT atom FROM json_each(outside.value) WHERE key = 'group') AS BLOB)) > 255
    );
  SELECT RAISE(ABORT, 'tm_inbox: unique is text, or JSON of key (text without a NUL), fields (array of queue, kind, payload, partition), scope (incomplete, queued, all), period (duration) and on_conflict [bad_argument]')
  WHERE NEW."unique" IS NOT NULL
    AND (
      typeof(NEW."unique") <> 'text'
      OR NEW."unique" = ''
      OR instr(NEW."unique", char(0))
      OR NEW."unique" GLOB '{*'
      AND (
        NOT EXISTS (SELECT 1 FROM json_each(NEW."unique") WHERE key = 'key')
        AND NOT EXISTS (SELECT 1 FROM json_each(NEW."unique", '$.fields'))
        OR EXISTS (
          SELECT 1 FROM json_each(NEW."unique")
          WHERE CASE key
            WHEN 'key' THEN type <> 'text' OR atom = '' OR instr(atom, char(0))
            WHEN 'fields' THEN
              type <> 'array'
              OR EXISTS (
                SELECT 1 FROM json_each(NEW."unique", '$.fields')
                WHERE type <> 'text' OR atom NOT IN ('queue', 'kind', 'payload', 'partition')
              )
            WHEN 'scope' THEN type <> 'text' OR atom NOT IN ('incomplete', 'queued', 'all')
            WHEN 'period' THEN type NOT IN ('integer', 'real', 'text')
            WHEN 'on_conflict' THEN type <> 'text' OR atom NOT IN ('ignore', 'error', 'replace', 'reschedule')
            ELSE 1
          END
        )
      )
    );
  SELECT RAISE(ABORT, 'tm_inbox: the unique key has more than 1000 bytes [too_large]')
  WHERE length(CAST(iif(NEW."unique" GLOB '{*', (SELECT atom FROM json_each(NEW."unique") WHERE key = 'key'), NEW."unique") AS BLOB)) > 1000;
  SELECT RAISE(ABORT, 'tm_inbox: on_conflict is ignore or error, what replaces or reschedules is left to tm_enqueue [bad_argument]')
  WHERE iif(NEW."unique" GLOB '{*', (SELECT atom FROM json_each(NEW."unique") WHERE key = 'on_conflict'), NULL) IN ('replace', 'reschedule');

  -- What there is beside the life of the task: read once, used below, and gone at the end.
  INSERT INTO tm_inbox_draft (
    id, flow, is_blocked, needs, key, scope, until_ms, holder_id, expires_ms, deadline_ms, timeout_ms, group_revision
  )
  SELECT
    p.id,
    512
    | iif(p.key IS NULL, 0, 1)
    | iif(NEW.after IS NULL, 0, 2)
    | iif(NEW."group" IS NULL, 0, 8)
    | iif(coalesce(NEW.expires, NEW.deadline, NEW.timeout) IS NULL, 0, 16)
    | iif(NEW.partition IS NULL, 0, 32)
    | iif(NEW.parent IS NULL, 0, 128),
    EXISTS (
      SELECT 1
      FROM json_each(p.needs) AS need
      LEFT JOIN tm_task AS t ON t.id = iif(need.type = 'object', (SELECT atom FROM json_each(need.value) WHERE key = 'id'), need.value)
      LEFT JOIN tm_group AS g ON g.name = iif(need.type = 'object', (SELECT atom FROM json_each(need.value) WHERE key = 'group'), NULL)
      WHERE iif(t.id IS NULL, g.finished_ms IS NULL, t.finished_ms IS NULL)
        OR (
          coalesce(NEW.on_failure, 'cancel') <> 'ignore'
          AND iif(t.id IS NULL, g.cancelled + g.discarded > 0, t.state <> 'completed')
          AND coalesce(iif(need.type = 'object', (SELECT atom FROM json_each(need.value) WHERE key = 'on'), NULL), iif(t.id IS NULL, 'final', 'completed')) = 'completed'
        )
    ),
    p.needs,
    p.key,
    p.scope,
    iif(p.scope = 'all', (p.now_ms / p.period_ms + 1) * p.period_ms, NULL),
    (SELECT u.task_id FROM tm_unique AS u INDEXED BY tm_unique_key WHERE u.key = p.key AND u.is_held = 1),
    p.expires_ms,
    p.deadline_ms,
    p.timeout_ms,
    coalesce((SELECT revision FROM tm_group WHERE name = NEW."group"), 0)
  FROM (
    SELECT
      coalesce((SELECT max(id) FROM tm_inbox_draft), 0) + 1 AS id,
      clock.now_ms,
      CASE
        WHEN NEW.after IS NULL THEN NULL
        WHEN NEW.after GLOB '[[]*' THEN NEW.after
        ELSE '[' || NEW.after || ']'
      END AS needs,
      coalesce(iif(NEW."unique" GLOB '{*', (SELECT atom FROM json_each(NEW."unique") WHERE key = 'scope'), NULL), iif(span.period_ms IS NULL, 'incomplete', 'all')) AS scope,
      coalesce(iif(NEW.expires GLOB '{*', CAST((SELECT atom FROM json_each(NEW.expires) WHERE key = 'at_ms') AS INTEGER), NULL), clock.now_ms + span.expires_ms) AS expires_ms,
      coalesce(iif(NEW.deadline GLOB '{*', CAST((SELECT atom FROM json_each(NEW.deadline) WHERE key = 'at_ms') AS INTEGER), NULL), clock.now_ms + span.deadline_ms) AS deadline_ms,
      CASE WHEN min(span.timeout_ms, 1) < 1 THEN RAISE(ABORT, 'tm_inbox: timeout is shorter than 1 ms [out_of_range]') ELSE span.timeout_ms END AS timeout_ms,
      CASE WHEN min(span.period_ms, 1) < 1 THEN RAISE(ABORT, 'tm_inbox: period is shorter than 1 ms [out_of_range]') ELSE span.period_ms END AS period_ms,
      -- As unique_compose of tm_enqueue has it, part by part.
      CASE
        WHEN NEW."unique" IS NOT NULL THEN substr(
          iif(made.text IS NULL, '', ' key=' || quote(made.text))
          || iif(instr(made.fields, '"queue"'), ' queue=' || quote(NEW.queue), '')
          || iif(instr(made.fields, '"kind"'), ' kind=' || quote(NEW.kind), '')
          || iif(
            instr(made.fields, '"payload"'),
            ' payload=' || CASE
              WHEN typeof(NEW.payload) = 'text' AND instr(NEW.payload, char(0)) THEN 'T' || quote(CAST(NEW.payload AS BLOB))
              WHEN typeof(NEW.payload) = 'real' AND NEW.payload = CAST(NEW.payload AS INTEGER) THEN quote(CAST(NEW.payload AS INTEGER))
              ELSE quote(NEW.payload)
            END,
            ''
          )
          || iif(instr(made.fields, '"partition"'), ' partition=' || quote(NEW.partition), '')
          || iif(span.period_ms IS NULL, '', ' window=' || (clock.now_ms / span.period_ms) || ' of ' || span.period_ms || 'ms'),
          2
        )
      END AS key
    FROM (
      SELECT
        coalesce(clock_ms, CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)) AS now_ms
      FROM tm_setting
      WHERE id = 1
    ) AS clock
    JOIN (
      SELECT
        iif(NEW."unique" GLOB '{*', (SELECT atom FROM json_each(NEW."unique") WHERE key = 'key'), NEW."unique") AS text,
        coalesce(iif(NEW."unique" GLOB '{*', (SELECT value FROM json_each(NEW."unique") WHERE key = 'fields'), NULL), '["queue"]') AS fields
    ) AS made
    JOIN (
        WITH RECURSIVE
          word (name, value) AS (
            SELECT 'expires', NEW.expires WHERE NOT coalesce(NEW.expires GLOB '{*', 0)
            UNION ALL
            SELECT 'deadline', NEW.deadline WHERE NOT coalesce(NEW.deadline GLOB '{*', 0)
            UNION ALL
            SELECT 'timeout', NEW.timeout
            UNION ALL
            SELECT 'period', iif(NEW."unique" GLOB '{*', (SELECT atom FROM json_each(NEW."unique") WHERE key = 'period'), NULL)
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
                WHEN s.ms IS NULL OR w.value = '' THEN RAISE(ABORT, 'tm_inbox: expires, deadline, timeout and period are seconds, or text such as 90s or 1h30m [bad_argument]')
                WHEN s.ms NOT BETWEEN 0 AND 3153600000000 THEN RAISE(ABORT, 'tm_inbox: a duration is outside 0..36500d [out_of_range]')
                ELSE CAST(round(s.ms) AS INTEGER)
              END
            FROM word AS w
            LEFT JOIN span AS s ON s.name = w.name
          )
      SELECT
        max(CASE name WHEN 'expires' THEN ms END) AS expires_ms,
        max(CASE name WHEN 'deadline' THEN ms END) AS deadline_ms,
        max(CASE name WHEN 'timeout' THEN ms END) AS timeout_ms,
        max(CASE name WHEN 'period' THEN ms END) AS period_ms
      FROM known
    ) AS span
  ) AS p;
  SELECT RAISE(ABORT, 'tm_inbox: tm_inbox_draft was not written, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  WHERE changes() <> 1;
  SELECT RAISE(ABORT, 'tm_inbox: expires or deadline reaches beyond the year 9999 [out_of_range]')
  FROM tm_inbox_draft
  WHERE id = (SELECT max(id) FROM tm_inbox_draft) AND max(coalesce(expires_ms, 0), coalesce(deadline_ms, 0)) > 253402300799999;
  SELECT RAISE(ABORT, 'tm_inbox: a task that it is to wait for is not there [no_such_task]')
  FROM tm_inbox_draft AS d
  JOIN json_each(d.needs) AS need
  WHERE NEW.after IS NOT NULL
    AND d.id = (SELECT max(id) FROM tm_inbox_draft)
    AND NOT (need.type = 'object' AND (SELECT atom FROM json_each(need.value) WHERE key = 'group') IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM tm_task WHERE id = iif(need.type = 'object', (SELECT atom FROM json_each(need.value) WHERE key = 'id'), need.value));
  -- Nobody waits for a task that is new, but those who wait for its group.
  SELECT RAISE(ABORT, 'tm_inbox: a task of the group would wait for itself in the end [cycle]')
  FROM tm_inbox_draft AS d
  JOIN json_each(d.needs) AS need
  WHERE NEW.after IS NOT NULL
    AND NEW."group" IS NOT NULL
    AND d.id = (SELECT max(id) FROM tm_inbox_draft)
    AND (
      iif(need.type = 'object', (SELECT atom FROM json_each(need.value) WHERE key = 'group'), NULL) IS NEW."group"
      OR EXISTS (
        WITH RECURSIVE waiter (id) AS (
          SELECT task_id FROM tm_group_wait WHERE group_name = NEW."group" AND status = 0
          UNION
          SELECT x.task_id
          FROM waiter
          CROSS JOIN tm_dependency AS x INDEXED BY tm_dependency_needed ON x.needs_id = waiter.id AND x.status = 0
          UNION
          SELECT w.task_id
          FROM waiter
          CROSS JOIN tm_flow AS f ON f.task_id = waiter.id
          CROSS JOIN tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
        )
        SELECT 1
        FROM waiter
        WHERE waiter.id = iif(need.type = 'object', (SELECT atom FROM json_each(need.value) WHERE key = 'id'), need.value)
          OR EXISTS (
            SELECT 1 FROM tm_flow
            WHERE task_id = waiter.id AND in_group = iif(need.type = 'object', (SELECT atom FROM json_each(need.value) WHERE key = 'group'), NULL)
          )
      )
    );

  SELECT RAISE(ABORT, 'tm_inbox: another task holds the same key, see tm_unique [not_unique]')
  FROM tm_inbox_draft
  WHERE iif(NEW."unique" GLOB '{*', (SELECT atom FROM json_each(NEW."unique") WHERE key = 'on_conflict'), NULL) = 'error'
    AND holder_id IS NOT NULL
    AND id = (SELECT max(id) FROM tm_inbox_draft);
END;

DROP TRIGGER main.tm_task_by_hand_keeps_history;
CREATE TRIGGER main.tm_task_by_hand_keeps_history
INSTEAD OF INSERT ON tm_task_by_hand
BEGIN
  SELECT RAISE(ABORT, 'tm_task: tm_transition has no move from the old state to the new one [wrong_state]')
  WHERE NOT EXISTS (
    SELECT 1 FROM tm_transition WHERE from_state = NEW.from_state AND to_state = NEW.to_state
  );
  SELECT RAISE(ABORT, 'tm_task: moves counts the rows of history, leave it to the trigger [bad_argument]')
  WHERE NEW.is_counted
    AND (SELECT q.history FROM tm_task AS t JOIN tm_queue AS q ON q.name = t.queue WHERE t.id = NEW.id);
  UPDATE tm_task
  SET
    moves = moves + 1,
    moved_ms = coalesce(
      (SELECT clock_ms FROM tm_setting WHERE id = 1),
      CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
    ),
    started_ms = CASE
      WHEN NEW.to_state = 'running' THEN coalesce(
        (SELECT clock_ms FROM tm_setting WHERE id = 1),
        CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
      )
      ELSE started_ms
    END,
    lease_until_ms = CASE WHEN state IN ('running', 'cancelling') THEN lease_until_ms END,
    held_from = CASE WHEN state = 'held' THEN NEW.from_state END,
    reason = 'by hand'
  WHERE id = NEW.id AND NOT NEW.is_counted;
  INSERT INTO tm_event (id, task_id, previous_id, move, from_state, to_state, at_ms, attempt, actor, reason)
  SELECT
    max(
      coalesce((SELECT max(id) FROM tm_event), 0),
      (SELECT last_deleted_event_id FROM tm_setting WHERE id = 1)
    ) + 1,
    t.id,
    coalesce(t.event_id, 0),
    t.moves,
    NEW.from_state,
    NEW.to_state,
    t.moved_ms,
    t.attempt,
    NULL,
    t.reason
  FROM tm_task AS t
  WHERE t.id = NEW.id AND NOT NEW.is_counted AND (SELECT history FROM tm_queue WHERE name = t.queue);
  SELECT RAISE(ABORT, 'tm_task: a trigger moved or deleted the task before its move was noted, let it do so in a statement of its own [write_dropped]')
  WHERE changes() = 1
    AND NOT EXISTS (
      SELECT 1
      FROM tm_task AS t
      JOIN tm_event AS e ON e.id = last_insert_rowid()
      LEFT JOIN tm_event AS p ON p.id = e.previous_id
      WHERE t.id = NEW.id
        AND t.state = NEW.to_state
        AND e.task_id = t.id
        AND e.move = t.moves
        AND coalesce(p.move, -1) < e.move
    );
  UPDATE tm_task
  SET event_id = last_insert_rowid()
  WHERE id = NEW.id
    AND EXISTS (SELECT 1 FROM tm_event WHERE id = last_insert_rowid() AND task_id = NEW.id AND move = tm_task.moves)
    AND NOT NEW.is_counted
    AND (SELECT history FROM tm_queue WHERE name = tm_task.queue);
  SELECT RAISE(ABORT, 'tm_event: the move was not noted, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  WHERE changes() <> 1
    AND NOT NEW.is_counted
    AND (SELECT q.history FROM tm_task AS t JOIN tm_queue AS q ON q.name = t.queue WHERE t.id = NEW.id);
  INSERT INTO tm_task_moved (id, flow, from_state, to_state)
  SELECT t.id, t.flow | iif(q.is_limited, 256, 0), NEW.from_state, NEW.to_state
  FROM tm_task AS t
  JOIN tm_queue AS q ON q.name = t.queue
  WHERE t.id = NEW.id AND NOT NEW.is_counted AND (t.flow <> 0 OR q.is_limited);
  SELECT RAISE(ABORT, 'tm_task: a trigger moved or deleted the task before its move was noted, let it do so in a statement of its own [write_dropped]')
  WHERE NOT NEW.is_counted AND (SELECT state FROM tm_task WHERE id = NEW.id) <> NEW.to_state;
END;
