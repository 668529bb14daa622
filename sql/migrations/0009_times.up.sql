-- 0009_times: too late to start, too long at work, too late altogether.
--
-- * The times are columns of tm_flow (0006_flow). due_ms is when the next of them is over, and is
--   worked out in one place, the view tm_time_due: a trigger makes it so after each birth and move,
--   and after a change of the times by plain SQL.
-- * stopping says why a cancelling task was asked to stop, where it was its time: then it has failed
--   when it lets go, or when grace_ms of its queue is over.
-- * tm_setting.has_times is 1 from the first such task on, so that nobody looks for one before.

ALTER TABLE main.tm_setting ADD COLUMN has_times INTEGER NOT NULL DEFAULT 0
  CONSTRAINT has_times_is_0_or_1 CHECK (has_times IN (0, 1));

ALTER TABLE main.tm_queue ADD COLUMN grace_ms INTEGER NOT NULL DEFAULT 10000
  CONSTRAINT queue_grace_is_in_range CHECK (grace_ms BETWEEN 0 AND 3153600000000);

CREATE INDEX main.tm_flow_due ON tm_flow (due_ms) WHERE due_ms IS NOT NULL;

-- A task that waits expires while no attempt of it counts; a deadline is for all of its life but
-- the grace; a timeout for the attempt under way.
CREATE VIEW main.tm_time_due (task_id, stopping, due_ms) AS
SELECT
  t.id,
  CASE WHEN t.state = 'cancelling' THEN f.stopping END,
  CASE
    WHEN t.state = 'completed' OR t.state = 'cancelled' OR t.state = 'discarded' THEN NULL
    WHEN t.state = 'cancelling' THEN
      CASE WHEN f.stopping IS NOT NULL THEN min(t.moved_ms + q.grace_ms, 253402300799999) END
    WHEN t.state = 'running' THEN
      coalesce(
        min(f.deadline_ms, t.started_ms + f.timeout_ms),
        f.deadline_ms,
        min(t.started_ms + f.timeout_ms, 253402300799999)
      )
    WHEN t.attempt = 0 THEN coalesce(min(f.deadline_ms, f.expires_ms), f.deadline_ms, f.expires_ms)
    ELSE f.deadline_ms
  END
FROM tm_flow AS f
JOIN tm_task AS t ON t.id = f.task_id
JOIN tm_queue AS q ON q.name = t.queue;

CREATE TRIGGER main.tm_task_that_moves_has_its_time
INSTEAD OF INSERT ON tm_task_moved
WHEN NEW.flow & 16
BEGIN
  UPDATE tm_flow
  SET (stopping, due_ms) = (SELECT d.stopping, d.due_ms FROM tm_time_due AS d WHERE d.task_id = NEW.id)
  WHERE task_id = NEW.id;
  UPDATE tm_setting SET has_times = 1, stamp = random() WHERE id = 1 AND has_times = 0;
END;

CREATE TRIGGER main.tm_flow_with_other_times_is_due_anew
AFTER UPDATE OF expires_ms, timeout_ms, deadline_ms ON tm_flow
BEGIN
  UPDATE tm_task SET flow = flow | 16 WHERE id = NEW.task_id AND flow & 16 = 0;
  UPDATE tm_flow
  SET due_ms = (SELECT d.due_ms FROM tm_time_due AS d WHERE d.task_id = NEW.task_id)
  WHERE task_id = NEW.task_id;
  UPDATE tm_setting SET has_times = 1, stamp = random() WHERE id = 1 AND has_times = 0;
END;
