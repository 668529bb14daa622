/* context.c - the connection's state, and the virtual table that ends it.
 * Owns:    `tm_keeper`, an empty eponymous table that nobody needs to query, and that takes no row;
 *          it joins the transaction of a migration, to refuse a commit of half of one.
 * Promise: its disconnect finalizes every cached statement, before sqlite3_close()
 *          counts them; after that statements are made and finalized one by one.
 * Why:     a statement in a function's user data would make close() fail, and no
 *          cached statement names the keeper, so nothing holds it back. */
#include "store/context.h"

#include <string.h>

typedef struct Keeper {
  sqlite3_vtab base;
  TmContext *context;
  bool has_joined; /* a transaction, inside a savepoint */
  int joined;      /* the number of that savepoint */
} Keeper;

static int keeper_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                          sqlite3_vtab **out, char **message) {
  (void)argc;
  (void)argv;
  *out = NULL;
  int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(unused)");
  if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
  if (rc != SQLITE_OK) {
    /* Else SQLite says that a constructor failed, and not why. */
    *message = sqlite3_mprintf("%s", sqlite3_errmsg(db));
    return rc;
  }
  Keeper *keeper = sqlite3_malloc64(sizeof *keeper);
  if (!keeper) return SQLITE_NOMEM;
  memset(keeper, 0, sizeof *keeper);
  keeper->context = aux;
  keeper->context->is_connected = true;
  *out = &keeper->base;
  return SQLITE_OK;
}

static int keeper_refuse(void *nothing) {
  (void)nothing;
  return 1;
}

/* An sqlite3_close() that answers SQLITE_BUSY leaves the transaction, and takes the keeper away. */
static int keeper_disconnect(sqlite3_vtab *table) {
  Keeper *keeper = (Keeper *)table;
  TmContext *context = keeper->context;
  if (context->is_ruined) sqlite3_commit_hook(context->db, keeper_refuse, NULL);
  context->is_closing = true;
  context->is_kept = context->is_connected = false;
  tm_context_forget(context);
  sqlite3_free(keeper);
  return SQLITE_OK;
}

static int keeper_best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
  (void)table;
  info->estimatedCost = 1;
  info->estimatedRows = 0;
  return SQLITE_OK;
}

static int keeper_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out) {
  (void)table;
  *out = sqlite3_malloc64(sizeof **out);
  if (!*out) return SQLITE_NOMEM;
  memset(*out, 0, sizeof **out);
  return SQLITE_OK;
}

static int keeper_close(sqlite3_vtab_cursor *cursor) {
  sqlite3_free(cursor);
  return SQLITE_OK;
}

static int keeper_filter(sqlite3_vtab_cursor *cursor, int plan, const char *text, int argc,
                         sqlite3_value **argv) {
  (void)cursor;
  (void)plan;
  (void)text;
  (void)argc;
  (void)argv;
  return SQLITE_OK;
}

/* Behind its row an error, after which SQLite ends a transaction whatever the statement. */
static int keeper_next(sqlite3_vtab_cursor *cursor) {
  (void)cursor;
  return SQLITE_FULL;
}

/* No row, but while a transaction is being ended (see the query savepoint_hold). */
static int keeper_eof(sqlite3_vtab_cursor *cursor) {
  return !((const Keeper *)cursor->pVtab)->context->is_ending;
}

static int keeper_column(sqlite3_vtab_cursor *cursor, sqlite3_context *out, int column) {
  (void)cursor;
  (void)column;
  sqlite3_result_null(out);
  return SQLITE_OK;
}

static int keeper_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  (void)cursor;
  *rowid = 0;
  return SQLITE_OK;
}

/* Each row breaks a constraint, so that the conflict clause of the INSERT says what becomes of the
 * transaction (see the query savepoint_break). */
static int keeper_update(sqlite3_vtab *table, int argc, sqlite3_value **argv,
                         sqlite3_int64 *rowid) {
  (void)argc;
  (void)argv;
  (void)rowid;
  table->zErrMsg = sqlite3_mprintf("tm_keeper: for the library alone [bad_argument]");
  return SQLITE_CONSTRAINT;
}

/* It joins the transaction of a migration (see the query savepoint_lock), to refuse the commit of
 * one that could be neither undone nor ended. */
static int keeper_begin(sqlite3_vtab *table) {
  ((Keeper *)table)->context->is_ruined = false;
  ((Keeper *)table)->has_joined = false;
  ((Keeper *)table)->joined = 0;
  return SQLITE_OK;
}

static int keeper_sync(sqlite3_vtab *table) {
  if (!((const Keeper *)table)->context->is_ruined) return SQLITE_OK;
  sqlite3_free(table->zErrMsg);
  table->zErrMsg =
      sqlite3_mprintf("tm_migrate: it failed for want of memory, and its transaction cannot be "
                      "committed [wrong_state]");
  return SQLITE_ERROR;
}

/* A close ends it for the tables alone. */
static int keeper_end(sqlite3_vtab *table) {
  TmContext *context = ((Keeper *)table)->context;
  if (sqlite3_txn_state(context->db, "main") != SQLITE_TXN_WRITE) context->is_ruined = false;
  return SQLITE_OK;
}

/* SQLite numbers savepoints from the outermost. The first is told when the keeper joins, inside
 * that of the migration; back before it there is nothing of the migration left. */
static int keeper_savepoint(sqlite3_vtab *table, int n) {
  Keeper *keeper = (Keeper *)table;
  if (!keeper->has_joined) keeper->joined = n;
  keeper->has_joined = true;
  return SQLITE_OK;
}

static int keeper_release(sqlite3_vtab *table, int n) {
  (void)table;
  (void)n;
  return SQLITE_OK;
}

static int keeper_rollback_to(sqlite3_vtab *table, int n) {
  Keeper *keeper = (Keeper *)table;
  if (n < keeper->joined) keeper->context->is_ruined = false;
  return SQLITE_OK;
}

static const sqlite3_module keeper_module = {
    .iVersion = 2,
    .xCreate = NULL, /* eponymous only */
    .xConnect = keeper_connect,
    .xBestIndex = keeper_best_index,
    .xDisconnect = keeper_disconnect,
    .xDestroy = NULL,
    .xOpen = keeper_open,
    .xClose = keeper_close,
    .xFilter = keeper_filter,
    .xNext = keeper_next,
    .xEof = keeper_eof,
    .xColumn = keeper_column,
    .xRowid = keeper_rowid,
    .xUpdate = keeper_update,
    .xBegin = keeper_begin,
    .xSync = keeper_sync,
    .xCommit = keeper_end,
    .xRollback = keeper_end,
    .xSavepoint = keeper_savepoint,
    .xRelease = keeper_release,
    .xRollbackTo = keeper_rollback_to,
};

TmContext *tm_context_hold(TmContext *context) {
  context->holders++;
  return context;
}

void tm_context_release(void *pointer) {
  TmContext *context = pointer;
  if (--context->holders > 0) return;
  sqlite3_free(context->queues);
  tm_zones_clear(&context->zones);
  tm_watch_close(context->watch);
  sqlite3_free(context);
}

/* To SQL it is a function without a use. */
static void keeper_find(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  TmContext **found = sqlite3_value_pointer(argv[0], TM_CONTEXT_POINTER);
  TmContext *context = sqlite3_user_data(out);
  if (found) {
    *found = context->is_loaded ? NULL : context;
    sqlite3_result_int(out, 1);
  } else {
    sqlite3_result_error(out, "tm_keeper: for the library alone [bad_argument]", -1);
  }
}

TmContext *tm_context_open(sqlite3 *db, int *rc) {
  TmContext *context = sqlite3_malloc64(sizeof *context);
  if (!context) {
    *rc = SQLITE_NOMEM;
    return NULL;
  }
  memset(context, 0, sizeof *context);
  context->db = db;
  /* On failure SQLite calls the destructor itself. */
  *rc = sqlite3_create_module_v2(db, "tm_keeper", &keeper_module, tm_context_hold(context),
                                 tm_context_release);
  if (*rc == SQLITE_OK) {
    *rc = sqlite3_create_function_v2(db, "tm_keeper", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                     tm_context_hold(context), keeper_find, NULL, NULL,
                                     tm_context_release);
  }
  return *rc == SQLITE_OK ? context : NULL;
}

bool tm_context_keep(TmContext *context) {
  if (context->is_closing) return false;
  if (context->is_kept) return true;
  sqlite3_stmt *stmt = NULL;
  /* Preparing connects the table, where none of main hides it; it stays connected when the
   * statement is gone. */
  int rc = sqlite3_prepare_v2(context->db, tm_query_text[TM_Q_CONTEXT_KEEP], -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  context->is_kept = rc == SQLITE_OK && context->is_connected;
  return context->is_kept;
}

void tm_context_forget(TmContext *context) {
  context->settings.is_known = false;
  context->is_inspected = false;
  for (int i = 0; i < TM_QUERY_COUNT; i++) {
    sqlite3_finalize(context->cached[i]);
    context->cached[i] = NULL;
  }
}
