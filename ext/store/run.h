/* run.h - one verb under way: its error, its clock, its statements.
 * Owns:    TmRun and TmStmt, which every rule in core/ is given.
 * Promise: after the first failure every call here is a no-op; a statement that
 *          is opened is given back by tm_stmt_close() on every path.
 * Why:     rules read as a list of steps, and check once at the end. */
#ifndef TM_STORE_RUN_H
#define TM_STORE_RUN_H

#include "base/error.h"
#include "base/value.h"
#include "store/context.h"

typedef struct TmRun {
  TmContext *context;
  TmError error;
  bool has_begun;
  bool is_explaining; /* looking for the reason of a failure, which may fail too */
  bool is_frozen;
  sqlite3_int64 now_ms;  /* the database's clock; known once the run has begun */
  sqlite3_int64 task_id; /* the task acted on, for last_insert_rowid(); 0: none */
  bool is_duplicate;     /* an enqueue found that task, and made none */
  unsigned char used[(TM_QUERY_COUNT + 7) / 8]; /* bits: the statements that it opened */
} TmRun;

typedef struct TmStmt {
  TmRun *run;
  sqlite3_stmt *stmt; /* NULL after a failure */
  TmQuery query;
  bool is_read;   /* its columns were looked at: they are there */
  bool is_hidden; /* they were not */
} TmStmt;

/* ---- the run --------------------------------------------------------- */

void tm_run_init(TmRun *run, TmContext *context, const char *subject);
void tm_run_clear(TmRun *run);
static inline bool tm_run_failed(const TmRun *run) {
  return run->error.rc != SQLITE_OK;
}

/* Read the clock and the settings, and see that the schema is the library's:
 * [not_initialized] or [schema_too_new] otherwise. Does its work once. */
void tm_run_begin(TmRun *run);

/* The same, from the row of a statement whose first two columns are stamp and clock_ms. */
void tm_run_begin_from(TmRun *run, const TmStmt *row);

/* The same without reading, from what the connection knows, where it knows anything. The caller
 * sees to it that a write fails where the stamp is another by now, and then calls _stale. */
void tm_run_begin_unread(TmRun *run);
void tm_run_begin_stale(TmRun *run);

/* Set the run's time; returns it. */
sqlite3_int64 tm_run_set_clock(TmRun *run, bool is_frozen, sqlite3_int64 clock_ms);

/* [write_dropped]: a statement did less than it should, without an error. A trigger that
 * raises IGNORE does that, and an authorizer that answers SQLITE_IGNORE. */
void tm_run_dropped(TmRun *run, const char *table);

/* The same for a read: an authorizer that answers SQLITE_IGNORE makes columns NULL. */
void tm_run_unreadable(TmRun *run, const char *table);

/* ---- a step that may fail --------------------------------------------- */

typedef struct TmStep {
  TmRun *run;
  void (*body)(TmRun *run, void *arg);
  void *arg;
  bool was_run;
} TmStep;

/* Run the body inside a verb so that SQLite undoes all that it wrote where it fails. The error
 * stays in the run; the caller may clear it and go on. */
void tm_run_step(TmRun *run, void (*body)(TmRun *run, void *arg), void *arg);

/* The body itself; called by the virtual table that is the scope. */
void tm_run_enter_step(TmStep *step);

/* The name by which a TmStep travels through sqlite3_bind_pointer(). */
#define TM_STEP_POINTER "tm_step"

/* ---- its statements -------------------------------------------------- */

/* Take the statement from the cache, or prepare it; inside itself a second one is made. */
void tm_stmt_open(TmRun *run, TmQuery query, TmStmt *stmt);

/* Reset and give back. A failure of the step before is kept. */
void tm_stmt_close(TmStmt *stmt);

void tm_stmt_bind_null(TmStmt *stmt, int param);
void tm_stmt_bind_int(TmStmt *stmt, int param, sqlite3_int64 value);
void tm_stmt_bind_real(TmStmt *stmt, int param, double value);
void tm_stmt_bind_text(TmStmt *stmt, int param, TmText text);           /* not copied */
void tm_stmt_bind_value(TmStmt *stmt, int param, const TmValue *value); /* not copied */
void tm_stmt_bind_zeros(TmStmt *stmt, int param, int bytes);            /* a blob of them */

/* The id that the next one has to pass, where it is not TM_NO_FLOOR. */
void tm_stmt_bind_floor(TmStmt *stmt, int param, sqlite3_int64 floor);
void tm_stmt_bind_pointer(TmStmt *stmt, int param, void *pointer, const char *type);

/* Step: true when there is a row, false at the end or on failure. [write_dropped] where an
 * authorizer hides a column of the result; inside an expression nobody can tell. */
bool tm_stmt_row(TmStmt *stmt);

/* Step to the end and give back. */
void tm_stmt_exec(TmStmt *stmt);

/* True where the statement, as it is compiled now, has been seen to write what it should: an
 * authorizer acts when a statement is compiled, so one look lasts until that happens again. Ask
 * before it is given back, and say so afterwards. */
typedef struct TmProof {
  TmQuery query;
  int compiled; /* how often, so far */
  bool is_proven;
} TmProof;
TmProof tm_stmt_proof(const TmStmt *stmt);

/* tm_stmt_exec() for a write of one row of `table`: [write_dropped] where none was written. */
TmProof tm_stmt_write(TmStmt *stmt, const char *table);
void tm_run_proven(TmRun *run, const TmProof *proof);

bool tm_stmt_is_null(const TmStmt *stmt, int column);
sqlite3_int64 tm_stmt_int(const TmStmt *stmt, int column);
double tm_stmt_real(const TmStmt *stmt, int column);
TmText tm_stmt_text(const TmStmt *stmt, int column);   /* alive until the next step or close */
TmValue tm_stmt_value(const TmStmt *stmt, int column); /* so too */

#endif
