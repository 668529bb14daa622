-- What each run must have done, or its rules have looked at nothing: each SELECT counts how often a
-- process was told that it had done so. NULL is of a run that does not do it. The tables are those
-- of ledger.sql.

-- deed: enqueue
SELECT count(*) FROM op WHERE verb = 'enqueue' AND outcome = 'done';

-- deed: enqueue_through_the_inbox
SELECT count(*) FROM op WHERE verb = 'inbox' AND outcome = 'done';

-- deed: enqueue_several_in_a_transaction
SELECT count(*) FROM op WHERE verb = 'batch' AND outcome = 'done';

-- deed: claim
SELECT count(*) FROM claim;

-- deed: heartbeat
SELECT count(*) FROM op WHERE verb = 'heartbeat' AND outcome = 'done';

-- deed: complete
SELECT count(*) FROM op WHERE verb = 'complete' AND outcome = 'done' AND c = '';

-- deed: complete_with_an_effect
SELECT count(*) FROM op WHERE verb = 'complete' AND outcome = 'done' AND c = 'effect';

-- deed: fail
SELECT count(*) FROM op WHERE verb = 'fail' AND outcome = 'done';

-- deed: release
SELECT count(*) FROM op WHERE verb = 'release' AND outcome = 'done';

-- deed: snooze
SELECT count(*) FROM op WHERE verb = 'snooze' AND outcome = 'done';

-- One that found the task cancelled already is not counted.
-- deed: cancel
SELECT count(DISTINCT o.event_id)
FROM stood AS o
JOIN main.tm_event AS e ON e.id = o.event_id
WHERE o.verb = 'cancel' AND e.reason = 'no more';

-- deed: retry
SELECT count(DISTINCT o.event_id)
FROM stood AS o
JOIN main.tm_event AS e ON e.id = o.event_id
WHERE o.verb = 'retry' AND e.reason LIKE '%retried';

-- deed: delete
SELECT count(*) FROM op WHERE verb = 'delete' AND outcome = 'done';

-- One that took back a lease which had not lapsed.
-- deed: reconcile
SELECT count(DISTINCT o.life)
FROM op AS o
JOIN main.tm_event AS e ON e.at_ms BETWEEN o.began_ms AND o.ended_ms AND e.reason = 'reconciled'
WHERE o.verb = 'reconcile' AND o.outcome = 'done' AND o.said ->> '$.rescued' > 0;

-- deed: tick
SELECT count(*) FROM op WHERE verb = 'tick' AND outcome = 'done' AND said ->> '$.promoted' + said ->> '$.rescued' > 0;

-- deed: init
SELECT count(*) FROM op WHERE verb = 'init' AND outcome = 'done';

-- One that wrote something.
-- deed: checkpoint_passive
SELECT iif(journal_mode = 'wal', (
  SELECT count(*) FROM op
  WHERE verb = 'checkpoint' AND a = 'passive' AND outcome = 'done' AND said LIKE '0 %' AND said NOT LIKE '% 0'
), NULL)
FROM pragma_journal_mode;

-- One that nobody was in the way of.
-- deed: checkpoint_truncate
SELECT iif(journal_mode = 'wal', (
  SELECT count(*) FROM op WHERE verb = 'checkpoint' AND a = 'truncate' AND outcome = 'done' AND said = '0 0 0'
), NULL)
FROM pragma_journal_mode;

-- deed: migrate_down
SELECT count(*) FROM op WHERE verb = 'migrate' AND a = 'down' AND outcome = 'done';

-- deed: migrate_up
SELECT count(*) FROM op WHERE verb = 'migrate' AND a = 'up' AND outcome = 'done';
