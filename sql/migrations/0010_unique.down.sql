-- The tasks stay, and are unique no more.
DROP TRIGGER main.tm_task_takes_its_key_again;
DROP TRIGGER main.tm_task_lets_go_of_its_key;
DROP TRIGGER main.tm_task_that_is_unique_has_its_row;
DROP TRIGGER main.tm_task_moved_says_what;
DROP TRIGGER main.tm_task_takes_its_key_along;
DROP TABLE main.tm_unique;
UPDATE main.tm_task SET flow = flow & ~1 WHERE flow & 1;
