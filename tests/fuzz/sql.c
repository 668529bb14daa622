/* sql.c - the target `sql`: calls of the functions, in every context, and SQL text.
 * Owns:    the language of its inputs, a line a statement:
 *
 *            s VERB<tab>ARG...    SELECT tm_VERB(ARG, ...)
 *            c VERB<tab>ARG...    INSERT INTO tm_command ...
 *            t VERB<tab>ARG...    the same in a trigger
 *            i VERB<tab>ARG...    INSERT INTO mine SELECT tm_VERB(...)
 *            u VERB<tab>ARG...    UPDATE mine SET a = tm_VERB(...)
 *            r TABLE<tab>ARG...   SELECT * FROM tm_TABLE(...)
 *            f N                  the n-th allocation of the next statement fails
 *            n N                  the next statement is interrupted after 100 N steps
 *            ! SQL                SQL text
 *
 *          An argument is an integer, a real where it begins with #, NULL where it is ~, hex digits
 *          after x, else text. A VERB is any function, a TABLE any table of tm_help; a name that is
 *          none is another, so that every line is a call.
 *          They run in a transaction; where that is ended (! COMMIT), the rest run without one.
 * Promise: where the SQL text wrote nothing itself, every rule of the schema holds in the end.
 * Why:     random bytes seldom are a statement; calls out of order are where states meet. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_ARGS_MOST  5
#define SQL_LINES_MOST 100

typedef struct SqlCall {
  const char *name;
  FuzzValue args[SQL_ARGS_MOST];
  int count;
  uint8_t bytes[SQL_ARGS_MOST][256]; /* of blobs */
} SqlCall;

static int sql_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static FuzzValue sql_blob(const char *hex, size_t size, uint8_t *bytes) {
  size_t n = 0;
  for (; 2 * n + 1 < size && n < 256; n++) {
    int high = sql_digit(hex[2 * n]), low = sql_digit(hex[2 * n + 1]);
    if (high < 0 || low < 0) break;
    bytes[n] = (uint8_t)(high * 16 + low);
  }
  return (FuzzValue){.type = FUZZ_BLOB, .bytes = bytes, .size = n};
}

static FuzzValue sql_arg(const char *text, size_t size, uint8_t *bytes) {
  char number[40] = {0};
  if (size == 1 && *text == '~') return (FuzzValue){.type = FUZZ_NULL};
  if (size > 0 && *text == 'x' && (size == 1 || sql_digit(text[1]) >= 0))
    return sql_blob(text + 1, size - 1, bytes);
  memcpy(number, text, size < sizeof number - 1 ? size : sizeof number - 1);
  if (*number == '#') return (FuzzValue){.type = FUZZ_REAL, .real = strtod(number + 1, NULL)};
  char *end;
  long long integer = strtoll(number, &end, 10);
  if (size > 0 && size < sizeof number && *end == 0) return fuzz_int(integer);
  return fuzz_text((const uint8_t *)text, size);
}

static void sql_parse(const char *line, size_t size, bool is_table, SqlCall *call) {
  const char *end = line + size;
  const char *tab = memchr(line, '\t', size);
  size_t name = tab ? (size_t)(tab - line) : size;
  call->name = fuzz_name(is_table ? fuzz_tables() : fuzz_functions(), line, name);
  call->count = 0;
  while (tab && call->count < SQL_ARGS_MOST) {
    const char *arg = tab + 1;
    tab = memchr(arg, '\t', (size_t)(end - arg));
    size_t left = (size_t)((tab ? tab : end) - arg);
    call->args[call->count] = sql_arg(arg, left, call->bytes[call->count]);
    call->count++;
  }
  /* What blocks must not block for long. */
  if (strcmp(call->name, "wait") == 0 && call->count > 1 && call->args[1].type != FUZZ_TEXT) {
    call->args[1] = (FuzzValue){.type = FUZZ_REAL, .real = 0.001};
  }
}

static const char *sql_marks(int count) {
  static const char *const marks[] = {
      "", "?1", "?1, ?2", "?1, ?2, ?3", "?1, ?2, ?3, ?4", "?1, ?2, ?3, ?4, ?5"};
  return marks[count];
}

static void sql_call(sqlite3 *db, char context, const char *line, size_t size) {
  SqlCall call;
  char sql[400], columns[80] = "verb";
  sql_parse(line, size, context == 'r', &call);
  if (strcmp(call.name, "wait") == 0 && call.count > 1 && call.args[1].type == FUZZ_TEXT) return;
  const char *marks = sql_marks(call.count);
  for (int i = 1; i <= call.count; i++) snprintf(columns + strlen(columns), 8, ", arg%d", i);
  const char *comma = call.count ? ", " : "";
  switch (context) {
  case 'r': snprintf(sql, sizeof sql, "SELECT * FROM tm_%s(%s)", call.name, marks); break;
  case 'c':
    snprintf(sql, sizeof sql, "INSERT INTO tm_command (%s) SELECT '%s'%s%s", columns, call.name,
             comma, marks);
    break;
  case 't':
    snprintf(sql, sizeof sql, "INSERT INTO mine_call (%s) VALUES ('%s'%s%s)", columns, call.name,
             comma, marks);
    break;
  case 'i':
    snprintf(sql, sizeof sql, "INSERT INTO mine (a) SELECT tm_%s(%s)", call.name, marks);
    break;
  case 'u': snprintf(sql, sizeof sql, "UPDATE mine SET a = tm_%s(%s)", call.name, marks); break;
  default: snprintf(sql, sizeof sql, "SELECT tm_%s(%s)", call.name, marks); break;
  }
  fuzz_run(db, sql, call.args, call.count);
}

/* True where the statements wrote nothing by themselves. */
static bool sql_raw(sqlite3 *db, const char *text) {
  bool is_pure = true;
  while (*text) {
    const char *end = strchr(text, ';');
    char *one =
        end ? sqlite3_mprintf("%.*s", (int)(end - text), text) : sqlite3_mprintf("%s", text);
    fuzz_run_once(db, one);
    sqlite3_free(one);
    is_pure = is_pure && fuzz_was_pure();
    text = end ? end + 1 : text + strlen(text);
  }
  return is_pure;
}

static bool sql_line(sqlite3 *db, const char *line, size_t size) {
  char context = *line;
  size_t skip = size > 1 && line[1] == ' ' ? 2 : 1;
  const char *rest = line + skip;
  if (skip > size) return true;
  size -= skip;
  if (context == 'f' || context == 'n') {
    int n = atoi(rest) % 100000;
    fuzz_fault(context == 'f' ? n : 0, context == 'n' ? n : 0);
    return true;
  }
  if (context == '!') return sql_raw(db, rest);
  sql_call(db, context, rest, size);
  return true;
}

void fuzz_sql(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (!text) return;
  memcpy(text, data, size);
  text[size] = 0;
  sqlite3 *db = fuzz_take(data, size);
  bool is_pure = true;
  char *line = text;
  for (int i = 0; i < SQL_LINES_MOST && line < text + size; i++) {
    char *end = memchr(line, '\n', (size_t)(text + size - line));
    if (end) *end = 0;
    size_t length = end ? (size_t)(end - line) : (size_t)(text + size - line);
    if (length > 0) is_pure = sql_line(db, line, length) && is_pure;
    line += length + 1;
  }
  fuzz_fault(0, 0);
  if (is_pure) fuzz_sound(db);
  fuzz_give(db);
  free(text);
}
