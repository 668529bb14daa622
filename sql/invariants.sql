-- Invariants: each SELECT returns one row of text for each violation, and so no
-- row at all in a sound database. tm_doctor runs them, and so does every test.

-- invariant: settings_are_one_row
SELECT 'tm_setting has ' || count(*) || ' rows' FROM main.tm_setting HAVING count(*) <> 1;

-- invariant: states_are_known
SELECT 'task ' || id || ' is ' || state
FROM main.tm_task
WHERE state NOT IN (SELECT name FROM main.tm_state);

-- invariant: leased_tasks_have_a_worker_and_a_lease
SELECT 'task ' || id || ' is ' || state || ' with worker ' || quote(worker) || ' until ' || quote(lease_until_ms)
FROM main.tm_task
WHERE state IN ('running', 'cancelling')
  AND (worker IS NULL OR lease_until_ms IS NULL OR token < 1 OR attempt < 1);

-- invariant: only_leased_tasks_have_a_lease
SELECT 'task ' || id || ' is ' || state || ' and leased until ' || lease_until_ms
FROM main.tm_task
WHERE state NOT IN ('running', 'cancelling') AND lease_until_ms IS NOT NULL;

-- invariant: only_held_tasks_remember_where_from
SELECT 'task ' || id || ' is ' || state || ' and held from ' || held_from
FROM main.tm_task
WHERE state <> 'held' AND held_from IS NOT NULL;

-- invariant: attempts_are_not_more_than_claims
SELECT 'task ' || id || ' is at attempt ' || attempt || ' with token ' || token
FROM main.tm_task
WHERE attempt > token;

-- invariant: errors_belong_to_claims
SELECT 'task ' || a.task_id || ' has an error of token ' || a.token || ' and token ' || t.token
FROM main.tm_attempt AS a
JOIN main.tm_task AS t ON t.id = a.task_id
WHERE a.token > t.token OR a.token < 1;

-- invariant: history_is_not_newer_than_the_task
SELECT 'task ' || e.task_id || ' has event ' || e.id || ' after its newest, ' || quote(t.event_id)
FROM main.tm_event AS e
JOIN main.tm_task AS t ON t.id = e.task_id
WHERE e.id > coalesce(t.event_id, 0) OR e.move > t.moves;

-- invariant: history_starts_at_an_event_of_the_task
SELECT 'task ' || t.id || ' says that its newest event is ' || t.event_id
FROM main.tm_task AS t
LEFT JOIN main.tm_event AS e ON e.id = t.event_id
WHERE t.event_id IS NOT NULL AND e.task_id IS NOT t.id;

-- invariant: history_ends_in_the_state_of_the_task
SELECT 'task ' || t.id || ' is ' || t.state || ' and its history ends in ' || e.to_state
FROM main.tm_task AS t
JOIN main.tm_event AS e ON e.id = t.event_id
WHERE e.move = t.moves AND e.to_state <> t.state;

-- Each event but the newest of a task is the one before exactly one other.
-- invariant: history_is_one_chain
SELECT 'event ' || id || ' of task ' || task_id || ' follows ' || quote(previous_id) || ' and not ' || quote(before_id)
FROM (
  SELECT id, task_id, previous_id, lag(id, 1, 0) OVER (PARTITION BY task_id ORDER BY id) AS before_id
  FROM main.tm_event
)
WHERE previous_id IS NOT before_id;

-- invariant: history_has_legal_moves_only
SELECT 'task ' || e.task_id || ' moved from ' || e.from_state || ' to ' || e.to_state
FROM main.tm_event AS e
LEFT JOIN main.tm_transition AS m ON m.from_state = e.from_state AND m.to_state = e.to_state
WHERE m.from_state IS NULL;

-- invariant: history_belongs_to_tasks
SELECT 'event ' || e.id || ' belongs to task ' || e.task_id || ', which is not there'
FROM main.tm_event AS e
LEFT JOIN main.tm_task AS t ON t.id = e.task_id
WHERE t.id IS NULL;

-- invariant: tags_are_json_arrays_of_text
SELECT 'task ' || id || ' has tags ' || substr(tags, 1, 40)
FROM main.tm_task
WHERE tags IS NOT NULL
  AND CASE
    WHEN NOT json_valid(tags) THEN 1
    WHEN json_type(tags) <> 'array' THEN 1
    ELSE EXISTS (SELECT 1 FROM main.json_each(tags) WHERE type <> 'text')
  END;

-- invariant: metadata_are_json_objects
SELECT 'task ' || id || ' has metadata ' || substr(metadata, 1, 40)
FROM main.tm_task
WHERE metadata IS NOT NULL
  AND CASE WHEN json_valid(metadata) THEN json_type(metadata) <> 'object' ELSE 1 END;

-- invariant: schedules_fill_queues
SELECT 'schedule ' || s.name || ' fills queue ' || s.queue || ', which is not there'
FROM main.tm_schedule AS s
LEFT JOIN main.tm_queue AS q ON q.name = s.queue
WHERE q.name IS NULL;

-- That it is the spec's next, the library alone can say: tm_doctor does.
-- invariant: next_slots_are_within_bounds
SELECT 'schedule ' || name || ' waits for ' || next_ms || ' after ' || runs || ' runs'
FROM main.tm_schedule
WHERE next_ms IS NOT NULL
  AND (next_ms < start_ms OR next_ms > end_ms OR runs >= max_runs OR due_ms < next_ms OR due_ms IS NULL);

-- invariant: schedules_that_ran_know_their_last_slot
SELECT 'schedule ' || name || ' has ' || runs || ' runs and last fired slot ' || quote(last_ms)
FROM main.tm_schedule
WHERE (runs > 0) <> (last_ms IS NOT NULL);

-- invariant: options_of_schedules_are_json
SELECT 'schedule ' || name || ' has tags ' || quote(substr(tags, 1, 40)) || ' and metadata ' || quote(substr(metadata, 1, 40))
FROM main.tm_schedule
WHERE CASE
    WHEN tags IS NULL THEN 0
    WHEN NOT json_valid(tags) THEN 1
    WHEN json_type(tags) <> 'array' THEN 1
    ELSE EXISTS (SELECT 1 FROM main.json_each(tags) WHERE type <> 'text')
  END
  OR CASE
    WHEN metadata IS NULL THEN 0
    WHEN json_valid(metadata) THEN json_type(metadata) <> 'object'
    ELSE 1
  END;

-- invariant: slots_belong_to_schedules
SELECT 'slot ' || x.slot_ms || ' belongs to schedule ' || x.schedule || ', which is not there'
FROM main.tm_schedule_slot AS x
LEFT JOIN main.tm_schedule AS s ON s.name = x.schedule
WHERE s.name IS NULL;

-- Old slots are removed, so there are at most as many as runs.
-- invariant: slots_are_counted
SELECT 'schedule ' || s.name || ' has ' || count(*) || ' slots after ' || s.runs || ' runs'
FROM main.tm_schedule AS s
JOIN main.tm_schedule_slot AS x ON x.schedule = s.name
GROUP BY s.name
HAVING count(*) > s.runs OR max(x.slot_ms) < s.last_ms;

-- invariant: slots_have_tasks_that_were_born
SELECT 'slot ' || x.slot_ms || ' of ' || x.schedule || ' made task ' || x.task_id || ', which never was'
FROM main.tm_schedule_slot AS x
WHERE x.task_id > (
  SELECT max(s.last_deleted_task_id, coalesce((SELECT max(id) FROM main.tm_task), 0))
  FROM main.tm_setting AS s
);

-- But for the tasks that upkeep has still to walk over after a change of the limit.
-- invariant: finished_tasks_are_noted
SELECT 'task ' || t.id || ' is ' || t.state || ' and not noted in tm_finished'
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
  )
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_finished_walk WHERE t.id > after_id AND t.id <= last_id
  );

-- invariant: notes_are_of_finished_tasks
SELECT 'tm_finished has task ' || f.task_id || ' as ' || f.phase || ' at ' || f.at_ms
FROM main.tm_finished AS f
LEFT JOIN main.tm_task AS t ON t.id = f.task_id
WHERE f.phase <> 'in_use'
  AND (t.state IS NOT f.phase OR t.queue IS NOT f.queue OR t.moved_ms IS NOT f.at_ms);

-- invariant: finished_tasks_are_counted
SELECT 'queue ' || q.name || ' has ' || quote(c.tasks) || ' finished tasks by tm_finished_count'
FROM main.tm_queue AS q
LEFT JOIN main.tm_finished_count AS c ON c.queue = q.name
WHERE (q.keep_count IS NULL) <> (c.tasks IS NULL)
  OR c.tasks <> (SELECT count(*) FROM main.tm_finished WHERE queue = q.name AND phase <> 'in_use');

-- invariant: needs_waited_for_are_counted
SELECT 'task ' || task_id || ' waits for ' || unmet || ' others by tm_flow and for ' || waits || ' by tm_dependency and tm_group_wait'
FROM (
  SELECT
    f.task_id,
    f.unmet,
    (SELECT count(*) FROM main.tm_dependency AS d WHERE d.task_id = f.task_id AND d.status = 0)
      + (SELECT count(*) FROM main.tm_group_wait AS w WHERE w.task_id = f.task_id AND w.status = 0) AS waits
  FROM main.tm_flow AS f
)
WHERE unmet <> waits;

-- invariant: dependencies_are_told_by_bits
SELECT 'task ' || d.task_id || ' needs task ' || d.needs_id || ', and their flow is ' || t.flow || ' and ' || n.flow
FROM main.tm_dependency AS d
JOIN main.tm_task AS t ON t.id = d.task_id
JOIN main.tm_task AS n ON n.id = d.needs_id
WHERE t.flow & 2 = 0
  OR n.flow & 4 = 0
  OR NOT EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = d.task_id);

-- A task that ended while it waited goes on to be told, and counts on.
-- invariant: tasks_that_wait_for_others_are_blocked
SELECT 'task ' || t.id || ' is ' || t.state || ' and waits for ' || f.unmet || ' others'
FROM main.tm_flow AS f
JOIN main.tm_task AS t ON t.id = f.task_id
WHERE f.unmet > 0
  AND t.finished_ms IS NULL
  AND t.state <> 'blocked'
  AND NOT (t.state = 'held' AND t.held_from IS 'blocked');

-- invariant: blocked_tasks_wait_for_others
SELECT 'task ' || t.id || ' is blocked and waits for no other'
FROM main.tm_task AS t
JOIN main.tm_flow AS f ON f.task_id = t.id
WHERE t.state = 'blocked'
  AND t.flow & 2
  AND f.unmet = 0
  AND NOT EXISTS (SELECT 1 FROM main.tm_settle WHERE task_id = t.id);

-- But for moves by hand, which the next claim or tick goes on with.
-- invariant: nobody_waits_for_a_finished_task
SELECT 'task ' || d.task_id || ' waits for task ' || d.needs_id || ', which is ' || n.state
FROM main.tm_dependency AS d
JOIN main.tm_task AS n ON n.id = d.needs_id
WHERE d.status = 0
  AND n.finished_ms IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM main.tm_settle WHERE task_id = n.id);

-- A new grace_ms is for those that are asked to stop from then on.
-- invariant: times_are_due
SELECT 'task ' || d.task_id || ' is due at ' || quote(f.due_ms) || ' by tm_flow and at ' || quote(d.due_ms) || ' by its times'
FROM main.tm_time_due AS d
JOIN main.tm_flow AS f ON f.task_id = d.task_id
JOIN main.tm_task AS t ON t.id = d.task_id
WHERE f.stopping IS NOT d.stopping
  OR (f.due_ms IS NULL) <> (d.due_ms IS NULL)
  OR (t.state <> 'cancelling' AND f.due_ms <> d.due_ms);

-- invariant: times_are_told_by_bits
SELECT 'task ' || t.id || ' has times and its flow is ' || t.flow
FROM main.tm_flow AS f
JOIN main.tm_task AS t ON t.id = f.task_id
WHERE (f.expires_ms IS NOT NULL OR f.timeout_ms IS NOT NULL OR f.deadline_ms IS NOT NULL)
  AND (t.flow & 16 = 0 OR (SELECT has_times FROM main.tm_setting WHERE id = 1) = 0);

-- Deleted tasks stay counted, in the state they ended in.
-- invariant: groups_are_counted
SELECT 'group ' || name || ' has ' || tasks || ' tasks, ' || open || ' open and ' || removed || ' removed, and there are ' || here || ', ' || open_here || ' open'
FROM (
  SELECT
    g.name AS name,
    g.is_sealed AS is_sealed,
    g.tasks AS tasks,
    g.open AS open,
    g.completed AS completed,
    g.cancelled AS cancelled,
    g.discarded AS discarded,
    g.removed AS removed,
    g.finished_ms AS finished_ms,
    count(t.id) AS here,
    count(t.id) FILTER (WHERE t.finished_ms IS NULL) AS open_here,
    count(t.id) FILTER (WHERE t.state = 'completed') AS completed_here,
    count(t.id) FILTER (WHERE t.state = 'cancelled') AS cancelled_here,
    count(t.id) FILTER (WHERE t.state = 'discarded') AS discarded_here
  FROM main.tm_group AS g
  LEFT JOIN main.tm_flow AS f ON f.in_group = g.name
  LEFT JOIN main.tm_task AS t ON t.id = f.task_id
  GROUP BY g.name
)
WHERE tasks <> here + removed
  OR open <> open_here
  OR completed < completed_here
  OR cancelled < cancelled_here
  OR discarded < discarded_here
  OR (finished_ms IS NOT NULL) <> (is_sealed AND open = 0);

-- invariant: groups_are_told_by_bits
SELECT 'task ' || t.id || ' is in group ' || quote(f.in_group) || ' of parent ' || quote(f.parent_id) || ' and its flow is ' || t.flow
FROM main.tm_flow AS f
JOIN main.tm_task AS t ON t.id = f.task_id
LEFT JOIN main.tm_task AS p ON p.id = f.parent_id
WHERE (f.in_group IS NULL) IS NOT (t.flow & 8 = 0)
  OR (f.parent_id IS NOT NULL AND (t.flow & 128 = 0 OR p.flow & 64 = 0))
UNION ALL
SELECT 'task ' || w.task_id || ' waits, or waited, for group ' || w.group_name || ', and its flow is ' || t.flow
FROM main.tm_group_wait AS w
JOIN main.tm_task AS t ON t.id = w.task_id
WHERE t.flow & 2 = 0;

-- Ids only grow. What walks down from a parent would not end, were it not for this.
-- invariant: children_are_younger_than_their_parents
SELECT 'task ' || task_id || ' is of parent ' || parent_id || ', which is not older'
FROM main.tm_flow
WHERE parent_id >= task_id;

-- invariant: nobody_waits_for_a_group_that_ended
SELECT 'task ' || w.task_id || ' waits for group ' || w.group_name || ', which has ended'
FROM main.tm_group_wait AS w
JOIN main.tm_group AS g ON g.name = w.group_name
WHERE w.status = 0 AND g.finished_ms IS NOT NULL;

-- invariant: tasks_take_their_place
SELECT 'task ' || d.task_id || ' of queue ' || d.queue || ' is not where it counts in tm_place'
FROM main.tm_place_due AS d
LEFT JOIN main.tm_place AS p ON p.task_id = d.task_id
WHERE d.phase >= 0
  AND d.is_wanted
  AND (
    p.queue IS NOT d.queue
    OR p.partition IS NOT d.partition
    OR p.is_leased IS NOT d.is_leased
    OR p.is_open IS NOT d.is_open
    OR p.line_key IS NOT d.line_key
    OR p.line_ms IS NOT d.line_ms
    OR (d.is_open AND (p.sort_key IS NOT d.sort_key OR p.sort_ms IS NOT d.sort_ms))
  );

-- invariant: places_are_taken_by_tasks
SELECT 'tm_place has task ' || p.task_id || ', which does not count in queue ' || p.queue
FROM main.tm_place AS p
WHERE NOT EXISTS (SELECT 1 FROM main.tm_place_due AS d WHERE d.task_id = p.task_id AND d.is_wanted);

-- invariant: limits_are_counted
SELECT 'queue ' || l.queue || ' has ' || l.running || ' tasks running by tm_limit'
FROM main.tm_limit AS l
WHERE l.running <> (SELECT count(*) FROM main.tm_place WHERE queue = l.queue AND is_leased);

-- invariant: limits_are_those_of_their_queue
SELECT 'queue ' || q.name || ' and its row of tm_limit do not agree'
FROM main.tm_queue AS q
LEFT JOIN main.tm_limit AS l ON l.queue = q.name
WHERE q.is_limited <> (l.queue IS NOT NULL)
  OR (
    q.is_limited
    AND (l.most_running IS NOT q.max_running OR l.interval_us IS NOT q.interval_us OR l.burst IS NOT q.rate)
  )
UNION ALL
SELECT 'tm_limit has queue ' || queue || ', which is not there'
FROM main.tm_limit
WHERE queue NOT IN (SELECT name FROM main.tm_queue);

-- invariant: partitions_are_counted
SELECT 'partition ' || quote(p.name) || ' of queue ' || p.queue || ' has ' || p.running || ' tasks running by tm_partition'
FROM main.tm_partition AS p
WHERE p.running <> (SELECT count(*) FROM main.tm_place WHERE queue = p.queue AND partition = p.name AND is_leased);

-- invariant: partitions_are_as_their_queue_says
SELECT 'partition ' || quote(p.name) || ' of queue ' || p.queue || ' and the limits of its queue do not agree'
FROM main.tm_partition AS p
LEFT JOIN main.tm_queue AS q ON q.name = p.queue
WHERE q.is_partitioned IS NOT 1
  OR p.most_running IS NOT CASE WHEN q.fifo THEN 1 ELSE q.max_running_per_partition END
  OR p.fair IS NOT q.fair
  OR p.interval_us IS NOT q.interval_per_partition_us
  OR p.burst IS NOT q.rate_per_partition;

-- invariant: places_are_in_partitions
SELECT 'task ' || x.task_id || ' is in partition ' || quote(x.partition) || ', which tm_partition has not'
FROM main.tm_place AS x
LEFT JOIN main.tm_partition AS p ON p.queue = x.queue AND p.name = x.partition
WHERE x.partition IS NOT NULL AND p.queue IS NULL;

-- invariant: partitions_know_who_is_first
SELECT 'partition ' || quote(p.name) || ' of queue ' || p.queue || ' says that its first task is ' || quote(p.head_id)
FROM main.tm_partition AS p
LEFT JOIN main.tm_place AS x ON x.task_id = (
  SELECT h.task_id FROM main.tm_place AS h
  WHERE h.queue = p.queue AND h.partition = p.name AND h.line_key IS NOT NULL
  ORDER BY h.line_key, h.line_ms, h.task_id
  LIMIT 1
)
WHERE p.head_id IS NOT x.task_id
  OR p.head_open IS NOT x.is_open
  OR p.line_key IS NOT x.line_key
  OR p.line_ms IS NOT x.line_ms
  OR (p.head_open AND (p.sort_key IS NOT x.sort_key OR p.sort_ms IS NOT x.sort_ms));

-- A task that fails this cannot be moved, and stops the claims of its queue.
-- invariant: tasks_with_flow_have_their_row
SELECT 'task ' || t.id || ' has no row in tm_flow and its flow is ' || t.flow
FROM main.tm_task AS t
LEFT JOIN main.tm_flow AS f ON f.task_id = t.id
WHERE t.flow & 186 AND f.task_id IS NULL;

-- invariant: unique_tasks_have_a_key
SELECT 'task ' || t.id || ' is unique by its flow and has no row in tm_unique'
FROM main.tm_task AS t
LEFT JOIN main.tm_unique AS u ON u.task_id = t.id AND u.is_orphan = 0
WHERE t.flow & 1 AND u.task_id IS NULL;

-- But for a window that outlives its task.
-- invariant: keys_are_of_unique_tasks
SELECT 'tm_unique has a key of task ' || u.task_id || iif(t.id IS NULL, ', which is not there', ', which is not unique by its flow')
FROM main.tm_unique AS u
LEFT JOIN main.tm_task AS t ON t.id = u.task_id
WHERE iif(u.is_orphan, t.id IS NOT NULL OR u.until_ms IS NULL, t.id IS NULL OR t.flow & 1 = 0);

-- Under queued a task that was claimed has let go, until it is retried.
-- invariant: keys_are_held_while_they_should
SELECT 'task ' || t.id || ' is ' || t.state || ' and its key, for ' || u.scope || ', is ' || iif(u.is_held, 'held', 'not held')
FROM main.tm_unique AS u
JOIN main.tm_task AS t ON t.id = u.task_id
WHERE u.scope <> 'all'
  AND CASE
    WHEN t.finished_ms IS NOT NULL THEN u.is_held
    WHEN u.scope = 'incomplete' OR t.token = 0 THEN NOT u.is_held
    ELSE u.is_held AND t.state IN ('running', 'cancelling', 'waiting')
  END;

-- The index holds it; this sees an index that is damaged or gone.
-- invariant: keys_are_held_once
SELECT 'the key ' || substr(key, 1, 100) || ' is held by ' || count(*) || ' tasks'
FROM main.tm_unique NOT INDEXED
WHERE is_held
GROUP BY key
HAVING count(*) > 1;

-- Nothing counts so far. At the end of what an integer holds a sum becomes a REAL, which no column takes.
-- invariant: counters_have_room
SELECT 'task ' || id || ' has made ' || moves || ' moves' FROM main.tm_task WHERE moves > 4611686018427387904
UNION ALL
SELECT 'group ' || name || ' was changed ' || revision || ' times' FROM main.tm_group WHERE revision > 4611686018427387904
UNION ALL
SELECT 'queue ' || queue || ' has served ' || served || ' times by tm_limit' FROM main.tm_limit WHERE served > 4611686018427387904
UNION ALL
SELECT 'tm_setting says that task ' || last_deleted_task_id || ' was deleted' FROM main.tm_setting WHERE last_deleted_task_id > 4611686018427387904
UNION ALL
SELECT 'tm_setting says that event ' || last_deleted_event_id || ' was deleted' FROM main.tm_setting WHERE last_deleted_event_id > 4611686018427387904;
