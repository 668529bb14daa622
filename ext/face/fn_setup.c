/* fn_setup.c - tm_init, tm_migrate, tm_version, tm_repair, tm_now and the clock.
 * Owns:    the change to WAL, and the savepoint of a migration.
 * Promise: many processes may set up one file at once; no transaction is left open. The one
 *          exception is a step without memory to make any statement: that transaction can only be
 *          rolled back.
 * Why:     a new schema is made in the atomic scope like any verb's work. Steps that drop a
 *          table cannot be: SQLite does that under no INSERT, so for them it is a savepoint
 *          under a bare SELECT. */
#include "base/os.h"
#include "base/json.h"
#include "core/clock.h"
#include "face/args.h"
#include "face/verbs.h"
#include "ops/repair.h"
#include "store/journal.h"
#include "store/migrate.h"
#include "store/schema.h"
#include "tm.h"

#define RETRY_US                 5000
#define DBCONFIG_ENABLE_COMMENTS 1022 /* newer than the headers may be */

void fn_version(TmCall *call) {
  tm_call_result_static(call, TM_VERSION);
}

/* ---- migrations ------------------------------------------------------ */

/* The statements that end the savepoint. They are made before they are needed, because under an
 * interrupt nothing can be, and anew whenever a step may have made SQLite throw them away. */
typedef enum Ending { UNDO, RELEASE, BREAKER, HOLDER, ENDINGS } Ending;
static const TmQuery ending_queries[ENDINGS] = {TM_Q_SAVEPOINT_UNDO, TM_Q_SAVEPOINT_RELEASE,
                                                TM_Q_SAVEPOINT_BREAK, TM_Q_SAVEPOINT_HOLD};

static void setup_prepare(void *arg, TmRun *run) {
  sqlite3_stmt **stmts = arg;
  for (int i = 0; i < ENDINGS; i++) {
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite3_prepare_v2(run->context->db, tm_query_text[ending_queries[i]], -1, &stmt, NULL);
    tm_error_sqlite(&run->error, run->context->db, rc);
    if (rc != SQLITE_OK) continue;
    sqlite3_finalize(stmts[i]);
    stmts[i] = stmt;
  }
}

static bool setup_step(TmRun *run, sqlite3_stmt *stmt) {
  if (!stmt) return false;
  int rc = sqlite3_step(stmt);
  if (rc != SQLITE_DONE) tm_error_sqlite(&run->error, run->context->db, rc);
  sqlite3_reset(stmt);
  return rc == SQLITE_DONE;
}

/* Have SQLite roll the whole transaction back; autocommit again means that it has. A write ends it
 * under an interrupt, which is over before a read begins; a damaged file lets nobody write, and
 * without memory nothing runs that does not run already. */
static void setup_break(TmRun *run, sqlite3_stmt **stmts) {
  sqlite3 *db = run->context->db;
  if (!sqlite3_get_autocommit(db)) setup_step(run, stmts[BREAKER]);
  /* To its row, where it has not been there, and behind it. */
  for (int i = 0; i < 2 && !sqlite3_get_autocommit(db); i++) {
    if (stmts[HOLDER]) sqlite3_step(stmts[HOLDER]);
  }
  /* The step had SQLite throw all of them away, and there was no memory to make one anew. */
  if (!sqlite3_get_autocommit(db)) run->context->is_ruined = true;
}

/* Close the savepoint whatever happened: undo first where something failed. */
static void setup_end_savepoint(TmRun *run, sqlite3_stmt **stmts) {
  run->context->is_ending = true;
  if (!tm_run_failed(run)) {
    int rc = sqlite3_step(stmts[HOLDER]);
    if (rc != SQLITE_ROW) tm_error_sqlite(&run->error, run->context->db, rc);
  }
  if (!tm_run_failed(run)) setup_step(run, stmts[RELEASE]);
  if (tm_run_failed(run)) {
    bool is_undone = setup_step(run, stmts[UNDO]) && setup_step(run, stmts[RELEASE]);
    /* Under a failure that sticks neither runs, in the caller's transaction either. */
    if (!is_undone) setup_break(run, stmts);
  }
  sqlite3_reset(stmts[HOLDER]);
  run->context->is_ending = false;
}

/* Wait for the lock, and look whether another connection has migrated in the meantime. The
 * statement is not kept: one that names the keeper would keep the connection from closing. */
static bool setup_is_still(TmRun *run, int version) {
  sqlite3_stmt *lock = NULL;
  int rc =
      sqlite3_prepare_v2(run->context->db, tm_query_text[TM_Q_SAVEPOINT_LOCK], -1, &lock, NULL);
  tm_error_sqlite(&run->error, run->context->db, rc);
  setup_step(run, lock);
  sqlite3_finalize(lock);
  return tm_schema_version(run) == version && !tm_run_failed(run);
}

/* False where the version is another one than `from` by now, and nothing was done. */
static bool setup_in_savepoint(TmCall *call, int from, int to) {
  TmRun *run = &call->run;
  bool is_current = false;
  sqlite3_stmt *stmts[ENDINGS] = {NULL};
  TmMigrateHook hook = {.after = setup_prepare, .arg = stmts};
  TmStmt open;
  tm_stmt_open(run, TM_Q_SAVEPOINT_OPEN, &open);
  setup_prepare(stmts, run);
  if (!tm_run_failed(run)) {
    int rc = sqlite3_step(open.stmt);
    sqlite3_reset(open.stmt);
    if (rc == SQLITE_BUSY) {
      tm_error_set(&run->error, TM_IN_TRANSACTION,
                   "this migration drops tables, which SQLite does not do inside another "
                   "statement, call it on its own by SELECT");
    } else if (rc != SQLITE_DONE) {
      tm_error_sqlite(&run->error, run->context->db, rc);
    } else {
      is_current = setup_is_still(run, from);
      if (is_current) tm_migrate_run(run, from, to, &hook);
      setup_end_savepoint(run, stmts);
    }
  }
  tm_stmt_close(&open);
  for (int i = 0; i < ENDINGS; i++) sqlite3_finalize(stmts[i]);
  return is_current || tm_run_failed(run);
}

/* The switch is the connection's own, and back as it was whatever happens. */
static bool setup_with_foreign_keys_off(TmCall *call, int from, int to) {
  sqlite3 *db = call->run.context->db;
  int is_on = 1;
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &is_on);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
  bool is_done = setup_in_savepoint(call, from, to);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, is_on, NULL);
  return is_done;
}

static bool setup_needs_savepoint(int from, int to) {
  return from != to && tm_migrate_drops(from, to); /* as a step does that makes a table anew */
}

/* Bring the schema to `version`; asks for the atomic scope where no table is dropped. */
static void setup_migrate(TmCall *call, int version) {
  TmRun *run = &call->run;
  int current = tm_migrate_check(run, version);
  while (!tm_run_failed(run) && setup_needs_savepoint(current, version)) {
    bool is_done = tm_migrate_makes_anew(current, version)
                       ? setup_with_foreign_keys_off(call, current, version)
                       : setup_in_savepoint(call, current, version);
    current = is_done ? version : tm_migrate_check(run, version);
  }
  if (tm_run_failed(run)) return;
  if (current != version) {
    if (!call->is_in_scope) {
      call->wants_scope = true;
      return;
    }
    tm_migrate_run(run, current, version, NULL);
  }
  tm_call_result_int(call, version);
}

/* The texts of the schema have comments, which SQLite takes or not, since 3.49, as the connection
 * says: that is back as it was whatever happens. An older SQLite knows no such switch. */
static void setup_with_comments(TmCall *call, void (*body)(TmCall *call)) {
  sqlite3 *db = call->run.context->db;
  int is_on = 1;
  sqlite3_db_config(db, DBCONFIG_ENABLE_COMMENTS, -1, &is_on);
  if (!is_on) sqlite3_db_config(db, DBCONFIG_ENABLE_COMMENTS, 1, NULL);
  body(call);
  if (!is_on) sqlite3_db_config(db, DBCONFIG_ENABLE_COMMENTS, 0, NULL);
}

static void setup_to_asked(TmCall *call) {
  int version = tm_schema_newest();
  if (tm_args_has(call, 0)) version = (int)tm_args_int(call, 0, "version", 0, version);
  if (!tm_run_failed(&call->run)) setup_migrate(call, version);
}

void fn_migrate(TmCall *call) {
  setup_with_comments(call, setup_to_asked);
}

/* ---- tm_init --------------------------------------------------------- */

/* Run a pragma that answers one row; true where that is the text `wanted`. */
static bool setup_pragma_is(TmRun *run, TmQuery query, const char *wanted) {
  TmStmt s;
  tm_stmt_open(run, query, &s);
  bool is_wanted = false;
  if (tm_stmt_row(&s)) {
    TmText mode = tm_stmt_text(&s, 0);
    is_wanted = mode.z && sqlite3_stricmp(mode.z, wanted) == 0;
  }
  tm_stmt_close(&s);
  return is_wanted;
}

static sqlite3_int64 setup_busy_timeout_ms(TmRun *run) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_BUSY_TIMEOUT, &s);
  sqlite3_int64 ms = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_BUSY_TIMEOUT_MS) : 0;
  tm_stmt_close(&s);
  return ms;
}

/* The change to WAL does not call the busy handler, so the waiting is done here. Where there can be
 * no WAL, asking for it leaves the journal as it is. */
static void setup_wal(TmRun *run) {
  sqlite3 *db = run->context->db;
  if (!tm_journal_is_file(db) || setup_pragma_is(run, TM_Q_JOURNAL_MODE, "wal")) return;
  if (!sqlite3_get_autocommit(db) || sqlite3_txn_state(db, "main") != SQLITE_TXN_NONE) {
    if (!tm_journal_can_share_wal(db)) return;
    tm_error_set(
        &run->error, TM_IN_TRANSACTION,
        "the journal mode cannot change to WAL inside a transaction, call it before BEGIN");
    return;
  }
  sqlite3_int64 until_us = tm_os_monotonic_us() + setup_busy_timeout_ms(run) * 1000;
  while (!tm_run_failed(run)) {
    setup_pragma_is(run, TM_Q_JOURNAL_WAL, "wal");
    bool is_busy = (run->error.rc & 0xff) == SQLITE_BUSY;
    if (!is_busy || tm_os_monotonic_us() >= until_us) return;
    tm_error_clear(&run->error);
    tm_os_sleep_us(RETRY_US);
  }
}

static void setup_to_newest(TmCall *call) {
  setup_migrate(call, tm_schema_newest());
}

void fn_init(TmCall *call) {
  if (!call->is_in_scope) {
    sqlite3_db_config(call->context->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    if (!call->is_command) setup_wal(&call->run);
    tm_journal_need(&call->run);
  }
  if (!tm_run_failed(&call->run)) setup_with_comments(call, setup_to_newest);
}

/* ---- the clock ------------------------------------------------------- */

void fn_now(TmCall *call) {
  tm_call_result_int(call, tm_clock_now(&call->run));
}

void fn_clock_set(TmCall *call) {
  sqlite3_int64 time_ms = tm_args_int(call, 0, "time_ms", 0, TM_TIME_MAX_MS);
  tm_call_result_int(call, tm_clock_set(&call->run, time_ms));
}

void fn_clock_advance(TmCall *call) {
  sqlite3_int64 duration_ms = tm_args_duration(call, 0, "duration");
  tm_call_result_int(call, tm_clock_advance(&call->run, duration_ms));
}

void fn_clock_clear(TmCall *call) {
  tm_call_result_int(call, tm_clock_clear(&call->run));
}

/* ---- tm_repair --------------------------------------------------------- */

static void setup_write_text(sqlite3_str *json, const char *key, const char *text) {
  sqlite3_str_appendf(json, ",\"%s\":", key);
  if (text) {
    tm_json_write_text(json, text, (int)strlen(text));
  } else {
    sqlite3_str_appendall(json, "null");
  }
}

static void setup_repaired(void *arg, const char *check, const char *did, const char *cure,
                           sqlite3_int64 rows) {
  sqlite3_str *json = arg;
  sqlite3_str_appendf(json, "%s{\"check\":\"%s\"", sqlite3_str_length(json) > 1 ? "," : "", check);
  setup_write_text(json, "did", did || cure ? did : "nothing, it is ok");
  if (cure) setup_write_text(json, "cure", cure);
  sqlite3_str_appendf(json, ",\"rows\":%lld}", rows);
}

static void setup_repair(TmCall *call) {
  TmText name = tm_args_has(call, 0) ? tm_args_name(call, 0, "check") : TM_NO_TEXT;
  if (call->context->depth > 1) {
    tm_error_set(&call->run.error, TM_TOO_DEEP,
                 "a trigger runs it inside another call, whose half of the work would be taken for "
                 "damage, run it on its own");
  }
  if (tm_run_failed(&call->run)) return;
  sqlite3_str *json = sqlite3_str_new(call->context->db);
  sqlite3_str_appendchar(json, 1, '[');
  tm_repair_run(&call->run, name, setup_repaired, json);
  sqlite3_str_appendchar(json, 1, ']');
  if (tm_run_failed(&call->run)) {
    sqlite3_free(sqlite3_str_finish(json));
  } else {
    tm_call_result_json(call, json);
  }
}

void fn_repair(TmCall *call) {
  setup_with_comments(call, setup_repair);
}
