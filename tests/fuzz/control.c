/* control.c - the target `control`: what every other target looks for, done on purpose.
 * Promise: each of these words ends the process, and nothing else does. The fuzzer must find one of
 *          them by itself, or one that begins with the four letters. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static bool control_is(const uint8_t *data, size_t size, const char *word) {
  return size == strlen(word) && memcmp(data, word, size) == 0;
}

static void control_statement(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  sqlite3_prepare_v2(db, "SELECT id FROM tm_task", -1, &stmt, NULL);
  sqlite3_step(stmt);
  fuzz_settled(db, "SELECT");
}

static void control_open_statement(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  sqlite3_prepare_v2(db, "SELECT id FROM tm_task", -1, &stmt, NULL);
}

/* A function that begins a transaction on the connection of its caller. */
static void control_begin(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count;
  (void)values;
  sqlite3_exec(sqlite3_context_db_handle(context), "BEGIN", NULL, NULL, NULL);
}

static void control_transaction(sqlite3 *db) {
  fuzz_run(db, "ROLLBACK", NULL, 0);
  sqlite3_create_function(db, "begins", 0, SQLITE_UTF8, NULL, control_begin, NULL, NULL);
  fuzz_run(db, "SELECT begins()", NULL, 0);
}

static void control_rule(sqlite3 *db) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
  fuzz_run(db, "UPDATE tm_task SET state = 'completed' WHERE id = 2", NULL, 0);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
  fuzz_sound(db);
}

static void control_memory(sqlite3 *db) {
  (void)db;
  if (!sqlite3_malloc(8)) abort();
}

/* For a build with the address sanitizer. The index is not known to the compiler. */
static void control_byte(sqlite3 *db) {
  (void)db;
  volatile size_t size = 8;
  char *block = sqlite3_malloc64(size);
  if (!block) return;
  memset(block, 1, size);
  volatile char past = block[size];
  (void)past;
  sqlite3_free(block);
}

void fuzz_control(const uint8_t *data, size_t size) {
  static const struct {
    const char *word;
    void (*run)(sqlite3 *db);
  } controls[] = {{"statement", control_statement},     {"open-statement", control_open_statement},
                  {"transaction", control_transaction}, {"rule", control_rule},
                  {"memory", control_memory},           {"byte", control_byte}};
  if (size >= 4 && data[0] == 'F' && data[1] == 'U' && data[2] == 'Z' && data[3] == 'Z') {
    fuzz_fail("control", "found");
  }
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
    if (!control_is(data, size, controls[i].word)) continue;
    sqlite3 *db = fuzz_take(data, size);
    controls[i].run(db);
    fuzz_give(db);
  }
}
