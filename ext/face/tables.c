/* tables.c - every virtual table there is.
 * Owns:    their list, and what fills each: tm_claim, tm_history, tm_explain, tm_graph, tm_stats,
 *          tm_doctor, tm_help; tm_command is in command.c, tm_cron in fn_cron.c, tm_select in
 *          fn_select.c.
 * Promise: all but tm_claim and tm_command read only.
 * Why:     one row here is all that a new table takes; tools/reference prints it. */
#include "core/claim.h"
#include "face/args.h"
#include "face/command.h"
#include "face/fn_cron.h"
#include "face/fn_claim.h"
#include "face/fn_select.h"
#include "face/table.h"
#include "face/verbs.h"
#include "ops/doctor.h"

/* ---- tm_claim as rows ------------------------------------------------ */

/* The columns are those of claim_probe from id on, in that order. */
static void claim_add_row(void *arg, TmStmt *row) {
  TmRows *rows = arg;
  for (int i = 0; i < rows->table->columns; i++) {
    tm_rows_add_value(rows, sqlite3_column_value(row->stmt, TM_C_CLAIM_PROBE_ID + i));
  }
}

static void claim_rows_run(TmCall *call) {
  TmClaim claim = {.count = 1, .on_row = claim_add_row, .arg = call->arg};
  TmQueues queues;
  tm_args_queues(call, 0, &queues);
  claim.queues = queues.names;
  claim.queue_count = queues.count;
  claim.worker = tm_args_name(call, 1, "worker");
  if (tm_args_has(call, 2)) claim.count = tm_args_int(call, 2, "count", 0, TM_CLAIM_COUNT_MAX);
  if (tm_args_has(call, 3)) {
    claim.lease_ms = tm_args_duration(call, 3, "lease");
    if (!tm_run_failed(&call->run) && claim.lease_ms < 1) {
      tm_error_set(&call->run.error, TM_OUT_OF_RANGE, "lease is shorter than 1 ms");
    }
  }
  if (!tm_run_failed(&call->run)) tm_claim_run(&call->run, &claim);
  /* Without memory for its rows nothing is claimed. */
  TmRows *rows = call->arg;
#ifdef TM_TEST_UNMENDED /* for tests/fault/control.tcl only: once their values leaked */
  if (tm_run_failed(&rows->run)) rows->count = 0;
#endif
  if (tm_run_failed(&rows->run)) tm_error_nomem(&call->run.error);
  tm_args_free_queues(&queues);
}

static const TmVerb claim_rows_verb = {
    .name = "claim", .full = "tm_claim", .max_args = 4, .run = claim_rows_run};

static void claim_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  TmCall call;
  tm_call_init(&call, rows->run.context, &claim_rows_verb, 0, NULL);
  call.argv = argv;
  call.argc = argc;
  for (int i = 0; i < argc; i++) {
    if (!argv[i])
      tm_error_set(&call.run.error, TM_BAD_ARGUMENT, "count is missing, give it before lease");
  }
  call.arg = rows;
  tm_call_execute(&call);
  if (tm_run_failed(&call.run)) {
    tm_error_clear(&rows->run.error);
    rows->run.error = call.run.error;
    call.run.error.message = NULL;
  }
  tm_call_clear(&call);
}

/* ---- tables for looking ---------------------------------------------- */

/* The id of tm_history(id) and tm_explain(id). */
static sqlite3_int64 look_id(TmRows *rows, sqlite3_value **argv) {
  TmCall call;
  static const TmVerb nothing = {.full = ""};
  tm_call_init(&call, rows->run.context, &nothing, 1, argv);
  call.run.error.subject = rows->table->name;
  sqlite3_int64 id = tm_args_int(&call, 0, "id", 0, 0x7fffffffffffffffLL);
  rows->run.error = call.run.error;
  call.run.error.message = NULL;
  tm_call_clear(&call);
  return id;
}

static void history_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3_int64 id = look_id(rows, argv);
  tm_run_begin(&rows->run);
  TmStmt s;
  tm_stmt_open(&rows->run, TM_Q_HISTORY, &s);
  tm_stmt_bind_int(&s, TM_P_HISTORY_ID, id);
  tm_rows_add_all(rows, &s);
  tm_stmt_close(&s);
}

static void explain_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3_int64 id = look_id(rows, argv);
  tm_run_begin(&rows->run);
  TmStmt s;
  tm_stmt_open(&rows->run, TM_Q_EXPLAIN, &s);
  tm_stmt_bind_int(&s, TM_P_EXPLAIN_ID, id);
  tm_stmt_bind_int(&s, TM_P_EXPLAIN_NOW_MS, rows->run.now_ms);
  tm_rows_add_all(rows, &s);
  tm_stmt_close(&s);
  tm_stmt_open(&rows->run, TM_Q_LIMIT_EXPLAIN, &s);
  tm_stmt_bind_int(&s, TM_P_LIMIT_EXPLAIN_ID, id);
  tm_stmt_bind_int(&s, TM_P_LIMIT_EXPLAIN_NOW_MS, rows->run.now_ms);
  tm_rows_add_all(rows, &s);
  tm_stmt_close(&s);
}

static void graph_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3_int64 id = look_id(rows, argv);
  tm_run_begin(&rows->run);
  TmStmt s;
  tm_stmt_open(&rows->run, TM_Q_GRAPH, &s);
  tm_stmt_bind_int(&s, TM_P_GRAPH_ID, id);
  tm_rows_add_all(rows, &s);
  tm_stmt_close(&s);
}

static void stats_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  tm_run_begin(&rows->run);
  TmStmt s;
  tm_stmt_open(&rows->run, TM_Q_STATS, &s);
  tm_stmt_bind_int(&s, TM_P_STATS_NOW_MS, rows->run.now_ms);
  tm_rows_add_all(rows, &s);
  tm_stmt_close(&s);
}

static void doctor_add(void *arg, const char *name, const char *status, const char *detail,
                       const char *cure) {
  TmRows *rows = arg;
  tm_rows_add_text(rows, name);
  tm_rows_add_text(rows, status);
  tm_rows_add_text(rows, detail);
  tm_rows_add_text(rows, cure);
}

static void doctor_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  tm_doctor_run(&rows->run, doctor_add, rows);
}

static void help_add(TmRows *rows, const char *kind, const char *name, const char *arguments,
                     const char *result, const char *doc) {
  tm_rows_add_text(rows, kind);
  tm_rows_add_text(rows, name);
  tm_rows_add_text(rows, arguments);
  tm_rows_add_text(rows, result);
  tm_rows_add_text(rows, doc);
}

static void help_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  for (int i = 0; i < tm_verb_count; i++) {
    const TmVerb *verb = &tm_verbs[i];
    help_add(rows, "function", verb->full, verb->arguments, verb->result, verb->doc);
  }
  const TmTable *table;
  for (int i = 0; (table = tm_table_at(i)) != NULL; i++) {
    help_add(rows, "table", table->name, table->arguments, table->shows, table->doc);
  }
  for (int i = 0; i < TM_SYMBOL_COUNT; i++) {
    const char *symbol = tm_error_symbol_text((TmSymbol)i);
    help_add(rows, "error", symbol, "", "", tm_error_symbol_doc((TmSymbol)i));
  }
}

/* ---- the list -------------------------------------------------------- */

static const TmTable tables_list[] = {
    /* Not innocuous: both write. */
    {"tm_command", "CREATE TABLE x(verb, arg1, arg2, arg3, arg4, arg5 HIDDEN)", 6, 0, 0, false,
     false, NULL, tm_command_insert, "", "verb, arg1, arg2, arg3, arg4, arg5 (hidden)",
     "Every verb as DML, for pools, replicas and engines that take a SELECT for a read: `INSERT "
     "INTO tm_command(verb, arg1, ...)`, the verb being the function's name without tm_ and the "
     "arguments its arguments in order. A trailing NULL is an argument left out; "
     "arg5 has to be named, for INSERTs that name no columns give four. last_insert_rowid() is the "
     "id of the task acted on, 0 when there was none to claim. Reads "
     "as empty."},
    {"tm_claim",
     "CREATE TABLE x(id, token, queue, kind, payload, attempt, max_attempts, priority, run_at_ms,"
     " lease_until_ms, created_ms, worker, tags, metadata, error,"
     " in_queue HIDDEN, as_worker HIDDEN, max_count HIDDEN, for_lease HIDDEN)",
     15, 2, 4, true, false, claim_fill, NULL, "(queue, worker [, count [, lease]])",
     "id, token, queue, kind, payload, attempt, max_attempts, priority, run_at_ms, "
     "lease_until_ms, created_ms, worker, tags, metadata, error",
     "tm_claim as rows, in the order of the claim, for use after BEGIN IMMEDIATE or inside an "
     "INSERT; on its own `[needs_write_transaction]`. In a join it claims once for the same "
     "arguments. All that it claims is leased, also what a WHERE or LIMIT leaves out."},
    /* Innocuous: they read this schema's tables and nothing else. */
    {"tm_history",
     "CREATE TABLE x(id, task_id, from_state, to_state, at_ms, attempt, actor, reason,"
     " of_task HIDDEN)",
     8, 1, 1, false, true, history_fill, NULL, "(id)",
     "id, task_id, from_state, to_state, at_ms, attempt, actor, reason",
     "The life of a task: its birth first, then each move. No row for a task that is not there."},
    {"tm_explain", "CREATE TABLE x(reason, detail, until_ms, cure, of_task HIDDEN)", 4, 1, 1, false,
     true, explain_fill, NULL, "(id)", "reason, detail, until_ms, cure",
     "Why is this task not running: one row for each reason among `scheduled, blocked, retryable, "
     "running, waiting, cancelling, held, final, queue_paused, limit, behind, ready, "
     "no_such_task`. "
     "For a limit: which one, and who holds it; `behind` counts within the partition, where there "
     "are "
     "any."},
    {"tm_graph", "CREATE TABLE x(what, id, name, state, to_id, to_group, needs, of_task HIDDEN)", 7,
     1, 1, false, true, graph_fill, NULL, "(id)", "what, id, name, state, to_id, to_group, needs",
     "What a task hangs together with, nodes and then edges: `what` is task (name: its kind, or "
     "queue), group (state: open, sealed or finished), needs (id waits, or waited, for to_id or "
     "to_group: state is waits, met or failed), member (id is one of to_group), child (to_id is "
     "the "
     "parent of id). The 10,000 tasks that are reached first, by needs, groups, parents and "
     "children. No row for a task that is not there."},
    {"tm_select",
     "CREATE TABLE x(id, queue, state, kind, priority, run_at_ms, attempt, created_ms, finished_ms,"
     " of_filter HIDDEN)",
     9, 1, 1, false, true, tm_select_fill, NULL, "(filter)",
     "id, queue, state, kind, priority, run_at_ms, attempt, created_ms, finished_ms",
     "The tasks that a filter asks for, by id: the dry run of tm_cancel_where and the others, each "
     "of which then leaves alone the states that it does not take. In blocks of 256 rows, so that "
     "memory does not grow with their number. See Filters."},
    {"tm_stats",
     "CREATE TABLE x(queue, paused, scheduled, blocked, available, running, waiting, retryable,"
     " cancelling, held, completed, cancelled, discarded, oldest_available_ms, completed_1m,"
     " completed_1h, wait_p50_ms, wait_p95_ms, wait_p99_ms, run_p50_ms, run_p95_ms, run_p99_ms,"
     " schedules, next_slot_ms, max_running, partitions, partitions_ready)",
     27, 0, 0, false, true, stats_fill, NULL, "",
     "queue, paused, a column for each state's count, oldest_available_ms, completed_1m, "
     "completed_1h, wait_p50_ms, wait_p95_ms, wait_p99_ms, run_p50_ms, run_p95_ms, run_p99_ms, "
     "schedules, next_slot_ms, max_running, partitions, partitions_ready",
     "One row a queue. oldest_available_ms is an age; percentiles are of what completed in the "
     "last "
     "hour, from when a task might have run to its last claim, and from there to its end; "
     "schedules counts those that are neither paused nor at their end; partitions those with tasks "
     "in line or running. One pass over tm_task."},
    /* Not innocuous: its checks read everything, which a view should not start unseen. */
    {"tm_doctor", "CREATE TABLE x(name, status, detail, cure)", 4, 0, 0, false, false, doctor_fill,
     NULL, "", "name, status, detail, cure",
     "One row a check; status is `ok`, `warn` or `error`. Works on any database."},
    /* Innocuous, as tm_cron_next is. */
    {"tm_cron",
     "CREATE TABLE x(at_ms, of_spec HIDDEN, from_ms HIDDEN, max_count HIDDEN, in_zone HIDDEN)", 1,
     3, 4, true, true, tm_cron_fill, NULL, "(spec, from_ms, count [, zone])", "at_ms",
     "The next times after from_ms at which the schedule fires, as tm_cron_next gives them, at "
     "most `count` (0..10000). Works on any database."},
    /* Innocuous: reads nothing but what is compiled in. */
    {"tm_help", "CREATE TABLE x(kind, name, arguments, result, doc)", 5, 0, 0, false, true,
     help_fill, NULL, "", "kind, name, arguments, result, doc",
     "This reference: every function, table and error symbol. Works on any database."},
};

const TmTable *tm_table_at(int i) {
  return i < (int)(sizeof tables_list / sizeof tables_list[0]) ? &tables_list[i] : NULL;
}
