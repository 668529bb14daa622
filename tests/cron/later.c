/* later.c - a clock that is set on, and one zone's file in the place of another, for LD_PRELOAD.
 * Owns:    TM_TEST_LATER_S: so many seconds are added to the clock that counts since the start;
 *          TM_TEST_ZONE: this file is opened in the place of Europe/Berlin's.
 * Promise: nothing else changes.
 * Why:     a zone is read again after a minute, and zone files belong to the system. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now) {
  const char *later = getenv("TM_TEST_LATER_S");
  int rc = (int)syscall(SYS_clock_gettime, id, now);
  if (rc == 0 && id == CLOCK_MONOTONIC && later) now->tv_sec += atol(later);
  return rc;
}

FILE *fopen(const char *path, const char *mode) {
  FILE *(*real)(const char *, const char *) =
      (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
  const char *zone = getenv("TM_TEST_ZONE");
  return real(zone && strstr(path, "/Europe/Berlin") ? zone : path, mode);
}
