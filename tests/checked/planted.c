/* planted.c - an extension with mistakes on purpose: what `tools/checked` must find.
 * Owns:    planted(KIND), one mistake of that kind; 'none' makes none, and is 0.
 * Why:     a tool that looks at memory and was not really in front of the tests finds nothing,
 * either.
 */
#include <limits.h>
#include <sqlite3ext.h>
#include <string.h>
SQLITE_EXTENSION_INIT1

int sqlite3_planted_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

/* Nothing that the compiler can see through. */
static volatile int sixteen = 16;
static volatile int largest = INT_MAX;

static int plant(const char *kind) {
  char *bytes = (char *)sqlite3_malloc(sixteen);
  int found = 0;
  if (bytes == NULL) return 0;
  if (strcmp(kind, "uninitialised") == 0 && bytes[sixteen - 1] > 1) found = 1;
  if (strcmp(kind, "beyond") == 0) found = bytes[sixteen];
  if (strcmp(kind, "overflow") == 0) found = largest + sixteen;
  if (strcmp(kind, "leak") == 0) return 0;
  sqlite3_free(bytes);
  if (strcmp(kind, "freed") == 0) found = bytes[1];
  return found;
}

static void planted(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count;
  sqlite3_result_int(context, plant((const char *)sqlite3_value_text(values[0])));
}

__attribute__((visibility("default"))) int sqlite3_planted_init(sqlite3 *db, char **message,
                                                                const sqlite3_api_routines *api) {
  (void)message;
  SQLITE_EXTENSION_INIT2(api);
  return sqlite3_create_function(db, "planted", 1, SQLITE_UTF8, NULL, planted, NULL, NULL);
}
