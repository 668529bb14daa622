/* fixture.c - the extension inside SQLite's own harness, in every connection.
 * Owns:    what `tools/testfixture static` puts there. TM_FIXTURE chooses another thing, for tests
 * of the comparison: `keys` is nothing but foreign keys turned on, which the extension also does,
 * and `harm` is the extension and an abs() that answers NULL. Promise: a test that takes back all
 * automatic extensions takes back the others. */
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

int sqlite3_tm_init(sqlite3 *db, char **message, const void *api);
int tm_fixture_init(const char *unused);
void __real_sqlite3_reset_auto_extension(void);
void __wrap_sqlite3_reset_auto_extension(void);

static void harm(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count;
  (void)values;
  sqlite3_result_null(context);
}

static int fixture_open(sqlite3 *db, char **message, const void *api) {
  const char *kind = getenv("TM_FIXTURE");
  if (kind && strcmp(kind, "keys") == 0)
    return sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  if (kind && strcmp(kind, "harm") == 0)
    sqlite3_create_function(db, "abs", 1, SQLITE_UTF8, NULL, harm, NULL, NULL);
  return sqlite3_tm_init(db, message, api);
}

int tm_fixture_init(const char *unused) {
  (void)unused;
  return sqlite3_auto_extension((void (*)(void))fixture_open);
}

/* The linker's --wrap makes this one of the harness. */
void __wrap_sqlite3_reset_auto_extension(void) {
  __real_sqlite3_reset_auto_extension();
  tm_fixture_init(NULL);
}
