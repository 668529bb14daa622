/* queries_test.c - what the generated table says of the columns of each statement.
 * Owns:    the proof that tm_query_reads is what SQLite says on the newest schema.
 * Promise: a column of a table has its bit, an expression has none.
 * Why:     a column without a declared type is taken for one that an authorizer hides; where
 *          `-- columns:` in sql/queries told it wrong, every call would fail, or none would. */
#include <stdbool.h>
#include <stdio.h>

#include <sqlite3.h>

#include "queries.h"
#include "tm.h"

/* True where the columns of the statement that have a declared type are these. */
static bool is_right(sqlite3 *db, int query, uint64_t columns, bool is_told) {
  sqlite3_stmt *stmt = NULL;
  uint64_t found = 0;

  if (sqlite3_prepare_v2(db, tm_query_text[query], -1, &stmt, NULL) != SQLITE_OK) {
    printf("  %s\n  %s\n", sqlite3_errmsg(db), tm_query_text[query]);
    return false;
  }
  for (int i = 0; i < sqlite3_column_count(stmt) && i < 64; i++) {
    if (sqlite3_column_decltype(stmt, i) != NULL) found |= (uint64_t)1 << i;
  }
  sqlite3_finalize(stmt);
  if (found != columns && is_told) {
    printf("  columns 0x%llx, not 0x%llx: %s\n", (unsigned long long)found,
           (unsigned long long)columns, tm_query_text[query]);
  }
  return found == columns;
}

int main(void) {
  sqlite3 *db = NULL;
  int wrong = 0, seen = 0, telling = 0;

  sqlite3_auto_extension((void (*)(void))sqlite3_tm_init);
  if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
      sqlite3_exec(db, "SELECT tm_init()", NULL, NULL, NULL) != SQLITE_OK) {
    printf("  %s\n0 passed, 1 failed\n", sqlite3_errmsg(db));
    return 1;
  }
  for (int i = 0; i < TM_QUERY_COUNT; i++) {
    uint64_t columns = tm_query_reads[i].columns;
    if (!is_right(db, i, columns, true)) wrong++;
    if (columns != 0 && !is_right(db, i, columns ^ 1, false)) seen++;
    if (columns != 0) telling++;
  }
  sqlite3_close(db);
  printf("%s - each column of a table is told from an expression, in %d statements\n",
         wrong == 0 ? "ok" : "not ok", TM_QUERY_COUNT);
  printf("%s - control: one told wrong is seen, in %d statements\n",
         telling > 0 && seen == telling ? "ok" : "not ok", telling);
  wrong = (wrong != 0) + (telling == 0 || seen != telling);
  printf("%d passed, %d failed\n", 2 - wrong, wrong);
  return wrong != 0;
}
