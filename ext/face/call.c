/* call.c - one call of a verb, whichever skin it came through.
 * Owns:    the guards, and the atomic scope in which a verb that writes runs.
 * Promise: nothing is written where the connection could not keep it whole, or where
 *          what enforces the rules is switched off.
 * Why:     the scope is `INSERT INTO main.tm_command (verb) SELECT :call` with a pointer
 *          bound: no SQL can forge it, and its SELECT makes SQLite keep a
 *          statement journal, which a one-row VALUES would not. */
#include "face/call.h"

#include "store/journal.h"
#include "store/schema.h"

#define CALL_MAX_DEPTH 16

void tm_call_init(TmCall *call, TmContext *context, const TmVerb *verb, int argc,
                  sqlite3_value **argv) {
  memset(call, 0, sizeof *call);
  call->context = context;
  call->verb = verb;
  call->argv = argv;
  call->argc = argc;
  while (call->argc > 0 && sqlite3_value_type(argv[call->argc - 1]) == SQLITE_NULL) call->argc--;
  tm_run_init(&call->run, context, verb->full);
}

void tm_call_clear(TmCall *call) {
  if (!call->is_static) sqlite3_free(call->text);
  call->text = NULL;
  tm_run_clear(&call->run);
}

/* ---- guards ---------------------------------------------------------- */

static bool call_is_on(sqlite3 *db, int option) {
  int is_on = 1;
  sqlite3_db_config(db, option, -1, &is_on);
  return is_on != 0;
}

/* A replicated engine takes a SELECT for a read and loses what it writes. */
static bool call_is_replicated(sqlite3 *db) {
  sqlite3_vfs *vfs = NULL;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  return vfs && vfs->zName && strncmp(vfs->zName, "dqlite", 6) == 0;
}

static void call_guard_lock(TmCall *call) {
  sqlite3 *db = call->context->db;
  int state = sqlite3_txn_state(db, "main");
  if (state == SQLITE_TXN_READ && sqlite3_get_autocommit(db)) {
    tm_error_set(&call->run.error, TM_NEEDS_WRITE_TRANSACTION,
                 "the statement around this call already reads the database, so the call could not "
                 "wait for the lock: call it on its own, or after BEGIN IMMEDIATE, or by INSERT "
                 "INTO tm_command");
  } else if (state != SQLITE_TXN_WRITE && call_is_replicated(db)) {
    tm_error_set(&call->run.error, TM_NEEDS_WRITE_TRANSACTION,
                 "a replicated engine takes this SELECT for a read: call it after BEGIN IMMEDIATE, "
                 "or by INSERT INTO tm_command");
  }
}

static void call_guard(TmCall *call) {
  sqlite3 *db = call->context->db;
  TmError *error = &call->run.error;
  if (call->context->depth >= CALL_MAX_DEPTH) {
    tm_error_set(error, TM_TOO_DEEP,
                 "%d calls are inside each other already, look for a trigger that calls itself",
                 CALL_MAX_DEPTH);
  } else if (!(call->verb->flags & TM_VERB_SETS_UP) &&
             !call_is_on(db, SQLITE_DBCONFIG_ENABLE_FKEY)) {
    tm_error_set(error, TM_FOREIGN_KEYS_OFF,
                 "this connection does not enforce foreign keys, run PRAGMA foreign_keys = ON");
  } else if (!call_is_on(db, SQLITE_DBCONFIG_ENABLE_TRIGGER)) {
    tm_error_set(error, TM_TRIGGERS_OFF,
                 "this connection does not run triggers, set SQLITE_DBCONFIG_ENABLE_TRIGGER");
  } else if (!call_is_on(db, SQLITE_DBCONFIG_ENABLE_VIEW)) {
    tm_error_set(error, TM_TRIGGERS_OFF,
                 "this connection takes no views, and triggers of ours are on some, set "
                 "SQLITE_DBCONFIG_ENABLE_VIEW");
  } else {
    call_guard_lock(call);
    if (!(call->verb->flags & TM_VERB_SETS_JOURNAL)) tm_journal_need(&call->run);
  }
}

/* Rules that somebody dropped cannot hold: the first call of a connection looks, and the first
 * after the schema changed. It does so under the lock, because a transaction that began with a read
 * could not wait for it. */
static bool call_must_inspect(const TmCall *call) {
  return !(call->verb->flags & TM_VERB_SETS_UP) && !call->context->is_inspected;
}

static void call_inspect(TmCall *call) {
  tm_run_begin(&call->run); /* a schema of another version says so itself */
  tm_schema_inspect(&call->run);
}

/* ---- the scope ------------------------------------------------------- */

/* The verb did not run, and yet there was no error: the row went into somebody's own table of the
 * name, and comes out again, or an authorizer or a view took it. */
static void call_explain_scope(TmCall *call, bool is_written) {
  TmRun *run = &call->run;
  if (is_written) {
    TmStmt s;
    tm_stmt_open(run, TM_Q_SCOPE_TAKE_BACK, &s);
    tm_stmt_exec(&s);
    tm_error_clear(&run->error); /* a table without rowids has to keep it */
  }
  tm_schema_need_names(run);
  tm_run_dropped(run, "tm_command");
}

static void call_open_scope(TmCall *call) {
#ifdef TM_TEST_TORN /* for tests/atomic/torn.test only, which must see what it breaks */
  tm_call_enter(call);
  return;
#endif
  TmStmt scope;
  tm_stmt_open(&call->run, TM_Q_SCOPE_ENTER, &scope);
  tm_stmt_bind_pointer(&scope, TM_P_SCOPE_ENTER_CALL, call, TM_CALL_POINTER);
  call->was_run = false;
  sqlite3_int64 before = sqlite3_total_changes64(call->context->db);
  tm_stmt_exec(&scope);
  if (tm_run_failed(&call->run) || call->was_run) return;
  call_explain_scope(call, sqlite3_total_changes64(call->context->db) > before);
}

void tm_call_enter(TmCall *call) {
  call->was_run = true;
  call->is_in_scope = true;
  if (call_must_inspect(call)) call_inspect(call);
  if (!tm_run_failed(&call->run)) call->verb->run(call);
  call->is_in_scope = false;
}

/* True where the verb is done without the write lock. */
static bool call_is_done_outside(TmCall *call) {
  const TmVerb *verb = call->verb;
  if (verb->flags & TM_VERB_TRIES_FIRST) {
    call->only_reads_arguments = call_must_inspect(call);
    verb->run(call);
    call->only_reads_arguments = false;
    return !call->wants_scope;
  }
  if (!verb->is_idle || call->is_command) return false;
  if (sqlite3_txn_state(call->context->db, "main") != SQLITE_TXN_NONE) return false;
  return verb->is_idle(call);
}

void tm_call_execute(TmCall *call) {
  if (call->verb->flags & TM_VERB_READS) {
    call->verb->run(call);
    return;
  }
  call_guard(call);
  if (tm_run_failed(&call->run)) return;
  sqlite3_int64 rowid = sqlite3_last_insert_rowid(call->context->db);
  call->context->depth++;
  if (!call_is_done_outside(call)) call_open_scope(call);
  call->context->depth--;
  if (tm_run_failed(&call->run)) call->run.task_id = 0;
  bool keeps = !(call->verb->flags & TM_VERB_SETS_ROWID) || tm_run_failed(&call->run);
  sqlite3_set_last_insert_rowid(call->context->db, keeps ? rowid : call->run.task_id);
}

/* ---- results --------------------------------------------------------- */

void tm_call_result_int(TmCall *call, sqlite3_int64 value) {
  call->type = TM_RESULT_INT;
  call->i = value;
}

void tm_call_result_static(TmCall *call, const char *text) {
  call->type = TM_RESULT_TEXT;
  call->text = (char *)(size_t)text;
  call->is_static = true;
}

void tm_call_result_json(TmCall *call, sqlite3_str *json) {
  int rc = sqlite3_str_errcode(json);
  char *text = sqlite3_str_finish(json);
  if (rc != SQLITE_OK) {
    sqlite3_free(text);
    tm_error_sqlite(&call->run.error, call->context->db, rc);
    return;
  }
  call->type = TM_RESULT_TEXT;
  call->text = text;
  call->is_static = false;
}
