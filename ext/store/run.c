/* run.c - one verb under way: its error, its clock, its statements.
 * Owns:    the statement cache's only door, and the beginning of every verb.
 * Promise: a statement leaves the cache while it is used, so a nested call that
 *          wants the same one finds the place empty and makes its own.
 * Why:     a busy statement must never be reset under the feet of its user. */
#include "store/run.h"

#include "base/os.h"
#include "store/schema.h"

#include <string.h>

/* ---- the run --------------------------------------------------------- */

void tm_run_init(TmRun *run, TmContext *context, const char *subject) {
  memset(run, 0, sizeof *run);
  run->context = context;
  tm_error_init(&run->error, subject);
}

/* An authorizer that answers IGNORE stays in the statements made under it, also when the
 * application has taken it away again: SQLite makes them anew for a new one only. To compile all of
 * them costs milliseconds, so where the rules refuse a call only those go that had a part in it. */
static void run_forget(TmRun *run) {
  TmContext *context = run->context;
  if (tm_error_is_of_call(&run->error)) return;
  if (!tm_error_is_of_rules(&run->error)) {
    tm_context_forget(context);
    return;
  }
  context->settings.is_known = false;
  for (int i = 0; i < TM_QUERY_COUNT; i++) {
    if (!(run->used[i / 8] & 1U << i % 8)) continue;
    sqlite3_finalize(context->cached[i]);
    context->cached[i] = NULL;
  }
}

void tm_run_clear(TmRun *run) {
  if (tm_run_failed(run)) run_forget(run);
  tm_error_clear(&run->error);
}

sqlite3_int64 tm_run_set_clock(TmRun *run, bool is_frozen, sqlite3_int64 clock_ms) {
  run->is_frozen = is_frozen;
  run->now_ms = is_frozen ? clock_ms : tm_os_wall_us() / 1000;
  /* Rubbish that got past the constraints must not overflow what is counted from it. */
  if (run->now_ms < 0) run->now_ms = 0;
  if (run->now_ms > TM_TIME_MAX_MS) run->now_ms = TM_TIME_MAX_MS;
  return run->now_ms;
}

/* Ids are not used again: where the newest was deleted, the floor says what must be passed. Rows
 * that are not committed may go again, and prove nothing. */
static sqlite3_int64 run_floor(TmRun *run, const TmStmt *row, int last_deleted, int newest) {
  sqlite3_int64 floor = tm_stmt_int(row, last_deleted);
  bool is_committed = sqlite3_txn_state(run->context->db, "main") != SQLITE_TXN_WRITE;
  bool is_passed = is_committed && tm_stmt_int(row, newest) > floor;
  return floor <= 0 || is_passed ? TM_NO_FLOOR : floor;
}

static bool run_keep_settings(TmRun *run, const TmStmt *row) {
  TmSettings *settings = &run->context->settings;
  if (tm_stmt_is_null(row, TM_C_RUN_BEGIN_STAMP)) return false;
  if (tm_stmt_int(row, TM_C_RUN_BEGIN_VERSION) != tm_schema_newest()) return false;
  settings->stamp = tm_stmt_int(row, TM_C_RUN_BEGIN_STAMP);
  settings->is_frozen = !tm_stmt_is_null(row, TM_C_RUN_BEGIN_CLOCK_MS);
  settings->clock_ms = tm_stmt_int(row, TM_C_RUN_BEGIN_CLOCK_MS);
  settings->has_strict_queues = tm_stmt_int(row, TM_C_RUN_BEGIN_STRICT_QUEUES) != 0;
  settings->task_floor =
      run_floor(run, row, TM_C_RUN_BEGIN_LAST_DELETED_TASK_ID, TM_C_RUN_BEGIN_NEWEST_TASK_ID);
  settings->event_floor =
      run_floor(run, row, TM_C_RUN_BEGIN_LAST_DELETED_EVENT_ID, TM_C_RUN_BEGIN_NEWEST_EVENT_ID);
  settings->has_times = tm_stmt_int(row, TM_C_RUN_BEGIN_HAS_TIMES) != 0;
  settings->has_unsettled = !tm_stmt_is_null(row, TM_C_RUN_BEGIN_UNSETTLED_ID);
  settings->is_known = true;
  return true;
}

void tm_run_begin_unread(TmRun *run) {
  const TmSettings *settings = &run->context->settings;
  if (!settings->is_known) {
    tm_run_begin(run);
  } else if (!run->has_begun && !tm_run_failed(run)) {
    tm_run_set_clock(run, settings->is_frozen, settings->clock_ms);
    run->has_begun = true;
  }
}

void tm_run_begin_stale(TmRun *run) {
  run->has_begun = false;
  run->context->settings.is_known = false;
  sqlite3_free(run->context->queues);
  run->context->queues = NULL;
}

void tm_run_begin(TmRun *run) {
  if (run->has_begun || tm_run_failed(run)) return;
  run->context->settings.is_known = false;
  TmStmt stmt;
  tm_stmt_open(run, TM_Q_RUN_BEGIN, &stmt);
  bool is_current = tm_stmt_row(&stmt) && run_keep_settings(run, &stmt);
  tm_stmt_close(&stmt);
  if (!is_current) tm_schema_refuse(run);
  tm_run_begin_unread(run);
}

void tm_run_begin_from(TmRun *run, const TmStmt *row) {
  const TmSettings *settings = &run->context->settings;
  bool is_same = settings->is_known && !tm_stmt_is_null(row, TM_C_RUN_BEGIN_STAMP) &&
                 settings->stamp == tm_stmt_int(row, TM_C_RUN_BEGIN_STAMP);
  run->has_begun = false; /* the time is that of the row, also where the run has begun before */
  if (is_same) {
    tm_run_begin_unread(run);
  } else {
    tm_run_begin(run);
  }
}

void tm_run_dropped(TmRun *run, const char *table) {
  if (tm_run_failed(run)) return;
  tm_error_set(&run->error, TM_WRITE_DROPPED,
               "a write to %s vanished, look for a trigger that raises IGNORE or an authorizer "
               "that answers it",
               table);
}

void tm_run_unreadable(TmRun *run, const char *table) {
  if (tm_run_failed(run)) return;
  tm_error_set(&run->error, TM_WRITE_DROPPED,
               "a column of %s cannot be read, look for an authorizer that answers SQLITE_IGNORE",
               table);
}

/* ---- its statements -------------------------------------------------- */

/* What says all there is to say, of errors that share their code with "no such table": what an
 * authorizer denies, and the limits that the application set on its connection. */
static bool stmt_speaks_for_itself(const char *message) {
  static const char *const forms[] = {"not authorized*",
                                      "access to * is prohibited",
                                      "vtable constructor failed*",
                                      "LIKE or GLOB pattern too complex",
                                      "Expression tree is too large*",
                                      "too many *"};
  for (int i = 0; i < (int)(sizeof forms / sizeof forms[0]); i++) {
    if (sqlite3_strglob(forms[i], message) == 0) return true;
  }
  return false;
}

/* A table of the application's may hide one of SQLite's that a statement reads. */
static void stmt_need_functions(TmRun *run, TmQuery query) {
  const char *text = tm_query_text[query];
  if (!strstr(text, "main.json_each") && !strstr(text, "main.pragma_")) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_HIDES, &s);
  while (tm_stmt_row(&s)) {
    const char *name = tm_stmt_text(&s, TM_C_SCHEMA_HIDES_NAME).z;
    if (!name || !strstr(text, name)) continue;
    tm_error_set(&run->error, TM_NAME_TAKEN,
                 "a table named '%s' hides SQLite's function of that name, rename it first", name);
  }
  tm_stmt_close(&s);
}

/* "no such table" may mean that nobody ran tm_init(), or that somebody dropped it: then say that
 * instead. */
static void stmt_explain(TmRun *run, TmQuery query, int rc) {
  tm_error_sqlite(&run->error, run->context->db, rc);
  tm_schema_blame(run);
  if (rc != SQLITE_ERROR) return;
  const char *message = run->error.message ? run->error.message : "";
  if (stmt_speaks_for_itself(message)) return;
  TmError plain = run->error;
  tm_error_init(&run->error, plain.subject);
  if (run->is_explaining) {
    tm_error_set(&run->error, TM_SCHEMA_CHANGED,
                 "a table of ours is not as the library makes it (%s), see tm_doctor",
                 plain.message ? plain.message : "");
    tm_error_clear(&plain);
    return;
  }
  run->is_explaining = true;
  stmt_need_functions(run, query);
  tm_schema_explain(run);
  if (!tm_run_failed(run)) tm_schema_need_names(run);
  tm_schema_inspect(run);
  /* Where all is as it should be, only a hidden column makes an index of no use. */
  if (strcmp(message, "no query solution") == 0) {
    tm_run_unreadable(run, tm_query_reads[query].tables);
  }
  if (tm_run_failed(run)) {
    tm_error_clear(&plain);
  } else {
    run->error = plain;
  }
  run->is_explaining = false;
}

void tm_stmt_open(TmRun *run, TmQuery query, TmStmt *stmt) {
  *stmt = (TmStmt){.run = run, .query = query};
  if (tm_run_failed(run)) return;
  TmContext *context = run->context;
  run->used[query / 8] |= (unsigned char)(1U << query % 8);
  stmt->stmt = context->cached[query];
  context->cached[query] = NULL;
  if (stmt->stmt) return;
  context->readable[query] = 0;
  context->proven[query] = 0;
  context->compiled[query] = 0;
  int rc = sqlite3_prepare_v3(context->db, tm_query_text[query], -1, SQLITE_PREPARE_PERSISTENT,
                              &stmt->stmt, NULL);
  if (rc == SQLITE_OK) return;
  stmt->stmt = NULL;
  stmt_explain(run, query, rc);
}

void tm_stmt_close(TmStmt *stmt) {
  if (!stmt->stmt) return;
  TmContext *context = stmt->run->context;
  tm_error_sqlite(&stmt->run->error, context->db, sqlite3_reset(stmt->stmt));
  sqlite3_clear_bindings(stmt->stmt);
  /* SQLite compiles anew what it finds another schema for: look what that is. A PRAGMA it compiles
   * anew each time. */
  int compiled = sqlite3_stmt_status(stmt->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
  bool is_pragma = strncmp(tm_query_text[stmt->query], "PRAGMA", 6) == 0;
  if (compiled > context->compiled[stmt->query] && !is_pragma) context->is_inspected = false;
  context->compiled[stmt->query] = compiled;
  if (!stmt->is_hidden && !context->cached[stmt->query] && tm_context_keep(context)) {
    context->cached[stmt->query] = stmt->stmt;
  } else {
    sqlite3_finalize(stmt->stmt);
  }
  stmt->stmt = NULL;
}

/* A bind fails for want of memory or for a value over SQLite's limits. */
static void stmt_check(TmStmt *stmt, int rc) {
  tm_error_sqlite(&stmt->run->error, stmt->run->context->db, rc);
}

void tm_stmt_bind_null(TmStmt *stmt, int param) {
  if (stmt->stmt) stmt_check(stmt, sqlite3_bind_null(stmt->stmt, param));
}

void tm_stmt_bind_int(TmStmt *stmt, int param, sqlite3_int64 value) {
  if (stmt->stmt) stmt_check(stmt, sqlite3_bind_int64(stmt->stmt, param, value));
}

void tm_stmt_bind_real(TmStmt *stmt, int param, double value) {
  if (stmt->stmt) stmt_check(stmt, sqlite3_bind_double(stmt->stmt, param, value));
}

void tm_stmt_bind_text(TmStmt *stmt, int param, TmText text) {
  if (!stmt->stmt) return;
  stmt_check(stmt, sqlite3_bind_text64(stmt->stmt, param, text.z, (sqlite3_uint64)text.n,
                                       SQLITE_STATIC, SQLITE_UTF8));
}

void tm_stmt_bind_value(TmStmt *stmt, int param, const TmValue *value) {
  if (!stmt->stmt) return;
  sqlite3_uint64 bytes = (sqlite3_uint64)value->n;
  switch (value->type) {
  case SQLITE_INTEGER: tm_stmt_bind_int(stmt, param, value->i); break;
  case SQLITE_FLOAT: tm_stmt_bind_real(stmt, param, value->r); break;
  case SQLITE_TEXT:
    stmt_check(stmt, sqlite3_bind_text64(stmt->stmt, param, value->data, bytes, SQLITE_STATIC,
                                         SQLITE_UTF8));
    break;
  case SQLITE_BLOB:
    /* An empty blob may come with no address, which would bind NULL. */
    stmt_check(stmt, value->n == 0 ? sqlite3_bind_zeroblob(stmt->stmt, param, 0)
                                   : sqlite3_bind_blob64(stmt->stmt, param, value->data, bytes,
                                                         SQLITE_STATIC));
    break;
  default: tm_stmt_bind_null(stmt, param);
  }
}

void tm_stmt_bind_zeros(TmStmt *stmt, int param, int bytes) {
  if (stmt->stmt) stmt_check(stmt, sqlite3_bind_zeroblob(stmt->stmt, param, bytes));
}

void tm_stmt_bind_floor(TmStmt *stmt, int param, sqlite3_int64 floor) {
  if (floor == TM_NO_FLOOR) return;
  if (floor == INT64_MAX) {
    tm_error_set(&stmt->run->error, TM_RULE_BROKEN,
                 "tm_setting says that id %lld was used, and no id is after it, see tm_doctor",
                 floor);
  }
  tm_stmt_bind_int(stmt, param, floor);
}

void tm_stmt_bind_pointer(TmStmt *stmt, int param, void *pointer, const char *type) {
  if (stmt->stmt) stmt_check(stmt, sqlite3_bind_pointer(stmt->stmt, param, pointer, type, NULL));
}

/* A table that somebody made in the place of ours may have no types either. */
static void stmt_blame(const TmStmt *stmt) {
  TmRun *run = stmt->run;
  if (!run->is_explaining) {
    run->is_explaining = true;
    tm_schema_inspect(run);
    run->is_explaining = false;
  }
  tm_run_unreadable(run, tm_query_reads[stmt->query].tables);
}

/* An authorizer that answers SQLITE_IGNORE makes NULL of a column when a statement is compiled, and
 * the column's declared type goes with it, rows or none. One look lasts until that happens again.
 */
static bool stmt_reads(TmStmt *stmt) {
  uint64_t columns = tm_query_reads[stmt->query].columns;
  if (columns == 0 || stmt->is_read || !TM_HAS_DECLTYPE) return true;
  int *readable = &stmt->run->context->readable[stmt->query];
  int compiled = 1 + sqlite3_stmt_status(stmt->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
  for (int i = 0; *readable != compiled && columns >> i; i++) {
    if ((columns >> i & 1) == 0 || sqlite3_column_decltype(stmt->stmt, i)) continue;
    stmt->is_hidden = true;
    stmt_blame(stmt);
    return false;
  }
  *readable = compiled;
  stmt->is_read = true;
  return true;
}

bool tm_stmt_row(TmStmt *stmt) {
  if (!stmt->stmt || tm_run_failed(stmt->run)) return false;
  int rc = sqlite3_step(stmt->stmt);
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) return stmt_reads(stmt) && rc == SQLITE_ROW;
  /* A cached statement finds the schema gone here, and not when it is prepared. */
  if (!tm_run_failed(stmt->run)) stmt_explain(stmt->run, stmt->query, rc);
  return false;
}

void tm_stmt_exec(TmStmt *stmt) {
  while (tm_stmt_row(stmt)) {
  }
  tm_stmt_close(stmt);
}

TmProof tm_stmt_write(TmStmt *stmt, const char *table) {
  TmRun *run = stmt->run;
  sqlite3 *db = run->context->db;
  sqlite3_int64 before = sqlite3_total_changes64(db);
  while (tm_stmt_row(stmt)) {
  }
  TmProof proof = tm_stmt_proof(stmt);
  tm_stmt_close(stmt);
  /* A statement that an authorizer made empty does not set changes(), one that a trigger ended
   * early does not count its row. */
  bool is_counted = sqlite3_total_changes64(db) > before && sqlite3_changes(db) == 1;
  if (!tm_run_failed(run) && !is_counted) tm_run_dropped(run, table);
  return proof;
}

TmProof tm_stmt_proof(const TmStmt *stmt) {
  TmProof proof = {.query = stmt->query};
  if (!stmt->stmt) return proof;
  proof.compiled = 1 + sqlite3_stmt_status(stmt->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
  proof.is_proven = stmt->run->context->proven[stmt->query] == proof.compiled;
  return proof;
}

void tm_run_proven(TmRun *run, const TmProof *proof) {
  if (!tm_run_failed(run)) run->context->proven[proof->query] = proof->compiled;
}

bool tm_stmt_is_null(const TmStmt *stmt, int column) {
  return sqlite3_column_type(stmt->stmt, column) == SQLITE_NULL;
}

sqlite3_int64 tm_stmt_int(const TmStmt *stmt, int column) {
  return sqlite3_column_int64(stmt->stmt, column);
}

double tm_stmt_real(const TmStmt *stmt, int column) {
  return sqlite3_column_double(stmt->stmt, column);
}

/* In a database whose encoding is not UTF-8 a text takes memory to read: want of it is no NULL. */
static void stmt_need_memory(const TmStmt *stmt, int column) {
  if (!tm_stmt_is_null(stmt, column)) tm_error_nomem(&stmt->run->error);
}

TmText tm_stmt_text(const TmStmt *stmt, int column) {
  TmText text = {(const char *)sqlite3_column_text(stmt->stmt, column), 0};
  if (text.z) {
    text.n = sqlite3_column_bytes(stmt->stmt, column);
  } else {
    stmt_need_memory(stmt, column);
  }
  return text;
}

TmValue tm_stmt_value(const TmStmt *stmt, int column) {
  TmValue value = {.type = sqlite3_column_type(stmt->stmt, column)};
  switch (value.type) {
  case SQLITE_INTEGER: value.i = sqlite3_column_int64(stmt->stmt, column); break;
  case SQLITE_FLOAT: value.r = sqlite3_column_double(stmt->stmt, column); break;
  case SQLITE_TEXT:
    value.data = sqlite3_column_text(stmt->stmt, column);
    if (!value.data) stmt_need_memory(stmt, column);
    break;
  case SQLITE_BLOB: value.data = sqlite3_column_blob(stmt->stmt, column); break;
  default: break;
  }
  if (value.data) value.n = sqlite3_column_bytes(stmt->stmt, column);
  return value;
}

/* ---- a step that may fail --------------------------------------------- */

void tm_run_step(TmRun *run, void (*body)(TmRun *run, void *arg), void *arg) {
  TmStep step = {run, body, arg, false};
  TmStmt scope;
  tm_stmt_open(run, TM_Q_SCOPE_STEP, &scope);
  tm_stmt_bind_pointer(&scope, TM_P_SCOPE_STEP_STEP, &step, TM_STEP_POINTER);
  tm_stmt_exec(&scope);
  if (!tm_run_failed(run) && !step.was_run) tm_run_dropped(run, "tm_command");
}

void tm_run_enter_step(TmStep *step) {
  step->was_run = true;
  step->body(step->run, step->arg);
}
