-- The tasks stay, without groups and parents; those that wait for a group alone stay blocked, for a
-- person to move.
DROP TRIGGER main.tm_flow_keeps_its_parent;
DROP TRIGGER main.tm_flow_tells_its_parent;
DROP TRIGGER main.tm_flow_has_a_parent_that_is_there;
DROP TRIGGER main.tm_task_that_moves_counts_in_its_group;
DROP TRIGGER main.tm_flow_leaves_its_group;
DROP TRIGGER main.tm_flow_stays_in_its_group;
DROP TRIGGER main.tm_flow_joins_its_group;
DROP TRIGGER main.tm_task_takes_its_waits_along;
DROP TRIGGER main.tm_task_that_may_run_waits_for_no_group;
DROP TRIGGER main.tm_group_that_ends_lets_go;
UPDATE main.tm_group_wait SET status = 3 WHERE status = 0;
UPDATE main.tm_task
SET flow = flow & ~2
WHERE flow & 2
  AND NOT EXISTS (SELECT 1 FROM main.tm_dependency WHERE task_id = tm_task.id);
DROP TABLE main.tm_group_wait;
DROP INDEX main.tm_flow_group;
DROP TABLE main.tm_group;
UPDATE main.tm_flow SET in_group = NULL, parent_id = NULL;
UPDATE main.tm_task SET flow = flow & ~200 WHERE flow & 200;
