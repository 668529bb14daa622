/* error.h - the one error of a call, kept from the first failure on.
 * Owns:    the symbols that are API, and the form of a message:
 *          `tm_verb: what, which value, what to do [symbol]`.
 * Promise: once an error is set, later ones change nothing; a NULL message with
 *          rc != SQLITE_OK means that SQLite's own code passes on untouched.
 * Why:     sticky errors let every helper be a no-op after the first failure. */
#ifndef TM_BASE_ERROR_H
#define TM_BASE_ERROR_H

#include "base/sqlite.h"

#include <stdbool.h>

/* Each symbol once; the enum, the text and the reference come from this list. */
#define TM_SYMBOLS(X)                                                                              \
  X(BAD_ARGUMENT, "bad_argument", "a value of the wrong type or form")                             \
  X(OUT_OF_RANGE, "out_of_range", "a number outside its bounds")                                   \
  X(BAD_JSON, "bad_json", "text that should be JSON and is not")                                   \
  X(UNKNOWN_OPTION, "unknown_option", "an option key that the call does not know")                 \
  X(TOO_LARGE, "too_large", "a text or value over its size limit")                                 \
  X(NO_SUCH_TASK, "no_such_task", "no task has this id")                                           \
  X(NO_SUCH_QUEUE, "no_such_queue", "no queue has this name")                                      \
  X(NO_SUCH_SCHEDULE, "no_such_schedule", "no schedule has this name")                             \
  X(NO_SUCH_GROUP, "no_such_group", "no group has this name")                                      \
  X(WRONG_STATE, "wrong_state", "the task's state does not allow this move")                       \
  X(LEASE_LOST, "lease_lost", "the token is not the task's newest")                                \
  X(NEEDS_WRITE_TRANSACTION, "needs_write_transaction", "the call could not wait for the lock")    \
  X(IN_TRANSACTION, "in_transaction", "the call does not work inside a transaction")               \
  X(FOREIGN_KEYS_OFF, "foreign_keys_off", "the connection does not enforce foreign keys")          \
  X(TRIGGERS_OFF, "triggers_off", "the connection does not run triggers, or takes no views")       \
  X(JOURNAL_OFF, "journal_off", "the connection keeps no journal, and could undo nothing")         \
  X(NOT_INITIALIZED, "not_initialized", "the schema is missing or older than the library")         \
  X(SCHEMA_TOO_NEW, "schema_too_new", "the schema is newer than the library")                      \
  X(SCHEMA_CHANGED, "schema_changed",                                                              \
    "a migration applied does not match its checksum, or one of our tables, indexes, triggers or " \
    "views is not as the library makes it")                                                        \
  X(NAME_TAKEN, "name_taken", "somebody else's object has a name that the schema needs")           \
  X(TOO_DEEP, "too_deep", "calls nested through triggers too deeply")                              \
  X(NOT_UNIQUE, "not_unique", "a task with this unique key exists")                                \
  X(CYCLE, "cycle", "the dependency would close a cycle")                                          \
  X(WRITE_DROPPED, "write_dropped",                                                                \
    "a trigger or an authorizer made a write vanish, or a trigger changed a task in the middle "   \
    "of a "                                                                                        \
    "call that was moving it")                                                                     \
  X(RULE_BROKEN, "rule_broken",                                                                    \
    "a rule of our tables refuses what the call has to write: there is a row that somebody wrote " \
    "around the rules")

typedef enum TmSymbol {
#define TM_SYMBOL_ENUM(name, text, doc) TM_##name,
  TM_SYMBOLS(TM_SYMBOL_ENUM)
#undef TM_SYMBOL_ENUM
      TM_SYMBOL_COUNT
} TmSymbol;

typedef struct TmError {
  int rc;              /* SQLITE_OK, or the first failure's (extended) code */
  int symbol;          /* a TmSymbol, or -1 where the error is SQLite's */
  char *message;       /* sqlite3_malloc'ed, or NULL for SQLite's own text */
  const char *subject; /* who speaks: "tm_claim"; static text */
} TmError;

/* Start with no error, speaking as `subject` (static text). */
void tm_error_init(TmError *error, const char *subject);

/* Free the message; the subject stays. Takes an error that was never set. */
void tm_error_clear(TmError *error);

/* Set one of our own errors: SQLITE_ERROR, "subject: <formatted> [symbol]". Formats as
 * sqlite3_mprintf. */
void tm_error_set(TmError *error, TmSymbol symbol, const char *format, ...);

/* Say of an error of SQLite's what it means for the call: our words, which may quote
 * error->message, and its code, by which drivers know the kind. */
void tm_error_explain(TmError *error, TmSymbol symbol, const char *format, ...);

/* Pass SQLite's failure on: the code, and the text of the connection (db may be NULL: no text). A
 * value over the connection's limit is [too_large]. SQLITE_OK, SQLITE_ROW and SQLITE_DONE set
 * nothing. */
void tm_error_sqlite(TmError *error, sqlite3 *db, int rc);

/* Out of memory, as SQLite says it. */
void tm_error_nomem(TmError *error);

/* True where the error is of the call and of what is around it (its arguments, a lock that somebody
 * holds), and no statement of ours could have answered otherwise. */
bool tm_error_is_of_call(const TmError *error);

/* True where the rules refuse what the call asks for, by what they find in the database. */
bool tm_error_is_of_rules(const TmError *error);

/* The text of a symbol without brackets, and its one-line doc. */
const char *tm_error_symbol_text(TmSymbol symbol);
const char *tm_error_symbol_doc(TmSymbol symbol);

#endif
