-- Schedules.

-- name: schedule_load
-- columns: name spec zone queue paused next_ms due_ms runs resumed_ms revision catch_up overlap start_ms end_ms max_runs jitter_ms delay_ms held priority max_attempts lease_ms backoff_kind backoff_base_ms backoff_max_ms backoff_jitter kind tags metadata payload partition expires_ms timeout_ms deadline_ms
SELECT
  name,
  spec,
  zone,
  queue,
  paused,
  next_ms,
  due_ms,
  runs,
  resumed_ms,
  revision,
  catch_up,
  overlap,
  start_ms,
  end_ms,
  max_runs,
  jitter_ms,
  delay_ms,
  held,
  priority,
  max_attempts,
  lease_ms,
  backoff_kind,
  backoff_base_ms,
  backoff_max_ms,
  backoff_jitter,
  kind,
  tags,
  metadata,
  payload,
  partition,
  expires_ms,
  timeout_ms,
  deadline_ms
FROM main.tm_schedule
WHERE name = :name;

-- name: schedule_exists
-- columns: name
SELECT name FROM main.tm_schedule WHERE name = :name;

-- name: schedule_names
-- columns: name
SELECT name FROM main.tm_schedule ORDER BY name LIMIT 10000;

-- A new one, or all of an old one but its past, its pause and its revision. 
-- name: schedule_put
INSERT INTO main.tm_schedule (
  name,
  spec,
  zone,
  queue,
  next_ms,
  due_ms,
  revision,
  created_ms,
  catch_up,
  overlap,
  start_ms,
  end_ms,
  max_runs,
  jitter_ms,
  delay_ms,
  held,
  priority,
  max_attempts,
  lease_ms,
  backoff_kind,
  backoff_base_ms,
  backoff_max_ms,
  backoff_jitter,
  kind,
  tags,
  metadata,
  payload,
  partition,
  expires_ms,
  timeout_ms,
  deadline_ms
)
VALUES (
  :name,
  :spec,
  :zone,
  :queue,
  :next_ms,
  :next_ms,
  :revision,
  :now_ms,
  :catch_up,
  :overlap,
  :start_ms,
  :end_ms,
  :max_runs,
  :jitter_ms,
  :delay_ms,
  :held,
  :priority,
  :max_attempts,
  :lease_ms,
  :backoff_kind,
  :backoff_base_ms,
  :backoff_max_ms,
  :backoff_jitter,
  :kind,
  :tags,
  :metadata,
  :payload,
  :partition,
  :expires_ms,
  :timeout_ms,
  :deadline_ms
)
ON CONFLICT (name) DO UPDATE SET
  spec = excluded.spec,
  zone = excluded.zone,
  queue = excluded.queue,
  next_ms = excluded.next_ms,
  due_ms = excluded.due_ms,
  waits_for_id = NULL,
  error = NULL,
  revision = excluded.revision,
  catch_up = excluded.catch_up,
  overlap = excluded.overlap,
  start_ms = excluded.start_ms,
  end_ms = excluded.end_ms,
  max_runs = excluded.max_runs,
  jitter_ms = excluded.jitter_ms,
  delay_ms = excluded.delay_ms,
  held = excluded.held,
  priority = excluded.priority,
  max_attempts = excluded.max_attempts,
  lease_ms = excluded.lease_ms,
  backoff_kind = excluded.backoff_kind,
  backoff_base_ms = excluded.backoff_base_ms,
  backoff_max_ms = excluded.backoff_max_ms,
  backoff_jitter = excluded.backoff_jitter,
  kind = excluded.kind,
  tags = excluded.tags,
  metadata = excluded.metadata,
  payload = excluded.payload,
  partition = excluded.partition,
  expires_ms = excluded.expires_ms,
  timeout_ms = excluded.timeout_ms,
  deadline_ms = excluded.deadline_ms;

-- What a write should have left: an authorizer can make the change of a column vanish.
-- name: schedule_written
-- columns: revision paused next_ms
SELECT revision, paused, next_ms FROM main.tm_schedule WHERE name = :name;

-- name: schedule_pause
UPDATE main.tm_schedule SET paused = 1 WHERE name = :name;

-- name: schedule_resume
UPDATE main.tm_schedule
SET
  paused = 0,
  resumed_ms = :now_ms,
  next_ms = :next_ms,
  due_ms = :next_ms,
  waits_for_id = NULL,
  error = NULL,
  revision = :revision
WHERE name = :name;

-- name: schedule_delete
DELETE FROM main.tm_schedule WHERE name = :name;

-- What a delete leaves: nothing.
-- name: schedule_leftover
-- columns: name task_id
SELECT
  (SELECT name FROM main.tm_schedule WHERE name = :name),
  (SELECT task_id FROM main.tm_schedule_slot WHERE schedule = :name LIMIT 1);

-- The first of a queue that is to be looked at, and when. One that waits for a task is looked
-- at when that is finished, or deleted.
-- name: schedule_due
-- columns: due_ms name
-- plan: tm_schedule_due
SELECT due_ms, name
FROM main.tm_schedule INDEXED BY tm_schedule_due
WHERE queue = :queue
  AND paused = 0
  AND due_ms IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_task
    WHERE id = waits_for_id AND state NOT IN ('completed', 'cancelled', 'discarded')
  )
ORDER BY due_ms
LIMIT 1;

-- The newest task of a schedule that is not finished, as far as its slots are kept.
-- name: schedule_unfinished
-- columns: id slot_ms
SELECT t.id, s.slot_ms
FROM main.tm_schedule_slot AS s
CROSS JOIN main.tm_task AS t ON t.id = s.task_id
WHERE s.schedule = :schedule AND t.state NOT IN ('completed', 'cancelled', 'discarded')
ORDER BY s.slot_ms DESC
LIMIT 1;

-- name: schedule_slot
-- columns: task_id
SELECT task_id FROM main.tm_schedule_slot WHERE schedule = :schedule AND slot_ms = :slot_ms;

-- name: schedule_add_slot
INSERT INTO main.tm_schedule_slot (task_id, schedule, slot_ms)
VALUES (:task_id, :schedule, :slot_ms);

-- name: schedule_prune
DELETE FROM main.tm_schedule_slot
WHERE schedule = :schedule
  AND slot_ms <= (
    SELECT slot_ms FROM main.tm_schedule_slot
    WHERE schedule = :schedule
    ORDER BY slot_ms DESC
    LIMIT 1 OFFSET :keep
  );

-- The end of a round, whatever came of it.
-- name: schedule_round
UPDATE main.tm_schedule
SET
  next_ms = :next_ms,
  due_ms = :due_ms,
  runs = :runs,
  last_ms = coalesce(:last_ms, last_ms),
  last_task_id = coalesce(:last_task_id, last_task_id),
  waits_for_id = :waits_for_id,
  error = :error,
  revision = :revision
WHERE name = :name;

-- For tm_doctor: what would fire but for its pause, and whether it waits for a task.
-- name: schedule_all
-- columns: name spec zone start_ms next_ms due_ms (is_waiting)
SELECT
  name,
  spec,
  zone,
  start_ms,
  next_ms,
  due_ms,
  EXISTS (
    SELECT 1 FROM main.tm_task
    WHERE id = waits_for_id AND state NOT IN ('completed', 'cancelled', 'discarded')
  )
FROM main.tm_schedule
WHERE paused = 0 AND next_ms IS NOT NULL
ORDER BY name;

-- The slot that a task was made for.
-- name: schedule_of_task
-- columns: schedule slot_ms
SELECT schedule, slot_ms FROM main.tm_schedule_slot WHERE task_id = :task_id;
