/* schema.c - which schema the database has.
 * Owns:    the question "is this database ours, and of which version".
 * Promise: reads only; leaves an error that is set already as it is.
 * Why:     a verb on a strange schema must say what to do, not "no such table". */
#include "store/schema.h"

#include "store/migrate.h"

int tm_schema_newest(void) {
  return tm_migrations[tm_migration_count - 1].version;
}

/* True where the database has the table of migrations. */
static bool schema_exists(TmRun *run) {
  TmStmt stmt;
  tm_stmt_open(run, TM_Q_SCHEMA_EXISTS, &stmt);
  bool exists = tm_stmt_row(&stmt);
  /* Hidden by an authorizer is not the same as not there, and would stay so in the statement. */
  if (!tm_run_failed(run) && !tm_stmt_reads(&stmt, TM_C_SCHEMA_EXISTS_NAME)) {
    tm_run_unreadable(run, "sqlite_schema");
  }
  tm_stmt_close(&stmt);
  return exists;
}

int tm_schema_version(TmRun *run) {
  if (!schema_exists(run)) return 0;
  TmStmt stmt;
  tm_stmt_open(run, TM_Q_SCHEMA_VERSION, &stmt);
  int version = tm_stmt_row(&stmt) ? (int)tm_stmt_int(&stmt, TM_C_SCHEMA_VERSION_VERSION) : 0;
  if (!tm_run_failed(run) && !tm_stmt_reads(&stmt, TM_C_SCHEMA_VERSION_VERSION)) {
    tm_run_unreadable(run, "tm_migration");
  }
  tm_stmt_close(&stmt);
  return version;
}

void tm_schema_explain(TmRun *run) {
  if (tm_run_failed(run)) return;
  int version = tm_schema_version(run);
  int newest = tm_schema_newest();
  if (tm_run_failed(run) || version == newest) return;
  if (version == 0) {
    tm_error_set(&run->error, TM_NOT_INITIALIZED,
                 "this database has no task tables, run SELECT tm_init()");
  } else if (version < newest) {
    tm_error_set(&run->error, TM_NOT_INITIALIZED,
                 "the schema is at version %d and the library needs %d, run SELECT tm_init()",
                 version, newest);
  } else {
    tm_error_set(&run->error, TM_SCHEMA_TOO_NEW,
                 "the schema is at version %d and this library knows %d, update the library",
                 version, newest);
  }
}

void tm_schema_refuse(TmRun *run) {
  tm_schema_explain(run);
  if (tm_run_failed(run)) return;
  tm_error_set(&run->error, TM_NOT_INITIALIZED,
               "the row of tm_setting is not there or may not be read, see tm_doctor");
}

bool tm_schema_has_graph(TmRun *run, sqlite3_int64 *states, sqlite3_int64 *moves) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_GRAPH, &s);
  bool is_whole = false;
  *states = *moves = 0;
  if (tm_stmt_row(&s)) {
    *states = tm_stmt_int(&s, TM_C_SCHEMA_GRAPH_STATES);
    *moves = tm_stmt_int(&s, TM_C_SCHEMA_GRAPH_MOVES);
    is_whole = *states == TM_GRAPH_STATES && *moves == TM_GRAPH_MOVES &&
               tm_stmt_int(&s, TM_C_SCHEMA_GRAPH_SETTINGS) == 1;
  }
  tm_stmt_close(&s);
  return is_whole;
}
