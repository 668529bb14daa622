/* fuzz.h - what the fuzz targets share: a connection that is looked at after each statement.
 * Owns:    the database that inputs start from, the faults, and the rules that no input may break.
 * Promise: the same input does the same in each process: the clock is frozen (until an input lets
 * it run), the random numbers begin anew, and every input sees the same database. A connection
 *          serves 64 inputs, each in a transaction that is rolled back, for reading the schema
 * takes longer than most inputs; with FUZZ_FRESH each has its own. One whose input ended the
 *          transaction serves no more.
 * Why:     a sanitizer sees bad memory. That a statement, a transaction or memory was left behind,
 *          or that a rule of the schema does not hold, must be asked; then the process aborts. */
#ifndef TM_FUZZ_H
#define TM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

/* A target: what is done with one input. `what` is for the list of targets. */
typedef struct FuzzTarget {
  const char *name;
  void (*run)(const uint8_t *data, size_t size);
  const char *what;
} FuzzTarget;

void fuzz_sql(const uint8_t *data, size_t size);
void fuzz_options(const uint8_t *data, size_t size);
void fuzz_times(const uint8_t *data, size_t size);
void fuzz_zone(const uint8_t *data, size_t size);
void fuzz_payload(const uint8_t *data, size_t size);
void fuzz_file(const uint8_t *data, size_t size);
void fuzz_control(const uint8_t *data, size_t size);

/* The target of this name; NULL where there is none. */
const FuzzTarget *fuzz_target(const char *name);

/* Once a process, before the first input. `folder` holds base.sql. */
void fuzz_begin(const char *folder);

/* A connection with the extension to a copy of this database. */
sqlite3 *fuzz_open(const uint8_t *image, size_t size);

/* Close it: nothing may be left. */
void fuzz_close(sqlite3 *db);

/* The connection that is used again, in a transaction; the input is noted for the report of a
 * failure that is of several. */
sqlite3 *fuzz_take(const uint8_t *data, size_t size);

/* It is not what it was: this input is its last. */
void fuzz_spoil(void);

/* Give it back. Nothing may be left. */
void fuzz_give(sqlite3 *db);

/* The functions without tm_, and the tables that are called like one, as tm_help has them. */
typedef struct FuzzNames {
  char names[100][40];
  size_t count;
} FuzzNames;

const FuzzNames *fuzz_functions(void);
const FuzzNames *fuzz_tables(void);

/* The name that the text is; of a text that is none another name, always the same. */
const char *fuzz_name(const FuzzNames *all, const char *text, size_t size);

/* Fixed statements of a target, NULL behind the last. */
extern const char *const fuzz_file_calls[];
extern const char *const fuzz_options_calls[];

/* Read the names, and look that the fixed statements call all of them that they should: with a
 * function that no target calls, no target begins. */
void fuzz_names_begin(sqlite3 *db);

/* The database that inputs start from, as bytes. */
const uint8_t *fuzz_image(size_t *size);

/* Everything that must hold between two statements; the text is for the message. */
void fuzz_settled(sqlite3 *db, const char *sql);

/* The schema's rules, sql/invariants.sql, and its foreign keys: one that does not hold ends the
 * process. For the connection of fuzz_take() only. */
void fuzz_sound(sqlite3 *db);

/* Say what is wrong and abort. */
_Noreturn void fuzz_fail(const char *what, const char *detail);

/* ---- running -------------------------------------------------------------------------------- */

/* What the next statement fails by: the n-th allocation (0: none) or so many steps of the virtual
 * machine (0: a bound that ends what would take for ever). Forgotten after the statement. */
void fuzz_fault(int allocation, int steps);

/* Prepare, bind so many values, read all rows, and look. The result code; values are not freed. The
 * connection of fuzz_take() keeps the statement for the next time, where nothing fails on purpose.
 */
typedef struct FuzzValue {
  enum { FUZZ_NULL, FUZZ_INT, FUZZ_REAL, FUZZ_TEXT, FUZZ_BLOB } type;
  sqlite3_int64 integer;
  double real;
  const uint8_t *bytes;
  size_t size;
} FuzzValue;

int fuzz_run(sqlite3 *db, const char *sql, const FuzzValue *values, int count);

/* The same with a text that no other input has: nothing is kept. */
int fuzz_run_once(sqlite3 *db, const char *sql);

/* As fuzz_run(); the first column of the first row in *text, to be freed with sqlite3_free, NULL
 * where there is none or it is NULL. */
int fuzz_ask(sqlite3 *db, const char *sql, const FuzzValue *values, int count, char **text);

/* Whether the last statement wrote nothing but what functions of it wrote, and was no pragma. */
bool fuzz_was_pure(void);

FuzzValue fuzz_text(const uint8_t *bytes, size_t size);
FuzzValue fuzz_int(sqlite3_int64 integer);
FuzzValue fuzz_word(const char *text);

#endif
