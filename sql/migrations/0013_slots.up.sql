-- 0013_slots: the tasks of a schedule may have a partition and times.
--
-- * The times are durations, from the birth of each task. What waits for others, belongs to a group or is
--   unique by a key has no place here: overlap says what becomes of a slot whose forerunner is not done.

ALTER TABLE main.tm_schedule ADD COLUMN partition TEXT
  CONSTRAINT schedule_partition_is_1_to_255_bytes CHECK (length(CAST(partition AS BLOB)) BETWEEN 1 AND 255);
ALTER TABLE main.tm_schedule ADD COLUMN expires_ms INTEGER
  CONSTRAINT schedule_expires_is_in_range CHECK (expires_ms BETWEEN 0 AND 3153600000000);
ALTER TABLE main.tm_schedule ADD COLUMN timeout_ms INTEGER
  CONSTRAINT schedule_timeout_is_in_range CHECK (timeout_ms BETWEEN 1 AND 3153600000000);
ALTER TABLE main.tm_schedule ADD COLUMN deadline_ms INTEGER
  CONSTRAINT schedule_deadline_is_in_range CHECK (deadline_ms BETWEEN 0 AND 3153600000000);
