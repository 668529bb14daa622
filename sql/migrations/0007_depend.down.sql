-- Who waited for whom goes; the tasks stay in their states, the blocked ones for a person to move.
DROP TRIGGER main.tm_task_that_ends_by_hand_is_noted;
DROP TRIGGER main.tm_task_that_may_run_waits_for_nothing;
DROP TRIGGER main.tm_task_that_is_blocked_waits_for_something;
DROP TRIGGER main.tm_task_takes_its_dependencies_along;
DROP TABLE main.tm_settle;
DROP TABLE main.tm_dependency;
UPDATE main.tm_flow SET unmet = 0 WHERE unmet <> 0;
UPDATE main.tm_task SET flow = flow & 249 WHERE flow & 6;
