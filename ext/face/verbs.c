/* verbs.c - every verb there is.
 * Owns:    names, arity, flags and the one-line docs of the reference.
 * Promise: what stands here is what is registered; tools/reference prints it.
 * Why:     one fact, one place. */
#include "face/verbs.h"

#define WRITES 0
#define READS  TM_VERB_READS
#define JSON   TM_VERB_IS_JSON
#define DIRECT TM_VERB_IS_DIRECT_ONLY
#define PURE   TM_VERB_IS_INNOCUOUS
#define TRIES  TM_VERB_TRIES_FIRST
#define SETUP  TM_VERB_SETS_UP

/* name, least and most arguments, flags, function, look before the lock,
 * arguments, result, doc. A verb that may run from a user's trigger is neither
 * innocuous nor direct-only: the schema that calls it must be a trusted one. */
#define VERB(name, min, max, flags, idle, arguments, result, doc)                                  \
  { #name, "tm_" #name, min, max, flags, fn_##name, idle, arguments, result, doc }

const TmVerb tm_verbs[] = {
    /* Set-up. Direct-only: no trigger or view of a schema may change the schema. */
    VERB(init, 0, 0, TRIES | SETUP | DIRECT | TM_VERB_SETS_JOURNAL, NULL, "", "schema version",
         "Sets the database up: WAL journal (file databases), foreign keys on, all pending "
         "migrations. Idempotent; waits up to the busy timeout. Refuses inside a transaction where "
         "the journal mode would have to change `[in_transaction]`. Where there can be no WAL (a "
         "database in memory, a VFS without shared memory) the journal stays as it is. By "
         "tm_command it migrates and leaves the journal mode as it is."),
    VERB(migrate, 0, 1, TRIES | SETUP | DIRECT, NULL, "[version]", "schema version",
         "Migrations up or down to a version (the newest by default, 0 removes all), all or "
         "nothing, inside the caller's transaction where there is one. Down works on its own or "
         "in a transaction, not inside another statement `[in_transaction]`. Refuses a database "
         "newer than the library `[schema_too_new]`, changed migrations `[schema_changed]`, names "
         "taken by somebody else `[name_taken]`."),
    /* Innocuous: a constant. */
    VERB(version, 0, 0, READS | SETUP | PURE, NULL, "", "text", "The library's version."),

    /* The life of a task. */
    VERB(enqueue, 2, 3, TRIES | TM_VERB_SETS_ROWID, NULL, "queue, payload [, options]", "id",
         "New task; the payload (any SQL value) is stored as given. The queue comes into being "
         "with its first task, unless queues are strict `[no_such_queue]`. Options: `priority` "
         "(-32768..32767, higher first), `delay` (duration) or `run_at_ms`, `max_attempts` "
         "(1..1000000), `backoff` "
         "(`{\"kind\":\"fixed|linear|exponential\",\"base\":duration,\"max\":duration,\"jitter\":0."
         ".1}`), "
         "`lease` (duration), `kind` (text), `tags` (array of text), `metadata` (object), `held` "
         "(true: set aside at birth), `partition` (text), `group` (text: one of a batch, until "
         "tm_seal), `parent` (id of a task), `expires` and `deadline` (a duration "
         "from now "
         "or `{\"at_ms\":...}`: too late to start; too late altogether), `timeout` (duration: the "
         "longest that one attempt may run; see Times), `after` (an id, or "
         "`{\"id\":...,\"on\":\"completed|final\"}`, or an array "
         "of them, 10000 at most: the task is blocked until all have ended so), `on_failure` (with "
         "after, for one that ends otherwise: `cancel`, the default, `hold` or `ignore`), `unique` "
         "(a text, or an object; see Unique tasks). What is left out comes from the queue's row."),
    /* Innocuous: like changes(), it tells of the connection and reads nothing. */
    VERB(was_duplicate, 0, 0, READS | SETUP | PURE, NULL, "", "1 or 0",
         "Whether the last tm_enqueue of this connection that did not fail found a task that holds "
         "its unique key, and so made none. Not of tm_inbox."),
    VERB(claim, 2, 3, JSON, fn_claim_is_idle, "queue, worker [, options]",
         "JSON object of the task, NULL when there is none; with `count`, a JSON array",
         "The best available task becomes running, leased to the worker: priority (higher first), "
         "then run_at_ms, then id. Fires and promotes what is due and rescues what has lapsed in "
         "the queue first, at most 256 tasks each. `queue` may be a JSON array of names, first to "
         "last. "
         "Options: `lease` (duration), `count` (0..1000), `id` (this very task, if it is "
         "available)."),
    VERB(complete, 2, 3, WRITES, NULL, "id, token [, result]", "`'completed'`",
         "running or cancelling -> completed; the result (any SQL value) is stored. "
         "`[no_such_task]`, `[lease_lost]`, `[wrong_state]`."),
    VERB(fail, 3, 4, WRITES, NULL, "id, token, error [, options]", "the new state",
         "running -> retryable, after the backoff, or discarded with no attempt left; cancelling "
         "-> cancelled. The error text is kept in `tm_attempt`, and in the task. Options: `delay` "
         "(duration, instead of the backoff), `discard` (true: not worth retrying)."),
    VERB(snooze, 3, 3, WRITES, NULL, "id, token, delay", "`'scheduled'`",
         "running -> scheduled; the attempt does not count. A cancelling task is cancelled."),
    VERB(release, 2, 2, WRITES, NULL, "id, token", "`'available'`",
         "running -> available now; the attempt does not count. For a graceful shutdown. A "
         "cancelling task is cancelled."),
    VERB(heartbeat, 2, 3, WRITES, NULL, "id, token [, options]",
         "`'running'`, or `'cancelling'` when it should stop",
         "Extends the lease from now. Options: `lease` (duration), `progress` (0..1, null takes it "
         "away), `note` (text, null takes it away)."),
    VERB(cancel, 1, 3, WRITES, NULL, "id [, reason] [, options]", "the new state",
         "A waiting task is cancelled; a running one is cancelling, and cancelled once its worker "
         "fails it, lets go or loses the lease; it may still complete. Cancelling and cancelled "
         "ones stay as they are. Options: `children` (true: all tasks below it too, those that are "
         "final left alone; the task itself may then be final), `reason`; a second argument that "
         "begins with `{` is taken for the options."),
    VERB(retry, 1, 2, WRITES, NULL, "id [, options]", "`'available'`",
         "discarded, cancelled, retryable or scheduled -> available, with a fresh set of attempts. "
         "Option: `completed` (true: a completed task too)."),
    VERB(hold, 1, 1, WRITES, NULL, "id", "`'held'`", "Sets a waiting task aside until tm_unhold."),
    VERB(unhold, 1, 1, WRITES, NULL, "id", "the new state",
         "Puts a held task back where it was; where its time came meanwhile, it is available."),
    VERB(
        reschedule, 2, 2, WRITES, NULL, "id, when", "the new state",
        "Moves a scheduled, retryable or available task in time. `when` is a duration from now, or "
        "`{\"run_at_ms\":...}`. A time that has come makes it available."),
    VERB(delete, 1, 1, WRITES, NULL, "id", "1",
         "Removes a final task and what belongs to it. A row of the application that points at it "
         "is the application's own foreign-key error."),
    VERB(
        depend, 2, 3, WRITES, NULL, "id, needs_id [, options]", "the new state",
        "The task waits for one more: a scheduled, available or blocked one is blocked, a held one "
        "stays held; where the other is completed already, it stays as it is, and where that has "
        "failed, its on_failure is done at once. Option: `on` (`completed`, the default, or "
        "`final`: however it ends). What is there already stays as it is. `[no_such_task]`, "
        "`[wrong_state]`, `[cycle]`."),
    VERB(inputs, 1, 1, READS | JSON, NULL, "id", "JSON array, or NULL",
         "What the task waits, or waited, for, in the order of the ids: an object for each, `id, "
         "kind, state, result, error`."),
    VERB(get, 1, 1, READS | JSON, NULL, "id", "JSON, or NULL",
         "The task with its payload, result and the errors of its attempts; `schedule` and "
         "`slot_ms` where a schedule made it; `partition`, `unique`, `after`, `group`, `parent_id` "
         "and what "
         "else there is of its place among others."),

    /* Many tasks at once. */
    VERB(cancel_where, 1, 3, WRITES, NULL, "filter [, reason] [, options]",
         "count of tasks changed",
         "tm_cancel of every task that the filter asks for; see Filters. Of running ones each is "
         "cancelling, with its lease as it was; cancelling, cancelled, completed and discarded "
         "ones are left alone. Options: those of tm_cancel; `limit` is then of the tasks that the "
         "filter asks for, and the count is of all."),
    VERB(retry_where, 1, 1, WRITES, NULL, "filter", "count of tasks changed",
         "tm_retry of discarded, cancelled, retryable and scheduled ones, and of completed ones "
         "where `state` names them. The others are left alone."),
    VERB(hold_where, 1, 1, WRITES, NULL, "filter", "count of tasks changed",
         "tm_hold of waiting ones. The others are left alone."),
    VERB(unhold_where, 1, 1, WRITES, NULL, "filter", "count of tasks changed",
         "tm_unhold of held ones. The others are left alone."),
    VERB(reschedule_where, 2, 2, WRITES, NULL, "filter, when", "count of tasks changed",
         "tm_reschedule of scheduled, retryable and available ones, all to the same time: a "
         "duration counts from the beginning of the call. Those whose time it is already, and all "
         "others, are left alone."),
    VERB(delete_where, 1, 1, WRITES, NULL, "filter", "count of tasks removed",
         "tm_delete of cancelled and discarded ones, and of completed ones where `state` names "
         "them. The others are left alone. One that a row of the application points at fails the "
         "call, which then removes none."),

    /* Groups. */
    VERB(seal, 1, 1, WRITES, NULL, "group", "1",
         "Closes a group: no task joins it any more `[wrong_state]`, and when its tasks are final "
         "it is finished. A group comes into being with its first task; `tm_group` shows its "
         "counts and progress. `[no_such_group]`."),

    /* Queues and upkeep. */
    VERB(pause, 1, 1, WRITES, NULL, "queue", "1",
         "Nothing is claimed from the queue, by any connection. `[no_such_queue]`."),
    VERB(resume, 1, 1, WRITES, NULL, "queue", "1", "Ends tm_pause. `[no_such_queue]`."),
    VERB(tick, 0, 1, JSON, NULL, "[options]",
         "JSON of counts: `promoted, rescued, expired, fired, pruned`",
         "One bounded, idempotent round of maintenance over all queues; anyone may call it at any "
         "time, nobody has to: promotes what is due, takes back lapsed leases, fires schedules. "
         "rescued counts every lease taken back, whatever became of the task. "
         "Option: `limit` (1..1000000, default 1000)."),
    VERB(prune, 0, 1, JSON, NULL, "[options]", "JSON of a count: `pruned`",
         "Removes finished tasks that their queue does not keep any longer, the oldest first, each "
         "as tm_delete does: columns `keep_completed_ms`, `keep_cancelled_ms`, `keep_discarded_ms` "
         "and `keep_count` of `tm_queue`, see Retention. tm_tick does the same. A task that a "
         "foreign key or a trigger keeps stays, and tm_doctor names it. Options: `limit` "
         "(1..1000000, default 1000), `queue` (a name, `[no_such_queue]`)."),
    VERB(reconcile, 0, 1, JSON, NULL, "[worker]",
         "JSON of counts: those of tm_tick, and `discarded, cancelled`",
         "At startup: everything still leased (to that worker, where named) goes back to available "
         "at once; the attempt counts, and with none left the task is discarded; a cancelling one "
         "is cancelled. Then a tick. discarded and cancelled are among rescued."),
    /* Direct-only, as the set-up is: it puts triggers and rows in order. */
    VERB(
        repair, 0, 1, JSON | SETUP | DIRECT, NULL, "[check]",
        "JSON array, an object for each check: `check, did, rows`; where nothing was done `did` is "
        "null and `cure` says what a person may do",
        "Mends what tm_doctor names and a cure is known for: every check that is not ok, or this "
        "one. A cure counts only where the check is ok afterwards and no other is worse; "
        "otherwise it is undone. Idempotent. Removes no task, and no payload. An unknown check is "
        "`[bad_argument]`."),
    /* Direct-only: in a trigger or a view the statement that sleeps would hold its lock or
       snapshot. */
    VERB(wait, 2, 2, READS | DIRECT, NULL, "queue, timeout", "1 or 0",
         "Blocks until something may be claimable, or the time (a duration) is over; holds no "
         "lock, no statement and no snapshot; interruptible. `queue` may be a JSON array. Refuses "
         "inside a transaction `[in_transaction]`, and so always by tm_command."),

    /* Schedules. */
    VERB(
        schedule, 4, 5, WRITES, NULL, "name, spec, queue, payload [, options]",
        "ms since 1970 of its next slot, NULL where there is none",
        "A task for the queue at each time that the spec names (see Specs and Slots); a schedule "
        "of this "
        "name is changed. The queue comes into being with it, unless queues are strict "
        "`[no_such_queue]`. Options: those of tm_enqueue but run_at_ms, unique, "
        "after, on_failure, group and parent, for each task (its times are durations from its "
        "birth); `zone` (an "
        "IANA name; UTC where none is given), `catch_up` (`none`, `one`, the default, or `all`: "
        "which of the slots that were missed fire), `overlap` (`allow`, the default, `skip` or "
        "`queue`: what becomes of a slot while a task of the schedule is not finished), `start_ms` "
        "and `end_ms` (slots from and up to then, both included), `max_runs` (so many tasks), "
        "`jitter` (duration: run_at_ms is up to so much later, by a number from name and slot)."),
    VERB(unschedule, 1, 1, WRITES, NULL, "name", "1",
         "Removes a schedule; the tasks that it made stay. `[no_such_schedule]`."),
    VERB(pause_schedule, 1, 1, WRITES, NULL, "name", "1",
         "No slot of the schedule fires, not even later. `[no_such_schedule]`."),
    VERB(resume_schedule, 1, 1, WRITES, NULL, "name", "1",
         "Ends tm_pause_schedule: goes on with the first slot from now. `[no_such_schedule]`."),

    /* Innocuous: it reads the system's zone files, under names that lead nowhere else,
     * in bounded time, and nothing of the database. */
    VERB(cron_next, 2, 3, READS | SETUP | PURE, NULL, "spec, after_ms [, zone]",
         "ms since 1970, NULL where it is never",
         "The first time after after_ms at which the schedule fires, by the clocks of the zone (an "
         "IANA name; UTC where none is given). Works on any database. `spec`: five or six cron "
         "fields, `@daily` and the like, or `@every 90s`; see Specs."),

    /* The clock. Innocuous: one number. To set it is direct-only: every lease follows it. */
    VERB(now, 0, 0, READS | SETUP | PURE, NULL, "", "ms since 1970",
         "The database's clock: the machine's, unless it is frozen."),
    VERB(clock_set, 1, 1, DIRECT, NULL, "time_ms", "ms since 1970",
         "Freezes the clock of the database at a time, for tests: leases, backoff, schedules and "
         "history follow it on every connection."),
    VERB(clock_advance, 1, 1, DIRECT, NULL, "duration", "ms since 1970",
         "Moves the clock ahead, and freezes it where it ran."),
    VERB(clock_clear, 0, 0, DIRECT, NULL, "", "ms since 1970", "Lets the clock run again."),
};

const int tm_verb_count = (int)(sizeof tm_verbs / sizeof tm_verbs[0]);

const TmVerb *tm_verbs_find(TmText name) {
  for (int i = 0; i < tm_verb_count; i++) {
    if ((int)strlen(tm_verbs[i].name) == name.n &&
        memcmp(tm_verbs[i].name, name.z, (size_t)name.n) == 0) {
      return &tm_verbs[i];
    }
  }
  return NULL;
}
