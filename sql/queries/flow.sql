-- A task's place among others.

-- name: flow_insert
INSERT INTO main.tm_flow (
  task_id, partition, on_failure, expires_ms, timeout_ms, deadline_ms, parent_id, in_group
)
VALUES (
  :task_id, :partition, :on_failure, :expires_ms, :timeout_ms, :deadline_ms, :parent_id, :in_group
);

-- Whoever is replaced gets other times; a trigger works out when the next is over.
-- name: flow_times
UPDATE main.tm_flow
SET expires_ms = :expires_ms, deadline_ms = :deadline_ms, timeout_ms = :timeout_ms
WHERE task_id = :task_id;

-- That they were written.
-- name: flow_timed
-- columns: (is_timed)
SELECT expires_ms IS :expires_ms AND deadline_ms IS :deadline_ms AND timeout_ms IS :timeout_ms
FROM main.tm_flow
WHERE task_id = :task_id;

-- What tm_get shows of it.
-- name: flow_row
-- columns: partition in_group parent_id expires_ms timeout_ms deadline_ms stopping
SELECT partition, in_group, parent_id, expires_ms, timeout_ms, deadline_ms, stopping
FROM main.tm_flow
WHERE task_id = :task_id;

-- A birth (from_state is NULL) or a move: what follows from it is in triggers on this view.
-- name: flow_moved
INSERT INTO main.tm_task_moved (id, flow, from_state, to_state)
VALUES (:id, :flow, :from_state, :to_state);

-- The same, with the same parameters, for a task of a queue with limits.
-- name: flow_moved_limited
INSERT INTO main.tm_task_moved (id, flow, from_state, to_state)
VALUES (:id, :flow, :from_state, :to_state);
