-- As in 0008_limits.
DROP TRIGGER main.tm_inbox_enqueues;
DROP VIEW main.tm_inbox;
DROP VIEW main.tm_inbox_reads;
DROP VIEW main.tm_inbox_writes;
DROP VIEW main.tm_inbox_ends;
DROP TABLE main.tm_inbox_draft;
CREATE VIEW main.tm_inbox (
  queue, payload, priority, delay, run_at_ms, max_attempts, backoff, lease, kind, tags, metadata, held
) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

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
    id, queue, state, priority, run_at_ms, created_ms, moves, moved_ms, max_attempts, kind, held_from, lease_ms,
    backoff_kind, backoff_base_ms, backoff_max_ms, backoff_jitter, tags, metadata, spare, payload
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
    0,
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
    CASE
      WHEN length(CAST(NEW.payload AS BLOB)) + coalesce(length(CAST(NEW.metadata AS BLOB)), 0) >= 3800 THEN zeroblob(300)
    END,
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

  INSERT INTO tm_task_moved (id, flow, from_state, to_state)
  SELECT t.id, t.flow | 256, NULL, t.state
  FROM tm_task AS t
  JOIN tm_queue AS q ON q.name = t.queue
  WHERE t.id = last_insert_rowid() AND q.is_partitioned;
END;
