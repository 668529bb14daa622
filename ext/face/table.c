/* table.c - a virtual table whose rows are made at once, or block by block, then read.
 * Owns:    the one module, and the memory of the rows.
 * Promise: a failure while filling leaves an empty cursor and the error's own text; of rows that
 *          come in blocks one block is in memory.
 * Why:     the tables differ in what fills them, and in nothing else. */
#include "face/table.h"

/* The planner's encoding: bit i of idxNum says that argument i (hidden column `columns` + i)
 * is given by an equality; the values come in that order. */

typedef struct Source {
  TmContext *context;
  const TmTable *table;
} Source;

typedef struct Table {
  sqlite3_vtab base;
  Source source;
} Table;

typedef struct Cursor {
  sqlite3_vtab_cursor base;
  TmRows rows;
  sqlite3_value *args[TM_TABLE_ARGS_MAX];
  int at;               /* row, of the block */
  sqlite3_int64 before; /* rows of the blocks before */
} Cursor;

/* ---- rows ------------------------------------------------------------ */

static TmValue *rows_next_cell(TmRows *rows) {
  if (tm_run_failed(&rows->run)) return NULL;
  if (rows->count == rows->room) {
    int room = rows->room ? rows->room * 2 : 64;
    TmValue *cells = sqlite3_realloc64(rows->cells, sizeof *cells * (sqlite3_uint64)room);
    if (!cells) {
      tm_error_nomem(&rows->run.error);
      return NULL;
    }
    rows->cells = cells;
    rows->room = room;
  }
  TmValue *cell = &rows->cells[rows->count++];
  *cell = (TmValue){.type = SQLITE_NULL};
  return cell;
}

/* Copy bytes into a cell; text gets a NUL behind it. */
static void rows_copy(TmRows *rows, TmValue *cell, int type, const void *bytes, int n) {
  char *copy = sqlite3_malloc64((sqlite3_uint64)n + 1);
  if (!copy || (!bytes && n > 0)) {
    sqlite3_free(copy);
    tm_error_nomem(&rows->run.error);
    return;
  }
  if (n > 0) memcpy(copy, bytes, (size_t)n);
  copy[n] = 0;
  cell->type = type;
  cell->data = copy;
  cell->n = n;
}

void tm_rows_add_value(TmRows *rows, sqlite3_value *value) {
  TmValue *cell = rows_next_cell(rows);
  if (!cell) return;
  int type = sqlite3_value_type(value);
  if (type == SQLITE_TEXT) {
    const void *text = sqlite3_value_text(value);
    rows_copy(rows, cell, type, text, sqlite3_value_bytes(value));
  } else if (type == SQLITE_BLOB) {
    const void *blob = sqlite3_value_blob(value);
    rows_copy(rows, cell, type, blob, sqlite3_value_bytes(value));
  } else {
    cell->type = type;
    if (type == SQLITE_INTEGER) cell->i = sqlite3_value_int64(value);
    if (type == SQLITE_FLOAT) cell->r = sqlite3_value_double(value);
  }
}

void tm_rows_add_int(TmRows *rows, sqlite3_int64 value) {
  TmValue *cell = rows_next_cell(rows);
  if (cell) *cell = (TmValue){.type = SQLITE_INTEGER, .i = value};
}

void tm_rows_add_text(TmRows *rows, const char *text) {
  TmValue *cell = rows_next_cell(rows);
  if (cell && text) rows_copy(rows, cell, SQLITE_TEXT, text, (int)strlen(text));
}

void tm_rows_add_row(TmRows *rows, const TmStmt *stmt) {
  for (int i = 0; i < rows->table->columns; i++) {
    tm_rows_add_value(rows, sqlite3_column_value(stmt->stmt, i));
  }
}

void tm_rows_add_all(TmRows *rows, TmStmt *stmt) {
  while (tm_stmt_row(stmt)) tm_rows_add_row(rows, stmt);
}

/* The cells stay for the next block. */
static void rows_forget(TmRows *rows) {
  for (int i = 0; i < rows->count; i++) sqlite3_free((void *)(size_t)rows->cells[i].data);
  rows->count = 0;
}

static void rows_clear(TmRows *rows) {
  rows_forget(rows);
  sqlite3_free(rows->cells);
  rows->cells = NULL;
  rows->room = 0;
  if (rows->end) rows->end(rows);
  rows->walk = NULL;
  rows->more = NULL;
  rows->end = NULL;
  tm_run_clear(&rows->run);
}

/* ---- the module ------------------------------------------------------ */

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message) {
  (void)argc;
  (void)argv;
  *out = NULL;
  const Source *source = aux;
  int rc = sqlite3_declare_vtab(db, source->table->declaration);
  if (rc == SQLITE_OK && source->table->is_innocuous) {
    rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  }
  if (rc != SQLITE_OK) {
    /* Else SQLite says that a constructor failed, and not why. */
    *message = sqlite3_mprintf("%s", sqlite3_errmsg(db));
    return rc;
  }
  Table *table = sqlite3_malloc64(sizeof *table);
  if (!table) return SQLITE_NOMEM;
  memset(table, 0, sizeof *table);
  table->source = *source;
  *out = &table->base;
  return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table) {
  sqlite3_free(table);
  return SQLITE_OK;
}

static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
  const TmTable *table = ((Table *)base)->source.table;
  int found[TM_TABLE_ARGS_MAX] = {0};
  for (int i = 0; i < info->nConstraint; i++) {
    int arg = info->aConstraint[i].iColumn - table->columns;
    if (arg < 0 || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    /* An argument that is not known yet: another order of the join will know it. */
    if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    found[arg] = i + 1;
  }
  int given = 0;
  for (int arg = 0; arg < table->max_args; arg++) {
    if (!found[arg]) continue;
    info->idxNum |= 1 << arg;
    info->aConstraintUsage[found[arg] - 1].argvIndex = ++given;
    info->aConstraintUsage[found[arg] - 1].omit = 1;
  }
  info->estimatedCost = 100;
  info->estimatedRows = 10;
  return SQLITE_OK;
}

static int table_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out) {
  (void)table;
  Cursor *cursor = sqlite3_malloc64(sizeof *cursor);
  *out = NULL;
  if (!cursor) return SQLITE_NOMEM;
  memset(cursor, 0, sizeof *cursor);
  *out = &cursor->base;
  return SQLITE_OK;
}

static void cursor_clear(Cursor *cursor) {
  rows_clear(&cursor->rows);
  for (int i = 0; i < TM_TABLE_ARGS_MAX; i++) {
    sqlite3_value_free(cursor->args[i]);
    cursor->args[i] = NULL;
  }
}

static int table_close(sqlite3_vtab_cursor *cursor) {
  cursor_clear((Cursor *)cursor);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

/* Spread the arguments over their places; those between that are missing stay NULL. */
static int cursor_take_args(Cursor *cursor, int plan, sqlite3_value **argv) {
  for (int arg = 0, i = 0; arg < TM_TABLE_ARGS_MAX; arg++) {
    if (!(plan & (1 << arg))) continue;
    cursor->args[arg] = sqlite3_value_dup(argv[i++]);
    if (!cursor->args[arg]) return SQLITE_NOMEM;
  }
  return SQLITE_OK;
}

static int table_fail(sqlite3_vtab *base, const TmError *error) {
  if (error->message) {
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = sqlite3_mprintf("%s", error->message);
    if (!base->zErrMsg) return SQLITE_NOMEM; /* better than an error that does not say which */
  }
  return error->rc;
}

static bool cursor_is_same(sqlite3_value *a, sqlite3_value *b) {
  if (!a || !b || sqlite3_value_type(a) != sqlite3_value_type(b)) return !a && !b;
  if (sqlite3_value_type(a) == SQLITE_NULL) return true;
  if (sqlite3_value_type(a) == SQLITE_BLOB) return false; /* no argument is one */
  const unsigned char *left = sqlite3_value_text(a);
  const unsigned char *right = sqlite3_value_text(b);
  int n = sqlite3_value_bytes(a);
  return left && right && n == sqlite3_value_bytes(b) && memcmp(left, right, (size_t)n) == 0;
}

/* True where the cursor holds the rows of these arguments already. */
static bool cursor_may_rewind(const Cursor *cursor, int plan, sqlite3_value **argv) {
  if (!cursor->rows.table || !cursor->rows.table->is_scanned_once) return false;
  for (int arg = 0, i = 0; arg < TM_TABLE_ARGS_MAX; arg++) {
    sqlite3_value *given = plan & (1 << arg) ? argv[i++] : NULL;
    if (!cursor_is_same(cursor->args[arg], given)) return false;
  }
  return true;
}

static int table_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc,
                        sqlite3_value **argv) {
  (void)text;
  (void)argc;
  Cursor *cursor = (Cursor *)base;
  Table *table = (Table *)base->pVtab;
  cursor->at = 0;
  cursor->before = 0;
  if (cursor_may_rewind(cursor, plan, argv)) return SQLITE_OK;
  cursor_clear(cursor);
  cursor->rows.table = table->source.table;
  tm_run_init(&cursor->rows.run, table->source.context, table->source.table->name);
  int rc = cursor_take_args(cursor, plan, argv);
  if (rc != SQLITE_OK) return rc;
  int count = table->source.table->max_args;
  while (count > 0 && !cursor->args[count - 1]) count--;
  for (int i = 0; i < table->source.table->min_args; i++) {
    if (cursor->args[i]) continue;
    tm_error_set(&cursor->rows.run.error, TM_BAD_ARGUMENT, "an argument is missing, give %s%s",
                 table->source.table->name, table->source.table->arguments);
    return table_fail(base->pVtab, &cursor->rows.run.error);
  }
  if (table->source.table->fill) table->source.table->fill(&cursor->rows, count, cursor->args);
  if (!tm_run_failed(&cursor->rows.run)) return SQLITE_OK;
  rc = table_fail(base->pVtab, &cursor->rows.run.error);
  cursor_clear(cursor);
  cursor->rows.table = NULL;
  return rc;
}

static int table_eof(sqlite3_vtab_cursor *base) {
  const Cursor *cursor = (const Cursor *)base;
  return (cursor->at + 1) * cursor->rows.table->columns > cursor->rows.count;
}

static int table_next(sqlite3_vtab_cursor *base) {
  Cursor *cursor = (Cursor *)base;
  TmRows *rows = &cursor->rows;
  cursor->at++;
  if (!rows->more || !table_eof(base)) return SQLITE_OK;
  cursor->before += cursor->at;
  cursor->at = 0;
  rows_forget(rows);
  rows->more(rows);
  if (!tm_run_failed(&rows->run)) return SQLITE_OK;
  rows_forget(rows);
  return table_fail(base->pVtab, &rows->run.error);
}

static int table_column(sqlite3_vtab_cursor *base, sqlite3_context *out, int column) {
  const Cursor *cursor = (const Cursor *)base;
  int columns = cursor->rows.table->columns;
  if (column >= columns) {
    sqlite3_value *arg = cursor->args[column - columns];
    if (arg) sqlite3_result_value(out, arg);
    return SQLITE_OK;
  }
  const TmValue *cell = &cursor->rows.cells[cursor->at * columns + column];
  switch (cell->type) {
  case SQLITE_INTEGER: sqlite3_result_int64(out, cell->i); break;
  case SQLITE_FLOAT: sqlite3_result_double(out, cell->r); break;
  case SQLITE_TEXT: sqlite3_result_text(out, cell->data, cell->n, SQLITE_TRANSIENT); break;
  case SQLITE_BLOB: sqlite3_result_blob(out, cell->data, cell->n, SQLITE_TRANSIENT); break;
  default: sqlite3_result_null(out);
  }
  return SQLITE_OK;
}

static int table_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const Cursor *cursor = (const Cursor *)base;
  *rowid = cursor->before + cursor->at + 1;
  return SQLITE_OK;
}

/* argv: old rowid, new rowid, columns. Only a plain INSERT means anything here. */
static int table_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  Table *table = (Table *)base;
  if (argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    sqlite3_free(base->zErrMsg);
    base->zErrMsg =
        sqlite3_mprintf("%s: takes INSERT only [bad_argument]", table->source.table->name);
    return SQLITE_ERROR;
  }
  char *message = NULL;
  int rc = table->source.table->insert(table->source.context, argc - 2, argv + 2, rowid, &message);
  if (message) {
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = message;
  }
  return rc;
}

#define TABLE_SLOTS(update)                                                                        \
  {                                                                                                \
    .iVersion = 0, .xCreate = NULL /* eponymous only */, .xConnect = table_connect,                \
    .xBestIndex = table_best_index, .xDisconnect = table_disconnect, .xDestroy = NULL,             \
    .xOpen = table_open, .xClose = table_close, .xFilter = table_filter, .xNext = table_next,      \
    .xEof = table_eof, .xColumn = table_column, .xRowid = table_rowid, .xUpdate = (update),        \
  }

static const sqlite3_module table_read_only = TABLE_SLOTS(NULL);
static const sqlite3_module table_writable = TABLE_SLOTS(table_update);

static void table_free(void *pointer) {
  Source *source = pointer;
  tm_context_release(source->context);
  sqlite3_free(source);
}

int tm_table_register(sqlite3 *db, TmContext *context) {
  const TmTable *table;
  for (; (table = tm_table_at(context->tables)) != NULL; context->tables++) {
    Source *source = sqlite3_malloc64(sizeof *source);
    if (!source) return SQLITE_NOMEM;
    source->context = tm_context_hold(context);
    source->table = table;
    const sqlite3_module *module = table->insert ? &table_writable : &table_read_only;
    int rc = sqlite3_create_module_v2(db, table->name, module, source, table_free);
    if (rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}
