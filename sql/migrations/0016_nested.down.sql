-- Back to 0015_let_go.
DROP TRIGGER main.tm_inbox_enqueues;
DROP TRIGGER main.tm_inbox_reads_a_place;
DROP VIEW main.tm_inbox_writes;
DROP VIEW main.tm_inbox_ends;
DELETE FROM main.tm_inbox_draft;

CREATE VIEW main.tm_inbox_writes ("unique", partition, after, on_failure, "group", parent) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

CREATE VIEW main.tm_inbox_ends (after, "group") AS
SELECT NULL, NULL WHERE 0;

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
  DELETE FROM tm_inbox_draft
  WHERE id > (
    SELECT max(coalesce((SELECT max(id) FROM tm_task), 0), last_deleted_task_id) FROM tm_setting WHERE id = 1
  );
  INSERT INTO tm_inbox_draft (
    id, flow, is_blocked, needs, key, scope, until_ms, holder_id, expires_ms, deadline_ms, timeout_ms, group_revision
  )
  SELECT
    p.id,
    iif(p.key IS NULL, 0, 1)
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
      max(coalesce((SELECT max(id) FROM tm_task), 0), clock.last_deleted_task_id) + 1 AS id,
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
          || iif(made.fields LIKE '%"queue"%', ' queue=' || quote(NEW.queue), '')
          || iif(made.fields LIKE '%"kind"%', ' kind=' || quote(NEW.kind), '')
          || iif(
            made.fields LIKE '%"payload"%',
            ' payload=' || CASE
              WHEN typeof(NEW.payload) = 'text' AND instr(NEW.payload, char(0)) THEN 'T' || quote(CAST(NEW.payload AS BLOB))
              WHEN typeof(NEW.payload) = 'real' AND NEW.payload = CAST(NEW.payload AS INTEGER) THEN quote(CAST(NEW.payload AS INTEGER))
              ELSE quote(NEW.payload)
            END,
            ''
          )
          || iif(made.fields LIKE '%"partition"%', ' partition=' || quote(NEW.partition), '')
          || iif(span.period_ms IS NULL, '', ' window=' || (clock.now_ms / span.period_ms) || ' of ' || span.period_ms || 'ms'),
          2
        )
      END AS key
    FROM (
      SELECT
        last_deleted_task_id,
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

CREATE TRIGGER main.tm_inbox_writes_a_place
INSTEAD OF INSERT ON tm_inbox_writes
BEGIN
  INSERT INTO tm_flow (task_id, partition, on_failure, expires_ms, timeout_ms, deadline_ms, parent_id, in_group)
  SELECT
    id,
    NEW.partition,
    NEW.on_failure,
    expires_ms,
    timeout_ms,
    deadline_ms,
    CAST(NEW.parent AS INTEGER),
    NEW."group"
  FROM tm_inbox_draft
  WHERE id = (SELECT max(id) FROM tm_inbox_draft) AND flow & 186;
  INSERT INTO tm_unique (task_id, key, scope, until_ms)
  SELECT id, key, scope, until_ms
  FROM tm_inbox_draft
  WHERE NEW."unique" IS NOT NULL AND id = (SELECT max(id) FROM tm_inbox_draft);
  -- One that has failed already is waited for until the next claim or tick, which acts upon it.
  INSERT INTO tm_dependency (task_id, needs_id, needs, status)
  SELECT
    need.task_id,
    t.id,
    need.needs,
    CASE
      WHEN t.finished_ms IS NULL THEN 0
      WHEN t.state = 'completed' OR need.needs = 'final' THEN 1
      WHEN NEW.on_failure = 'ignore' THEN 2
      ELSE 0
    END
  FROM (
    SELECT
      d.id AS task_id,
      CAST(iif(each.type = 'object', (SELECT atom FROM json_each(each.value) WHERE key = 'id'), each.value) AS INTEGER) AS needs_id,
      min(coalesce(iif(each.type = 'object', (SELECT atom FROM json_each(each.value) WHERE key = 'on'), NULL), 'completed')) AS needs
    FROM tm_inbox_draft AS d
    JOIN json_each(d.needs) AS each
    WHERE NEW.after IS NOT NULL AND d.id = (SELECT max(id) FROM tm_inbox_draft)
    GROUP BY 2
  ) AS need
  JOIN tm_task AS t ON t.id = need.needs_id;
  INSERT INTO tm_group_wait (task_id, group_name, needs, status)
  SELECT
    need.task_id,
    need.name,
    need.needs,
    CASE
      WHEN g.finished_ms IS NULL THEN 0
      WHEN need.needs = 'final' OR g.cancelled + g.discarded = 0 THEN 1
      ELSE 2
    END
  FROM (
    SELECT
      d.id AS task_id,
      (SELECT atom FROM json_each(each.value) WHERE key = 'group') AS name,
      min(coalesce((SELECT atom FROM json_each(each.value) WHERE key = 'on'), 'final')) AS needs
    FROM tm_inbox_draft AS d
    JOIN json_each(d.needs) AS each
    WHERE NEW.after IS NOT NULL
      AND d.id = (SELECT max(id) FROM tm_inbox_draft)
      AND each.type = 'object'
      AND (SELECT atom FROM json_each(each.value) WHERE key = 'group') IS NOT NULL
    GROUP BY 2
  ) AS need
  LEFT JOIN tm_group AS g ON g.name = need.name;
END;

CREATE TRIGGER main.tm_inbox_ends_a_place
INSTEAD OF INSERT ON tm_inbox_ends
BEGIN
  INSERT INTO tm_settle (task_id)
  SELECT d.needs_id
  FROM tm_inbox_draft AS draft
  JOIN tm_dependency AS d ON d.task_id = draft.id AND d.status = 0
  JOIN tm_task AS t ON t.id = d.needs_id AND t.finished_ms IS NOT NULL
  WHERE NEW.after IS NOT NULL
    AND draft.id = (SELECT max(id) FROM tm_inbox_draft)
    AND NOT EXISTS (SELECT 1 FROM tm_settle WHERE task_id = d.needs_id)
  UNION
  SELECT w.task_id
  FROM tm_inbox_draft AS draft
  JOIN tm_group_wait AS w ON w.task_id = draft.id AND w.status = 2
  WHERE NEW.after IS NOT NULL AND draft.id = (SELECT max(id) FROM tm_inbox_draft);
  UPDATE tm_setting SET stamp = random()
  WHERE NEW.after IS NOT NULL AND id = 1 AND EXISTS (SELECT 1 FROM tm_settle);

  SELECT RAISE(ABORT, 'tm_inbox: what belongs to the task was not written, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_inbox_draft AS d
  LEFT JOIN tm_flow AS f ON f.task_id = d.id
  WHERE d.id = (SELECT max(id) FROM tm_inbox_draft)
    AND (
      (d.flow & 186 AND f.task_id IS NULL)
      OR (d.flow & 1 AND NOT EXISTS (SELECT 1 FROM tm_unique WHERE task_id = d.id))
      OR (
        d.flow & 2
        AND (
          (SELECT count(*) FROM tm_dependency WHERE task_id = d.id) + (SELECT count(*) FROM tm_group_wait WHERE task_id = d.id)
          <> (
            SELECT count(DISTINCT iif(outside.type = 'object', coalesce('g' || ((SELECT atom FROM json_each(outside.value) WHERE key = 'group')), (SELECT atom FROM json_each(outside.value) WHERE key = 'id') + 0), outside.value + 0))
            FROM json_each(d.needs) AS outside
          )
          OR f.unmet <> (SELECT count(*) FROM tm_dependency WHERE task_id = d.id AND status = 0)
            + (SELECT count(*) FROM tm_group_wait WHERE task_id = d.id AND status = 0)
          OR EXISTS (
            SELECT 1
            FROM tm_dependency AS x
            JOIN tm_task AS t ON t.id = x.needs_id
            WHERE x.task_id = d.id
              AND (t.flow & 4 = 0 OR (x.status = 0 AND t.finished_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tm_settle WHERE task_id = t.id)))
          )
          OR EXISTS (
            SELECT 1 FROM tm_group_wait AS w
            WHERE w.task_id = d.id AND w.status = 2 AND NOT EXISTS (SELECT 1 FROM tm_settle WHERE task_id = d.id)
          )
        )
      )
      OR (d.flow & 8 AND NOT EXISTS (SELECT 1 FROM tm_group WHERE name = NEW."group" AND revision > d.group_revision + (d.group_revision = 0)))
      OR (d.flow & 16 AND (f.due_ms IS NOT coalesce(min(d.expires_ms, d.deadline_ms), d.expires_ms, d.deadline_ms) OR NOT (SELECT has_times FROM tm_setting WHERE id = 1)))
      OR (d.flow & 128 AND NOT EXISTS (SELECT 1 FROM tm_task WHERE id = f.parent_id AND flow & 64))
    );
  DELETE FROM tm_inbox_draft WHERE id = (SELECT max(id) FROM tm_inbox_draft);
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

  SELECT RAISE(ABORT, 'tm_inbox: on_failure is cancel, ignore or hold, with after [bad_argument]')
  WHERE NEW.on_failure IS NOT NULL AND (NEW.on_failure NOT IN ('cancel', 'ignore', 'hold') OR NEW.after IS NULL);

  INSERT INTO tm_queue (name)
  SELECT NEW.queue WHERE NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue);

  INSERT INTO tm_inbox_reads (queue, payload, kind, "unique", expires, timeout, deadline, partition, after, on_failure, "group", parent)
  SELECT
    NEW.queue,
    NEW.payload,
    NEW.kind,
    NEW."unique",
    NEW.expires,
    NEW.timeout,
    NEW.deadline,
    NEW.partition,
    NEW.after,
    NEW.on_failure,
    NEW."group",
    NEW.parent
  WHERE coalesce(NEW."unique", NEW.expires, NEW.timeout, NEW.deadline, NEW.partition, NEW.after, NEW."group", NEW.parent) IS NOT NULL;
  SELECT RAISE(ABORT, 'tm_inbox: tm_inbox_draft was not written, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  WHERE coalesce(NEW."unique", NEW.expires, NEW.timeout, NEW.deadline, NEW.partition, NEW.after, NEW."group", NEW.parent) IS NOT NULL
    AND NOT EXISTS (
      SELECT 1 FROM tm_inbox_draft
      WHERE id > (
        SELECT max(coalesce((SELECT max(id) FROM tm_task), 0), last_deleted_task_id) FROM tm_setting WHERE id = 1
      )
    );
  -- Where somebody holds its key, that is all.
  DELETE FROM tm_inbox_draft
  WHERE NEW."unique" IS NOT NULL AND holder_id IS NOT NULL AND id = (SELECT max(id) FROM tm_inbox_draft);
  SELECT RAISE(IGNORE)
  WHERE NEW."unique" IS NOT NULL AND changes() = 1;

  INSERT INTO tm_task (
    id, queue, state, priority, run_at_ms, created_ms, moves, moved_ms, max_attempts, kind, held_from, lease_ms,
    backoff_kind, backoff_base_ms, backoff_max_ms, backoff_jitter, tags, metadata, spare, payload, flow
  )
  SELECT
    max(coalesce((SELECT max(id) FROM tm_task), 0), birth.last_deleted_task_id) + 1,
    NEW.queue,
    CASE
      WHEN NEW.held THEN 'held'
      WHEN birth.is_blocked THEN 'blocked'
      WHEN birth.run_at_ms > birth.now_ms THEN 'scheduled'
      ELSE 'available'
    END,
    CAST(coalesce(NEW.priority, birth.priority) AS INTEGER),
    CASE WHEN birth.run_at_ms > 253402300799999 THEN RAISE(ABORT, 'tm_inbox: delay reaches beyond the year 9999 [out_of_range]') ELSE birth.run_at_ms END,
    birth.now_ms,
    0,
    birth.now_ms,
    CAST(coalesce(NEW.max_attempts, birth.max_attempts) AS INTEGER),
    NEW.kind,
    CASE
      WHEN NEW.held THEN CASE WHEN birth.is_blocked THEN 'blocked' WHEN birth.run_at_ms > birth.now_ms THEN 'scheduled' ELSE 'available' END
    END,
    CASE WHEN birth.lease_ms < 1 THEN RAISE(ABORT, 'tm_inbox: lease is shorter than 1 ms [out_of_range]') ELSE birth.lease_ms END,
    (SELECT atom FROM json_each(NEW.backoff) WHERE key = 'kind'),
    birth.base_ms,
    birth.max_ms,
    (SELECT atom FROM json_each(NEW.backoff) WHERE key = 'jitter'),
    (SELECT value FROM json_each('[' || NEW.tags || ']')),
    (SELECT value FROM json_each('[' || NEW.metadata || ']')),
    CASE
      WHEN length(CAST(NEW.payload AS BLOB)) + coalesce(length(CAST(NEW.metadata AS BLOB)), 0) >= 3800 THEN zeroblob(300)
    END,
    NEW.payload,
    birth.flow
  FROM (
    SELECT
      coalesce(draft.flow, 0) AS flow,
      coalesce(draft.is_blocked, 0) AS is_blocked,
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
    LEFT JOIN tm_inbox_draft AS draft
      ON coalesce(NEW."unique", NEW.expires, NEW.timeout, NEW.deadline, NEW.partition, NEW.after, NEW."group", NEW.parent) IS NOT NULL
      AND draft.id = (SELECT max(id) FROM tm_inbox_draft)
  ) AS birth;

  -- A trigger of somebody's that raises IGNORE, or an authorizer, may have dropped it.
  SELECT RAISE(ABORT, 'tm_inbox: the task was not written, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  WHERE changes() <> 1;

  INSERT INTO tm_inbox_writes ("unique", partition, after, on_failure, "group", parent)
  SELECT NEW."unique", NEW.partition, NEW.after, NEW.on_failure, NEW."group", NEW.parent WHERE coalesce(NEW."unique", NEW.expires, NEW.timeout, NEW.deadline, NEW.partition, NEW.after, NEW."group", NEW.parent) IS NOT NULL;
  INSERT INTO tm_task_moved (id, flow, from_state, to_state)
  SELECT t.id, t.flow | iif(q.is_partitioned, 256, 0), NULL, t.state
  FROM tm_task AS t
  JOIN tm_queue AS q ON q.name = t.queue
  WHERE t.id = (SELECT max(id) FROM tm_task) AND (t.flow <> 0 OR q.is_partitioned);

  SELECT RAISE(ABORT, 'tm_inbox: the place of the task was not counted, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  FROM tm_task AS t
  JOIN tm_queue AS q ON q.name = t.queue
  LEFT JOIN tm_place AS x ON x.task_id = t.id
  LEFT JOIN tm_partition AS p ON p.queue = t.queue AND p.name = x.partition
  WHERE t.id = (SELECT max(id) FROM tm_task)
    AND q.is_partitioned
    AND t.state = 'available'
    AND (
      x.partition IS NOT coalesce(NEW.partition, '')
      OR p.head_id IS NULL
      OR (x.line_key, x.line_ms, x.task_id) < (p.line_key, p.line_ms, p.head_id)
    );
  INSERT INTO tm_inbox_ends (after, "group")
  SELECT NEW.after, NEW."group" WHERE coalesce(NEW."unique", NEW.expires, NEW.timeout, NEW.deadline, NEW.partition, NEW.after, NEW."group", NEW.parent) IS NOT NULL;
  SELECT RAISE(ABORT, 'tm_inbox: tm_inbox_draft was not emptied, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  WHERE coalesce(NEW."unique", NEW.expires, NEW.timeout, NEW.deadline, NEW.partition, NEW.after, NEW."group", NEW.parent) IS NOT NULL AND EXISTS (SELECT 1 FROM tm_inbox_draft WHERE id = (SELECT max(id) FROM tm_task));
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
  UPDATE tm_task
  SET event_id = (SELECT max(id) FROM tm_event)
  WHERE id = NEW.id
    AND NOT NEW.is_counted
    AND (SELECT history FROM tm_queue WHERE name = tm_task.queue);
  INSERT INTO tm_task_moved (id, flow, from_state, to_state)
  SELECT t.id, t.flow | iif(q.is_limited, 256, 0), NEW.from_state, NEW.to_state
  FROM tm_task AS t
  JOIN tm_queue AS q ON q.name = t.queue
  WHERE t.id = NEW.id AND NOT NEW.is_counted AND (t.flow <> 0 OR q.is_limited);
END;
