/* os.c - what the operating system gives, for POSIX.
 * Owns:    every call that is not C11 or SQLite, but for those of watch.c.
 * Promise: no state, no locks, safe in any thread.
 * Why:     the feature macro that POSIX asks for stays out of all other files. */
#if !defined(_GNU_SOURCE) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/os.h"

#include <time.h>

sqlite3_int64 tm_os_wall_us(void) {
  struct timespec now = {0};

  clock_gettime(CLOCK_REALTIME, &now);
  return (sqlite3_int64)now.tv_sec * 1000000 + (sqlite3_int64)now.tv_nsec / 1000;
}

sqlite3_int64 tm_os_monotonic_us(void) {
  struct timespec now = {0};

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (sqlite3_int64)now.tv_sec * 1000000 + (sqlite3_int64)now.tv_nsec / 1000;
}

void tm_os_sleep_us(sqlite3_int64 us) {
  struct timespec length;

  if (us <= 0) return;
  length.tv_sec = us / 1000000;
  length.tv_nsec = (long)(us % 1000000) * 1000;
  nanosleep(&length, NULL);
}
