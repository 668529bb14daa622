-- What must hold between what the processes were told and what the database says: each SELECT
-- returns one row of text for each violation, and so no row at all after an honest run.
-- The database is main; the ledger's tables, made by ledger.tcl, are temporary:
--
--   op       what a process was about to do: done, refused, or lost with the process
--   born     a task that an enqueue acknowledged, with the payload that it had
--   claim    a lease that a claim acknowledged
--   stood    the event by which a task was in the state that a cancel or a retry acknowledged
--   intent   payloads that somebody was about to enqueue, one or several at once; is_kept where
--            nobody deletes them
--   other    the version of the other database's schema
--   started  from the database's own history: the event of each claim of each task

-- ---- tasks ----------------------------------------------------------------------------------

-- Where it was deleted, or somebody died while deleting it, it may be gone.
-- rule: no_acknowledged_task_is_lost
SELECT 'task ' || coalesce(b.id, '') || ' with ' || b.key || ' was acknowledged to life ' || b.life || ', and is not there'
FROM born AS b
LEFT JOIN main.tm_task AS t ON t.payload = b.key AND t.id = coalesce(b.id, t.id)
WHERE t.id IS NULL
  AND NOT EXISTS (SELECT 1 FROM op WHERE verb = 'delete' AND a = b.id AND outcome <> 'refused');

-- rule: an_acknowledged_task_has_one_id
SELECT 'payload ' || key || ' was acknowledged as task ' || min(id) || ' and as task ' || max(id)
FROM born
GROUP BY key
HAVING count(*) > 1
UNION ALL
SELECT 'task ' || id || ' was acknowledged for ' || min(key) || ' and for ' || max(key)
FROM born
WHERE id IS NOT NULL
GROUP BY id
HAVING count(*) > 1;

-- rule: what_was_asked_for_once_is_there_once
SELECT 'payload ' || payload || ' is there ' || count(*) || ' times'
FROM main.tm_task
GROUP BY payload
HAVING count(*) > 1;

-- rule: every_task_was_asked_for
SELECT 'task ' || t.id || ' has payload ' || quote(t.payload) || ', for which nobody asked'
FROM main.tm_task AS t
LEFT JOIN intent AS i ON i.key = t.payload
LEFT JOIN op AS o ON o.life = i.life AND o.seq = i.seq
WHERE o.outcome IS NULL OR o.outcome = 'refused';

-- What several at once have made is never deleted.
-- rule: a_transaction_is_there_whole_or_not_at_all
SELECT 'of the ' || count(*) || ' tasks of life ' || i.life || ', operation ' || i.seq || ' there are ' || count(t.id)
FROM intent AS i
LEFT JOIN main.tm_task AS t ON t.payload = i.key
WHERE i.is_kept
GROUP BY i.life, i.seq
HAVING count(t.id) NOT IN (0, count(*));

-- rule: a_deleted_task_does_not_come_back
SELECT 'task ' || o.a || ' was deleted, said life ' || o.life || ', and is there'
FROM op AS o
JOIN main.tm_task AS t ON t.id = o.a
WHERE o.verb = 'delete' AND o.outcome = 'done';

-- ---- leases ---------------------------------------------------------------------------------

-- rule: no_two_claims_have_one_token
SELECT 'task ' || task_id || ' was given out ' || count(*) || ' times with token ' || token
FROM claim
GROUP BY task_id, token
HAVING count(*) > 1;

-- One that had ended before another began.
-- rule: no_token_goes_back
SELECT 'task ' || late.task_id || ' was claimed with token ' || late.token || ' after it had been with ' || early.token
FROM claim AS early
JOIN claim AS late ON late.task_id = early.task_id AND late.began_us > early.ended_us
WHERE late.token <= early.token;

-- rule: a_lost_lease_is_refused
SELECT o.verb || ' of task ' || o.a || ' with token ' || o.b || ' went through after a claim with ' || c.token
FROM op AS o
JOIN claim AS c ON c.task_id = o.a AND c.token > o.b AND c.ended_us < o.began_us
WHERE o.outcome = 'done' AND o.verb IN ('complete', 'fail', 'release', 'snooze', 'heartbeat');

-- A claim while the one before it was still leased: not let go by its holder, nor taken back by
-- the next process of that name.
-- rule: no_lease_is_held_twice
SELECT 'task ' || c.task_id || ' was leased with token ' || c.token || ' until ' || l.until_ms
  || ', and with ' || n.token || ' from ' || n.ended_ms
FROM claim AS c
JOIN claim AS n ON n.task_id = c.task_id
  AND n.token = (SELECT min(token) FROM claim WHERE task_id = c.task_id AND token > c.token)
JOIN (
  SELECT life, task_id, token, until_ms FROM claim
  UNION ALL
  SELECT life, a, b, began_ms + CAST(c AS INTEGER) FROM op WHERE verb = 'heartbeat' AND outcome = 'done'
) AS l ON l.task_id = c.task_id AND l.token = c.token
WHERE n.ended_ms < l.until_ms
  AND NOT EXISTS (
    SELECT 1 FROM op AS o
    WHERE o.a = c.task_id AND o.b = c.token AND o.outcome <> 'refused' AND o.began_us <= n.ended_us
      AND o.verb IN ('complete', 'fail', 'release', 'snooze')
  )
  AND NOT EXISTS (
    SELECT 1 FROM op AS o
    WHERE o.verb = 'reconcile' AND o.a = c.worker AND o.began_us BETWEEN c.began_us AND n.ended_us
  );

-- rule: the_database_knows_every_token
SELECT 'task ' || t.id || ' is at token ' || t.token || ', and was given out with ' || max(c.token)
FROM claim AS c
JOIN main.tm_task AS t ON t.id = c.task_id
GROUP BY t.id
HAVING max(c.token) > t.token;

-- ---- history --------------------------------------------------------------------------------

-- rule: a_token_is_a_claim_in_the_history
SELECT 'task ' || t.id || ' is at token ' || t.token || ', and its history has ' || count(s.token) || ' claims'
FROM main.tm_task AS t
LEFT JOIN started AS s ON s.task_id = t.id
WHERE t.payload <> 'stays'
GROUP BY t.id
HAVING count(s.token) <> t.token;

-- rule: an_acknowledged_claim_is_in_the_history
SELECT 'claim ' || c.token || ' of task ' || c.task_id || ' was ' || c.worker || '''s, and is ' || quote(s.actor) || '''s in the history'
FROM claim AS c
JOIN main.tm_task AS t ON t.id = c.task_id
LEFT JOIN started AS s ON s.task_id = c.task_id AND s.token = c.token
WHERE s.actor IS NOT c.worker;

-- Between this claim and the next.
-- rule: an_acknowledged_end_is_in_the_history
SELECT o.verb || ' of task ' || o.a || ' with token ' || o.b || ' said ' || o.said || ', and is not in the history'
FROM op AS o
JOIN main.tm_task AS t ON t.id = o.a
LEFT JOIN started AS s ON s.task_id = o.a AND s.token = o.b
WHERE o.outcome = 'done'
  AND o.verb IN ('complete', 'fail', 'release', 'snooze')
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_event AS e
    WHERE e.task_id = o.a AND e.id > s.event_id AND e.id < s.next_event_id
      AND e.from_state IN ('running', 'cancelling')
      AND e.to_state = CASE o.verb WHEN 'complete' THEN 'completed' ELSE o.said END
  );

-- The event was read in the transaction of the verb.
-- rule: an_acknowledged_cancel_is_in_the_history
SELECT 'cancel of task ' || o.task_id || ' by life ' || o.life || ' said ' || o.state || ' by event ' || o.event_id || ', and the history has ' || quote(e.to_state)
FROM stood AS o
JOIN main.tm_task AS t ON t.id = o.task_id
LEFT JOIN main.tm_event AS e ON e.id = o.event_id AND e.task_id = o.task_id
WHERE o.verb = 'cancel' AND (o.state NOT IN ('cancelled', 'cancelling') OR e.to_state IS NOT o.state);

-- rule: an_acknowledged_retry_is_in_the_history
SELECT 'retry of task ' || o.task_id || ' by life ' || o.life || ' said ' || o.state || ' by event ' || o.event_id || ', and the history has ' || quote(e.to_state)
FROM stood AS o
JOIN main.tm_task AS t ON t.id = o.task_id
LEFT JOIN main.tm_event AS e ON e.id = o.event_id AND e.task_id = o.task_id
WHERE o.verb = 'retry' AND (o.state NOT IN ('available', 'blocked') OR e.to_state IS NOT o.state);

-- When it returned, no lease was left that a life of the same name had been given before.
-- rule: an_acknowledged_reconcile_is_in_the_history
SELECT 'life ' || o.life || ' took back what ' || o.a || ' had, and task ' || c.task_id || ' was still leased with token ' || c.token
FROM op AS o
JOIN claim AS c ON c.worker = o.a AND c.ended_us < o.began_us
JOIN main.tm_task AS t ON t.id = c.task_id
JOIN started AS s ON s.task_id = c.task_id AND s.token = c.token
WHERE o.verb = 'reconcile' AND o.outcome = 'done'
  AND NOT EXISTS (
    SELECT 1 FROM main.tm_event AS e
    WHERE e.task_id = c.task_id AND e.id > s.event_id AND e.id < s.next_event_id
      AND e.from_state IN ('running', 'cancelling') AND e.to_state <> 'cancelling'
      AND e.at_ms <= o.ended_ms
  );

-- rule: the_history_ends_where_the_task_is
SELECT 'task ' || t.id || ' is ' || t.state || ' and its history ends in ' || quote(e.to_state)
FROM main.tm_task AS t
LEFT JOIN main.tm_event AS e ON e.id = (SELECT max(id) FROM main.tm_event WHERE task_id = t.id)
WHERE CASE WHEN e.id IS NULL THEN t.moves <> 0 ELSE e.to_state <> t.state END;

-- ---- ends -----------------------------------------------------------------------------------

-- rule: an_acknowledged_completion_stays
SELECT 'task ' || t.id || ' was completed with token ' || o.b || ', and is ' || t.state || ' with ' || t.token
FROM op AS o
JOIN main.tm_task AS t ON t.id = o.a
WHERE o.verb = 'complete' AND o.outcome = 'done' AND (t.state <> 'completed' OR t.token <> o.b);

-- rule: an_acknowledged_failure_left_its_error
SELECT 'task ' || t.id || ' failed with token ' || o.b || ', and has no such error'
FROM op AS o
JOIN main.tm_task AS t ON t.id = o.a
LEFT JOIN main.tm_attempt AS x ON x.task_id = o.a AND x.token = o.b
WHERE o.verb = 'fail' AND o.outcome = 'done' AND x.error IS NOT 'broke';

-- What a task writes and its end are one transaction.
-- rule: an_effect_happens_once
SELECT 'task ' || task_id || ' had its effect ' || count(*) || ' times'
FROM main.effect
GROUP BY task_id
HAVING count(*) > 1;

-- rule: an_effect_is_of_a_completed_task
SELECT 'task ' || e.task_id || ' had its effect with token ' || e.token || ', and is ' || t.state || ' with ' || t.token
FROM main.effect AS e
JOIN main.tm_task AS t ON t.id = e.task_id
WHERE t.state <> 'completed' OR t.token <> e.token;

-- Also where the process did not live to hear of it.
-- rule: a_completed_task_had_its_effect
SELECT 'task ' || t.id || ' was completed with token ' || t.token || ' together with an effect, which is not there'
FROM op AS o
JOIN main.tm_task AS t ON t.id = o.a AND t.token = o.b AND t.state = 'completed'
LEFT JOIN main.effect AS e ON e.task_id = t.id
WHERE o.verb = 'complete' AND o.outcome <> 'refused' AND o.c = 'effect' AND e.token IS NULL;

-- ---- migrations -----------------------------------------------------------------------------

-- The last one to end, where none was under way at the same time or later.
-- rule: an_acknowledged_migration_stays
SELECT 'life ' || o.life || ' brought the other database to ' || o.said || ', and it is at ' || other.version
FROM op AS o, other
WHERE o.verb = 'migrate' AND o.outcome = 'done' AND CAST(o.said AS INTEGER) <> other.version
  AND NOT EXISTS (
    SELECT 1 FROM op AS x
    WHERE x.verb = 'migrate' AND x.outcome <> 'refused' AND (x.life <> o.life OR x.seq <> o.seq)
      AND coalesce(x.ended_us, 9223372036854775807) > o.began_us
  );

-- ---- errors ---------------------------------------------------------------------------------

-- A verb may find that somebody was there before it, and nothing else.
-- rule: refusals_are_the_rules
SELECT verb || ' by life ' || life || ' ended with ' || said
FROM op
WHERE outcome = 'refused'
  AND said NOT LIKE '[lease_lost] %' AND said NOT LIKE '[wrong_state] %' AND said NOT LIKE '[no_such_task] %';
