-- What the tables for looking show. All of it reads only.

-- The chain from the newest move back, and the birth before it. Where history was
-- off for a while, the state at birth is that of the first move kept.
-- name: history
-- columns: (id) task_id (from_state) (to_state) at_ms (attempt) (actor) (reason)
WITH RECURSIVE
  chain (id) AS (
    SELECT event_id FROM main.tm_task WHERE id = :id AND event_id IS NOT NULL
    UNION ALL
    SELECT e.previous_id
    FROM chain
    CROSS JOIN main.tm_event AS e ON e.id = chain.id
    WHERE e.previous_id < e.id
  ),
  moves (id, task_id, from_state, to_state, at_ms, attempt, actor, reason) AS (
    SELECT e.id, e.task_id, e.from_state, e.to_state, e.at_ms, e.attempt, e.actor, e.reason
    FROM chain
    CROSS JOIN main.tm_event AS e ON e.id = chain.id
    WHERE e.task_id = :id
  )
SELECT
  0 AS id,
  t.id AS task_id,
  NULL AS from_state,
  coalesce((SELECT from_state FROM moves ORDER BY id LIMIT 1), t.state) AS to_state,
  t.created_ms AS at_ms,
  0 AS attempt,
  NULL AS actor,
  'created' AS reason
FROM main.tm_task AS t
WHERE t.id = :id
UNION ALL
SELECT id, task_id, from_state, to_state, at_ms, attempt, actor, reason FROM moves
ORDER BY id;

-- Each branch is one reason. A waiting task whose time has come is as good as
-- available: the next claim brings it back. In a queue with limits limit_explain goes on. The
-- columns are named one by one: the application may have added some, of whatever names. What is
-- ahead is counted in a subquery and not by a join: for a join SQLite 3.40 may put a Bloom filter
-- before the index, where ANALYZE has seen few tasks, and makes that of generated columns wrong.
-- name: explain
-- columns: (reason) (detail) (until_ms) (cure)
WITH
  task AS (
    SELECT
      t.id AS id,
      t.queue AS queue,
      t.state AS state,
      t.priority AS priority,
      t.run_at_ms AS run_at_ms,
      t.attempt AS attempt,
      t.max_attempts AS max_attempts,
      t.lease_until_ms AS lease_until_ms,
      t.worker AS worker,
      t.error AS error,
      t.reason AS reason,
      q.paused AS is_paused,
      q.is_limited AS is_limited,
      t.run_at_ms <= :now_ms AS is_due,
      coalesce(
        CASE
          WHEN f.due_ms IS NULL THEN NULL
          WHEN t.state = 'cancelling' THEN ': its ' || f.stopping || ' is over, and it has failed at '
          WHEN f.due_ms IS f.deadline_ms THEN '; its deadline is '
          WHEN t.state = 'running' THEN '; its timeout is over at '
          ELSE '; it expires at '
        END
          || strftime('%Y-%m-%dT%H:%M:%SZ', f.due_ms / 1000, 'unixepoch')
          || iif(f.due_ms <= :now_ms, ', which the next claim or tick sees to', ''),
        ''
      ) AS overdue
    FROM main.tm_task AS t
    JOIN main.tm_queue AS q ON q.name = t.queue
    LEFT JOIN main.tm_flow AS f ON f.task_id = t.id
    WHERE t.id = :id
  ),
  needs (id, needs, state) AS (
    SELECT d.needs_id, d.needs, t.state
    FROM task
    CROSS JOIN main.tm_dependency AS d ON d.task_id = task.id AND d.status = 0
    CROSS JOIN main.tm_task AS t ON t.id = d.needs_id
    WHERE task.state = 'blocked'
    ORDER BY d.needs_id
    LIMIT 100
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
            AND NOT task.is_limited
          LIMIT 1000
        )
      )
    FROM task
  )
SELECT
  'no_such_task' AS reason,
  'no task ' || :id AS detail,
  NULL AS until_ms,
  'see tm_task for those there are' AS cure
WHERE NOT EXISTS (SELECT 1 FROM task)
UNION ALL
SELECT
  state,
  CASE state
    WHEN 'scheduled' THEN 'its time has not come'
    ELSE 'attempt ' || attempt || ' of ' || max_attempts || ' failed: ' || coalesce(error, 'no error was given')
  END
    || overdue,
  run_at_ms,
  'wait, or SELECT tm_retry(' || id || ')'
FROM task
WHERE state IN ('scheduled', 'retryable') AND NOT is_due
UNION ALL
SELECT 'blocked', 'was blocked by hand', NULL, 'UPDATE tm_task SET state = ''available'' WHERE id = ' || id
FROM task
WHERE state = 'blocked' AND NOT EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = task.id AND unmet > 0)
UNION ALL
SELECT
  'blocked',
  'waits for task ' || needs.id || iif(needs.needs = 'final', ' to end', ' to complete') || ', which is ' || needs.state,
  (SELECT due_ms FROM main.tm_flow WHERE task_id = :id),
  'SELECT * FROM tm_explain(' || needs.id || ')'
FROM needs
UNION ALL
SELECT 'blocked', 'waits for ' || (n - 100) || iif(n = 101, ' more task', ' more tasks'), NULL, 'see tm_dependency'
FROM (
  SELECT
    f.unmet - (SELECT count(*) FROM main.tm_group_wait AS w WHERE w.task_id = f.task_id AND w.status = 0) AS n
  FROM task
  CROSS JOIN main.tm_flow AS f ON f.task_id = task.id
  WHERE task.state = 'blocked'
)
WHERE n > 100
UNION ALL
SELECT
  'blocked',
  'waits for group ''' || g.name || iif(w.needs = 'final', ''' to end: ', ''' to complete: ')
    || iif(g.is_sealed, '', 'it is not sealed, ')
    || g.open || ' of ' || g.tasks || iif(g.tasks = 1, ' task is open', ' tasks are open'),
  (SELECT due_ms FROM main.tm_flow WHERE task_id = :id),
  iif(
    g.is_sealed,
    'SELECT * FROM tm_select(' || quote(json_object('group', g.name)) || ')',
    'SELECT tm_seal(' || quote(g.name) || ')'
  )
FROM task
CROSS JOIN main.tm_group_wait AS w ON w.task_id = task.id AND w.status = 0
CROSS JOIN main.tm_group AS g ON g.name = w.group_name
WHERE task.state = 'blocked'
UNION ALL
SELECT 'waiting', 'sleeps or waits for an event', run_at_ms, 'wait, or send the event'
FROM task
WHERE state = 'waiting'
UNION ALL
SELECT
  state,
  CASE
    WHEN lease_until_ms <= :now_ms THEN 'the lease of ' || worker || ' has lapsed'
    WHEN state = 'running' THEN worker || ' works on it, attempt ' || attempt || ' of ' || max_attempts
    ELSE worker || ' was asked to stop'
  END
    || overdue,
  lease_until_ms,
  CASE
    WHEN lease_until_ms <= :now_ms THEN 'the next claim or SELECT tm_tick() takes it back'
    WHEN state = 'running' THEN 'none needed'
    ELSE 'wait for the worker, or for the end of its lease'
  END
FROM task
WHERE state IN ('running', 'cancelling')
UNION ALL
SELECT 'held', 'was set aside' || overdue, NULL, 'SELECT tm_unhold(' || id || ')'
FROM task
WHERE state = 'held'
UNION ALL
SELECT
  'final',
  'is ' || state || coalesce(': ' || reason, ''),
  NULL,
  CASE
    WHEN state = 'completed' THEN 'SELECT tm_retry(' || id || ', ''{"completed":true}'') runs it again'
    ELSE 'SELECT tm_retry(' || id || ')'
  END
FROM task
WHERE state IN ('completed', 'cancelled', 'discarded')
UNION ALL
SELECT
  'queue_paused',
  'queue ' || queue || ' is paused',
  NULL,
  'SELECT tm_resume(''' || replace(queue, '''', '''''') || ''')'
FROM task
WHERE is_paused AND state NOT IN ('running', 'cancelling', 'completed', 'cancelled', 'discarded')
UNION ALL
SELECT
  'behind',
  iif(ahead.n = 1000, 'at least 1000', ahead.n) || iif(ahead.n = 1, ' task is', ' tasks are') || ' ahead of it' || overdue,
  NULL,
  'add workers, or raise its priority'
FROM task, ahead
WHERE state = 'available' AND NOT is_paused AND ahead.n > 0
UNION ALL
SELECT
  'ready',
  iif(state = 'available', 'the next claim of its queue gets it', 'its time has come, the next claim of its queue brings it back') || overdue,
  NULL,
  'start a worker for queue ' || queue
FROM task, ahead
WHERE NOT is_paused
  AND NOT is_limited
  AND ((state = 'available' AND ahead.n = 0) OR (state IN ('scheduled', 'retryable') AND is_due));

-- One pass over the tasks. Times are of what completed in the last hour; a wait
-- is from when the task might have run to its last claim.
-- name: stats
-- columns: queue paused (scheduled) (blocked) (available) (running) (waiting) (retryable) (cancelling) (held) (completed) (cancelled) (discarded) (oldest_available_ms) (completed_1m) (completed_1h) (wait_p50_ms) (wait_p95_ms) (wait_p99_ms) (run_p50_ms) (run_p95_ms) (run_p99_ms) (schedules) (next_slot_ms) max_running (partitions) (partitions_ready)
WITH
  done AS (
    SELECT
      queue,
      max(0, started_ms - max(run_at_ms, created_ms)) AS wait_ms,
      max(0, finished_ms - started_ms) AS run_ms
    FROM main.tm_task
    WHERE state = 'completed' AND finished_ms > :now_ms - 3600000 AND started_ms IS NOT NULL
  ),
  ranked AS (
    SELECT
      queue,
      wait_ms,
      run_ms,
      row_number() OVER (PARTITION BY queue ORDER BY wait_ms) AS wait_rank,
      row_number() OVER (PARTITION BY queue ORDER BY run_ms) AS run_rank,
      count(*) OVER (PARTITION BY queue) AS n
    FROM done
  ),
  spread AS (
    SELECT
      queue,
      min(wait_ms) FILTER (WHERE wait_rank >= 0.50 * n) AS wait_p50_ms,
      min(wait_ms) FILTER (WHERE wait_rank >= 0.95 * n) AS wait_p95_ms,
      min(wait_ms) FILTER (WHERE wait_rank >= 0.99 * n) AS wait_p99_ms,
      min(run_ms) FILTER (WHERE run_rank >= 0.50 * n) AS run_p50_ms,
      min(run_ms) FILTER (WHERE run_rank >= 0.95 * n) AS run_p95_ms,
      min(run_ms) FILTER (WHERE run_rank >= 0.99 * n) AS run_p99_ms
    FROM ranked
    GROUP BY queue
  ),
  planned AS (
    SELECT queue, count(*) AS schedules, min(next_ms) AS next_slot_ms
    FROM main.tm_schedule
    WHERE paused = 0 AND next_ms IS NOT NULL
    GROUP BY queue
  ),
  divided AS (
    SELECT
      queue,
      count(*) AS partitions,
      count(*) FILTER (WHERE phase = 0 OR (phase = 1 AND turn <= :now_ms)) AS partitions_ready
    FROM main.tm_partition
    WHERE phase IS NOT 2
    GROUP BY queue
  ),
  counted AS (
    SELECT
      queue,
      count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
      count(*) FILTER (WHERE state = 'blocked') AS blocked,
      count(*) FILTER (WHERE state = 'available') AS available,
      count(*) FILTER (WHERE state = 'running') AS running,
      count(*) FILTER (WHERE state = 'waiting') AS waiting,
      count(*) FILTER (WHERE state = 'retryable') AS retryable,
      count(*) FILTER (WHERE state = 'cancelling') AS cancelling,
      count(*) FILTER (WHERE state = 'held') AS held,
      count(*) FILTER (WHERE state = 'completed') AS completed,
      count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
      count(*) FILTER (WHERE state = 'discarded') AS discarded,
      max(0, :now_ms - min(max(run_at_ms, created_ms)) FILTER (WHERE state = 'available')) AS oldest_available_ms,
      count(*) FILTER (WHERE state = 'completed' AND finished_ms > :now_ms - 60000) AS completed_1m,
      count(*) FILTER (WHERE state = 'completed' AND finished_ms > :now_ms - 3600000) AS completed_1h
    FROM main.tm_task
    GROUP BY queue
  )
SELECT
  q.name,
  q.paused,
  coalesce(c.scheduled, 0),
  coalesce(c.blocked, 0),
  coalesce(c.available, 0),
  coalesce(c.running, 0),
  coalesce(c.waiting, 0),
  coalesce(c.retryable, 0),
  coalesce(c.cancelling, 0),
  coalesce(c.held, 0),
  coalesce(c.completed, 0),
  coalesce(c.cancelled, 0),
  coalesce(c.discarded, 0),
  c.oldest_available_ms,
  coalesce(c.completed_1m, 0),
  coalesce(c.completed_1h, 0),
  s.wait_p50_ms,
  s.wait_p95_ms,
  s.wait_p99_ms,
  s.run_p50_ms,
  s.run_p95_ms,
  s.run_p99_ms,
  coalesce(p.schedules, 0),
  p.next_slot_ms,
  q.max_running,
  coalesce(d.partitions, 0),
  coalesce(d.partitions_ready, 0)
FROM main.tm_queue AS q
LEFT JOIN counted AS c ON c.queue = q.name
LEFT JOIN spread AS s ON s.queue = q.name
LEFT JOIN planned AS p ON p.queue = q.name
LEFT JOIN divided AS d ON d.queue = q.name
ORDER BY q.name;
