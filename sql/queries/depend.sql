-- Who waits for whom.

-- A task that is waited for, or is to be.
-- name: depend_look
-- columns: state flow
SELECT state, flow FROM main.tm_task WHERE id = :id;

-- name: depend_insert
INSERT INTO main.tm_dependency (task_id, needs_id, needs, status)
VALUES (:task_id, :needs_id, :needs, :status);

-- name: depend_update
UPDATE main.tm_dependency SET status = :status WHERE task_id = :task_id AND needs_id = :needs_id;

-- One edge, with what is counted of it: read before and after each write.
-- name: depend_edge
-- columns: status needs unmet on_failure needed_flow needed
SELECT d.status, d.needs, f.unmet, f.on_failure, t.flow, t.state
FROM main.tm_dependency AS d
LEFT JOIN main.tm_flow AS f ON f.task_id = d.task_id
LEFT JOIN main.tm_task AS t ON t.id = d.needs_id
WHERE d.task_id = :task_id AND d.needs_id = :needs_id;

-- Those who wait for a task. Each block begins at the start: who was told is not in it any more.
-- name: depend_waiting
-- columns: task_id
-- plan: tm_dependency_needed
SELECT task_id FROM main.tm_dependency INDEXED BY tm_dependency_needed
WHERE needs_id = :id AND status = 0
ORDER BY task_id
LIMIT :limit + 0;

-- What a task does not wait for any more, because it failed or somebody said so.
-- name: depend_failed
-- columns: needs_id needs state
SELECT d.needs_id, d.needs, t.state
FROM main.tm_dependency AS d
CROSS JOIN main.tm_task AS t ON t.id = d.needs_id
WHERE d.task_id = :task_id AND d.status = 2 AND d.needs_id > :after_id
ORDER BY d.needs_id
LIMIT :limit + 0;

-- name: depend_unmet
-- columns: unmet
SELECT unmet FROM main.tm_flow WHERE task_id = :task_id;

-- A row where needs_id waits for task_id already, by however many between them.
-- name: depend_cycle
-- columns: id
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
SELECT id FROM waiter WHERE id = :needs_id LIMIT 1;

-- A task that was born alone has no row.
-- name: depend_flow
INSERT INTO main.tm_flow (task_id) VALUES (:task_id);

-- name: depend_hold
UPDATE main.tm_task SET held_from = 'blocked' WHERE id = :id AND moves = :moves;

-- A task that is not finished and waits, or waited, for this one.
-- name: depend_dependant
-- columns: task_id state
-- plan: tm_dependency_needed
SELECT d.task_id, t.state
FROM main.tm_dependency AS d INDEXED BY tm_dependency_needed
CROSS JOIN main.tm_task AS t ON t.id = d.task_id
WHERE d.needs_id = :id AND t.finished_ms IS NULL
LIMIT 1;

-- Tasks still to be looked at.
-- name: depend_notes
-- columns: task_id
SELECT task_id FROM main.tm_settle ORDER BY task_id LIMIT :limit + 0;

-- name: depend_note
INSERT INTO main.tm_settle (task_id) VALUES (:task_id);

-- name: depend_noted
-- columns: task_id
SELECT task_id FROM main.tm_settle WHERE task_id = :task_id;

-- name: depend_forget
DELETE FROM main.tm_settle WHERE task_id = :task_id;

-- There is nothing to look at any more: everybody reads it with the stamp.
-- name: depend_settled
UPDATE main.tm_setting SET stamp = random() WHERE id = 1;

-- What tm_get shows.
-- name: depend_of
-- columns: needs_id needs (status)
SELECT
  needs_id,
  needs,
  CASE status WHEN 0 THEN 'waits' WHEN 1 THEN 'met' ELSE 'failed' END
FROM main.tm_dependency
WHERE task_id = :task_id
ORDER BY needs_id;

-- Of a group, its tasks.
-- name: depend_inputs
-- columns: id kind state result error
SELECT t.id, t.kind, t.state, t.result, t.error
FROM main.tm_dependency AS d
CROSS JOIN main.tm_task AS t ON t.id = d.needs_id
WHERE d.task_id = :task_id
UNION ALL
SELECT t.id, t.kind, t.state, t.result, t.error
FROM main.tm_group_wait AS w
CROSS JOIN main.tm_flow AS f INDEXED BY tm_flow_group ON f.in_group = w.group_name
CROSS JOIN main.tm_task AS t ON t.id = f.task_id
WHERE w.task_id = :task_id
  AND NOT EXISTS (SELECT 1 FROM main.tm_dependency WHERE task_id = :task_id AND needs_id = t.id)
ORDER BY 1;
