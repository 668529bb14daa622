/* aside.c - SQLite without its lookaside memory, which no tool that looks at memory sees into.
 * Why:     for LD_PRELOAD. SQLite takes this setting only before its first call.
 */
#include <sqlite3.h>

__attribute__((constructor)) static void no_lookaside(void) {
  (void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
}
