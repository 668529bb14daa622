ALTER TABLE main.tm_schedule DROP COLUMN deadline_ms;
ALTER TABLE main.tm_schedule DROP COLUMN timeout_ms;
ALTER TABLE main.tm_schedule DROP COLUMN expires_ms;
ALTER TABLE main.tm_schedule DROP COLUMN partition;
