/* watch.c - sleep until a file changes, without opening it.
 * Owns:    inotify, one watch on one descriptor.
 * Promise: no state but the descriptor; events stay queued in it until a sleep takes them, so
 *          none is lost between looking at the file and going to sleep.
 * Why:     apart from os.c because it needs more than POSIX. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "base/watch.h"

#include "base/os.h"

#ifdef __linux__

#include <poll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

/* Writing and truncating; then all that gives the path another file, or none. Reading and
 * locking are nothing. */
#define WATCH_EVENTS (IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct TmWatch {
  int fd;
  int wd; /* -1: nothing is watched */
};

TmWatch *tm_watch_open(void) {
  TmWatch *watch = sqlite3_malloc64(sizeof *watch);
  if (!watch) return NULL;
  watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  watch->wd = -1;
  if (watch->fd >= 0) return watch;
  sqlite3_free(watch);
  return NULL;
}

void tm_watch_close(TmWatch *watch) {
  if (!watch) return;
  close(watch->fd);
  sqlite3_free(watch);
}

/* The kernel answers with the same number for the same file, and never soon with an old one. */
TmWatched tm_watch_follow(TmWatch *watch, const char *path) {
  if (!watch || !path) return TM_WATCH_NONE;
  int wd = inotify_add_watch(watch->fd, path, WATCH_EVENTS);
  if (wd < 0) return TM_WATCH_NONE;
  if (wd == watch->wd) return TM_WATCH_KEPT;
  if (watch->wd >= 0) inotify_rm_watch(watch->fd, watch->wd);
  watch->wd = wd;
  return TM_WATCH_NEW;
}

/* Takes all that is queued. What the events say does not matter: whoever is woken looks. */
static bool watch_drain(TmWatch *watch) {
  char events[4096];
  ssize_t bytes = read(watch->fd, events, sizeof events);
  bool is_any = bytes > 0;
  while (bytes > (ssize_t)sizeof events / 2) bytes = read(watch->fd, events, sizeof events);
  return is_any;
}

bool tm_watch_sleep(TmWatch *watch, sqlite3_int64 us) {
  if (!watch) {
    tm_os_sleep_us(us);
    return false;
  }
  if (us > 0) {
    struct pollfd news = {.fd = watch->fd, .events = POLLIN};
    struct timespec length = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    if (ppoll(&news, 1, &length, NULL) <= 0) return false;
  }
  return watch_drain(watch);
}

#else

TmWatch *tm_watch_open(void) {
  return NULL;
}

void tm_watch_close(TmWatch *watch) {
  (void)watch;
}

TmWatched tm_watch_follow(TmWatch *watch, const char *path) {
  (void)watch;
  (void)path;
  return TM_WATCH_NONE;
}

bool tm_watch_sleep(TmWatch *watch, sqlite3_int64 us) {
  (void)watch;
  tm_os_sleep_us(us);
  return false;
}

#endif
