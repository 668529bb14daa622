/* os.h - what the operating system gives: two clocks and a sleep.
 * Owns:    every call that is not C11 or SQLite, but for those of watch.c.
 * Promise: no state, no locks, safe in any thread.
 * Why:     a port to another system replaces one file. */
#ifndef TM_BASE_OS_H
#define TM_BASE_OS_H

#include "base/sqlite.h"

/* Microseconds since 1970-01-01T00:00:00Z; follows the system's clock when that is set. */
sqlite3_int64 tm_os_wall_us(void);

/* Microseconds since some fixed moment; never goes back. Only differences mean anything. */
sqlite3_int64 tm_os_monotonic_us(void);

/* Sleep. Returns early when a signal arrives, so that a handler's interrupt is seen at once:
 * callers who need the whole time look at the monotonic clock. Zero or less returns at once. */
void tm_os_sleep_us(sqlite3_int64 us);

#endif
