/* threads_test.c - threads with a connection each, on one file; zombie connections; the
 * extended code of a snapshot that is too old.
 * Owns:    the counts: what went in came out, once each.
 * Promise: no error, under SQLite's multi-thread mode with a busy timeout.
 * Why:     nothing in the library is global, and this is where a global would show; it is also
 *          run under the thread sanitizer. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "tm.h"

#define THREADS 8

typedef struct Worker {
  pthread_t thread;
  const char *path;
  int number;
  int count;     /* tasks to enqueue, and at least to try to claim */
  int completed; /* tasks this one got and completed */
  int errors;
} Worker;

static sqlite3 *open_connection(const char *path) {
  sqlite3 *db = NULL;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      NULL) != SQLITE_OK ||
      sqlite3_tm_init(db, NULL, NULL) != SQLITE_OK) {
    printf("cannot open %s: %s\n", path, sqlite3_errmsg(db));
    exit(1);
  }
  sqlite3_busy_timeout(db, 60000);
  return db;
}

/* The integer in the first column of the first row, -1 for none; errors are counted. */
static long long ask(sqlite3 *db, const char *sql, int *errors) {
  sqlite3_stmt *stmt = NULL;
  long long answer = -1;
  int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) {
    if (sqlite3_column_type(stmt, 0) != SQLITE_NULL) answer = sqlite3_column_int64(stmt, 0);
    rc = SQLITE_DONE;
  }
  if (rc != SQLITE_DONE) {
    printf("%s: %s\n", sql, sqlite3_errmsg(db));
    ++*errors;
  }
  sqlite3_finalize(stmt);
  return answer;
}

static void *work(void *arg) {
  Worker *worker = arg;
  sqlite3 *db = open_connection(worker->path);
  char sql[200];

  for (int i = 0; i < worker->count; i++) {
    snprintf(sql, sizeof sql, "SELECT tm_enqueue('q', %d)", worker->number * worker->count + i);
    ask(db, sql, &worker->errors);
    snprintf(sql, sizeof sql, "SELECT json_extract(tm_claim('q', 'thread-%d'), '$.id')",
             worker->number);
    long long id = ask(db, sql, &worker->errors);
    if (id < 0) continue;
    snprintf(sql, sizeof sql, "SELECT tm_complete(%lld, 1) = 'completed'", id);
    if (ask(db, sql, &worker->errors) == 1) worker->completed++;
  }
  if (sqlite3_close(db) != SQLITE_OK) worker->errors++;
  return NULL;
}

/* A connection closed by sqlite3_close_v2() lives on until its last statement is gone. */
static int zombies(const char *path) {
  int errors = 0;
  for (int i = 0; i < 3; i++) {
    sqlite3 *db = open_connection(path);
    sqlite3_stmt *stmt = NULL;
    ask(db, "SELECT tm_enqueue('zombie', 1)", &errors);
    if (sqlite3_prepare_v2(db, "SELECT tm_enqueue('zombie', 2), tm_claim('zombie', 'w')", -1, &stmt,
                           NULL) != SQLITE_OK) {
      errors++;
    }
    if (i == 1) sqlite3_step(stmt);
    if (sqlite3_close_v2(db) != SQLITE_OK) errors++;
    if (i == 2) sqlite3_step(stmt);
    sqlite3_finalize(stmt);
  }
  return errors;
}

/* A transaction that began with a read, after somebody else has written: SQLite's own code. */
static int snapshot(const char *path) {
  int errors = 0;
  sqlite3 *ours = open_connection(path);
  sqlite3 *theirs = open_connection(path);
  ask(ours, "BEGIN", &errors);
  ask(ours, "SELECT count(*) FROM tm_task", &errors);
  ask(theirs, "SELECT tm_enqueue('snapshot', 1)", &errors);
  if (sqlite3_exec(ours, "SELECT tm_enqueue('snapshot', 2)", NULL, NULL, NULL) != SQLITE_BUSY ||
      sqlite3_extended_errcode(ours) != SQLITE_BUSY_SNAPSHOT || sqlite3_get_autocommit(ours)) {
    printf("not SQLITE_BUSY_SNAPSHOT: %s\n", sqlite3_errmsg(ours));
    errors++;
  }
  sqlite3_extended_result_codes(ours, 1);
  if (sqlite3_exec(ours,
                   "INSERT INTO tm_command(verb, arg1, arg2) VALUES ('enqueue', 'snapshot', 2)",
                   NULL, NULL, NULL) != SQLITE_BUSY_SNAPSHOT) {
    printf("not SQLITE_BUSY_SNAPSHOT by tm_command: %s\n", sqlite3_errmsg(ours));
    errors++;
  }
  if (sqlite3_close(ours) != SQLITE_OK) errors++;
  if (sqlite3_close(theirs) != SQLITE_OK) errors++;
  return errors;
}

int main(int argc, char **argv) {
  Worker workers[THREADS];
  int errors = 0;
  int completed = 0;
  int count = argc > 2 ? atoi(argv[2]) : 100;

  if (argc < 2) return 2;
  sqlite3 *db = open_connection(argv[1]);
  ask(db, "SELECT tm_init()", &errors);
  memset(workers, 0, sizeof workers);
  for (int i = 0; i < THREADS; i++) {
    workers[i].path = argv[1];
    workers[i].number = i;
    workers[i].count = count;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) return 1;
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    errors += workers[i].errors;
    completed += workers[i].completed;
  }
  errors += zombies(argv[1]);
  errors += snapshot(argv[1]);
  printf("%d threads, %d completed of %d, %lld in the table, %lld payloads, %lld tokens, "
         "%lld events, %d errors\n",
         THREADS, completed, THREADS * count,
         ask(db, "SELECT count(*) FROM tm_task WHERE queue = 'q' AND state = 'completed'", &errors),
         ask(db, "SELECT count(DISTINCT payload) FROM tm_task WHERE queue = 'q'", &errors),
         ask(db, "SELECT sum(token) FROM tm_task WHERE queue = 'q'", &errors),
         ask(db, "SELECT count(*) FROM tm_event JOIN tm_task t ON t.id = task_id WHERE queue = 'q'",
             &errors),
         errors);
  if (sqlite3_close(db) != SQLITE_OK) errors++;
  return errors == 0 ? 0 : 1;
}
