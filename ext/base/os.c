/* os.c - what the operating system gives, for POSIX.
 * Owns:    every call that is not C11 or SQLite.
 * Promise: no state, no locks, safe in any thread.
 * Why:     the feature macro that POSIX asks for stays in this one file. */
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

sqlite3_int64 tm_os_monotonic_ms(void) {
  struct timespec now = {0};

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (sqlite3_int64)now.tv_sec * 1000 + (sqlite3_int64)now.tv_nsec / 1000000;
}

void tm_os_sleep_ms(int ms) {
  struct timespec length;

  if (ms <= 0) return;
  length.tv_sec = ms / 1000;
  length.tv_nsec = (long)(ms % 1000) * 1000000;
  nanosleep(&length, NULL);
}
