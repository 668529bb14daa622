/* report.c - what the benchmark says, and how it ends when something is wrong.
 * Owns:    stdout, one `name value` line a figure.
 * Promise: a figure is printed only when all that led to it succeeded. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

void bench_fail(const char *what, const char *why) {
  fprintf(stderr, "bench: %s: %s\n", what, why);
  exit(1);
}

void bench_report(const char *name, double value) {
  printf("%s %.6g\n", name, value);
  fflush(stdout);
}

void bench_exec(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) bench_fail(sql, sqlite3_errmsg(db));
}

sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt = NULL;

  if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
    bench_fail(sql, sqlite3_errmsg(db));
  }
  return stmt;
}

void bench_step(sqlite3 *db, sqlite3_stmt *stmt) {
  while (sqlite3_step(stmt) == SQLITE_ROW) {
  }
  if (sqlite3_reset(stmt) != SQLITE_OK) bench_fail(sqlite3_sql(stmt), sqlite3_errmsg(db));
}

sqlite3_int64 bench_number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt = bench_prepare(db, sql);
  sqlite3_int64 value = 0;

  if (sqlite3_step(stmt) == SQLITE_ROW) value = sqlite3_column_int64(stmt, 0);
  if (sqlite3_finalize(stmt) != SQLITE_OK) bench_fail(sql, sqlite3_errmsg(db));
  return value;
}
