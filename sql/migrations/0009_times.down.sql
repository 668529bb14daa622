DROP TRIGGER main.tm_flow_with_other_times_is_due_anew;
DROP TRIGGER main.tm_task_that_moves_has_its_time;
DROP VIEW main.tm_time_due;
DROP INDEX main.tm_flow_due;
UPDATE main.tm_flow SET expires_ms = NULL, timeout_ms = NULL, deadline_ms = NULL, due_ms = NULL, stopping = NULL;
ALTER TABLE main.tm_queue DROP COLUMN grace_ms;
ALTER TABLE main.tm_setting DROP COLUMN has_times;
