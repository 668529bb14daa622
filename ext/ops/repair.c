/* repair.c - mend what the doctor names and a cure is known for.
 * Owns:    the cures, each a list of statements of sql/queries/repair.sql, or a function.
 * Promise: a cure counts only where its check is ok afterwards and no check is worse than
 *          before; SQLite undoes any other, and the result says that hands are needed.
 * Why:     a repair that guesses is worse than the damage. What would lose a task's payload, or
 *          is somebody's decision (the clock, a timeout), has no cure here. */
#include "ops/repair.h"

#include "base/suggest.h"
#include "core/queue.h"
#include "core/tick.h"
#include "ops/doctor.h"
#include "store/migrate.h"
#include "store/schema.h"

#define CHECKS_MAX  96
#define CHECK_BYTES 96
#define CURE_BYTES  160
#define NO_LIMIT    0x7fffffffffffffffLL

/* ---- what the doctor says ---------------------------------------------- */

typedef struct RepairCheck {
  char name[CHECK_BYTES];
  char cure[CURE_BYTES];
  bool is_ok, is_tried;
} RepairCheck;

typedef struct RepairReport {
  RepairCheck checks[CHECKS_MAX];
  int count;
} RepairReport;

static void repair_hear(void *arg, const char *name, const char *status, const char *detail,
                        const char *cure) {
  (void)detail;
  RepairReport *report = arg;
  if (report->count == CHECKS_MAX) return;
  RepairCheck *check = &report->checks[report->count++];
  sqlite3_snprintf(CHECK_BYTES, check->name, "%s", name);
  sqlite3_snprintf(CURE_BYTES, check->cure, "%s", cure ? cure : "");
  check->is_ok = strcmp(status, "ok") == 0;
  check->is_tried = false;
}

static void repair_ask(TmRun *run, RepairReport *report) {
  report->count = 0;
  tm_doctor_run(run, repair_hear, report);
}

static RepairCheck *repair_find(RepairReport *report, const char *name) {
  for (int i = 0; i < report->count; i++) {
    if (strcmp(report->checks[i].name, name) == 0) return &report->checks[i];
  }
  return NULL;
}

/* ---- statements ---------------------------------------------------------- */

/* Prepared anew, because it takes the switch for triggers as it stands then. */
static sqlite3_int64 repair_exec(TmRun *run, TmQuery query, bool has_triggers) {
  sqlite3 *db = run->context->db;
  sqlite3_stmt *stmt = NULL;
  if (!has_triggers) sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  int rc = sqlite3_prepare_v2(db, tm_query_text[query], -1, &stmt, NULL);
  int now = stmt ? sqlite3_bind_parameter_index(stmt, ":now_ms") : 0;
  int graph = stmt ? sqlite3_bind_parameter_index(stmt, ":graph") : 0;
  if (now) sqlite3_bind_int64(stmt, now, run->now_ms);
  if (graph) sqlite3_bind_text(stmt, graph, tm_graph_text, -1, SQLITE_STATIC);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  sqlite3_int64 rows = rc == SQLITE_DONE ? sqlite3_changes64(db) : 0;
  tm_error_sqlite(&run->error, db, rc);
  sqlite3_finalize(stmt);
  if (!has_triggers) sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
  return rows;
}

/* What of this name is there; *is_right where it is as the library makes it. */
static bool repair_is_there(TmRun *run, const TmSchemaPart *part, bool *is_right) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_OBJECT, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEMA_OBJECT_NAME, tm_text_of(part->name));
  bool is_there = tm_stmt_row(&s);
  *is_right = is_there && tm_schema_is_part(part, tm_stmt_text(&s, TM_C_SCHEMA_OBJECT_TYPE).z,
                                            tm_stmt_text(&s, TM_C_SCHEMA_OBJECT_SQL));
  tm_stmt_close(&s);
  return is_there;
}

static void repair_sql(TmRun *run, const char *sql) {
  sqlite3 *db = run->context->db;
  if (!tm_run_failed(run)) {
    tm_error_sqlite(&run->error, db, sqlite3_exec(db, sql, NULL, NULL, NULL));
  }
}

/* ---- cures that are more than statements ----------------------------------- */

static sqlite3_int64 repair_foreign_keys(TmRun *run) {
  sqlite3_db_config(run->context->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  return 0;
}

/* A table that is missing has lost its rows: an empty one would hide that. An index cannot be
 * dropped inside a statement. */
static sqlite3_int64 repair_objects(TmRun *run) {
  sqlite3_int64 made = 0;
  for (int i = 0; i < tm_schema_part_count && !tm_run_failed(run); i++) {
    const TmSchemaPart *part = &tm_schema_parts[i];
    if (strcmp(part->type, "insert") == 0 || strcmp(part->type, "table") == 0) continue;
    bool is_right = false;
    bool is_there = repair_is_there(run, part, &is_right);
    if (is_right || (is_there && !part->drop)) continue;
    if (is_there) repair_sql(run, part->drop);
    repair_sql(run, part->sql);
    made++;
  }
  return made;
}

static sqlite3_int64 repair_lapsed(TmRun *run) {
  tm_run_begin(run);
  TmTick counts = {0};
  char name[TM_NAME_MAX_BYTES + 1] = "";
  int n = 0;
  while (!tm_run_failed(run) && tm_queue_next(run, name, &n)) {
    tm_tick_rescue(run, (TmText){name, n}, NO_LIMIT, &counts);
  }
  return counts.rescued;
}

/* ---- the cures ------------------------------------------------------------- */

typedef struct RepairStep {
  enum { NO_STEP, IS_PLAIN, HAS_TRIGGERS } how;
  TmQuery query;
} RepairStep;

typedef struct RepairCure {
  const char *check;
  const char *did;
  sqlite3_int64 (*run)(TmRun *run);
  bool needs_clock;
  RepairStep steps[18]; /* one more than any has: behind the last is none */
} RepairCure;

#define DO(name)                                                                                   \
  { HAS_TRIGGERS, TM_Q_REPAIR_##name }
#define PLAIN(name)                                                                                \
  { IS_PLAIN, TM_Q_REPAIR_PLAIN_##name }

/* Whatever is wrong with the counts of the limits: all are counted anew. */
#define LIMITS DO(PLACES), DO(PARTITIONS), DO(LIMITS_GONE), DO(LIMITS)

static const RepairCure cures[] = {
    {"foreign_keys", "turned them on for this connection", repair_foreign_keys, false, {{0}}},
    {"settings_are_one_row", "restored the row", NULL, false, {DO(SETTINGS)}},
    {"schema_objects",
     "made the missing triggers, indexes and views",
     repair_objects,
     false,
     {{0}}},
    {"state_graph",
     "made its rows those of the library, removed the history of other moves",
     NULL,
     false,
     {PLAIN(GRAPH_STATES), PLAIN(GRAPH_MOVES), DO(GRAPH_EVENTS), PLAIN(GRAPH_MOVES_GONE),
      PLAIN(GRAPH_STATES_GONE), PLAIN(CHAIN), PLAIN(NEWEST), PLAIN(ENDS)}},
    {"foreign_key_check",
     "made missing queues, removed rows whose task, queue or move is not there",
     NULL,
     false,
     {DO(FK_QUEUES), DO(FK_ATTEMPTS), DO(FK_NOTES), DO(FK_COUNTS), DO(FK_DEPENDENCIES),
      DO(FK_SETTLE), DO(FK_GROUPS), DO(FK_WAITS), DO(GROUPS), DO(MOVES), PLAIN(CHAIN),
      PLAIN(NEWEST), PLAIN(ENDS), LIMITS}},
    {"tasks_with_flow_have_their_row",
     "cleared the bits that say so, counted the needs again",
     NULL,
     false,
     {DO(UNMET_ROWS), DO(FLOW_BITS), DO(GROUP_BITS), DO(UNMET), DO(SETTLE), DO(STAMP)}},
    {"unique_tasks_have_a_key",
     "cleared the bits that say so, removed keys whose task is not there",
     NULL,
     false,
     {DO(KEYS_GONE), DO(KEYS_OWNED), DO(KEYS_BITS)}},
    {"keys_are_of_unique_tasks",
     "set the bits, removed keys whose task is not there",
     NULL,
     false,
     {DO(KEYS_GONE), DO(KEYS_OWNED), DO(KEYS_BITS)}},
    {"keys_are_held_while_they_should",
     "took the keys, or let them go",
     NULL,
     false,
     {DO(KEYS_FREE), DO(KEYS_HELD)}},
    {"dependencies_are_told_by_bits",
     "set the bits",
     NULL,
     false,
     {DO(UNMET_ROWS), DO(BITS), DO(GROUP_BITS), DO(UNMET), DO(SETTLE), DO(STAMP)}},
    {"times_are_due", "set when they are due", NULL, false, {DO(TIMES)}},
    {"times_are_told_by_bits", "set the bits", NULL, false, {DO(TIMES_BITS), DO(TIMES_USED)}},
    {"needs_waited_for_are_counted",
     "counted them again",
     NULL,
     false,
     {DO(UNMET_ROWS), DO(GROUP_BITS), DO(UNMET), DO(SETTLE), DO(STAMP)}},
    {"tasks_that_wait_for_others_are_blocked",
     "let the tasks go",
     NULL,
     false,
     {DO(UNMET), DO(WAITS), DO(GROUP_WAITS)}},
    {"blocked_tasks_wait_for_others",
     "noted them for the next claim or tick",
     NULL,
     false,
     {DO(SETTLE), DO(STAMP)}},
    {"nobody_waits_for_a_finished_task",
     "noted them for the next claim or tick",
     NULL,
     false,
     {DO(SETTLE), DO(STAMP)}},
    {"groups_are_counted", "counted them again", NULL, false, {DO(FK_GROUPS), DO(GROUPS)}},
    {"groups_are_told_by_bits",
     "set the bits",
     NULL,
     false,
     {DO(UNMET_ROWS), DO(GROUP_BITS), DO(PARENTS)}},
    {"children_are_younger_than_their_parents",
     "took the parents that cannot be",
     NULL,
     false,
     {DO(YOUNG_PARENTS)}},
    {"nobody_waits_for_a_group_that_ended",
     "noted them for the next claim or tick",
     NULL,
     false,
     {DO(GROUP_ENDS), DO(SETTLE), DO(STAMP)}},
    {"states_are_known",
     "discarded the tasks",
     NULL,
     true,
     {PLAIN(STATES), DO(NOTES_MISSING), DO(KEYS_FREE), DO(GROUPS), DO(SETTLE), DO(STAMP), LIMITS}},
    {"leased_tasks_have_a_worker_and_a_lease", "ended the leases", NULL, false, {DO(LEASES)}},
    {"only_leased_tasks_have_a_lease", "cleared the ends", NULL, false, {DO(LEASE_ENDS)}},
    {"only_held_tasks_remember_where_from", "cleared it", NULL, false, {DO(HELD_FROM)}},
    {"attempts_are_not_more_than_claims", "set them to the claims", NULL, false, {DO(ATTEMPTS)}},
    {"errors_belong_to_claims", "removed the errors", NULL, false, {DO(ERRORS)}},
    {"history_is_not_newer_than_the_task",
     "joined task and history again",
     NULL,
     false,
     {PLAIN(CHAIN), PLAIN(NEWEST), PLAIN(ENDS)}},
    {"history_starts_at_an_event_of_the_task",
     "joined task and history again",
     NULL,
     false,
     {PLAIN(CHAIN), PLAIN(NEWEST), PLAIN(ENDS)}},
    {"history_ends_in_the_state_of_the_task",
     "counted the move that it does not have",
     NULL,
     false,
     {PLAIN(ENDS)}},
    {"history_is_one_chain",
     "linked it by its order",
     NULL,
     false,
     {PLAIN(CHAIN), PLAIN(NEWEST), PLAIN(ENDS)}},
    {"history_has_legal_moves_only",
     "removed the moves that cannot be",
     NULL,
     false,
     {DO(MOVES), PLAIN(CHAIN), PLAIN(NEWEST), PLAIN(ENDS)}},
    {"history_belongs_to_tasks",
     "removed what belongs to no task",
     NULL,
     false,
     {DO(ORPHANS), PLAIN(CHAIN), PLAIN(NEWEST), PLAIN(ENDS)}},
    {"finished_tasks_are_noted", "noted them", NULL, false, {DO(NOTES_MISSING)}},
    {"notes_are_of_finished_tasks", "removed the notes", NULL, false, {DO(NOTES_UNTRUE)}},
    {"finished_tasks_are_counted", "counted them", NULL, false, {DO(COUNTS_GONE), DO(COUNTS)}},
    {"tasks_take_their_place", "counted the queues anew", NULL, false, {LIMITS}},
    {"places_are_taken_by_tasks", "counted the queues anew", NULL, false, {LIMITS}},
    {"limits_are_counted", "counted the queues anew", NULL, false, {LIMITS}},
    {"limits_are_those_of_their_queue", "counted the queues anew", NULL, false, {LIMITS}},
    {"partitions_are_as_their_queue_says", "counted the queues anew", NULL, false, {LIMITS}},
    {"partitions_are_counted", "counted the queues anew", NULL, false, {LIMITS}},
    {"places_are_in_partitions", "counted the queues anew", NULL, false, {LIMITS}},
    {"partitions_know_who_is_first", "counted the queues anew", NULL, false, {LIMITS}},
    {"lapsed_leases", "took the leases back", repair_lapsed, false, {{0}}},
};
#define CURES (int)(sizeof cures / sizeof cures[0])

static const RepairCure *repair_cure(const char *check) {
  for (int i = 0; i < CURES; i++) {
    if (strcmp(cures[i].check, check) == 0) return &cures[i];
  }
  return NULL;
}

bool tm_repair_knows(const char *check) {
  return repair_cure(check) != NULL;
}

/* ---- one check ------------------------------------------------------------- */

typedef struct RepairTry {
  const RepairCure *cure;
  RepairReport before, after;
  sqlite3_int64 rows;
} RepairTry;

/* True where the check is ok now, and no other is worse. */
static bool repair_is_better(RepairTry *try) {
  RepairCheck *now = repair_find(&try->after, try->cure->check);
  if (!now || !now->is_ok) return false;
  for (int i = 0; i < try->before.count; i++) {
    if (!try->before.checks[i].is_ok) continue;
    now = repair_find(&try->after, try->before.checks[i].name);
    if (!now || !now->is_ok) return false;
  }
  return true;
}

static void repair_body(TmRun *run, void *arg) {
  RepairTry *try = arg;
  const RepairCure *cure = try->cure;
  if (cure->needs_clock) tm_run_begin(run);
  if (cure->run) try->rows = cure->run(run);
  for (const RepairStep *step = cure->steps; step->how && !tm_run_failed(run); step++) {
    try->rows += repair_exec(run, step->query, step->how == HAS_TRIGGERS);
  }
  tm_run_begin_stale(run);
  if (!tm_run_failed(run)) repair_ask(run, &try->after);
  if (!tm_run_failed(run) && !repair_is_better(try)) {
    tm_error_set(&run->error, TM_WRONG_STATE,
                 "the cure of '%s' did not help and was undone, mend the rows by hand",
                 cure->check);
  }
}

/* What SQLite itself cannot go on from ends the verb; among all, anything else ends only this
 * cure. Who asked for one check gets the reason as an error. */
static bool repair_recover(TmRun *run, bool is_only) {
  int rc = run->error.rc & 0xff;
  if (is_only) return false;
  if (rc != SQLITE_CONSTRAINT && rc != SQLITE_ERROR) return false;
  if (sqlite3_txn_state(run->context->db, "main") != SQLITE_TXN_WRITE) return false;
  tm_error_clear(&run->error);
  tm_run_begin_stale(run);
  tm_context_forget(run->context); /* as tm_run_clear() does after a failure */
  return true;
}

/* `check` is one of those before. */
static void repair_check(TmRun *run, RepairTry *try, RepairCheck *check, bool is_only,
                         TmRepairRow *row, void *arg) {
  const RepairCure *cure = repair_cure(check->name);
  check->is_tried = true;
  if (!cure) {
    row(arg, check->name, NULL, check->cure, 0);
    return;
  }
  try->cure = cure;
  try->rows = 0;
  tm_run_step(run, repair_body, try);
  if (!tm_run_failed(run)) {
    check->is_ok = true;
    row(arg, check->name, cure->did, NULL, try->rows);
  } else if (repair_recover(run, is_only)) {
    row(arg, check->name, NULL, "its cure did not help and was undone: mend the rows by hand", 0);
  }
}

/* ---- all of them ------------------------------------------------------------- */

static bool repair_is_named(const char *check, TmText name) {
  return (int)strlen(check) == name.n && memcmp(check, name.z, (size_t)name.n) == 0;
}

/* The doctor ends where the schema itself cannot be read, and then has not come to this check. */
static bool repair_is_out_of_reach(const RepairReport *report, TmText name) {
  if (report->count == 0 || report->checks[report->count - 1].is_ok) return false;
  for (int i = 0; i < CURES; i++) {
    if (repair_is_named(cures[i].check, name)) return true;
  }
  return false;
}

static void repair_unknown(TmRun *run, const RepairReport *report, TmText name) {
  if (repair_is_out_of_reach(report, name)) {
    const RepairCheck *last = &report->checks[report->count - 1];
    tm_error_set(&run->error, TM_WRONG_STATE, "'%.*s' was not looked at, for '%s' failed: %s",
                 name.n, name.z, last->name, last->cure);
    return;
  }
  TmSuggest suggest;
  tm_suggest_init(&suggest, name.z, name.n);
  for (int i = 0; i < report->count; i++) {
    tm_suggest_offer(&suggest, report->checks[i].name, (int)strlen(report->checks[i].name));
  }
  const char *best = tm_suggest_best(&suggest);
  if (best) {
    tm_error_set(&run->error, TM_BAD_ARGUMENT, "no check '%.*s', did you mean '%s'?", name.n,
                 name.z, best);
  } else {
    tm_error_set(&run->error, TM_BAD_ARGUMENT,
                 "no check '%.*s', see SELECT name FROM tm_doctor for those there are", name.n,
                 name.z);
  }
}

/* In the order of the cures: one check may stand in the way of those after it. */
static void repair_all(TmRun *run, RepairTry *try, TmRepairRow *row, void *arg) {
  RepairReport *report = &try->before;
  for (int i = 0; i < CURES && !tm_run_failed(run); i++) {
    RepairCheck *check = repair_find(report, cures[i].check);
    if (check && !check->is_ok) repair_check(run, try, check, false, row, arg);
    if (!tm_run_failed(run) && check && check->is_tried) repair_ask(run, report);
  }
  for (int i = 0; i < report->count && !tm_run_failed(run); i++) {
    RepairCheck *check = &report->checks[i];
    if (!check->is_ok && !repair_cure(check->name)) row(arg, check->name, NULL, check->cure, 0);
  }
}

void tm_repair_run(TmRun *run, TmText name, TmRepairRow *row, void *arg) {
  RepairTry *try = sqlite3_malloc64(sizeof *try);
  if (!try) {
    tm_error_nomem(&run->error);
    return;
  }
  RepairReport *report = &try->before;
  repair_ask(run, report);
  if (!name.z && !tm_run_failed(run)) {
    repair_all(run, try, row, arg);
  } else if (!tm_run_failed(run)) {
    RepairCheck *check = NULL;
    for (int i = 0; i < report->count; i++) {
      if (repair_is_named(report->checks[i].name, name)) check = &report->checks[i];
    }
    if (!check) {
      repair_unknown(run, report, name);
    } else if (check->is_ok) {
      row(arg, check->name, NULL, NULL, 0);
    } else if (!repair_find(report, "foreign_keys")->is_ok &&
               strcmp(check->name, "foreign_keys") != 0) {
      tm_error_set(&run->error, TM_FOREIGN_KEYS_OFF,
                   "this connection does not enforce foreign keys, run PRAGMA foreign_keys = ON");
    } else {
      repair_check(run, try, check, true, row, arg);
    }
  }
  run->task_id = 0;
  sqlite3_free(try);
}
