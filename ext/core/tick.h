/* tick.h - maintenance: what time alone makes happen.
 * Owns:    scheduled or retryable -> available when due; the end of lapsed leases. */
#ifndef TM_CORE_TICK_H
#define TM_CORE_TICK_H

#include "core/task.h"

/* A round touches at most so many tasks where nothing else is said. */
#define TM_TICK_LIMIT 1000

typedef struct TmTick {
  sqlite3_int64 promoted;
  sqlite3_int64 rescued;              /* leases taken back, whatever became of the task */
  sqlite3_int64 discarded, cancelled; /* of those rescued */
  sqlite3_int64 expired, fired, pruned;
} TmTick;

/* Bring back at most `limit` tasks of the queue; adds to the counts, returns how many. */
sqlite3_int64 tm_tick_promote(TmRun *run, TmText queue, sqlite3_int64 limit, TmTick *counts);
sqlite3_int64 tm_tick_rescue(TmRun *run, TmText queue, sqlite3_int64 limit, TmTick *counts);

/* End the lease of a task that its worker lost: available, or discarded with no attempt
 * left, or cancelled where it was asked to stop. */
void tm_tick_take_back(TmRun *run, TmTask *task, const char *reason, TmTick *counts);

/* One round over all queues, schedules included, at most `limit` tasks. */
void tm_tick_run(TmRun *run, sqlite3_int64 limit, TmTick *counts);

/* Startup: take back every lease, of this worker only where one is named, then tick. */
void tm_tick_reconcile(TmRun *run, TmText worker, TmTick *counts);

#endif
