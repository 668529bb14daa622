/* error_test.c - errors: what a message says, and which of several stays.
 * Owns:    the sticky error, set by us and by SQLite. */
#include "base_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static bool error_reads(const TmError *error, int rc, const char *message) {
  if (error->rc != rc) return false;
  if (message == NULL || error->message == NULL) return message == error->message;
  return strcmp(error->message, message) == 0;
}

static void test_error_message(Tally *tally) {
  TmError error;

  tm_error_init(&error, "tm_claim");
  check(tally, error_reads(&error, SQLITE_OK, NULL), "an error starts unset");
  tm_error_clear(&error);
  tm_error_set(&error, TM_NO_SUCH_QUEUE, "no queue %Q, did you mean %Q?", "emials", "emails");
  check(tally,
        error_reads(&error, SQLITE_ERROR,
                    "tm_claim: no queue 'emials', did you mean 'emails'? [no_such_queue]"),
        "a message has subject, words and symbol");
  tm_error_set(&error, TM_CYCLE, "later");
  tm_error_nomem(&error);
  tm_error_sqlite(&error, NULL, SQLITE_BUSY);
  check(tally, error.rc == SQLITE_ERROR && strstr(error.message, "emials") != NULL,
        "the first error stays");
  tm_error_clear(&error);
  check(tally, error_reads(&error, SQLITE_OK, NULL) && strcmp(error.subject, "tm_claim") == 0,
        "a cleared error may be set again");
  tm_error_set(&error, TM_BAD_ARGUMENT, "queue %Q", "a\nb\tc\x01\x7f\xc3\xa9");
  check(tally,
        error_reads(&error, SQLITE_ERROR, "tm_claim: queue 'a?b?c?\x7f\xc3\xa9' [bad_argument]"),
        "control characters of a value show as question marks");
  tm_error_clear(&error);
  check(tally,
        strcmp(tm_error_symbol_text(TM_BAD_ARGUMENT), "bad_argument") == 0 &&
            strcmp(tm_error_symbol_text(TM_WRITE_DROPPED), "write_dropped") == 0 &&
            strcmp(tm_error_symbol_doc(TM_CYCLE), "the dependency would close a cycle") == 0,
        "symbols have their text and doc");
}

static void test_error_sqlite(Tally *tally) {
  TmError error;
  sqlite3 *db = NULL;
  sqlite3_stmt *stmt = NULL;
  int rc;

  tm_error_init(&error, "tm_claim");
  tm_error_sqlite(&error, NULL, SQLITE_OK);
  tm_error_sqlite(&error, NULL, SQLITE_ROW);
  tm_error_sqlite(&error, NULL, SQLITE_DONE);
  check(tally, error_reads(&error, SQLITE_OK, NULL), "OK, ROW and DONE are no errors");
  tm_error_sqlite(&error, NULL, SQLITE_BUSY_SNAPSHOT);
  check(tally, error_reads(&error, SQLITE_BUSY_SNAPSHOT, NULL),
        "without a connection the code passes on alone");
  tm_error_clear(&error);
  tm_error_sqlite(&error, NULL, SQLITE_TOOBIG);
  check(tally, error_reads(&error, SQLITE_TOOBIG, NULL),
        "so does that of a value over a limit, which nobody knows then");
  tm_error_clear(&error);

  if (sqlite3_open(":memory:", &db) != SQLITE_OK) abort();
  rc = sqlite3_exec(db, "SELECT * FROM nowhere", NULL, NULL, NULL);
  tm_error_sqlite(&error, db, rc);
  check(tally, error_reads(&error, SQLITE_ERROR, "no such table: nowhere"),
        "the connection's text passes on as it is");
  tm_error_clear(&error);
  tm_error_sqlite(&error, db, SQLITE_MISUSE);
  check(tally, error_reads(&error, SQLITE_MISUSE, NULL),
        "an older text of the connection is not taken for a new failure's");
  tm_error_clear(&error);
  rc = sqlite3_exec(db, "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1),(1)", NULL, NULL, NULL);
  tm_error_sqlite(&error, db, rc);
  check(tally, error_reads(&error, SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.a"),
        "a primary code becomes the connection's extended one");
  tm_error_clear(&error);
  /* One that SQLite does not prepare again by itself. */
  rc = sqlite3_prepare(db, "SELECT * FROM t", -1, &stmt, NULL);
  if (rc != SQLITE_OK) abort();
  if (sqlite3_exec(db, "CREATE TABLE u(a)", NULL, NULL, NULL) != SQLITE_OK) abort();
  sqlite3_step(stmt);
  rc = sqlite3_finalize(stmt);
  tm_error_sqlite(&error, db, rc);
  check(tally,
        rc == SQLITE_SCHEMA && error_reads(&error, SQLITE_ERROR, "database schema has changed"),
        "a schema that changed is an error, for SQLite would run the verb once more");
  tm_error_clear(&error);
  tm_error_sqlite(&error, db, SQLITE_NOMEM);
  check(tally, error_reads(&error, SQLITE_NOMEM, NULL), "out of memory carries no text");
  tm_error_clear(&error);
  tm_error_nomem(&error);
  check(tally, error_reads(&error, SQLITE_NOMEM, NULL), "out of memory of ours is the same");
  tm_error_clear(&error);
  sqlite3_close(db);
}

/* What a failure of SQLite's means for the call: our words, and its code. */
static void test_error_explain(Tally *tally) {
  TmError error;
  sqlite3 *db = NULL;

  if (sqlite3_open(":memory:", &db) != SQLITE_OK) abort();
  tm_error_init(&error, "tm_claim");
  tm_error_sqlite(
      &error, db,
      sqlite3_exec(db, "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1),(1)", NULL, NULL, NULL));
  tm_error_explain(&error, TM_RULE_BROKEN, "a rule refuses it (%s)", error.message);
  check(tally,
        error_reads(&error, SQLITE_CONSTRAINT_UNIQUE,
                    "tm_claim: a rule refuses it (UNIQUE constraint failed: t.a) [rule_broken]"),
        "what is said of a failure of SQLite's keeps its code");
  tm_error_clear(&error);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000);
  tm_error_sqlite(&error, db, SQLITE_TOOBIG);
  check(tally,
        error_reads(&error, SQLITE_TOOBIG,
                    "tm_claim: a value or a row would be larger than the 1000 bytes that this "
                    "connection takes, see SQLITE_LIMIT_LENGTH [too_large]"),
        "a value over the connection's limit names it");
  tm_error_clear(&error);
  sqlite3_close(db);
}

void test_error(Tally *tally) {
  test_error_message(tally);
  test_error_sqlite(tally);
  test_error_explain(tally);
}
