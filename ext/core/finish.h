/* finish.h - how a worker lets go of a task, and how it keeps it.
 * Owns:    the moves out of running and cancelling that the lease's holder makes.
 * Promise: all of them take the fencing token; an old one changes nothing. */
#ifndef TM_CORE_FINISH_H
#define TM_CORE_FINISH_H

#include "core/task.h"

/* running or cancelling -> completed. */
void tm_finish_complete(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, const TmValue *result);

/* running -> retryable or discarded; cancelling -> cancelled. `delay_ms` below 0: the
 * backoff's. The error is kept for the attempt. Returns the new state. */
TmState tm_finish_fail(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, TmText error,
                       sqlite3_int64 delay_ms, bool is_hopeless);

/* The attempt of a cancelling task that was asked to stop by its time has failed: -> retryable or
 * discarded. Returns the new state. */
TmState tm_finish_time_out(TmRun *run, TmTask *task, const char *stopping);

/* running -> scheduled; cancelling -> cancelled; the attempt does not count. */
TmState tm_finish_snooze(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, sqlite3_int64 delay_ms);

/* running -> available; cancelling -> cancelled; the attempt does not count. */
TmState tm_finish_release(TmRun *run, sqlite3_int64 id, sqlite3_int64 token);

typedef struct TmHeartbeat {
  sqlite3_int64 lease_ms; /* 0: the task's own, or its queue's */
  bool sets_progress, sets_note;
  bool has_progress; /* else progress is taken away */
  double progress;
  TmText note; /* absent: the note is taken away */
} TmHeartbeat;

/* Extends the lease; a cancelling task answers so. */
TmState tm_finish_heartbeat(TmRun *run, sqlite3_int64 id, sqlite3_int64 token,
                            const TmHeartbeat *beat);

#endif
