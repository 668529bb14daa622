/* limit.h - what the limits of a queue let a claim do.
 * Owns:    whose turn it is in a queue with limits.
 * Promise: a queue without limits never comes here. */
#ifndef TM_CORE_LIMIT_H
#define TM_CORE_LIMIT_H

#include "core/queue.h"
#include "store/run.h"

/* When a claim may find something in the queue, by reading only: a time that may have come already,
 * or 0 where only somebody's commit can change it. */
sqlite3_int64 tm_limit_next_ms(TmRun *run, const TmQueueRow *queue);

/* The task that may start now, 0 where none may; `id` asks for this very one. In the atomic scope.
 */
sqlite3_int64 tm_limit_turn(TmRun *run, const TmQueueRow *queue, sqlite3_int64 id);

/* See that the view tm_task_moved did what it should for a task of such a queue. */
void tm_limit_prove(TmRun *run, sqlite3_int64 id, const TmProof *proof);

/* Forget empty partitions that have nothing to remember, at most so many of each queue. */
void tm_limit_forget(TmRun *run, sqlite3_int64 limit);

#endif
