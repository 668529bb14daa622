-- The limits of a queue. What is counted, and how, is in migrations/0008_limits.

-- When a claim may find something, as far as time alone decides: whether the queue is full, when its
-- rate lets another task start, what may start, is due or lapses, and which partition has its turn.
-- A time that the rate cannot reach is left of a clock that was set back, or of a lower rate: a claim
-- mends it.
-- name: limit_look
-- columns: (is_full) (open_ms) (is_available) due_ms lapse_ms (has_turn) (rest_ms)
-- plan: tm_task_live tm_partition_turn
SELECT
  l.running >= q.max_running,
  iif(
    l.tat_us > :now_ms * 1000 + q.interval_us * q.rate,
    0,
    (l.tat_us - q.interval_us * (q.rate - 1) + 999) / 1000
  ),
  (
    SELECT 1 FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 0
    LIMIT 1
  ),
  (
    SELECT sort_key FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 1
    ORDER BY sort_key
    LIMIT 1
  ),
  (
    SELECT sort_key FROM main.tm_task INDEXED BY tm_task_live
    WHERE queue = :queue AND phase = 2
    ORDER BY sort_key
    LIMIT 1
  ),
  (
    SELECT 1 FROM main.tm_partition INDEXED BY tm_partition_turn
    WHERE queue = :queue AND phase = 0
    LIMIT 1
  ),
  (
    SELECT iif(turn > :now_ms + q.rate_per_partition_ms + 1, :now_ms, turn)
    FROM main.tm_partition INDEXED BY tm_partition_turn
    WHERE queue = :queue AND phase = 1
    ORDER BY turn
    LIMIT 1
  )
FROM main.tm_queue AS q
JOIN main.tm_limit AS l ON l.queue = q.name
WHERE q.name = :queue;

-- Under the lock: whether the queue lets a task start, and which: the head of the partition whose
-- turn it is, or the best where there are none, or the one that is named. is_stale: partitions have
-- rested long enough, or something waits for a time that the rate cannot reach. is_littered: empty
-- partitions may be forgotten.
-- name: limit_gate
-- columns: (is_open) (is_stale) (is_littered) (id)
-- plan: tm_task_live tm_partition_turn
SELECT
  coalesce(l.running < q.max_running, 1)
  AND coalesce(
    min(l.tat_us, :now_ms * 1000 + q.interval_us * q.rate) - q.interval_us * (q.rate - 1) <= :now_ms * 1000,
    1
  ),
  coalesce(l.tat_us > :now_ms * 1000 + q.interval_us * q.rate, 0)
  OR (
    q.rate_per_partition IS NOT NULL
    AND EXISTS (
      SELECT 1 FROM main.tm_partition INDEXED BY tm_partition_turn
      WHERE queue = :queue AND phase = 1 AND turn <= :now_ms
    )
  )
  OR (
    q.rate_per_partition IS NOT NULL
    AND EXISTS (
      SELECT 1 FROM main.tm_partition INDEXED BY tm_partition_turn
      WHERE queue = :queue AND phase = 1 AND turn > :now_ms + q.rate_per_partition_ms + 1
    )
  ),
  EXISTS (
    SELECT 1 FROM main.tm_partition INDEXED BY tm_partition_turn
    WHERE queue = :queue AND phase = 2 AND turn <= iif(q.fair, l.served - 1000, :now_ms * 1000)
  ),
  CASE
    WHEN NOT q.is_partitioned THEN coalesce(
      :id,
      (
        SELECT id FROM main.tm_task INDEXED BY tm_task_live
        WHERE queue = :queue AND phase = 0
        ORDER BY sort_key, sort_ms, id
        LIMIT 1
      )
    )
    WHEN :id IS NULL THEN (
      SELECT head_id FROM main.tm_partition INDEXED BY tm_partition_turn
      WHERE queue = :queue AND phase = 0
      ORDER BY turn, sort_key, sort_ms, head_id
      LIMIT 1
    )
    ELSE (
      SELECT x.task_id
      FROM main.tm_place AS x
      JOIN main.tm_partition AS p ON p.queue = x.queue AND p.name = x.partition
      WHERE x.task_id = :id AND x.queue = :queue AND p.phase = 0 AND (NOT q.fifo OR p.head_id = :id)
    )
  END
FROM main.tm_queue AS q
JOIN main.tm_limit AS l ON l.queue = q.name
WHERE q.name = :queue;

-- name: limit_set_back
UPDATE main.tm_limit
SET
  tat_us = (
    SELECT min(tm_limit.tat_us, :now_ms * 1000 + q.interval_us * q.rate) FROM main.tm_queue AS q WHERE q.name = :queue
  )
WHERE queue = :queue
  AND tat_us > (SELECT :now_ms * 1000 + q.interval_us * q.rate FROM main.tm_queue AS q WHERE q.name = :queue);

-- Give those that have rested their turn, so many at a time.
-- name: limit_wake
UPDATE main.tm_partition
SET seen_ms = :now_ms
WHERE queue = :queue
  AND name IN (
    SELECT name FROM main.tm_partition INDEXED BY tm_partition_turn
    WHERE queue = :queue AND phase = 1 AND turn <= :now_ms
    ORDER BY turn
    LIMIT 256
  );

-- Those that wait for a time that their rate cannot reach.
-- name: limit_wake_late
UPDATE main.tm_partition
SET seen_ms = :now_ms, tat_us = min(tat_us, :now_ms * 1000 + interval_us * burst)
WHERE queue = :queue
  AND name IN (
    SELECT name FROM main.tm_partition INDEXED BY tm_partition_turn
    WHERE queue = :queue
      AND phase = 1
      AND turn > (SELECT :now_ms + rate_per_partition_ms + 1 FROM main.tm_queue WHERE name = :queue)
    ORDER BY turn
    LIMIT 256
  );

-- Empty partitions that have nothing to remember. One that is new counts as served a thousand starts
-- ago, so one that was served before that is as good as new; and a rate must not wait for it.
-- name: limit_forget
DELETE FROM main.tm_partition
WHERE queue = :queue
  AND name IN (
    SELECT name FROM main.tm_partition INDEXED BY tm_partition_turn
    WHERE queue = :queue
      AND phase = 2
      AND turn <= (
        SELECT iif(q.fair, l.served - 1000, :now_ms * 1000)
        FROM main.tm_queue AS q
        JOIN main.tm_limit AS l ON l.queue = q.name
        WHERE q.name = :queue
      )
    ORDER BY turn
    LIMIT :limit + 0
  )
  AND phase = 2
  AND coalesce(tat_us <= :now_ms * 1000, 1);

-- The queues that may have some.
-- name: limit_next_partitioned
-- columns: queue
SELECT l.queue
FROM main.tm_limit AS l
WHERE l.queue > :after AND EXISTS (SELECT 1 FROM main.tm_partition WHERE queue = l.queue AND phase = 2)
ORDER BY l.queue
LIMIT 1;

-- What a move should have left of a task's place and of the line that it stands in.
-- name: limit_proof
-- columns: id setting queue limited place flow partition due (is_wrong)
SELECT
  t.id,
  s.stamp,
  q.name,
  l.queue,
  x.task_id,
  f.task_id,
  p.name,
  d.task_id,
  x.task_id IS NOT CASE WHEN d.is_wanted THEN d.task_id END
  OR (
    d.is_wanted
    AND (
      x.queue IS NOT d.queue
      OR x.partition IS NOT d.partition
      OR x.is_leased IS NOT d.is_leased
      OR x.is_open IS NOT d.is_open
      OR x.line_key IS NOT d.line_key
      OR x.line_ms IS NOT d.line_ms
    )
  )
  OR (d.is_wanted AND d.partition IS NOT NULL AND p.name IS NULL)
  OR (
    p.phase = 2
    AND (NOT p.fair OR p.served <= l.served - 1000)
    AND (p.interval_us IS NULL OR p.tat_us <= p.seen_ms * 1000)
  )
  OR p.head_id IS NOT (
    SELECT h.task_id FROM main.tm_place AS h INDEXED BY tm_place_line
    WHERE h.queue = p.queue AND h.partition = p.name AND h.line_key > -100000
    ORDER BY h.line_key, h.line_ms, h.task_id
    LIMIT 1
  )
FROM main.tm_setting AS s
LEFT JOIN main.tm_task AS t ON t.id = :id
LEFT JOIN main.tm_queue AS q ON q.name = t.queue
LEFT JOIN main.tm_limit AS l ON l.queue = t.queue
LEFT JOIN main.tm_place AS x ON x.task_id = t.id
LEFT JOIN main.tm_flow AS f ON f.task_id = t.id
LEFT JOIN main.tm_partition AS p ON p.queue = t.queue AND p.name = coalesce(f.partition, '')
LEFT JOIN main.tm_place_due AS d ON d.task_id = :id
WHERE s.id = 1;

-- The reasons of tm_explain for a task of a queue with limits that might run else: which limit keeps
-- it, and who holds that; what is before it in line; or that the next claim gets it.
-- name: limit_explain
-- columns: (reason) (detail) (until_ms) (cure)
WITH
  task AS (
    SELECT
      t.id AS id,
      t.queue AS queue,
      t.state AS state,
      t.priority AS priority,
      t.run_at_ms AS run_at_ms,
      q.paused AS paused,
      q.max_running AS max_running,
      q.max_running_per_partition AS max_each,
      q.rate AS rate,
      q.rate_ms AS rate_ms,
      q.rate_per_partition AS rate_each,
      q.rate_per_partition_ms AS rate_each_ms,
      q.is_partitioned AS is_partitioned,
      q.fifo AS fifo,
      l.running AS running,
      (min(l.tat_us, :now_ms * 1000 + q.interval_us * q.rate) - q.interval_us * (q.rate - 1) + 999) / 1000 AS open_ms,
      p.name AS partition,
      iif(p.name = '', 'the tasks without a partition', 'partition ''' || p.name || '''') AS title,
      p.running AS running_each,
      min(p.rest_ms, :now_ms + q.rate_per_partition_ms) AS open_each_ms,
      p.head_id AS head_id,
      p.phase AS phase,
      p.turn AS turn,
      p.sort_key AS sort_key,
      p.sort_ms AS sort_ms,
      x.line_key AS line_key,
      x.line_ms AS line_ms
    FROM main.tm_task AS t
    JOIN main.tm_queue AS q ON q.name = t.queue
    JOIN main.tm_limit AS l ON l.queue = t.queue
    LEFT JOIN main.tm_flow AS f ON f.task_id = t.id
    LEFT JOIN main.tm_partition AS p ON q.is_partitioned AND p.queue = t.queue AND p.name = coalesce(f.partition, '')
    LEFT JOIN main.tm_place AS x ON x.task_id = t.id
    WHERE t.id = :id
      AND q.is_limited
      AND (t.state = 'available' OR (t.state IN ('scheduled', 'retryable') AND t.run_at_ms <= :now_ms))
  ),
  ahead (n) AS (
    SELECT
      (
        SELECT count(*)
        FROM (
          SELECT 1
          FROM main.tm_task AS other INDEXED BY tm_task_live
          WHERE
            other.queue = task.queue
            AND other.phase = 0
            AND (other.sort_key, other.sort_ms, other.id) < (-task.priority, task.run_at_ms, task.id)
            AND task.state = 'available'
            AND NOT task.is_partitioned
          LIMIT 1000
        )
      )
    FROM task
  ),
  ahead_in_line (n) AS (
    SELECT
      (
        SELECT count(*)
        FROM (
          SELECT 1
          FROM main.tm_place AS other INDEXED BY tm_place_line
          WHERE
            other.queue = task.queue
            AND other.partition = task.partition
            AND other.line_key > -100000
            AND (other.line_key, other.line_ms, other.task_id) < (task.line_key, task.line_ms, task.id)
          LIMIT 1000
        )
      )
    FROM task
  ),
  ahead_of_all (n) AS (
    SELECT
      (
        SELECT count(*)
        FROM (
          SELECT 1
          FROM main.tm_partition AS other INDEXED BY tm_partition_turn
          WHERE
            other.queue = task.queue
            AND other.phase = 0
            AND (other.turn, other.sort_key, other.sort_ms, other.head_id)
              < (task.turn, task.sort_key, task.sort_ms, task.head_id)
            AND task.phase = 0
          LIMIT 1000
        )
      )
    FROM task
  ),
  why (place, reason, detail, until_ms, cure) AS (
    SELECT
      1,
      'limit',
      'queue ' || queue || ' runs ' || running || ' of at most ' || max_running || ' tasks: ' || (
        SELECT group_concat(id || ' by ' || worker, ', ')
        FROM (
          SELECT id, worker FROM main.tm_task INDEXED BY tm_task_live
          WHERE queue = task.queue AND phase = 2
          ORDER BY sort_key, sort_ms, id
          LIMIT 3
        )
      ) || iif(running > 3, ' and others', ''),
      NULL,
      'wait for one to end, or raise max_running of the queue'
    FROM task
    WHERE running >= max_running
    UNION ALL
    SELECT
      2,
      'limit',
      'queue ' || queue || ' starts at most ' || rate || iif(rate = 1, ' task in ', ' tasks in ') || rate_ms || ' ms',
      open_ms,
      'wait, or raise rate of the queue'
    FROM task
    WHERE open_ms > :now_ms
    UNION ALL
    SELECT
      3,
      'limit',
      title || ' of queue ' || queue || iif(partition = '', ' run ', ' runs ') || running_each || ' of at most ' || max_each || ' tasks: ' || (
        SELECT group_concat(task_id || ' by ' || worker, ', ')
        FROM (
          SELECT x.task_id, t.worker
          FROM main.tm_place AS x INDEXED BY tm_place_line
          CROSS JOIN main.tm_task AS t ON t.id = x.task_id
          WHERE x.queue = task.queue AND x.partition = task.partition AND x.is_leased
          ORDER BY x.line_key, x.line_ms, x.task_id
          LIMIT 3
        )
      ) || iif(running_each > 3, ' and others', ''),
      NULL,
      'wait for one to end, or raise max_running_per_partition of the queue'
    FROM task
    WHERE running_each >= max_each
    UNION ALL
    SELECT
      4,
      'limit',
      title || ' of queue ' || queue || iif(partition = '', ' start', ' starts') || ' at most ' || rate_each
        || iif(rate_each = 1, ' task in ', ' tasks in ') || rate_each_ms || ' ms',
      open_each_ms,
      'wait, or raise rate_per_partition of the queue'
    FROM task
    WHERE open_each_ms > :now_ms
    UNION ALL
    SELECT
      5,
      'limit',
      task.title || ' of queue ' || task.queue || iif(task.partition = '', ' run', ' runs') || ' one at a time: task ' || h.id || ' is ' || h.state
        || CASE WHEN h.phase = 2 THEN ' by ' || h.worker ELSE '' END,
      CASE WHEN h.phase = 2 THEN h.lease_until_ms WHEN h.phase = 1 THEN h.run_at_ms END,
      'finish task ' || h.id || ', or set it aside by SELECT tm_hold(' || h.id || ')'
    FROM task
    CROSS JOIN main.tm_task AS h ON h.id = task.head_id
    WHERE task.fifo AND h.id <> task.id AND h.state <> 'available'
    UNION ALL
    SELECT
      6,
      'behind',
      iif(ahead.n = 1000, 'at least 1000', ahead.n) || iif(ahead.n = 1, ' task is', ' tasks are') || ' ahead of it',
      NULL,
      'add workers, or raise its priority'
    FROM task, ahead
    WHERE ahead.n > 0 AND NOT paused
    UNION ALL
    SELECT
      7,
      'behind',
      iif(ahead_in_line.n = 1000, 'at least 1000', ahead_in_line.n) || iif(ahead_in_line.n = 1, ' task is', ' tasks are')
        || ' ahead of it in its partition',
      NULL,
      iif(fifo, 'add workers', 'add workers, or raise its priority')
    FROM task, ahead_in_line
    WHERE ahead_in_line.n > 0 AND NOT paused
    UNION ALL
    SELECT
      8,
      'behind',
      iif(ahead_of_all.n = 1000, 'at least 1000', ahead_of_all.n) || iif(ahead_of_all.n = 1, ' partition has its', ' partitions have their')
        || ' turn before its own',
      NULL,
      'add workers'
    FROM task, ahead_of_all
    WHERE ahead_of_all.n > 0 AND NOT paused
  )
SELECT reason, detail, until_ms, cure FROM (SELECT reason, detail, until_ms, cure FROM why ORDER BY place)
UNION ALL
SELECT
  'ready',
  iif(state = 'available', 'the next claim of its queue gets it', 'its time has come, the next claim of its queue brings it back'),
  NULL,
  'start a worker for queue ' || queue
FROM task
WHERE NOT paused AND NOT EXISTS (SELECT 1 FROM why);
