/* watch.h - sleep until a file changes, without opening it.
 * Owns:    one inotify descriptor, where the system has that; elsewhere only the sleep.
 * Promise: what happens to the file between two sleeps ends the next one at once; the file
 *          is never opened, for closing it would drop the POSIX locks that SQLite holds on
 *          it in this process.
 * Why:     close() of such a descriptor takes milliseconds, so it is opened and followed
 *          in separate steps, and callers keep it. */
#ifndef TM_BASE_WATCH_H
#define TM_BASE_WATCH_H

#include "base/sqlite.h"

#include <stdbool.h>

typedef struct TmWatch TmWatch;

typedef enum TmWatched {
  TM_WATCH_NONE, /* nothing there, or not to be had: what was watched before still is */
  TM_WATCH_NEW,  /* from now on; what changed before was not seen */
  TM_WATCH_KEPT  /* that very file was watched already */
} TmWatched;

/* NULL where there is no inotify, or no descriptor or memory left. Closed on exec. The calls
 * below take NULL. */
TmWatch *tm_watch_open(void);
void tm_watch_close(TmWatch *watch);

/* Watch the file that has this path now, instead of the one before. Cheap where it is the same:
 * call it again whenever the file may have been replaced. */
TmWatched tm_watch_follow(TmWatch *watch, const char *path);

/* Sleep until the file changes, true, or the time is over, false; both may come early: there
 * is news of a file that is watched no more, and a signal ends it too. Zero or less
 * asks whether there is news. */
bool tm_watch_sleep(TmWatch *watch, sqlite3_int64 us);

#endif
