-- Groups, and parents with their children.

-- name: group_row
-- columns: name is_sealed tasks open removed sealed_ms finished_ms revision
SELECT name, is_sealed, tasks, open, removed, sealed_ms, finished_ms, revision
FROM main.tm_group
WHERE name = :name;

-- The same of the group that a task is in.
-- name: group_of_task
-- columns: name is_sealed tasks open removed sealed_ms finished_ms revision
SELECT g.name, g.is_sealed, g.tasks, g.open, g.removed, g.sealed_ms, g.finished_ms, g.revision
FROM main.tm_flow AS f
CROSS JOIN main.tm_group AS g ON g.name = f.in_group
WHERE f.task_id = :task_id;

-- name: group_names
-- columns: name
SELECT name FROM main.tm_group ORDER BY name LIMIT 10000;

-- Its trigger does the rest.
-- name: group_seal
UPDATE main.tm_group SET is_sealed = 1 WHERE name = :name;

-- name: parent_flow
-- columns: flow
SELECT flow FROM main.tm_task WHERE id = :id;

-- The first child, or the next one after another. A child is younger than its parent: a row that says
-- otherwise is left out, so that the walk ends whatever the rows say.
-- name: child_after
-- columns: task_id
-- plan: tm_flow_parent
SELECT task_id FROM main.tm_flow INDEXED BY tm_flow_parent
WHERE parent_id = :parent_id AND task_id > max(:parent_id, :after_id)
ORDER BY task_id
LIMIT 1;

-- name: child_parent
-- columns: parent_id
SELECT parent_id FROM main.tm_flow WHERE task_id = :task_id AND parent_id < task_id;

-- What a need of a group is worth.
-- name: group_state
-- columns: finished_ms (failures)
SELECT finished_ms, cancelled + discarded FROM main.tm_group WHERE name = :name;

-- name: group_wait_insert
INSERT INTO main.tm_group_wait (group_name, task_id, needs, status)
VALUES (:group_name, :task_id, :needs, :status);

-- What is counted of a wait: read before and after each write.
-- name: group_wait_row
-- columns: status unmet flow
SELECT w.status, f.unmet, t.flow
FROM main.tm_group_wait AS w
LEFT JOIN main.tm_flow AS f ON f.task_id = w.task_id
LEFT JOIN main.tm_task AS t ON t.id = w.task_id
WHERE w.task_id = :task_id AND w.group_name = :group_name;

-- name: group_wait_update
UPDATE main.tm_group_wait SET status = :status WHERE task_id = :task_id AND group_name = :group_name;

-- The group that ended last of those that a task waited for; one whose failures are still to be acted
-- upon comes first.
-- name: group_wait_ended
-- columns: group_name status on_failure
SELECT w.group_name, w.status, f.on_failure
FROM main.tm_group_wait AS w
CROSS JOIN main.tm_group AS g ON g.name = w.group_name
CROSS JOIN main.tm_flow AS f ON f.task_id = w.task_id
WHERE w.task_id = :task_id AND (w.status = 1 OR w.status = 2)
ORDER BY w.status DESC, g.finished_ms DESC, w.group_name
LIMIT 1;

-- A wait that failed, or was overruled, and is otherwise by now: met, or to be waited for again. A
-- group with a task that waits for this one cannot be waited for.
-- name: group_wait_other
-- columns: group_name (status)
WITH RECURSIVE waiter (id) AS (
  SELECT :task_id
  UNION
  SELECT d.task_id
  FROM waiter
  CROSS JOIN main.tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
  UNION
  SELECT w.task_id
  FROM waiter
  CROSS JOIN main.tm_flow AS f ON f.task_id = waiter.id
  CROSS JOIN main.tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
)
SELECT w.group_name, iif(g.finished_ms IS NULL, 0, 1)
FROM main.tm_group_wait AS w
CROSS JOIN main.tm_group AS g ON g.name = w.group_name
WHERE w.task_id = :task_id
  AND w.status >= 2
  AND CASE
    WHEN g.finished_ms IS NOT NULL THEN w.needs = 'final' OR g.cancelled + g.discarded = 0
    ELSE NOT EXISTS (
      SELECT 1
      FROM waiter
      CROSS JOIN main.tm_flow AS f ON f.task_id = waiter.id
      WHERE f.in_group = w.group_name
    )
  END
LIMIT 1;

-- A row where the group has ended and somebody who waited for it was not noted, or not counted.
-- name: group_wait_forgotten
-- columns: task_id
SELECT w.task_id
FROM main.tm_group_wait AS w
CROSS JOIN main.tm_task AS t ON t.id = w.task_id
CROSS JOIN main.tm_flow AS f ON f.task_id = w.task_id
WHERE w.group_name = :group_name
  AND (
    w.status = 0
    OR f.unmet <> (
      (SELECT count(*) FROM main.tm_dependency WHERE task_id = w.task_id AND status = 0)
      + (SELECT count(*) FROM main.tm_group_wait WHERE task_id = w.task_id AND status = 0)
    )
    OR (
      t.state = 'blocked'
      AND (w.status = 2 OR f.unmet = 0)
      AND NOT EXISTS (SELECT 1 FROM main.tm_settle WHERE task_id = w.task_id)
    )
  )
LIMIT 1;

-- name: group_has_waiters
-- columns: task_id
SELECT task_id FROM main.tm_group_wait WHERE group_name = :group_name AND status = 0 LIMIT 1;

-- A row where the task, or a task of the other group, waits for the group in the end: down from
-- those who wait for the group, by tasks and by groups.
-- name: group_cycle
-- columns: id
WITH RECURSIVE waiter (id) AS (
  SELECT task_id FROM main.tm_group_wait WHERE group_name = :group_name AND status = 0
  UNION
  SELECT d.task_id
  FROM waiter
  CROSS JOIN main.tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = waiter.id AND d.status = 0
  UNION
  SELECT w.task_id
  FROM waiter
  CROSS JOIN main.tm_flow AS f ON f.task_id = waiter.id
  CROSS JOIN main.tm_group_wait AS w ON w.group_name = f.in_group AND w.status = 0
)
SELECT waiter.id
FROM waiter
WHERE waiter.id = :needs_id
  OR EXISTS (SELECT 1 FROM main.tm_flow WHERE task_id = waiter.id AND in_group = :needs_group)
LIMIT 1;

-- What tm_get shows.
-- name: group_waits
-- columns: group needs (status) sealed tasks open
SELECT
  w.group_name,
  w.needs,
  CASE w.status WHEN 0 THEN 'waits' WHEN 1 THEN 'met' ELSE 'failed' END,
  g.is_sealed,
  g.tasks,
  g.open
FROM main.tm_group_wait AS w
CROSS JOIN main.tm_group AS g ON g.name = w.group_name
WHERE w.task_id = :task_id
ORDER BY w.group_name;

-- Tasks near one: the 10,000 that are reached first, over needs, groups, parents and children; then
-- groups, and what leads from one to another.
-- name: graph
-- columns: (what) id (name) state (to_id) (to_group) (needs)
WITH RECURSIVE
  near (id) AS MATERIALIZED (
    SELECT id FROM main.tm_task WHERE id = :id
    UNION
    SELECT d.needs_id FROM near CROSS JOIN main.tm_dependency AS d ON d.task_id = near.id
    UNION
    SELECT d.task_id
    FROM near
    CROSS JOIN main.tm_dependency AS d INDEXED BY tm_dependency_needed ON d.needs_id = near.id
    UNION
    SELECT f.task_id
    FROM near
    CROSS JOIN main.tm_group_wait AS w ON w.task_id = near.id
    CROSS JOIN main.tm_flow AS f INDEXED BY tm_flow_group ON f.in_group = w.group_name
    UNION
    SELECT w.task_id
    FROM near
    CROSS JOIN main.tm_flow AS f ON f.task_id = near.id
    CROSS JOIN main.tm_group_wait AS w INDEXED BY tm_group_wait_needed ON w.group_name = f.in_group
    UNION
    SELECT f.parent_id FROM near CROSS JOIN main.tm_flow AS f ON f.task_id = near.id AND f.parent_id IS NOT NULL
    UNION
    SELECT f.task_id
    FROM near
    CROSS JOIN main.tm_flow AS f INDEXED BY tm_flow_parent ON f.parent_id = near.id
    LIMIT 10000
  )
SELECT *
FROM (
  SELECT 'task' AS what, t.id, coalesce(t.kind, t.queue), t.state, NULL, NULL, NULL
  FROM near
  CROSS JOIN main.tm_task AS t ON t.id = near.id
  ORDER BY t.id
)
UNION ALL
SELECT *
FROM (
  SELECT
    'group',
    NULL,
    g.name,
    CASE WHEN g.finished_ms IS NOT NULL THEN 'finished' WHEN g.is_sealed THEN 'sealed' ELSE 'open' END,
    NULL,
    NULL,
    NULL
  FROM main.tm_group AS g
  WHERE g.name IN (
    SELECT f.in_group FROM near CROSS JOIN main.tm_flow AS f ON f.task_id = near.id
    UNION
    SELECT w.group_name FROM near CROSS JOIN main.tm_group_wait AS w ON w.task_id = near.id
  )
  ORDER BY g.name
)
UNION ALL
SELECT *
FROM (
  SELECT
    'needs',
    d.task_id,
    NULL,
    CASE d.status WHEN 0 THEN 'waits' WHEN 1 THEN 'met' ELSE 'failed' END,
    d.needs_id,
    NULL,
    d.needs
  FROM near
  CROSS JOIN main.tm_dependency AS d ON d.task_id = near.id
  WHERE d.needs_id IN near
  UNION ALL
  SELECT
    'needs',
    w.task_id,
    NULL,
    CASE w.status WHEN 0 THEN 'waits' WHEN 1 THEN 'met' ELSE 'failed' END,
    NULL,
    w.group_name,
    w.needs
  FROM near
  CROSS JOIN main.tm_group_wait AS w ON w.task_id = near.id
  ORDER BY 2, 5, 6
)
UNION ALL
SELECT *
FROM (
  SELECT 'member', f.task_id, NULL, NULL, NULL, f.in_group, NULL
  FROM near
  CROSS JOIN main.tm_flow AS f ON f.task_id = near.id
  WHERE f.in_group IS NOT NULL
  ORDER BY f.task_id
)
UNION ALL
SELECT *
FROM (
  SELECT 'child', f.task_id, NULL, NULL, f.parent_id, NULL, NULL
  FROM near
  CROSS JOIN main.tm_flow AS f ON f.task_id = near.id
  WHERE f.parent_id IN near
  ORDER BY f.task_id
);
