/* static_test.c - the static form, linked as an application would.
 * Owns:    the way in through sqlite3_auto_extension(), and sqlite3_close() as C sees it.
 * Promise: the program uses the public header and SQLite, nothing else.
 * Why:     libtm.a and tm.so take different paths to SQLite; one can work without the other. */
#define _POSIX_C_SOURCE 200809L
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tm.h"

typedef struct Tally {
  int passed;
  int failed;
} Tally;

static void check(Tally *tally, bool is_true, const char *sentence) {
  printf("%s - %s\n", is_true ? "ok" : "not ok", sentence);
  if (is_true) {
    tally->passed++;
  } else {
    tally->failed++;
  }
}

/* The first column of the first row is this text. */
static bool gives(sqlite3 *db, const char *sql, const char *expected) {
  sqlite3_stmt *stmt = NULL;
  bool is_same = false;

  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
      sqlite3_step(stmt) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(stmt, 0);

    is_same = text != NULL && strcmp(text, expected) == 0;
    if (!is_same) printf("  %s: expected %s, got %s\n", sql, expected, text ? text : "NULL");
  } else {
    printf("  %s: %s\n", sql, sqlite3_errmsg(db));
  }
  sqlite3_finalize(stmt);
  return is_same;
}

static bool runs(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return true;
  printf("  %s: %s\n", sql, sqlite3_errmsg(db));
  return false;
}

/* A task's whole life, then the close. */
static void test_life(Tally *tally, const char *path) {
  sqlite3 *db = NULL;

  printf("# %s\n", path);
  check(tally, sqlite3_open(path, &db) == SQLITE_OK, "a new connection has the extension");
  check(tally, runs(db, "SELECT tm_init()"), "tm_init makes the schema");
  check(tally, gives(db, "SELECT tm_enqueue('emails', '{\"to\":\"ann\"}')", "1"),
        "tm_enqueue returns the id");
  check(tally,
        gives(db, "SELECT json_extract(tm_claim('emails', 'worker-1'), '$.payload.to')", "ann"),
        "tm_claim returns the task");
  check(tally, gives(db, "SELECT tm_complete(1, 1, 'sent')", "completed"),
        "tm_complete completes it");
  check(tally, gives(db, "SELECT state FROM tm_task", "completed"), "the table says so");
  check(tally, runs(db, "INSERT INTO tm_command(verb, arg1, arg2) VALUES ('enqueue', 'emails', 2)"),
        "tm_command enqueues as well");
  check(tally, gives(db, "SELECT count(*) FROM tm_doctor WHERE status = 'error'", "0"),
        "tm_doctor finds no error");
  check(tally, sqlite3_close(db) == SQLITE_OK, "sqlite3_close() succeeds");
}

/* sqlite3_close() must find nothing open either when the last call failed. */
static void test_close_after_error(Tally *tally) {
  sqlite3 *db = NULL;

  check(tally, sqlite3_open(":memory:", &db) == SQLITE_OK, "a connection opens");
  check(tally, runs(db, "SELECT tm_init()"), "tm_init makes the schema");
  check(tally, sqlite3_exec(db, "SELECT tm_complete(99, 1)", NULL, NULL, NULL) == SQLITE_ERROR,
        "completing no task is an error");
  check(tally, strstr(sqlite3_errmsg(db), "[no_such_task]") != NULL, "the error has its symbol");
  check(tally, sqlite3_close(db) == SQLITE_OK, "sqlite3_close() succeeds after an error");
}

/* The functions stay, and what they share with the modules. */
static void test_drop_modules(Tally *tally) {
  sqlite3 *db = NULL;

  check(tally, sqlite3_open(":memory:", &db) == SQLITE_OK, "a connection opens");
  check(tally, runs(db, "SELECT tm_init(), tm_enqueue('emails', 1)"), "it has a queue");
  check(tally, sqlite3_drop_modules(db, NULL) == SQLITE_OK, "its virtual tables go");
  check(tally, gives(db, "SELECT tm_get(1) ->> '$.queue'", "emails"),
        "what needs none of them goes on working");
  check(tally, sqlite3_exec(db, "SELECT tm_cancel(1)", NULL, NULL, NULL) == SQLITE_ERROR,
        "what needs one is refused");
  check(tally, sqlite3_close(db) == SQLITE_OK, "sqlite3_close() succeeds");
}

static void count_message(void *count, int rc, const char *message) {
  printf("  logged: %d %s\n", rc, message);
  ++*(int *)count;
}

static int deny_calls(void *nothing, int operation, const char *a, const char *b, const char *c,
                      const char *d) {
  (void)nothing, (void)a, (void)b, (void)c, (void)d;
  return operation == SQLITE_FUNCTION ? SQLITE_DENY : SQLITE_OK;
}

static void test_unsure_load(Tally *tally) {
  sqlite3 *db = NULL;

  check(tally, sqlite3_open(":memory:", &db) == SQLITE_OK, "a connection opens");
  sqlite3_set_authorizer(db, deny_calls, NULL);
  check(tally, sqlite3_tm_init(db, NULL, NULL) == SQLITE_AUTH,
        "a load that may not ask whether it was before fails, in few words for who wants none");
  sqlite3_set_authorizer(db, NULL, NULL);
  check(tally, sqlite3_tm_init(db, NULL, NULL) == SQLITE_OK, "and does when it may");
  check(tally, sqlite3_close(db) == SQLITE_OK, "sqlite3_close() succeeds");
}

/* An application that watches SQLite's log must not find each of its connections there. */
static void test_quiet_load(Tally *tally, const int *messages) {
  sqlite3 *db = NULL;
  int before = *messages;

  check(tally, sqlite3_open(":memory:", &db) == SQLITE_OK, "a connection opens");
  check(tally, sqlite3_tm_init(db, NULL, NULL) == SQLITE_OK, "a second load is harmless");
  check(tally, *messages == before, "loading writes nothing to SQLite's error log");
  sqlite3_exec(db, "SELECT no_such_function()", NULL, NULL, NULL);
  check(tally, *messages == before + 1, "an error of the application's is seen there");
  check(tally, sqlite3_close(db) == SQLITE_OK, "sqlite3_close() succeeds");
}

/* The same life in a file, in a folder of its own. */
static void test_life_in_a_file(Tally *tally) {
  char dir[] = "/tmp/static_test.XXXXXX";
  char *path = NULL;

  check(tally, mkdtemp(dir) != NULL, "there is a temporary folder");
  path = sqlite3_mprintf("%s/test.db", dir);
  test_life(tally, path);
  check(tally, remove(path) == 0 && rmdir(dir) == 0, "the close leaves the database file alone");
  sqlite3_free(path);
}

int main(void) {
  Tally tally = {0};
  int messages = 0;

  sqlite3_config(SQLITE_CONFIG_LOG, count_message, &messages);
  check(&tally, sqlite3_auto_extension((void (*)(void))sqlite3_tm_init) == SQLITE_OK,
        "sqlite3_auto_extension() takes the entry point");
  test_life(&tally, ":memory:");
  test_life_in_a_file(&tally);
  test_close_after_error(&tally);
  test_quiet_load(&tally, &messages);
  test_unsure_load(&tally);
  test_drop_modules(&tally);
  printf("%d passed, %d failed\n", tally.passed, tally.failed);
  return tally.failed == 0 ? 0 : 1;
}
