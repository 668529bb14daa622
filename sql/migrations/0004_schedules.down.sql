-- Schedules and what they remember; the tasks that they made stay.
DROP TRIGGER main.tm_queue_with_schedules_keeps_its_name;
DROP TRIGGER main.tm_queue_with_schedules_stays;
DROP TABLE main.tm_schedule_slot;
DROP TABLE main.tm_schedule;
