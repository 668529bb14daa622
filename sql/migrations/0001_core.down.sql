-- Down to nothing. Children first, so that no foreign key is ever broken.
DROP TABLE main.tm_attempt;
DROP TABLE main.tm_event;
DROP TABLE main.tm_task;
DROP TABLE main.tm_queue;
DROP TABLE main.tm_transition;
DROP TABLE main.tm_state;
DROP TABLE main.tm_setting;
DROP TABLE main.tm_migration;
