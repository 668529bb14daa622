-- A task's place among others.

-- name: flow_insert
INSERT INTO main.tm_flow (task_id, partition, on_failure, expires_ms, timeout_ms, deadline_ms)
VALUES (:task_id, :partition, :on_failure, :expires_ms, :timeout_ms, :deadline_ms);

-- What tm_get shows of it.
-- name: flow_row
-- columns: partition expires_ms timeout_ms deadline_ms stopping
SELECT partition, expires_ms, timeout_ms, deadline_ms, stopping FROM main.tm_flow WHERE task_id = :task_id;

-- A birth (from_state is NULL) or a move: what follows from it is in triggers on this view.
-- name: flow_moved
INSERT INTO main.tm_task_moved (id, flow, from_state, to_state)
VALUES (:id, :flow, :from_state, :to_state);
