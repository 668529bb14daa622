/* cc -o example example.c -lsqlite3 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sqlite3 *db;

/* Runs one statement with up to two numbers and a text bound; gives back its result code. */
static int run(const char *sql, sqlite3_int64 a, sqlite3_int64 b, const char *c) {
  sqlite3_stmt *stmt;
  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) return sqlite3_errcode(db);
  sqlite3_bind_int64(stmt, 1, a);
  sqlite3_bind_int64(stmt, 2, b);
  sqlite3_bind_text(stmt, 3, c, -1, SQLITE_TRANSIENT);
  while (sqlite3_step(stmt) == SQLITE_ROW) continue;
  return sqlite3_finalize(stmt); /* before COMMIT: an open statement holds its snapshot */
}

static void order(const char *total) { /* one transaction: both rows or none */
  run("BEGIN IMMEDIATE", 0, 0, NULL);
  int rc = run("INSERT INTO invoice VALUES (?3 + 0, tm_enqueue('mail', ?3 + 0))", 0, 0, total);
  run(rc == SQLITE_OK ? "COMMIT" : "ROLLBACK", 0, 0, NULL);
}

static const char *send_mail(double total) {
  return total < 0 ? "negative total" : NULL;
}

/* Its result and its end together; gives back what went wrong, until the next call. */
static const char *finish(sqlite3_int64 id, sqlite3_int64 token, const char *total) {
  static char error[200];
  if (run("BEGIN IMMEDIATE", 0, 0, NULL) == SQLITE_OK &&
      run("INSERT INTO receipt VALUES (?3, ?1)", id, 0, total) == SQLITE_OK &&
      run("SELECT tm_complete(?1, ?2)", id, token, NULL) == SQLITE_OK &&
      run("COMMIT", 0, 0, NULL) == SQLITE_OK)
    return NULL;
  snprintf(error, sizeof error, "%s", sqlite3_errmsg(db));
  run("ROLLBACK", 0, 0, NULL);
  return error;
}

static int work(void) { /* one task; 0 where there was none */
  sqlite3_stmt *claim;
  sqlite3_int64 id = 0, token = 0;
  char total[32] = "";
  run("BEGIN IMMEDIATE", 0, 0, NULL);
  sqlite3_prepare_v2(db, "SELECT id, token, payload FROM tm_claim('mail', 'worker-1')", -1, &claim,
                     NULL);
  if (sqlite3_step(claim) == SQLITE_ROW) {
    id = sqlite3_column_int64(claim, 0);
    token = sqlite3_column_int64(claim, 1);
    snprintf(total, sizeof total, "%s", (const char *)sqlite3_column_text(claim, 2));
  }
  sqlite3_finalize(claim);
  run("COMMIT", 0, 0, NULL);
  if (id == 0) return 0;
  const char *error = send_mail(atof(total)); /* the work, outside any transaction */
  if (error == NULL) error = finish(id, token, total);
  if (error != NULL) run("SELECT tm_fail(?1, ?2, ?3)", id, token, error);
  return 1;
}

int main(void) {
  char *message = NULL;
  sqlite3_open("app.db", &db);
  sqlite3_busy_timeout(db, 20000);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
  if (sqlite3_load_extension(db, "./tm", NULL, &message) != SQLITE_OK) return puts(message), 1;
  run("SELECT tm_init()", 0, 0, NULL);
  run("CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))", 0, 0,
      NULL);
  run("CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))", 0, 0, NULL);
  order("99.5"), order("-1"), order("20"), order(NULL); /* NOT NULL fails: its task goes too */
  while (work()) continue;

  sqlite3_stmt *stmt;
  sqlite3_prepare_v2(db,
                     "SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)",
                     -1, &stmt, NULL);
  sqlite3_step(stmt);
  const char *states = (const char *)sqlite3_column_text(stmt, 0);
  puts(states);
  int is_right = strcmp(states, "completed retryable completed") == 0;
  sqlite3_finalize(stmt);
  return sqlite3_close(db) == SQLITE_OK && is_right ? 0 : 1;
}
