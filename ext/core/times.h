/* times.h - tasks whose time is over.
 * Owns:    what becomes of a task when expires, timeout or deadline has passed.
 * Promise: bounded; by anyone at any time; each task once.
 *
 *   waits    -- expires (no attempt counts yet), deadline --> discarded
 *   running  -- timeout, deadline --> cancelling, with tm_flow.stopping
 *   cancelling, stopping 'timeout'  -- it lets go, or grace_ms --> retryable or discarded
 *   cancelling, stopping 'deadline' -- it lets go, or grace_ms --> discarded */
#ifndef TM_CORE_TIMES_H
#define TM_CORE_TIMES_H

#include "core/flow.h"
#include "core/task.h"

/* Work off at most `limit` tasks of any queue whose time is over; returns how many. Who keeps to
 * settings.has_times asks only where there are such tasks at all. */
sqlite3_int64 tm_times_run(TmRun *run, sqlite3_int64 limit);

/* When the first time of a task of any queue is, or was, over; 0 for never. By reading only. */
sqlite3_int64 tm_times_next_ms(TmRun *run);

bool tm_times_is_over(TmRun *run, sqlite3_int64 id);

/* End this task, whose time may be over; false where it is not. */
bool tm_times_end(TmRun *run, sqlite3_int64 id);

/* Why a cancelling task was asked to stop, where that was its time: "timeout" or "deadline"; NULL
 * where a person asked, and for every other task. */
const char *tm_times_stopping(TmRun *run, const TmTask *task);

/* A person asks a cancelling task to stop. */
void tm_times_cancel(TmRun *run, const TmTask *task);

/* A person runs a task again: what has passed already is taken away. */
void tm_times_renew(TmRun *run, const TmTask *task);

/* See that the triggers wrote when its time is over. */
void tm_times_prove(TmRun *run, sqlite3_int64 id);

#endif
