-- What must be true of an example's database, whatever its language: each row is a breach.
SELECT 'an invoice without its task, or a task without its invoice' WHERE
  (SELECT count(*) FROM invoice JOIN tm_task ON tm_task.id = task_id AND CAST(payload AS REAL) = total) <> (SELECT count(*) FROM tm_task)
  OR (SELECT count(*) FROM invoice) <> (SELECT count(*) FROM tm_task) OR (SELECT count(*) FROM tm_task) < 3;
SELECT 'a receipt without a completed task, or a completed task without its receipt' WHERE
  (SELECT count(*) FROM receipt JOIN tm_task ON tm_task.id = task_id AND state = 'completed' AND CAST(payload AS REAL) = total)
    <> (SELECT count(*) FROM receipt)
  OR (SELECT count(*) FROM receipt) <> (SELECT count(*) FROM tm_task WHERE state = 'completed');
SELECT 'task ' || id || ' is ' || state || ', error ' || coalesce(error, 'none') FROM tm_task
  WHERE state NOT IN ('completed', 'retryable') OR attempt <> 1
  OR (state = 'retryable') <> (error IS NOT NULL AND trim(error) <> '');
SELECT 'the negative total is not what failed' WHERE
  NOT EXISTS (SELECT 1 FROM tm_task WHERE state = 'retryable' AND CAST(payload AS REAL) < 0 AND error LIKE '%negative total%');
SELECT name || ': ' || detail FROM tm_doctor WHERE status = 'error';
SELECT 'the journal is no WAL' FROM pragma_journal_mode WHERE journal_mode <> 'wal';
SELECT 'integrity: ' || integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok';
