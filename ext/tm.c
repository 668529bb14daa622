/* tm.c - the entry point, the single exported symbol.
 * Owns:    the order of registration.
 * Promise: loading writes nothing to the database; a second load changes nothing; a load
 *          that fails leaves no memory behind, the connection frees what it got.
 * Why:     replacing functions under running statements would leave half of them new. */
#define TM_DEFINES_SQLITE_API
#include "base/sqlite.h"
#if !defined(SQLITE_CORE) && !defined(TM_AMALGAMATION)
SQLITE_EXTENSION_INIT1
#endif

#include "face/functions.h"
#include "face/table.h"
#include "tm.h"

#ifdef _WIN32
#define TM_EXPORT __declspec(dllexport)
#else
#define TM_EXPORT __attribute__((visibility("default")))
#endif

/* Look through the list of functions for ours. It reads no schema, and a function that is not there
 * is no error, which would go to the application's error log. SQLITE_DONE where all of it was seen.
 */
static int tm_look_through_list(sqlite3 *db, bool *is_loaded, bool *has_list) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, "PRAGMA function_list", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  while (rc == SQLITE_ROW && !*is_loaded) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    *has_list = true;
    *is_loaded = name && sqlite3_stricmp(name, "tm_version") == 0;
    rc = name ? sqlite3_step(stmt) : SQLITE_NOMEM;
  }
  sqlite3_finalize(stmt);
  return rc;
}

/* Without the list (an authorizer, a SQLite built without it) a call that prepares is a function
 * that is there. The last statement takes the error off the connection, where sqlite3_open() would
 * find it when this is an auto-extension. Not to know is an error: a second registration is worse.
 */
static int tm_look(sqlite3 *db, bool *is_loaded) {
  sqlite3_stmt *stmt = NULL;
  bool has_list = false;
  *is_loaded = false;
  int rc = tm_look_through_list(db, is_loaded, &has_list);
  if (*is_loaded || has_list) return *is_loaded || rc == SQLITE_DONE ? SQLITE_OK : rc;
  if (rc == SQLITE_NOMEM) return rc;
  rc = sqlite3_prepare_v2(db, "SELECT tm_version()", -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  *is_loaded = rc == SQLITE_OK;
  if (*is_loaded || rc == SQLITE_NOMEM) return rc;
  sqlite3_prepare_v2(db, "SELECT 1", -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  return SQLITE_OK;
}

TM_EXPORT int sqlite3_tm_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  (void)message;
#ifndef SQLITE_CORE
  SQLITE_EXTENSION_INIT2(api);
#else
  (void)api;
#endif
  bool is_loaded = false;
  int rc = tm_look(db, &is_loaded);
  if (rc != SQLITE_OK || is_loaded) return rc;
  rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  TmContext *context = rc == SQLITE_OK ? tm_context_open(db, &rc) : NULL;
  if (context) rc = tm_table_register(db, context);
  if (context && rc == SQLITE_OK) rc = tm_functions_register(db, context);
  return rc;
}
