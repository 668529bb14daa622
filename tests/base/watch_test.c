/* watch_test.c - clocks, sleeps, and a file that is waited for.
 * Owns:    what is asked of the operating system; where it has no inotify, that this is said. */
#include "base_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "base/watch.h"

/* -- os ---------------------------------------------------------------------------------------- */

static void test_os(Tally *tally) {
  sqlite3_int64 before_us = tm_os_monotonic_us();
  sqlite3_int64 wall_us = tm_os_wall_us();

  tm_os_sleep_us(0);
  tm_os_sleep_us(-5);
  tm_os_sleep_us(20000);
  check(tally, tm_os_monotonic_us() - before_us >= 19900, "a sleep of 20 ms takes that long");
  check(tally, wall_us > 1577836800000000 && wall_us < 32503680000000000,
        "the wall clock is between the years 2020 and 3000 in microseconds");
}

/* -- watch ------------------------------------------------------------------------------------- */

/* A file of this name, with so many bytes more. */
static void append(const char *path, int n) {
  FILE *file = fopen(path, "a");

  if (file == NULL) abort();
  for (int k = 0; k < n; k++) fputc('x', file);
  if (fclose(file) != 0) abort();
}

static void test_watch_absent(Tally *tally) {
  sqlite3_int64 before_us = tm_os_monotonic_us();

  check(tally, tm_watch_follow(NULL, "anything") == TM_WATCH_NONE, "no watch follows nothing");
  check(tally,
        !tm_watch_sleep(NULL, 0) && !tm_watch_sleep(NULL, -5) && !tm_watch_sleep(NULL, 20000),
        "and hears nothing");
  check(tally, tm_os_monotonic_us() - before_us >= 19900, "but sleeps");
  tm_watch_close(NULL);
}

#ifdef __linux__
static void test_watch_file(Tally *tally, const char *path) {
  TmWatch *watch = tm_watch_open();

  if (watch == NULL) {
    check(tally, true, "there is no inotify to be had");
    return;
  }
  remove(path);
  check(tally,
        tm_watch_follow(watch, path) == TM_WATCH_NONE &&
            tm_watch_follow(watch, NULL) == TM_WATCH_NONE,
        "what is not there is not watched, nor what has no name");
  append(path, 1);
  check(tally,
        tm_watch_follow(watch, path) == TM_WATCH_NEW &&
            tm_watch_follow(watch, path) == TM_WATCH_KEPT,
        "a file is watched once");
  check(tally, !tm_watch_sleep(watch, 0) && !tm_watch_sleep(watch, 1000),
        "without a change there is no news");
  append(path, 1);
  append(path, 1);
  check(tally, tm_watch_sleep(watch, 60000000) && !tm_watch_sleep(watch, 0),
        "what came before the sleep ends it, once");
  for (int k = 0; k < 300; k++) {
    append(path, 1);
    remove(path);
    append(path, 1);
    if (tm_watch_follow(watch, path) != TM_WATCH_NEW) abort();
  }
  check(tally, tm_watch_sleep(watch, 60000000) && !tm_watch_sleep(watch, 0),
        "more news than a buffer holds are taken at once");
  append(path, 1);
  check(tally, tm_watch_sleep(watch, 60000000), "a file that was replaced is watched again");
  remove(path);
  check(tally, tm_watch_sleep(watch, 60000000) && tm_watch_follow(watch, path) == TM_WATCH_NONE,
        "its end is news");
  tm_watch_close(watch);
}
#else
static void test_watch_file(Tally *tally, const char *path) {
  (void)path;
  check(tally, tm_watch_open() == NULL, "there is no inotify here");
}
#endif

void test_watch(Tally *tally, const char *program) {
  char path[4096];

  /* Beside the program, where it may write. */
  snprintf(path, sizeof path, "%s.watched", program);
  test_os(tally);
  test_watch_absent(tally);
  test_watch_file(tally, path);
}
