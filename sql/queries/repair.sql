-- How tm_repair mends what tm_doctor names. Each check has its statements, and they run in the
-- order in which they stand here. Those named repair_plain_ run with triggers off, because a
-- trigger is there to keep others from doing just this.

-- A name that is no name is left alone, and the check says so again.
-- name: repair_fk_queues
INSERT INTO main.tm_queue (name)
SELECT DISTINCT queue FROM main.tm_task
WHERE queue NOT IN (SELECT name FROM main.tm_queue)
  AND length(CAST(queue AS BLOB)) BETWEEN 1 AND 255;

-- name: repair_fk_attempts
DELETE FROM main.tm_attempt WHERE task_id NOT IN (SELECT id FROM main.tm_task);

-- name: repair_fk_notes
DELETE FROM main.tm_finished WHERE queue NOT IN (SELECT name FROM main.tm_queue);

-- name: repair_fk_counts
DELETE FROM main.tm_finished_count WHERE queue NOT IN (SELECT name FROM main.tm_queue);

-- Ids that were used before and are gone now cannot be known: those that are there set the floor.
-- name: repair_settings
INSERT INTO main.tm_setting (id, last_deleted_task_id, last_deleted_event_id, stamp)
SELECT
  1,
  coalesce((SELECT max(id) FROM main.tm_task), 0),
  coalesce((SELECT max(id) FROM main.tm_event), 0),
  random()
WHERE NOT EXISTS (SELECT 1 FROM main.tm_setting);

-- name: repair_plain_graph_states
INSERT INTO main.tm_state (name, kind, meaning)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM main.json_each(:graph, '$.states') WHERE 1
ON CONFLICT (name) DO UPDATE
SET kind = excluded.kind, meaning = excluded.meaning
WHERE tm_state.kind <> excluded.kind OR tm_state.meaning <> excluded.meaning;

-- name: repair_plain_graph_moves
INSERT INTO main.tm_transition (from_state, to_state, made_by)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM main.json_each(:graph, '$.moves') WHERE 1
ON CONFLICT (from_state, to_state) DO UPDATE
SET made_by = excluded.made_by
WHERE tm_transition.made_by <> excluded.made_by;

-- What somebody added goes, and first the history that was made by it. That a task is in none but a
-- state of the library a CHECK says.
-- name: repair_graph_events
DELETE FROM main.tm_event
WHERE (from_state, to_state) IN (
  SELECT from_state, to_state FROM main.tm_transition
  EXCEPT
  SELECT value ->> 0, value ->> 1 FROM main.json_each(:graph, '$.moves')
);

-- name: repair_plain_graph_moves_gone
DELETE FROM main.tm_transition
WHERE (from_state, to_state) NOT IN (
  SELECT value ->> 0, value ->> 1 FROM main.json_each(:graph, '$.moves')
);

-- name: repair_plain_graph_states_gone
DELETE FROM main.tm_state
WHERE name NOT IN (SELECT value ->> 0 FROM main.json_each(:graph, '$.states'));

-- A move more than its history has rows: nobody knows how it came there.
-- name: repair_plain_states
UPDATE main.tm_task
SET
  state = 'discarded',
  moves = moves + 1,
  moved_ms = :now_ms,
  lease_until_ms = NULL,
  held_from = NULL,
  reason = 'repaired'
WHERE state NOT IN (SELECT name FROM main.tm_state);

-- Legal moves both, so the triggers write their history. Progress of a worker nobody knows is lost.
-- name: repair_leases
UPDATE main.tm_task
SET state = CASE state WHEN 'running' THEN 'available' ELSE 'cancelled' END
WHERE state IN ('running', 'cancelling')
  AND (worker IS NULL OR lease_until_ms IS NULL OR token < 1 OR attempt < 1);

-- name: repair_lease_ends
UPDATE main.tm_task SET lease_until_ms = NULL
WHERE state NOT IN ('running', 'cancelling') AND lease_until_ms IS NOT NULL;

-- name: repair_held_from
UPDATE main.tm_task SET held_from = NULL WHERE state <> 'held' AND held_from IS NOT NULL;

-- name: repair_attempts
UPDATE main.tm_task SET attempt = token WHERE attempt > token;

-- name: repair_errors
DELETE FROM main.tm_attempt
WHERE token < 1
  OR EXISTS (SELECT 1 FROM main.tm_task AS t WHERE t.id = tm_attempt.task_id AND tm_attempt.token > t.token);

-- name: repair_orphans
DELETE FROM main.tm_event WHERE task_id NOT IN (SELECT id FROM main.tm_task);

-- The graph decides; a row that it does not know is a move that nobody made.
-- name: repair_moves
DELETE FROM main.tm_event
WHERE NOT EXISTS (
  SELECT 1 FROM main.tm_transition AS m
  WHERE m.from_state = tm_event.from_state AND m.to_state = tm_event.to_state
);

-- name: repair_plain_chain
UPDATE main.tm_event
SET previous_id = c.before_id
FROM (
  SELECT id, previous_id AS has_id, lag(id, 1, 0) OVER (PARTITION BY task_id ORDER BY id) AS before_id
  FROM main.tm_event
) AS c
WHERE c.id = tm_event.id AND c.has_id IS NOT c.before_id;

-- name: repair_plain_newest
UPDATE main.tm_task
SET event_id = h.event_id, moves = max(moves, coalesce(h.move, 0))
FROM (
  SELECT t.id, e.event_id, e.move
  FROM main.tm_task AS t
  LEFT JOIN (
    SELECT task_id, max(id) AS event_id, max(move) AS move FROM main.tm_event GROUP BY task_id
  ) AS e ON e.task_id = t.id
  WHERE t.event_id IS NOT e.event_id OR e.move > t.moves
) AS h
WHERE h.id = tm_task.id;

-- The state is the truth; one move more says that the history does not have it.
-- name: repair_plain_ends
UPDATE main.tm_task
SET moves = moves + 1
WHERE EXISTS (
  SELECT 1 FROM main.tm_event AS e
  WHERE e.id = tm_task.event_id AND e.move = tm_task.moves AND e.to_state <> tm_task.state
);

-- name: repair_notes_missing
INSERT INTO main.tm_finished (queue, phase, at_ms, task_id)
SELECT t.queue, t.state, t.moved_ms, t.id
FROM main.tm_task AS t
JOIN main.tm_queue AS q ON q.name = t.queue
WHERE t.finished_ms IS NOT NULL
  AND (
    q.keep_count IS NOT NULL
    OR CASE t.state
      WHEN 'completed' THEN q.keep_completed_ms
      WHEN 'cancelled' THEN q.keep_cancelled_ms
      ELSE q.keep_discarded_ms
    END IS NOT NULL
  )
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_finished
    WHERE queue = t.queue AND phase = t.state AND at_ms = t.moved_ms AND task_id = t.id
  )
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_finished WHERE queue = t.queue AND phase = 'in_use' AND task_id = t.id
  );

-- name: repair_notes_untrue
DELETE FROM main.tm_finished
WHERE phase <> 'in_use'
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_task AS t
    WHERE t.id = tm_finished.task_id
      AND t.state = tm_finished.phase
      AND t.queue = tm_finished.queue
      AND t.moved_ms = tm_finished.at_ms
  );

-- name: repair_counts_gone
DELETE FROM main.tm_finished_count;

-- name: repair_counts
INSERT INTO main.tm_finished_count (queue, tasks)
SELECT q.name, (SELECT count(*) FROM main.tm_finished WHERE queue = q.name AND phase <> 'in_use')
FROM main.tm_queue AS q
WHERE q.keep_count IS NOT NULL;

-- Who waited for a task that is gone waits for it no more; the trigger notes who is free by that.
-- name: repair_fk_dependencies
DELETE FROM main.tm_dependency
WHERE task_id NOT IN (SELECT id FROM main.tm_task) OR needs_id NOT IN (SELECT id FROM main.tm_task);

-- name: repair_fk_settle
DELETE FROM main.tm_settle WHERE task_id NOT IN (SELECT id FROM main.tm_task);

-- name: repair_unmet_rows
INSERT INTO main.tm_flow (task_id)
SELECT DISTINCT task_id FROM main.tm_dependency
WHERE task_id NOT IN (SELECT task_id FROM main.tm_flow)
UNION
SELECT task_id FROM main.tm_group_wait
WHERE task_id NOT IN (SELECT task_id FROM main.tm_flow);

-- name: repair_unmet
UPDATE main.tm_flow
SET unmet = (SELECT count(*) FROM main.tm_dependency WHERE task_id = tm_flow.task_id AND status = 0)
  + (SELECT count(*) FROM main.tm_group_wait WHERE task_id = tm_flow.task_id AND status = 0)
WHERE unmet <> (SELECT count(*) FROM main.tm_dependency WHERE task_id = tm_flow.task_id AND status = 0)
  + (SELECT count(*) FROM main.tm_group_wait WHERE task_id = tm_flow.task_id AND status = 0);

-- name: repair_flow_bits
UPDATE main.tm_task
SET flow = flow & ~186
WHERE flow & 186 AND NOT EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = tm_task.id);

-- A window that outlives its task is its key's alone; any other key of a task that is gone goes too.
-- name: repair_keys_gone
DELETE FROM main.tm_unique
WHERE until_ms IS NULL AND task_id NOT IN (SELECT id FROM main.tm_task);

-- name: repair_keys_owned
UPDATE main.tm_unique
SET is_orphan = task_id NOT IN (SELECT id FROM main.tm_task)
WHERE is_orphan = (task_id IN (SELECT id FROM main.tm_task));

-- name: repair_keys_bits
UPDATE main.tm_task
SET flow = iif(id IN (SELECT task_id FROM main.tm_unique), flow | 1, flow & ~1)
WHERE (flow & 1) <> (id IN (SELECT task_id FROM main.tm_unique));

-- name: repair_keys_free
UPDATE main.tm_unique
SET is_held = 0
WHERE is_held
  AND scope <> 'all'
  AND EXISTS (
    SELECT 1 FROM main.tm_task AS t
    WHERE t.id = task_id
      AND (t.finished_ms IS NOT NULL OR (scope = 'queued' AND t.token > 0 AND t.state IN ('running', 'cancelling', 'waiting')))
  );

-- Where another task holds it by now, whose it is is for somebody to say.
-- name: repair_keys_held
UPDATE OR IGNORE main.tm_unique
SET is_held = 1
WHERE NOT is_held
  AND EXISTS (
    SELECT 1 FROM main.tm_task AS t
    WHERE t.id = task_id AND t.finished_ms IS NULL AND (scope = 'incomplete' OR t.token = 0)
  );

-- name: repair_bits
UPDATE main.tm_task
SET flow = flow
  | iif(EXISTS (SELECT 1 FROM main.tm_dependency WHERE task_id = tm_task.id), 2, 0)
  | iif(EXISTS (SELECT 1 FROM main.tm_dependency WHERE needs_id = tm_task.id), 4, 0)
WHERE (flow & 2 = 0 AND id IN (SELECT task_id FROM main.tm_dependency))
  OR (flow & 4 = 0 AND id IN (SELECT needs_id FROM main.tm_dependency));

-- A task that may run, or runs, was let go by somebody.
-- name: repair_waits
UPDATE main.tm_dependency
SET status = 2
WHERE status = 0
  AND EXISTS (
    SELECT 1 FROM main.tm_task AS t
    WHERE t.id = tm_dependency.task_id
      AND t.finished_ms IS NULL
      AND t.state <> 'blocked'
      AND NOT (t.state = 'held' AND t.held_from IS 'blocked')
  );

-- name: repair_group_waits
UPDATE main.tm_group_wait
SET status = 3
WHERE status = 0
  AND EXISTS (
    SELECT 1 FROM main.tm_task AS t
    WHERE t.id = tm_group_wait.task_id
      AND t.finished_ms IS NULL
      AND t.state <> 'blocked'
      AND NOT (t.state = 'held' AND t.held_from IS 'blocked')
  );

-- name: repair_group_ends
UPDATE main.tm_group_wait
SET status = (
  SELECT iif(tm_group_wait.needs = 'final' OR g.cancelled + g.discarded = 0, 1, 2)
  FROM main.tm_group AS g
  WHERE g.name = tm_group_wait.group_name
)
WHERE status = 0
  AND group_name IN (SELECT name FROM main.tm_group WHERE finished_ms IS NOT NULL);

-- name: repair_group_bits
UPDATE main.tm_task
SET flow = flow & ~iif(EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = tm_task.id AND in_group IS NULL), 8, 0)
  | iif(EXISTS (SELECT 1 FROM main.tm_group_wait WHERE task_id = tm_task.id), 2, 0)
  | iif(EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = tm_task.id AND in_group IS NOT NULL), 8, 0)
  | iif(EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = tm_task.id AND parent_id IS NOT NULL), 128, 0)
WHERE (flow & 2 = 0 AND id IN (SELECT task_id FROM main.tm_group_wait))
  OR (flow & 136 <> 136 AND id IN (SELECT task_id FROM main.tm_flow WHERE in_group IS NOT NULL OR parent_id IS NOT NULL))
  OR (flow & 8 AND id IN (SELECT task_id FROM main.tm_flow WHERE in_group IS NULL));

-- What nobody went on with, the next claim or tick goes on with.
-- name: repair_settle
INSERT INTO main.tm_settle (task_id)
SELECT t.id
FROM main.tm_task AS t
WHERE t.id NOT IN (SELECT task_id FROM main.tm_settle)
  AND (
    (
      t.state = 'blocked'
      AND t.flow & 2
      AND EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = t.id AND unmet = 0)
    )
    OR (
      (t.state = 'blocked' OR t.held_from = 'blocked')
      AND EXISTS (SELECT 1 FROM main.tm_group_wait WHERE task_id = t.id AND status = 2)
    )
    OR (
      t.finished_ms IS NOT NULL
      AND EXISTS (SELECT 1 FROM main.tm_dependency WHERE needs_id = t.id AND status = 0)
    )
  );

-- name: repair_stamp
UPDATE main.tm_setting SET stamp = random()
WHERE id = 1 AND EXISTS (SELECT 1 FROM main.tm_settle);

-- name: repair_times
UPDATE main.tm_flow
SET (stopping, due_ms) = (SELECT d.stopping, d.due_ms FROM main.tm_time_due AS d WHERE d.task_id = tm_flow.task_id)
WHERE task_id IN (
  SELECT d.task_id
  FROM main.tm_time_due AS d
  JOIN main.tm_flow AS f ON f.task_id = d.task_id
  WHERE f.stopping IS NOT d.stopping OR f.due_ms IS NOT d.due_ms
);

-- name: repair_times_bits
UPDATE main.tm_task
SET flow = flow | 16
WHERE flow & 16 = 0
  AND id IN (
    SELECT task_id FROM main.tm_flow
    WHERE expires_ms IS NOT NULL OR timeout_ms IS NOT NULL OR deadline_ms IS NOT NULL
  );

-- name: repair_times_used
UPDATE main.tm_setting SET has_times = 1, stamp = random()
WHERE id = 1
  AND has_times = 0
  AND EXISTS (
    SELECT 1 FROM main.tm_flow
    WHERE expires_ms IS NOT NULL OR timeout_ms IS NOT NULL OR deadline_ms IS NOT NULL
  );

-- name: repair_places
DELETE FROM main.tm_place;

-- name: repair_partitions
DELETE FROM main.tm_partition WHERE queue NOT IN (SELECT name FROM main.tm_queue WHERE is_partitioned);

-- name: repair_limits_gone
DELETE FROM main.tm_limit WHERE queue NOT IN (SELECT name FROM main.tm_queue WHERE is_limited);

-- name: repair_limits
INSERT INTO main.tm_queue_counts (queue) SELECT name FROM main.tm_queue WHERE is_limited;

-- Who waited for a group that is gone, or was a task that is gone, waits for it no more.
-- name: repair_fk_waits
DELETE FROM main.tm_group_wait
WHERE task_id NOT IN (SELECT id FROM main.tm_task) OR group_name NOT IN (SELECT name FROM main.tm_group);

-- name: repair_fk_groups
INSERT INTO main.tm_group (name, created_ms, revision)
SELECT DISTINCT in_group, 0, 1 FROM main.tm_flow
WHERE in_group IS NOT NULL AND in_group NOT IN (SELECT name FROM main.tm_group);

-- Tasks that were deleted stay counted as they ended.
-- name: repair_groups
UPDATE main.tm_group
SET
  tasks = x.removed + x.here,
  open = x.open,
  completed = x.completed,
  cancelled = x.removed + x.here - x.open - x.completed - x.discarded,
  discarded = x.discarded,
  removed = x.removed,
  finished_ms = CASE WHEN is_sealed AND x.open = 0 THEN coalesce(finished_ms, sealed_ms, created_ms) END,
  revision = revision + 1
FROM (
  SELECT
    g.name,
    g.removed,
    count(t.id) AS here,
    count(t.id) FILTER (WHERE t.finished_ms IS NULL) AS open,
    max(count(t.id) FILTER (WHERE t.state = 'completed'), min(g.completed, g.removed + count(t.id) FILTER (WHERE t.state = 'completed'))) AS completed,
    max(count(t.id) FILTER (WHERE t.state = 'discarded'), min(g.discarded, g.removed + count(t.id) FILTER (WHERE t.state = 'discarded'))) AS discarded
  FROM main.tm_group AS g
  LEFT JOIN main.tm_flow AS f ON f.in_group = g.name
  LEFT JOIN main.tm_task AS t ON t.id = f.task_id
  GROUP BY g.name
) AS x
WHERE x.name = tm_group.name
  AND (
    tm_group.tasks <> x.removed + x.here
    OR tm_group.open <> x.open
    OR (tm_group.finished_ms IS NOT NULL) <> (is_sealed AND x.open = 0)
  );

-- A task cannot have made one that is older.
-- name: repair_young_parents
UPDATE main.tm_flow SET parent_id = NULL WHERE parent_id >= task_id;

-- name: repair_parents
UPDATE main.tm_task
SET flow = flow | 64
WHERE flow & 64 = 0 AND id IN (SELECT parent_id FROM main.tm_flow WHERE parent_id IS NOT NULL);
