-- base.sql - the database that inputs start from: tasks in every state, and every kind of place.
SELECT tm_init(), tm_clock_set(1700000000000);
SELECT tm_enqueue('q', 'one', '{"partition":"a","group":"g","unique":"u","tags":["red","blue"]}'), tm_claim('q', 'w');
SELECT tm_enqueue('q', '{"two":[2]}', '{"after":1,"expires":60}'), tm_enqueue('q', 'three', '{"group":"g"}');
SELECT tm_cancel(3), tm_enqueue('q', x'00ff', '{"held":true}'), tm_enqueue('q', 5.5, '{"parent":1,"timeout":5}');
SELECT tm_enqueue('q', 6, '{"delay":60,"deadline":3600}'), tm_enqueue('q', NULL, '{"after":{"group":"g"}}');
SELECT tm_enqueue('r', 8), tm_claim('r', 'w2'), tm_fail(8, 1, 'broken', '{"delay":60}');
SELECT tm_enqueue('r', 9), tm_claim('r', 'w2'), tm_complete(9, 1, '{"ok":true}');
SELECT tm_enqueue('r', 10), tm_claim('r', 'w2'), tm_cancel(10, 'enough');
SELECT tm_enqueue('r', 11), tm_claim('r', 'w2'), tm_fail(11, 1, 'broken', '{"discard":true}');
SELECT tm_enqueue('f', 12, '{"partition":"a"}'), tm_enqueue('f', 13, '{"partition":"a"}'), tm_enqueue('f', 14, '{"partition":"b"}');
SELECT tm_schedule('s', '@hourly', 'q', 1), tm_schedule('t', '*/5 8-17 * * mon-fri', 'f', 'x', '{"zone":"Europe/Berlin","partition":"c","catch_up":"all"}');
UPDATE tm_queue SET max_running = 5, max_running_per_partition = 2, keep_completed_ms = 100000 WHERE name = 'q';
UPDATE tm_queue SET fifo = 1, rate = 10, rate_ms = 60000, fair = 1 WHERE name = 'f';
CREATE TABLE mine (a, b REFERENCES tm_task (id));
INSERT INTO mine VALUES (1, NULL), (2, 4);
CREATE TABLE mine_call (verb, arg1, arg2, arg3, arg4, arg5);
CREATE TRIGGER mine_calls AFTER INSERT ON mine_call BEGIN
  INSERT INTO tm_command (verb, arg1, arg2, arg3, arg4, arg5)
  VALUES (NEW.verb, NEW.arg1, NEW.arg2, NEW.arg3, NEW.arg4, NEW.arg5);
  DELETE FROM mine_call;
END;
