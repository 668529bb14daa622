/* tm.c - the entry point, the single exported symbol.
 * Owns:    the order of registration.
 * Promise: loading writes nothing to the database; a second load changes nothing; a load
 *          that fails leaves no memory behind, the connection frees what it got, and the next
 *          one goes on from there.
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
static int tm_look_through_list(sqlite3 *db, bool *is_there, bool *has_list) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, "PRAGMA function_list", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  while (rc == SQLITE_ROW && !*is_there) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    *has_list = true;
    *is_there = name && sqlite3_stricmp(name, "tm_keeper") == 0;
    rc = name ? sqlite3_step(stmt) : SQLITE_NOMEM;
  }
  sqlite3_finalize(stmt);
  return rc;
}

/* The context of a load that failed midway, or none where it is loaded. SQLITE_ERROR where there is
 * no such function, or an authorizer denies it; SQLITE_AUTH where one denies or ignores the rest.
 */
static int tm_ask(sqlite3 *db, bool *is_loaded, TmContext **context) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, "SELECT tm_keeper(?1)", -1, &stmt, NULL);
  if (rc != SQLITE_OK) return rc;
  rc = sqlite3_bind_pointer(stmt, 1, context, TM_CONTEXT_POINTER, NULL);
  bool is_answered =
      rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0);
  int finalized = sqlite3_finalize(stmt);
  if (rc == SQLITE_OK) rc = finalized;
  if (rc == SQLITE_OK && !is_answered) return SQLITE_AUTH;
  *is_loaded = is_answered && !*context;
  return rc;
}

/* Whether the connection is loaded, by this library or by another copy of it, and the context of a
 * load that failed midway. Without the list (an authorizer, a SQLite built without it) a call that
 * cannot be prepared is a function that is not there. The last statement takes that error off the
 * connection, where sqlite3_open() would find it when this is an auto-extension. Not to know is an
 * error: a second registration is worse. Only an authorizer that denies the list and the function
 * cannot be told from none; then SQLite refuses what would be replaced under a running statement.
 * A want of memory ends it too: as long as the statement runs that loads us the connection
 * remembers it, and then SQLite's sqlite3_create_module_v2() both keeps the module and frees what
 * it was given for it. */
static int tm_find(sqlite3 *db, bool *is_loaded, TmContext **context) {
  bool is_there = false;
  bool has_list = false;
  int rc = tm_look_through_list(db, &is_there, &has_list);
  if (rc == SQLITE_NOMEM) return rc;
  if (is_there) {
    rc = tm_ask(db, is_loaded, context);
    return rc == SQLITE_ERROR ? SQLITE_AUTH : rc;
  }
  if (has_list) return rc == SQLITE_DONE ? SQLITE_OK : rc;
  rc = tm_ask(db, is_loaded, context);
  if (rc != SQLITE_ERROR) return rc;
  sqlite3_stmt *stmt = NULL;
  rc = sqlite3_prepare_v2(db, "SELECT 1", -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  return rc;
}

static int tm_register(sqlite3 *db, TmContext *context) {
  int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  if (rc == SQLITE_OK && !context) context = tm_context_open(db, &rc);
  if (rc == SQLITE_OK) rc = tm_table_register(db, context);
  if (rc == SQLITE_OK) rc = tm_functions_register(db, context);
  if (rc == SQLITE_OK) context->is_loaded = true;
  return rc;
}

TM_EXPORT int sqlite3_tm_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
#ifndef SQLITE_CORE
  SQLITE_EXTENSION_INIT2(api);
#else
  (void)api;
#endif
  TmContext *context = NULL;
  bool is_loaded = false;
  int rc = tm_find(db, &is_loaded, &context);
  if (rc == SQLITE_OK && !is_loaded) rc = tm_register(db, context);
  /* SQLite says "error during initialization", and this after it. */
  if (rc != SQLITE_OK && message) *message = sqlite3_mprintf("%s", sqlite3_errstr(rc));
  return rc;
}
