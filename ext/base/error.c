/* error.c - the one error of a call, kept from the first failure on.
 * Owns:    how a message is put together and made fit for one line.
 * Promise: only the first error is kept; running out of memory while saying so
 *          becomes SQLITE_NOMEM, never a lost failure.
 * Why:     values in messages come from users, and a log line must stay one line. */
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>

static const struct {
  const char *text;
  const char *doc;
} error_symbols[TM_SYMBOL_COUNT] = {
#define ERROR_SYMBOL(name, text, doc) {text, doc},
    TM_SYMBOLS(ERROR_SYMBOL)
#undef ERROR_SYMBOL
};

void tm_error_init(TmError *error, const char *subject) {
  error->rc = SQLITE_OK;
  error->symbol = -1;
  error->message = NULL;
  error->subject = subject;
}

void tm_error_clear(TmError *error) {
  sqlite3_free(error->message);
  error->rc = SQLITE_OK;
  error->symbol = -1;
  error->message = NULL;
}

static void error_make_one_line(char *message) {
  for (char *at = message; *at != '\0'; at++) {
    if ((unsigned char)*at < 0x20) *at = '?';
  }
}

static void error_compose(TmError *error, TmSymbol symbol, const char *format, va_list values) {
  char *what = sqlite3_vmprintf(format, values);

  if (what != NULL) {
    error->message =
        sqlite3_mprintf("%s: %s [%s]", error->subject, what, error_symbols[symbol].text);
    sqlite3_free(what);
  }
  if (error->message == NULL) {
    tm_error_nomem(error);
    return;
  }
  error->rc = SQLITE_ERROR;
  error->symbol = (int)symbol;
  error_make_one_line(error->message);
}

void tm_error_set(TmError *error, TmSymbol symbol, const char *format, ...) {
  va_list values;

  if (error->rc != SQLITE_OK) return;
  va_start(values, format);
  error_compose(error, symbol, format, values);
  va_end(values);
}

void tm_error_explain(TmError *error, TmSymbol symbol, const char *format, ...) {
  TmError plain = *error;
  va_list values;

  tm_error_init(error, plain.subject);
  va_start(values, format);
  error_compose(error, symbol, format, values);
  va_end(values);
  if (error->rc == SQLITE_ERROR) error->rc = plain.rc;
  sqlite3_free(plain.message);
}

/* SQLite's words name neither the call nor the limit, which the application can move. */
static void error_too_big(TmError *error, sqlite3 *db) {
  error->rc = SQLITE_TOOBIG;
  if (db == NULL) return;
  tm_error_explain(error, TM_TOO_LARGE,
                   "a value or a row would be larger than the %d bytes that this connection takes, "
                   "see SQLITE_LIMIT_LENGTH",
                   sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1));
}

void tm_error_sqlite(TmError *error, sqlite3 *db, int rc) {
  int kept_rc;

  if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) return;
  if (error->rc != SQLITE_OK) return;
  if ((rc & 0xff) == SQLITE_TOOBIG) {
    error_too_big(error, db);
    return;
  }
  error->rc = rc;
  if (db == NULL || (rc & 0xff) == SQLITE_NOMEM) return;
  /* The connection speaks of this failure only where its code is the same one:
   * a misuse or a failed allocation of ours leaves an older text there. */
  kept_rc = sqlite3_extended_errcode(db);
  if ((kept_rc & 0xff) != (rc & 0xff)) return;
  if (rc == (rc & 0xff)) error->rc = kept_rc;
  /* Without memory for the text the code alone still tells the truth. */
  error->message = sqlite3_mprintf("%s", sqlite3_errmsg(db));
  /* A function or a virtual table that answers SQLITE_SCHEMA makes SQLite run the statement around
   * it again, the verb and all: an error must be one. */
  if ((error->rc & 0xff) == SQLITE_SCHEMA) error->rc = SQLITE_ERROR;
}

void tm_error_nomem(TmError *error) {
  if (error->rc == SQLITE_OK) error->rc = SQLITE_NOMEM;
}

bool tm_error_is_of_call(const TmError *error) {
  if ((error->rc & 0xff) == SQLITE_BUSY) return true;
  switch (error->symbol) {
  case TM_BAD_ARGUMENT:
  case TM_OUT_OF_RANGE:
  case TM_BAD_JSON:
  case TM_UNKNOWN_OPTION:
  case TM_TOO_LARGE:
  case TM_NEEDS_WRITE_TRANSACTION:
  case TM_IN_TRANSACTION: return true;
  default: return false;
  }
}

bool tm_error_is_of_rules(const TmError *error) {
  switch (error->symbol) {
  case TM_NO_SUCH_TASK:
  case TM_NO_SUCH_QUEUE:
  case TM_NO_SUCH_SCHEDULE:
  case TM_NO_SUCH_GROUP:
  case TM_WRONG_STATE:
  case TM_LEASE_LOST:
  case TM_NOT_UNIQUE:
  case TM_CYCLE: return true;
  default: return false;
  }
}

const char *tm_error_symbol_text(TmSymbol symbol) {
  return error_symbols[symbol].text;
}

const char *tm_error_symbol_doc(TmSymbol symbol) {
  return error_symbols[symbol].doc;
}
