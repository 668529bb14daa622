-- 0008_limits: how many tasks of a queue run at once, how many start in a time, and whose turn it is.
--
-- * The limits are columns of tm_queue; a queue without any is as it was.
-- * Of a queue with one, tm_place says what each of its tasks counts for: that it is leased, or that
--   it stands in line; tm_limit and tm_partition hold the sums, and tm_partition whose turn it is.
-- * What a place should be is in the view tm_place_due: one trigger makes it so after each move, a
--   change of the limits for all tasks at once, tm_repair too, and the invariants compare.
-- * Whoever writes a task compiles the triggers below it, with limits or without, so they are few and
--   look at one table at a time: the limits of the queue are kept in tm_limit and tm_partition too.
-- * tm_task_moved is told of each move in such a queue with bit 256 of flow set (never stored), of a
--   birth only where the queue has partitions.
-- * Rates are kept by GCRA, the generic cell rate algorithm (ITU-T I.371, annex A; ATM Forum Traffic
--   Management 4.0), the virtual scheduling form: tat_us is the theoretical arrival time of the next
--   start, interval_us the emission interval, and `rate` starts may come at once.

ALTER TABLE main.tm_queue ADD COLUMN max_running INTEGER
  CONSTRAINT queue_max_running_is_positive CHECK (max_running > 0);
ALTER TABLE main.tm_queue ADD COLUMN max_running_per_partition INTEGER
  CONSTRAINT queue_max_running_per_partition_is_positive CHECK (max_running_per_partition > 0);
ALTER TABLE main.tm_queue ADD COLUMN rate INTEGER
  CONSTRAINT queue_rate_is_in_range CHECK (rate BETWEEN 1 AND 1000000000);
ALTER TABLE main.tm_queue ADD COLUMN rate_ms INTEGER
  CONSTRAINT queue_rate_ms_is_in_range CHECK (rate_ms BETWEEN 1 AND 3153600000000)
  CONSTRAINT queue_rate_and_rate_ms_go_together CHECK ((rate IS NULL) = (rate_ms IS NULL))
  CONSTRAINT queue_rate_is_at_most_1000_in_a_ms CHECK (rate <= 1000 * rate_ms);
ALTER TABLE main.tm_queue ADD COLUMN rate_per_partition INTEGER
  CONSTRAINT queue_rate_per_partition_is_in_range CHECK (rate_per_partition BETWEEN 1 AND 1000000000);
ALTER TABLE main.tm_queue ADD COLUMN rate_per_partition_ms INTEGER
  CONSTRAINT queue_rate_per_partition_ms_is_in_range CHECK (rate_per_partition_ms BETWEEN 1 AND 3153600000000)
  CONSTRAINT queue_rate_per_partition_and_ms_go_together CHECK ((rate_per_partition IS NULL) = (rate_per_partition_ms IS NULL))
  CONSTRAINT queue_rate_per_partition_is_at_most_1000_in_a_ms CHECK (rate_per_partition <= 1000 * rate_per_partition_ms);
ALTER TABLE main.tm_queue ADD COLUMN fair INTEGER NOT NULL DEFAULT 0
  CONSTRAINT queue_fair_is_0_or_1 CHECK (fair IN (0, 1));
ALTER TABLE main.tm_queue ADD COLUMN fifo INTEGER NOT NULL DEFAULT 0
  CONSTRAINT queue_fifo_is_0_or_1 CHECK (fifo IN (0, 1));
ALTER TABLE main.tm_queue ADD COLUMN is_partitioned INTEGER GENERATED ALWAYS AS (
  max_running_per_partition IS NOT NULL OR rate_per_partition IS NOT NULL OR fair OR fifo
) VIRTUAL;
ALTER TABLE main.tm_queue ADD COLUMN is_limited INTEGER GENERATED ALWAYS AS (
  max_running IS NOT NULL
  OR rate IS NOT NULL
  OR max_running_per_partition IS NOT NULL
  OR rate_per_partition IS NOT NULL
  OR fair
  OR fifo
) VIRTUAL;
-- Rounded up, so that a rate is never exceeded.
ALTER TABLE main.tm_queue ADD COLUMN interval_us INTEGER GENERATED ALWAYS AS (
  (rate_ms * 1000 + rate - 1) / rate
) VIRTUAL;
ALTER TABLE main.tm_queue ADD COLUMN interval_per_partition_us INTEGER GENERATED ALWAYS AS (
  (rate_per_partition_ms * 1000 + rate_per_partition - 1) / rate_per_partition
) VIRTUAL;

-- Of the queue: leased tasks, starts so far. told_ is the move that was counted last.
CREATE TABLE main.tm_limit (
  queue TEXT NOT NULL,
  running INTEGER NOT NULL DEFAULT 0,
  served INTEGER NOT NULL DEFAULT 0,
  tat_us INTEGER NOT NULL DEFAULT 0,
  most_running INTEGER,
  interval_us INTEGER,
  burst INTEGER,
  told_id INTEGER,
  told_move INTEGER,
  CONSTRAINT limit_is_unique PRIMARY KEY (queue),
  CONSTRAINT limit_is_of_a_queue FOREIGN KEY (queue) REFERENCES tm_queue (name),
  CONSTRAINT limit_running_is_not_negative CHECK (running >= 0)
) STRICT, WITHOUT ROWID;

-- Of a partition: leased tasks, which start of the queue was its last, the first task in line, and
-- whose turn it is: phase 0 may start its head (turn: `served` where the queue is fair), 1 rests until
-- turn (as of seen_ms), 2 has nothing in line and nothing leased and is kept for what it remembers,
-- NULL is full or waits for its head.
CREATE TABLE main.tm_partition (
  queue TEXT NOT NULL,
  name TEXT NOT NULL,
  running INTEGER NOT NULL DEFAULT 0,
  served INTEGER NOT NULL DEFAULT 0,
  tat_us INTEGER NOT NULL DEFAULT 0,
  seen_ms INTEGER NOT NULL DEFAULT 0,
  head_id INTEGER,
  head_open INTEGER,
  line_key INTEGER,
  line_ms INTEGER,
  sort_key INTEGER,
  sort_ms INTEGER,
  most_running INTEGER,
  fair INTEGER NOT NULL DEFAULT 0,
  interval_us INTEGER,
  burst INTEGER,
  told_id INTEGER,
  told_move INTEGER,
  rest_ms INTEGER GENERATED ALWAYS AS ((tat_us - interval_us * (burst - 1) + 999) / 1000) VIRTUAL,
  phase INTEGER GENERATED ALWAYS AS (
    CASE
      WHEN head_id IS NULL THEN CASE WHEN running = 0 THEN 2 END
      WHEN NOT head_open OR running >= most_running THEN NULL
      ELSE coalesce(rest_ms > seen_ms, 0)
    END
  ) VIRTUAL,
  turn INTEGER GENERATED ALWAYS AS (
    CASE phase
      WHEN 0 THEN CASE WHEN fair THEN served ELSE 0 END
      WHEN 1 THEN rest_ms
      WHEN 2 THEN CASE WHEN fair THEN served ELSE tat_us END
    END
  ) VIRTUAL,
  CONSTRAINT partition_is_unique PRIMARY KEY (queue, name),
  CONSTRAINT partition_is_of_a_queue FOREIGN KEY (queue) REFERENCES tm_queue (name),
  CONSTRAINT partition_running_is_not_negative CHECK (running >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX main.tm_partition_turn ON tm_partition (queue, phase, turn, sort_key, sort_ms, head_id)
WHERE phase IS NOT NULL;

-- What a task counts for. In line by (line_key, line_ms, task_id), NULL out of it; (sort_key, sort_ms,
-- task_id) is the order of the queue. partition is NULL where the queue has none, '' for tasks without.
CREATE TABLE main.tm_place (
  task_id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  partition TEXT,
  is_leased INTEGER NOT NULL,
  is_open INTEGER NOT NULL,
  line_key INTEGER,
  line_ms INTEGER,
  sort_key INTEGER,
  sort_ms INTEGER,
  CONSTRAINT place_is_of_a_task FOREIGN KEY (task_id) REFERENCES tm_task (id)
) STRICT;

CREATE INDEX main.tm_place_line ON tm_place (queue, partition, line_key, line_ms) WHERE partition IS NOT NULL;

-- What it should be, of each task of a queue with limits; none where it is not wanted. In a fifo queue
-- a task stands in line from when it was available first until it is final or held, by its id.
CREATE VIEW main.tm_place_due (
  task_id, queue, phase, move, moved_ms, partition, is_wanted, is_leased, is_open, line_key, line_ms, sort_key, sort_ms
) AS
SELECT
  t.id,
  t.queue,
  t.phase,
  t.moves,
  t.moved_ms,
  CASE WHEN q.is_partitioned THEN coalesce(f.partition, '') END,
  CASE t.phase
    WHEN 0 THEN q.is_partitioned
    WHEN 1 THEN q.fifo AND (t.state <> 'scheduled' OR t.started_ms IS NOT NULL)
    WHEN 2 THEN 1
    ELSE 0
  END,
  t.phase IS 2,
  t.phase IS 0,
  CASE WHEN q.fifo THEN 0 WHEN t.phase = 0 THEN -t.priority END,
  CASE WHEN q.fifo THEN 0 WHEN t.phase = 0 THEN t.run_at_ms END,
  -t.priority,
  t.run_at_ms
FROM tm_task AS t
JOIN tm_queue AS q ON q.name = t.queue
LEFT JOIN tm_flow AS f ON f.task_id = t.id
WHERE q.is_limited;

-- ---- what a move does ----------------------------------------------------------------------------

CREATE VIEW main.tm_task_counts (id, is_move, is_start) AS
SELECT NULL, NULL, NULL WHERE 0;

CREATE VIEW main.tm_place_change (
  task_id, move, now_ms, is_start, queue, partition, is_wanted, is_leased, was_leased,
  is_open, line_key, line_ms, sort_key, sort_ms
) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

-- A task takes a place, or counts for something else in it, or leaves it. Where it starts, the limits
-- let it: a claim has looked, a move by hand has not. A count that is wrong keeps nobody from finishing.
CREATE TRIGGER main.tm_place_changes
INSTEAD OF INSERT ON tm_place_change
BEGIN
  SELECT RAISE(ABORT, 'tm_task: a limit of its queue does not let it start now, tm_explain says which [wrong_state]')
  WHERE NEW.is_start
    AND (
      EXISTS (
        SELECT 1 FROM tm_limit
        WHERE queue = NEW.queue
          AND (
            running - NEW.was_leased >= most_running
            OR min(tat_us, NEW.now_ms * 1000 + interval_us * burst) - interval_us * (burst - 1) > NEW.now_ms * 1000
          )
      )
      OR EXISTS (
        SELECT 1 FROM tm_partition
        WHERE queue = NEW.queue
          AND name = NEW.partition
          AND (
            running - NEW.was_leased >= most_running
            OR rest_ms > max(NEW.now_ms, seen_ms)
            OR (NEW.line_key IS NOT NULL AND head_id IS NOT NEW.task_id)
          )
      )
    );
  DELETE FROM tm_place WHERE task_id = NEW.task_id;
  INSERT INTO tm_place (task_id, queue, partition, is_leased, is_open, line_key, line_ms, sort_key, sort_ms)
  SELECT
    NEW.task_id,
    NEW.queue,
    NEW.partition,
    NEW.is_leased,
    NEW.is_open,
    NEW.line_key,
    NEW.line_ms,
    NEW.sort_key,
    NEW.sort_ms
  WHERE NEW.is_wanted;
  UPDATE tm_limit
  SET
    running = max(running + NEW.is_leased - NEW.was_leased, 0),
    served = served + NEW.is_start,
    tat_us = CASE
      WHEN NEW.is_start AND interval_us IS NOT NULL
        THEN max(NEW.now_ms * 1000, min(tat_us, NEW.now_ms * 1000 + interval_us * burst)) + interval_us
      ELSE tat_us
    END,
    told_id = NEW.task_id,
    told_move = NEW.move
  WHERE queue = NEW.queue AND (NEW.is_leased <> NEW.was_leased OR NEW.is_start);
  INSERT INTO tm_partition (queue, name, served, most_running, fair, interval_us, burst)
  SELECT
    NEW.queue,
    NEW.partition,
    (SELECT served - 1000 FROM tm_limit WHERE queue = NEW.queue),
    CASE WHEN fifo THEN 1 ELSE max_running_per_partition END,
    fair,
    interval_per_partition_us,
    rate_per_partition
  FROM tm_queue
  WHERE name = NEW.queue
    AND NEW.partition IS NOT NULL
    AND NEW.is_wanted
    AND NOT EXISTS (SELECT 1 FROM tm_partition WHERE queue = NEW.queue AND name = NEW.partition);
  UPDATE tm_partition
  SET
    running = max(running + NEW.is_leased - NEW.was_leased, 0),
    served = CASE
      WHEN NEW.is_start THEN (SELECT l.served FROM tm_limit AS l WHERE l.queue = NEW.queue)
      ELSE served
    END,
    tat_us = CASE
      WHEN NEW.is_start AND interval_us IS NOT NULL
        THEN max(NEW.now_ms * 1000, min(tat_us, NEW.now_ms * 1000 + interval_us * burst)) + interval_us
      ELSE tat_us
    END,
    seen_ms = coalesce(NEW.now_ms, seen_ms),
    (head_id, head_open, line_key, line_ms, sort_key, sort_ms) = (
      SELECT x.task_id, x.is_open, x.line_key, x.line_ms, x.sort_key, x.sort_ms
      FROM tm_place AS x INDEXED BY tm_place_line
      WHERE x.queue = NEW.queue AND x.partition = NEW.partition AND x.line_key > -100000
      ORDER BY x.line_key, x.line_ms, x.task_id
      LIMIT 1
    ),
    told_id = NEW.task_id,
    told_move = NEW.move
  WHERE queue = NEW.queue
    AND name = NEW.partition
    AND (
      NEW.is_leased <> NEW.was_leased
      OR NEW.is_start
      OR head_id IS NULL
      OR head_id = NEW.task_id
      OR (NEW.line_key, NEW.line_ms, NEW.task_id) < (line_key, line_ms, head_id)
    );
  SELECT RAISE(ABORT, 'tm_limit: a move was not counted, look for a trigger that raises IGNORE or an authorizer that answers it [write_dropped]')
  WHERE NEW.is_wanted IS NOT (
      SELECT is_leased = NEW.is_leased AND is_open = NEW.is_open FROM tm_place WHERE task_id = NEW.task_id
    )
    AND (NEW.is_wanted OR EXISTS (SELECT 1 FROM tm_place WHERE task_id = NEW.task_id))
    OR (
      (NEW.is_leased <> NEW.was_leased OR NEW.is_start)
      AND (
        EXISTS (
          SELECT 1 FROM tm_limit
          WHERE queue = NEW.queue AND (told_id IS NOT NEW.task_id OR told_move IS NOT NEW.move)
        )
        OR EXISTS (
          SELECT 1 FROM tm_partition
          WHERE queue = NEW.queue
            AND name = NEW.partition
            AND (told_id IS NOT NEW.task_id OR told_move IS NOT NEW.move)
        )
      )
    );
  DELETE FROM tm_partition
  WHERE queue = NEW.queue
    AND name = NEW.partition
    AND phase = 2
    AND (NOT fair OR served <= (SELECT l.served - 1000 FROM tm_limit AS l WHERE l.queue = NEW.queue))
    AND (interval_us IS NULL OR tat_us <= seen_ms * 1000);
END;

-- A task's place is what its row says, whatever was told before: to tell twice changes nothing, but
-- that a start counts for the rate.
CREATE TRIGGER main.tm_task_takes_its_place
INSTEAD OF INSERT ON tm_task_counts
BEGIN
  INSERT INTO tm_place_change (
    task_id, move, now_ms, is_start, queue, partition, is_wanted, is_leased, was_leased,
    is_open, line_key, line_ms, sort_key, sort_ms
  )
  SELECT
    d.task_id,
    d.move,
    CASE WHEN NEW.is_move THEN d.moved_ms END,
    NEW.is_start AND d.is_leased,
    d.queue,
    d.partition,
    d.is_wanted,
    d.is_leased,
    coalesce(p.is_leased, 0),
    d.is_open,
    d.line_key,
    d.line_ms,
    d.sort_key,
    d.sort_ms
  FROM tm_place_due AS d
  LEFT JOIN tm_place AS p ON p.task_id = d.task_id
  WHERE d.task_id = NEW.id AND (d.is_wanted OR p.task_id IS NOT NULL);
END;

CREATE TRIGGER main.tm_task_that_moves_counts
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 256
BEGIN
  INSERT INTO tm_task_counts (id, is_move, is_start) VALUES (NEW.id, 1, NEW.to_state = 'running');
END;

-- Without a move: the order in line, the queue, the partition, and the end of the row.
CREATE TRIGGER main.tm_task_in_line_takes_its_place_anew
AFTER UPDATE OF priority, run_at_ms ON tm_task
WHEN NEW.state = 'available'
  AND OLD.state = 'available'
  AND (OLD.priority IS NOT NEW.priority OR OLD.run_at_ms IS NOT NEW.run_at_ms)
BEGIN
  INSERT INTO tm_task_counts (id, is_move, is_start)
  SELECT task_id, 0, 0 FROM tm_place WHERE task_id = NEW.id;
END;

CREATE VIEW main.tm_place_left (task_id, move) AS
SELECT NULL, NULL WHERE 0;

CREATE TRIGGER main.tm_place_is_left
INSTEAD OF INSERT ON tm_place_left
BEGIN
  INSERT INTO tm_place_change (task_id, move, is_start, queue, partition, is_wanted, is_leased, was_leased, is_open)
  SELECT task_id, NEW.move, 0, queue, partition, 0, 0, is_leased, 0 FROM tm_place WHERE task_id = NEW.task_id;
END;

CREATE TRIGGER main.tm_task_in_another_queue_counts_there
AFTER UPDATE OF queue ON tm_task
WHEN OLD.queue IS NOT NEW.queue
BEGIN
  INSERT INTO tm_place_left (task_id, move) VALUES (NEW.id, NEW.moves);
  INSERT INTO tm_task_counts (id, is_move, is_start) VALUES (NEW.id, 0, 0);
END;

CREATE TRIGGER main.tm_flow_in_another_partition_counts_there
AFTER UPDATE OF partition ON tm_flow
WHEN OLD.partition IS NOT NEW.partition AND EXISTS (SELECT 1 FROM tm_place WHERE task_id = NEW.task_id)
BEGIN
  INSERT INTO tm_place_left (task_id, move) VALUES (NEW.task_id, -1);
  INSERT INTO tm_task_counts (id, is_move, is_start) VALUES (NEW.task_id, 0, 0);
END;

CREATE TRIGGER main.tm_flow_with_a_partition_counts_there
AFTER INSERT ON tm_flow
WHEN NEW.partition IS NOT NULL AND EXISTS (SELECT 1 FROM tm_place WHERE task_id = NEW.task_id)
BEGIN
  INSERT INTO tm_place_left (task_id, move) VALUES (NEW.task_id, -1);
  INSERT INTO tm_task_counts (id, is_move, is_start) VALUES (NEW.task_id, 0, 0);
END;

CREATE TRIGGER main.tm_flow_that_goes_leaves_its_partition
AFTER DELETE ON tm_flow
WHEN OLD.partition IS NOT NULL AND EXISTS (SELECT 1 FROM tm_place WHERE task_id = OLD.task_id)
BEGIN
  INSERT INTO tm_place_left (task_id, move) VALUES (OLD.task_id, -1);
  INSERT INTO tm_task_counts (id, is_move, is_start) VALUES (OLD.task_id, 0, 0);
END;

CREATE TRIGGER main.tm_task_that_goes_leaves_its_place
BEFORE DELETE ON tm_task
WHEN OLD.state <> 'completed' AND OLD.state <> 'cancelled' AND OLD.state <> 'discarded'
BEGIN
  INSERT INTO tm_place_left (task_id, move) VALUES (OLD.id, OLD.moves);
END;

-- ---- what a change of the limits does --------------------------------------------------------------

-- Count anew, all of a queue; what its rates and its turns remember is kept.
CREATE VIEW main.tm_queue_counts (queue) AS
SELECT NULL WHERE 0;

CREATE TRIGGER main.tm_queue_is_counted_anew
INSTEAD OF INSERT ON tm_queue_counts
BEGIN
  DELETE FROM tm_place WHERE queue = NEW.queue AND partition IS NOT NULL;
  DELETE FROM tm_place
  WHERE task_id IN (
    SELECT id FROM tm_task INDEXED BY tm_task_live WHERE queue = NEW.queue AND phase = 2
  );
  DELETE FROM tm_limit
  WHERE queue = NEW.queue AND NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue AND is_limited);
  DELETE FROM tm_partition
  WHERE queue = NEW.queue AND NOT EXISTS (SELECT 1 FROM tm_queue WHERE name = NEW.queue AND is_partitioned);
  INSERT INTO tm_limit (queue)
  SELECT name FROM tm_queue
  WHERE name = NEW.queue AND is_limited AND NOT EXISTS (SELECT 1 FROM tm_limit WHERE queue = NEW.queue);
  INSERT INTO tm_place (task_id, queue, partition, is_leased, is_open, line_key, line_ms, sort_key, sort_ms)
  SELECT task_id, queue, partition, is_leased, is_open, line_key, line_ms, sort_key, sort_ms
  FROM tm_place_due
  WHERE queue = NEW.queue AND phase >= 0 AND is_wanted;
  UPDATE tm_limit
  SET
    running = (SELECT count(*) FROM tm_task INDEXED BY tm_task_live WHERE queue = NEW.queue AND phase = 2),
    (most_running, interval_us, burst) = (SELECT max_running, interval_us, rate FROM tm_queue WHERE name = NEW.queue)
  WHERE queue = NEW.queue;
  INSERT INTO tm_partition (queue, name, served)
  SELECT DISTINCT p.queue, p.partition, (SELECT served - 1000 FROM tm_limit WHERE queue = NEW.queue)
  FROM tm_place AS p
  WHERE p.queue = NEW.queue
    AND p.partition IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM tm_partition WHERE queue = p.queue AND name = p.partition);
  UPDATE tm_partition
  SET
    running = (
      SELECT count(*) FROM tm_place AS x INDEXED BY tm_place_line
      WHERE x.queue = NEW.queue AND x.partition = tm_partition.name AND x.is_leased
    ),
    (most_running, fair, interval_us, burst) = (
      SELECT CASE WHEN fifo THEN 1 ELSE max_running_per_partition END, fair, interval_per_partition_us, rate_per_partition
      FROM tm_queue
      WHERE name = NEW.queue
    ),
    (head_id, head_open, line_key, line_ms, sort_key, sort_ms) = (
      SELECT x.task_id, x.is_open, x.line_key, x.line_ms, x.sort_key, x.sort_ms
      FROM tm_place AS x INDEXED BY tm_place_line
      WHERE x.queue = NEW.queue AND x.partition = tm_partition.name AND x.line_key > -100000
      ORDER BY x.line_key, x.line_ms, x.task_id
      LIMIT 1
    )
  WHERE queue = NEW.queue;
  DELETE FROM tm_partition WHERE queue = NEW.queue AND phase = 2 AND NOT fair AND interval_us IS NULL;
END;

CREATE TRIGGER main.tm_queue_with_other_places_is_counted
AFTER UPDATE OF max_running, max_running_per_partition, rate, rate_per_partition, fair, fifo ON tm_queue
WHEN OLD.is_limited <> NEW.is_limited OR OLD.is_partitioned <> NEW.is_partitioned OR OLD.fifo <> NEW.fifo
BEGIN
  INSERT INTO tm_queue_counts (queue) VALUES (NEW.name);
END;

-- Other limits of the same kinds: nothing is counted anew.
CREATE TRIGGER main.tm_queue_with_other_limits_keeps_them
AFTER UPDATE OF max_running, rate, rate_ms ON tm_queue
WHEN OLD.is_limited AND NEW.is_limited
BEGIN
  UPDATE tm_limit
  SET most_running = NEW.max_running, interval_us = NEW.interval_us, burst = NEW.rate
  WHERE queue = NEW.name;
END;

CREATE TRIGGER main.tm_queue_with_other_turns_keeps_them
AFTER UPDATE OF max_running_per_partition, rate_per_partition, rate_per_partition_ms, fair ON tm_queue
WHEN OLD.is_partitioned
  AND NEW.is_partitioned
  AND (
    OLD.max_running_per_partition IS NOT NEW.max_running_per_partition
    OR OLD.rate_per_partition IS NOT NEW.rate_per_partition
    OR OLD.rate_per_partition_ms IS NOT NEW.rate_per_partition_ms
    OR OLD.fair <> NEW.fair
  )
BEGIN
  UPDATE tm_partition
  SET
    most_running = CASE WHEN NEW.fifo THEN 1 ELSE NEW.max_running_per_partition END,
    fair = NEW.fair,
    interval_us = NEW.interval_per_partition_us,
    burst = NEW.rate_per_partition,
    tat_us = coalesce(min(tat_us, (seen_ms + NEW.rate_per_partition_ms) * 1000), tat_us)
  WHERE queue = NEW.name;
  DELETE FROM tm_partition WHERE queue = NEW.name AND phase = 2 AND NOT fair AND interval_us IS NULL;
END;

CREATE TRIGGER main.tm_queue_that_is_new_is_counted
AFTER INSERT ON tm_queue
WHEN NEW.is_limited OR EXISTS (SELECT 1 FROM tm_limit WHERE queue = NEW.name)
BEGIN
  INSERT INTO tm_queue_counts (queue) VALUES (NEW.name);
END;

CREATE TRIGGER main.tm_queue_with_another_name_is_counted
AFTER UPDATE OF name ON tm_queue
WHEN OLD.name IS NOT NEW.name
BEGIN
  DELETE FROM tm_partition WHERE queue = OLD.name;
  DELETE FROM tm_limit WHERE queue = OLD.name;
  INSERT INTO tm_queue_counts (queue) VALUES (NEW.name);
END;

CREATE TRIGGER main.tm_queue_takes_its_counts_along
BEFORE DELETE ON tm_queue
BEGIN
  DELETE FROM tm_partition WHERE queue = OLD.name;
  DELETE FROM tm_limit WHERE queue = OLD.name;
END;

-- ---- who is told -----------------------------------------------------------------------------------

-- As in 0006_flow, with the last statement for queues with limits too.
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

-- As in 0003_speed, with the last statement new.
DROP TRIGGER main.tm_inbox_enqueues;
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
