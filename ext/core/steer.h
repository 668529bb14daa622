/* steer.h - what people do to a task from outside.
 * Owns:    cancel, retry, hold, unhold, reschedule and delete.
 * Promise: where the effect is there already, nothing changes and the result says so. */
#ifndef TM_CORE_STEER_H
#define TM_CORE_STEER_H

#include "core/task.h"

/* Waiting ones -> cancelled; running -> cancelling. Returns the new state. */
TmState tm_steer_cancel(TmRun *run, sqlite3_int64 id, TmText reason);

/* discarded, cancelled, retryable, scheduled (completed where asked) -> available, with a
 * fresh set of attempts. */
TmState tm_steer_retry(TmRun *run, sqlite3_int64 id, bool takes_completed);

TmState tm_steer_hold(TmRun *run, sqlite3_int64 id);
TmState tm_steer_unhold(TmRun *run, sqlite3_int64 id);

/* When: a time, or a delay from now. */
typedef struct TmWhen {
  bool is_time;
  sqlite3_int64 ms;
} TmWhen;

TmState tm_steer_reschedule(TmRun *run, sqlite3_int64 id, TmWhen when);

/* Remove a final task and what belongs to it. */
void tm_steer_delete(TmRun *run, sqlite3_int64 id);

#endif
