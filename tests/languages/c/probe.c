/* What SQLite's C interface does by itself; ../README.md says what the lines mean. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static sqlite3 *open_db(void) {
  sqlite3 *db;
  sqlite3_open("probe.db", &db);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
  sqlite3_load_extension(db, "./tm", NULL, NULL);
  return db;
}

/* The number of tasks in the queue, seen by another connection. */
static int count(const char *sql) {
  sqlite3 *db = open_db();
  sqlite3_stmt *stmt;
  sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
  int n = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : -1;
  sqlite3_finalize(stmt);
  sqlite3_close(db);
  return n;
}

static void call(const char *sql) {
  sqlite3 *db = open_db();
  sqlite3_exec(db, sql, NULL, NULL, NULL);
  sqlite3_close(db);
}

int main(void) {
  call("SELECT tm_init()");
  call("SELECT tm_enqueue('select', 1)");
  int n = count("SELECT count(*) FROM tm_task WHERE queue = 'select'");
  printf("runs %d\nselect %s\n", n, n > 0 ? "kept" : "gone");
  call("INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')");
  n = count("SELECT count(*) FROM tm_task WHERE queue = 'command'");
  printf("command %s\n", n > 0 ? "kept" : "gone");

  sqlite3 *db = open_db();
  sqlite3_stmt *stmt;
  char *message = NULL;
  sqlite3_prepare_v2(db, "SELECT id FROM tm_task", -1, &stmt, NULL);
  sqlite3_step(stmt);
  sqlite3_exec(db, "SELECT tm_enqueue('open', 1)", NULL, NULL, &message);
  const char *symbol = message ? strrchr(message, '[') : NULL;
  printf("open %s\n", message == NULL ? "works" : symbol ? symbol : message);
  return 0;
}
