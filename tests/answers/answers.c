/* answers.c - SQLite as the extension sees it, with one answer that there is no memory.
 * Owns:    a table of routines between SQLite and the extension, which it loads with that table.
 * Promise: the answer is one that SQLite itself could give, and what follows from it too: a
 *          statement that could not take a step, or give a text, says so again when it is reset.
 * Why:     an allocator that fails finds few of the answers that the extension acts on, among the
 *          hundred thousand of SQLite's own; here each of them fails in turn.
 *
 * SELECT answers_fail(n): the nth answer from now on fails; 0: none does. Its result is how many
 * there were since the last call. Load it in place of the extension, whose path is in the
 * environment variable TM_ANSWERS_SO. The state is that of the process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

/* Of one statement so many answers count: those of further rows are like those before. */
#define OF_ONE_STATEMENT 40
#define STATEMENTS       4096

static sqlite3_api_routines between;
static const sqlite3_api_routines *real;

static int answers;            /* since they were counted anew */
static int failing;            /* the number of the one that fails */
static int is_short;           /* a value had no memory for its text: the next step says so */
static sqlite3_stmt *bad_stmt; /* says so when it is reset */
static sqlite3_str *bad_str;   /* and this one when it is asked */
static int given[STATEMENTS];  /* answers of a statement, by its address */

static int fails(void) {
  return ++answers == failing;
}

static int *given_by(sqlite3_stmt *stmt) {
  return &given[((uintptr_t)stmt >> 4) % STATEMENTS];
}

static int fails_of(sqlite3_stmt *stmt) {
  return (*given_by(stmt))++ < OF_ONE_STATEMENT && fails();
}

/* ---- memory ------------------------------------------------------------ */

static void *between_malloc64(sqlite3_uint64 n) {
  return fails() ? NULL : real->malloc64(n);
}

static void *between_realloc64(void *old, sqlite3_uint64 n) {
  return fails() ? NULL : real->realloc64(old, n);
}

static char *between_vmprintf(const char *format, va_list values) {
  return fails() ? NULL : real->vmprintf(format, values);
}

static char *between_mprintf(const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *text = between_vmprintf(format, values);
  va_end(values);
  return text;
}

/* ---- statements -------------------------------------------------------- */

static int between_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                              sqlite3_stmt **stmt, const char **rest) {
  *stmt = NULL;
  if (rest) *rest = sql;
  if (is_short || fails()) {
    is_short = 0;
    return SQLITE_NOMEM;
  }
  int rc = real->prepare_v3(db, sql, n, flags, stmt, rest);
  *given_by(*stmt) = 0;
  return rc;
}

static int between_prepare_v2(sqlite3 *db, const char *sql, int n, sqlite3_stmt **stmt,
                              const char **rest) {
  return between_prepare_v3(db, sql, n, 0, stmt, rest);
}

static int between_step(sqlite3_stmt *stmt) {
  if (is_short || stmt == bad_stmt || fails_of(stmt)) {
    is_short = 0;
    bad_stmt = stmt;
    return SQLITE_NOMEM;
  }
  return real->step(stmt);
}

static int between_end(sqlite3_stmt *stmt, int rc) {
  if (!is_short && (stmt == NULL || stmt != bad_stmt)) return rc;
  is_short = 0;
  bad_stmt = NULL;
  return SQLITE_NOMEM;
}

static int between_reset(sqlite3_stmt *stmt) {
  return between_end(stmt, real->reset(stmt));
}

static int between_finalize(sqlite3_stmt *stmt) {
  return between_end(stmt, real->finalize(stmt));
}

static int between_exec(sqlite3 *db, const char *sql, sqlite3_callback row, void *arg,
                        char **message) {
  return fails() ? SQLITE_NOMEM : real->exec(db, sql, row, arg, message);
}

static int between_bind_int64(sqlite3_stmt *stmt, int i, sqlite3_int64 value) {
  return fails_of(stmt) ? SQLITE_NOMEM : real->bind_int64(stmt, i, value);
}

static int between_bind_double(sqlite3_stmt *stmt, int i, double value) {
  return fails_of(stmt) ? SQLITE_NOMEM : real->bind_double(stmt, i, value);
}

static int between_bind_text64(sqlite3_stmt *stmt, int i, const char *text, sqlite3_uint64 n,
                               void (*end)(void *), unsigned char encoding) {
  return fails_of(stmt) ? SQLITE_NOMEM : real->bind_text64(stmt, i, text, n, end, encoding);
}

static int between_bind_zeroblob(sqlite3_stmt *stmt, int i, int n) {
  return fails_of(stmt) ? SQLITE_NOMEM : real->bind_zeroblob(stmt, i, n);
}

static int between_bind_pointer(sqlite3_stmt *stmt, int i, void *pointer, const char *type,
                                void (*end)(void *)) {
  return fails_of(stmt) ? SQLITE_NOMEM : real->bind_pointer(stmt, i, pointer, type, end);
}

static const unsigned char *between_column_text(sqlite3_stmt *stmt, int column) {
  if (!fails_of(stmt)) return real->column_text(stmt, column);
  bad_stmt = stmt;
  return NULL;
}

static const unsigned char *between_value_text(sqlite3_value *value) {
  if (!fails()) return real->value_text(value);
  is_short = 1;
  return NULL;
}

static const void *between_value_blob(sqlite3_value *value) {
  if (real->value_bytes(value) == 0 || !fails()) return real->value_blob(value);
  is_short = 1;
  return NULL;
}

static sqlite3_value *between_value_dup(const sqlite3_value *value) {
  return fails() ? NULL : real->value_dup(value);
}

/* ---- strings ----------------------------------------------------------- */

static int is_lost(sqlite3_str *out) {
  if (out != bad_str && !fails()) return 0;
  bad_str = out;
  return 1;
}

static void between_str_append(sqlite3_str *out, const char *text, int n) {
  if (!is_lost(out)) real->str_append(out, text, n);
}

static void between_str_appendall(sqlite3_str *out, const char *text) {
  if (!is_lost(out)) real->str_appendall(out, text);
}

static void between_str_appendchar(sqlite3_str *out, int n, char letter) {
  if (!is_lost(out)) real->str_appendchar(out, n, letter);
}

static void between_str_appendf(sqlite3_str *out, const char *format, ...) {
  va_list values;
  if (is_lost(out)) return;
  va_start(values, format);
  real->str_vappendf(out, format, values);
  va_end(values);
}

static int between_str_length(sqlite3_str *out) {
  return out == bad_str ? 0 : real->str_length(out);
}

static int between_str_errcode(sqlite3_str *out) {
  return out == bad_str ? SQLITE_NOMEM : real->str_errcode(out);
}

static char *between_str_finish(sqlite3_str *out) {
  char *text = real->str_finish(out);
  if (out != bad_str) return text;
  bad_str = NULL;
  real->free(text);
  return NULL;
}

/* ---- modules and functions --------------------------------------------- */

static int between_create_module_v2(sqlite3 *db, const char *name, const sqlite3_module *module,
                                    void *aux, void (*end)(void *)) {
  if (!fails()) return real->create_module_v2(db, name, module, aux, end);
  if (end) end(aux);
  return SQLITE_NOMEM;
}

static int between_create_function_v2(sqlite3 *db, const char *name, int n, int flags, void *aux,
                                      void (*function)(sqlite3_context *, int, sqlite3_value **),
                                      void (*step)(sqlite3_context *, int, sqlite3_value **),
                                      void (*final)(sqlite3_context *), void (*end)(void *)) {
  if (!fails()) {
    return real->create_function_v2(db, name, n, flags, aux, function, step, final, end);
  }
  if (end) end(aux);
  return SQLITE_NOMEM;
}

static int between_declare_vtab(sqlite3 *db, const char *sql) {
  return fails() ? SQLITE_NOMEM : real->declare_vtab(db, sql);
}

/* ---- the load ---------------------------------------------------------- */

static void answers_fail(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  real->result_int(out, answers);
  answers = is_short = 0;
  bad_stmt = NULL;
  bad_str = NULL;
  memset(given, 0, sizeof given);
  failing = real->value_int(argv[0]);
}

static void answers_place(void) {
  between = *real;
  between.malloc64 = between_malloc64;
  between.realloc64 = between_realloc64;
  between.mprintf = between_mprintf;
  between.vmprintf = between_vmprintf;
  between.prepare_v2 = between_prepare_v2;
  between.prepare_v3 = between_prepare_v3;
  between.step = between_step;
  between.reset = between_reset;
  between.finalize = between_finalize;
  between.exec = between_exec;
  between.bind_int64 = between_bind_int64;
  between.bind_double = between_bind_double;
  between.bind_text64 = between_bind_text64;
  between.bind_zeroblob = between_bind_zeroblob;
  between.bind_pointer = between_bind_pointer;
  between.column_text = between_column_text;
  between.value_text = between_value_text;
  between.value_blob = between_value_blob;
  between.value_dup = between_value_dup;
  between.str_append = between_str_append;
  between.str_appendall = between_str_appendall;
  between.str_appendchar = between_str_appendchar;
  between.str_appendf = between_str_appendf;
  between.str_length = between_str_length;
  between.str_errcode = between_str_errcode;
  between.str_finish = between_str_finish;
  between.create_module_v2 = between_create_module_v2;
  between.create_function_v2 = between_create_function_v2;
  between.declare_vtab = between_declare_vtab;
}

int sqlite3_answers_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

int sqlite3_answers_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api);
  real = api;
  answers_place();
  /* Where it is there already the statement that loads us stands in its way. */
  real->create_function_v2(db, "answers_fail", 1, SQLITE_UTF8, NULL, answers_fail, NULL, NULL,
                           NULL);
  /* It stays in the process, as this file does: both keep pointers into each other. */
  void *library = dlopen(getenv("TM_ANSWERS_SO"), RTLD_NOW | RTLD_NODELETE);
  if (!library) return SQLITE_ERROR;
  int (*init)(sqlite3 *, char **, const sqlite3_api_routines *);
  *(void **)&init = dlsym(library, "sqlite3_tm_init");
  if (!init) return SQLITE_ERROR;
  int rc = init(db, message, &between);
  return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}
