/* table.h - a virtual table whose rows are made at once, or block by block, then read.
 * Owns:    one sqlite3_module for all tables of the extension but the keeper.
 * Promise: when rows are handed out no statement of ours is open and nothing depends on
 *          the database any more.
 * Why:     a statement left open by a cursor holds a snapshot, and on replicated engines
 *          aborts the leader when the client goes away. */
#ifndef TM_FACE_TABLE_H
#define TM_FACE_TABLE_H

#include "store/run.h"

#define TM_TABLE_ARGS_MAX 4

typedef struct TmRows TmRows;

typedef struct TmTable {
  const char *name;
  const char *declaration; /* CREATE TABLE x(...); hidden columns, the arguments, last */
  int columns;             /* without the arguments */
  int min_args, max_args;  /* as many as max_args hidden columns are arguments */
  bool is_scanned_once;    /* a second scan with the same arguments shows the same rows */
  bool is_innocuous;       /* may be used in views of a schema that is not trusted */
  void (*fill)(TmRows *rows, int argc, sqlite3_value **argv); /* NULL: no rows */
  /* NULL, or what INSERT does; argv are the columns. */
  int (*insert)(TmContext *context, int argc, sqlite3_value **argv, sqlite3_int64 *rowid,
                char **message);
  const char *arguments, *shows, *doc; /* for the reference */
} TmTable;

/* The virtual table number `i`; NULL past the last. */
const TmTable *tm_table_at(int i);

struct TmRows {
  const TmTable *table;
  TmRun run;
  TmValue *cells;  /* owned: data of text and blobs is sqlite3_malloc'ed */
  int count, room; /* in cells */
  /* Where rows come block by block, fill() makes the first block and sets these three: what it
   * keeps, what appends the next block or nothing at the end, and what frees it. */
  void *walk;
  void (*more)(TmRows *rows);
  void (*end)(TmRows *rows);
};

/* Append the next cell of the rows; they come row by row, column by column. */
void tm_rows_add_value(TmRows *rows, sqlite3_value *value);
void tm_rows_add_int(TmRows *rows, sqlite3_int64 value);
void tm_rows_add_text(TmRows *rows, const char *text); /* NULL: NULL */

/* Append a row from the first columns of a statement, and all its rows. */
void tm_rows_add_row(TmRows *rows, const TmStmt *stmt);
void tm_rows_add_all(TmRows *rows, TmStmt *stmt);

/* Register all tables on the connection. */
int tm_table_register(sqlite3 *db, TmContext *context);

#endif
