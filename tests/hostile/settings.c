/* settings.c - SQL functions that set what SQLite sets by C alone, for tests/hostile/settings.test.
 *
 *   set_config(option, value)  sqlite3_db_config(); SQLITE_DBCONFIG_MAINDBNAME sets another name
 *   set_limit(limit, value)    sqlite3_limit()
 *   set_optimizations(mask)    the optimizations that the planner does without
 *   set_extended(is_on)        sqlite3_extended_result_codes()
 *   set_own(is_on)             connections that are opened from now on have functions of their own
 *                              in the place of SQLite's, which do the same
 *
 * Each answers 1 where SQLite knows what is set. SQLite replaces no function of its own while a
 * statement runs: that is why set_own() does it for the next connection. */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#include <string.h>

static void set_config(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3 *db = sqlite3_context_db_handle(out);
  int option = sqlite3_value_int(argv[0]);
  int rc = option == SQLITE_DBCONFIG_MAINDBNAME
               ? sqlite3_db_config(db, option, "another name")
               : sqlite3_db_config(db, option, sqlite3_value_int(argv[1]), (int *)0);
  sqlite3_result_int(out, rc == SQLITE_OK);
}

static void set_limit(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3 *db = sqlite3_context_db_handle(out);
  int before = sqlite3_limit(db, sqlite3_value_int(argv[0]), sqlite3_value_int(argv[1]));
  sqlite3_result_int(out, before >= 0);
}

static void set_optimizations(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3 *db = sqlite3_context_db_handle(out);
  int rc = sqlite3_test_control(SQLITE_TESTCTRL_OPTIMIZATIONS, db, sqlite3_value_int(argv[0]));
  sqlite3_result_int(out, rc == SQLITE_OK);
}

static void set_extended(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  sqlite3_extended_result_codes(sqlite3_context_db_handle(out), sqlite3_value_int(argv[0]));
  sqlite3_result_int(out, 1);
}

/* ---- functions in the place of SQLite's ---------------------------------------------- */

/* Of max and min those of one argument are aggregates. */
static const struct {
  const char *name;
  int arguments;
} own_functions[] = {
    {"lower", 1},     {"upper", 1},      {"length", 1},
    {"typeof", 1},    {"quote", 1},      {"round", 1},
    {"abs", 1},       {"char", 1},       {"instr", 2},
    {"substr", 2},    {"substr", 3},     {"replace", 3},
    {"ltrim", 2},     {"max", 2},        {"max", 3},
    {"min", 2},       {"min", 5},        {"coalesce", 2},
    {"coalesce", 3},  {"ifnull", 2},     {"nullif", 2},
    {"like", 2},      {"glob", 2},       {"julianday", 1},
    {"strftime", 3},  {"unixepoch", 1},  {"->", 2},
    {"->>", 2},       {"json_valid", 1}, {"json_extract", 2},
    {"json_type", 1}, {"json_type", 2},  {"json_array_length", 1},
};

/* SQLite's own function is asked, on a connection that has it. */
typedef struct Own {
  sqlite3 *db;
  sqlite3_stmt *stmt;
} Own;

static void own_call(sqlite3_context *out, int argc, sqlite3_value **argv) {
  const Own *own = sqlite3_user_data(out);
  for (int i = 0; i < argc; i++) sqlite3_bind_value(own->stmt, i + 1, argv[i]);
  if (sqlite3_step(own->stmt) == SQLITE_ROW) {
    sqlite3_result_value(out, sqlite3_column_value(own->stmt, 0));
  } else {
    sqlite3_result_error(out, sqlite3_errmsg(own->db), -1);
  }
  sqlite3_reset(own->stmt);
}

static void own_free(void *pointer) {
  Own *own = pointer;
  sqlite3_finalize(own->stmt);
  sqlite3_close(own->db);
  sqlite3_free(own);
}

static int own_make(sqlite3 *db, const char *name, int arguments) {
  static const char marks[] = "?, ?, ?, ?, ?";
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  Own *own = sqlite3_malloc(sizeof *own);
  memset(own, 0, sizeof *own);
  sqlite3_open(":memory:", &own->db);
  char *text = sqlite3_mprintf("SELECT \"%w\"(%.*s)", name, 3 * arguments - 2, marks);
  int rc = sqlite3_prepare_v2(own->db, text, -1, &own->stmt, 0);
  sqlite3_free(text);
  if (rc != SQLITE_OK) {
    own_free(own);
    return rc;
  }
  return sqlite3_create_function_v2(db, name, arguments, flags, own, own_call, 0, 0, own_free);
}

static int is_making; /* a connection that a function makes has none of them */

static int own_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  (void)message;
  (void)api;
  int rc = SQLITE_OK;
  if (is_making) return SQLITE_OK;
  is_making = 1;
  for (size_t i = 0; i < sizeof own_functions / sizeof own_functions[0] && rc == SQLITE_OK; i++) {
    rc = own_make(db, own_functions[i].name, own_functions[i].arguments);
  }
  is_making = 0;
  return rc;
}

static void set_own(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  void (*init)(void) = (void (*)(void))own_init;
  if (sqlite3_value_int(argv[0])) {
    sqlite3_auto_extension(init);
  } else {
    sqlite3_cancel_auto_extension(init);
  }
  sqlite3_result_int(out, 1);
}

__attribute__((visibility("default"))) int sqlite3_settings_init(sqlite3 *db, char **message,
                                                                 const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api);
  (void)message;
  sqlite3_create_function(db, "set_config", 2, SQLITE_UTF8, 0, set_config, 0, 0);
  sqlite3_create_function(db, "set_limit", 2, SQLITE_UTF8, 0, set_limit, 0, 0);
  sqlite3_create_function(db, "set_optimizations", 1, SQLITE_UTF8, 0, set_optimizations, 0, 0);
  sqlite3_create_function(db, "set_extended", 1, SQLITE_UTF8, 0, set_extended, 0, 0);
  sqlite3_create_function(db, "set_own", 1, SQLITE_UTF8, 0, set_own, 0, 0);
  return SQLITE_OK;
}
