/* deaf.c - an inotify that is not what it should be, for LD_PRELOAD.
 * Owns:    TM_TEST_INOTIFY=deaf: every watch is on another file, so that no event ever comes;
 *          TM_TEST_INOTIFY=none: no descriptor is to be had.
 * Promise: nothing else changes.
 * Why:     some file systems send no events, and descriptors run out; neither is at hand where
 *          tests run. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

static int deaf_is(const char *mode) {
  const char *asked = getenv("TM_TEST_INOTIFY");
  return asked && strcmp(asked, mode) == 0;
}

int inotify_init1(int flags) {
  if (!deaf_is("none")) return (int)syscall(SYS_inotify_init1, flags);
  errno = EMFILE;
  return -1;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask) {
  return (int)syscall(SYS_inotify_add_watch, fd, deaf_is("deaf") ? "/dev/zero" : path, mask);
}
