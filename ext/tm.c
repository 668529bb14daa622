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

/* A call that prepares is a function that is there. Neither statement reads the schema; the
 * second takes the error of the first off the connection, where sqlite3_open() would find it
 * when this is an auto-extension. */
static bool tm_is_loaded(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  bool is_loaded = sqlite3_prepare_v2(db, "SELECT tm_version()", -1, &stmt, NULL) == SQLITE_OK;
  sqlite3_finalize(stmt);
  if (is_loaded) return true;
  sqlite3_prepare_v2(db, "SELECT 1", -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  return false;
}

TM_EXPORT int sqlite3_tm_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  (void)message;
#ifndef SQLITE_CORE
  SQLITE_EXTENSION_INIT2(api);
#else
  (void)api;
#endif
  if (tm_is_loaded(db)) return SQLITE_OK;
  int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  TmContext *context = rc == SQLITE_OK ? tm_context_open(db, &rc) : NULL;
  if (context) rc = tm_table_register(db, context);
  if (context && rc == SQLITE_OK) rc = tm_functions_register(db, context);
  return rc;
}
