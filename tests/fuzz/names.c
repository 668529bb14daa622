/* names.c - the names of all functions and tables, and who calls them.
 * Owns:    what tm_help has of names, read once.
 * Promise: a function that the library gets is called by the targets `sql` and `file`, and by
 *          `options` where it takes options or a filter, or no target begins.
 * Why:     a list kept by hand beside the library's own is right until the next function. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

static FuzzNames names_functions, names_tables;

/* Called by their names alone: a migration takes longer than all the others together. */
static const char *const names_slow[] = {"init", "migrate"};

const FuzzNames *fuzz_functions(void) {
  return &names_functions;
}

const FuzzNames *fuzz_tables(void) {
  return &names_tables;
}

static void names_read(sqlite3 *db, const char *kind, FuzzNames *out) {
  sqlite3_stmt *stmt = NULL;
  size_t most = sizeof out->names / sizeof *out->names;
  sqlite3_prepare_v2(db, "SELECT substr(name, 4) FROM tm_help WHERE kind = ?1 ORDER BY name", -1,
                     &stmt, NULL);
  sqlite3_bind_text(stmt, 1, kind, -1, SQLITE_STATIC);
  while (stmt && sqlite3_step(stmt) == SQLITE_ROW && out->count < most) {
    snprintf(out->names[out->count++], sizeof *out->names, "%s", sqlite3_column_text(stmt, 0));
  }
  if (sqlite3_finalize(stmt) != SQLITE_OK || out->count < 5 || out->count == most) {
    fuzz_fail("tm_help has no names, or too many", kind);
  }
}

/* True where one of the statements calls it. */
static bool names_is_called(const char *name, const char *const *calls) {
  char call[48];
  snprintf(call, sizeof call, "tm_%s(", name);
  for (; *calls; calls++) {
    if (strstr(*calls, call)) return true;
  }
  return false;
}

/* One that the SELECT gives and that none of the statements calls ends the process. */
static void names_check(sqlite3 *db, const char *select, const char *const *calls) {
  sqlite3_stmt *stmt = NULL;
  int count = 0;
  sqlite3_prepare_v2(db, select, -1, &stmt, NULL);
  while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    if (!names_is_called(name, calls)) fuzz_fail("no fixed statement calls the function", name);
    count++;
  }
  if (sqlite3_finalize(stmt) != SQLITE_OK || count < 5) fuzz_fail("tm_help was not read", select);
}

void fuzz_names_begin(sqlite3 *db) {
  names_read(db, "function", &names_functions);
  names_read(db, "table", &names_tables);
  names_check(db, "SELECT substr(name, 4) FROM tm_help WHERE kind = 'function'", fuzz_file_calls);
  names_check(db,
              "SELECT substr(name, 4) FROM tm_help WHERE kind = 'function' AND "
              "(arguments LIKE '%options%' OR arguments LIKE '%filter%')",
              fuzz_options_calls);
}

const char *fuzz_name(const FuzzNames *all, const char *text, size_t size) {
  size_t sum = 0;
  for (size_t i = 0; i < all->count; i++) {
    if (strlen(all->names[i]) == size && memcmp(all->names[i], text, size) == 0)
      return all->names[i];
  }
  for (size_t i = 0; i < size; i++) sum += (unsigned char)text[i];
  for (;; sum++) {
    const char *name = all->names[sum % all->count];
    bool is_slow = false;
    for (size_t i = 0; i < sizeof names_slow / sizeof *names_slow; i++) {
      is_slow = is_slow || strcmp(name, names_slow[i]) == 0;
    }
    if (!is_slow) return name;
  }
}
