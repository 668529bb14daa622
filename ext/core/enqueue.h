/* enqueue.h - the birth of a task.
 * Owns:    the insert into tm_task.
 * Promise: into a queue that exists, one plain statement; else the queue is made first. */
#ifndef TM_CORE_ENQUEUE_H
#define TM_CORE_ENQUEUE_H

#include "core/flow.h"
#include "core/task.h"

/* What tm_enqueue was given; checked by the face. */
typedef struct TmEnqueue {
  TmText queue;
  TmValue payload;
  TmText kind, tags, metadata, backoff_kind; /* absent: none, or what the queue says */
  bool has_priority, has_run_at, has_max_attempts, has_lease, has_base, has_max, has_jitter;
  bool is_held;
  sqlite3_int64 priority;
  sqlite3_int64 run_at_ms; /* where has_run_at */
  sqlite3_int64 delay_ms;  /* else from now */
  sqlite3_int64 max_attempts;
  sqlite3_int64 lease_ms;
  sqlite3_int64 backoff_base_ms;
  sqlite3_int64 backoff_max_ms;
  double backoff_jitter;
  TmFlow flow;
} TmEnqueue;

/* What the options and the queue say together. */
typedef struct TmBirth {
  TmState state;
  sqlite3_int64 priority;
  sqlite3_int64 run_at_ms;
  sqlite3_int64 max_attempts;
} TmBirth;

struct TmQueueRow;
TmBirth tm_enqueue_birth(TmRun *run, const TmEnqueue *task, const struct TmQueueRow *queue);

/* Insert the task. False, with no error and nothing written, where that takes more than one
 * statement (the queue is new or has partitions, or the task has flow) and `is_in_scope` is not
 * set: call again inside the atomic scope, with it set. run->task_id is the id; where the task is
 * unique and another holds its key that one's, and run->is_duplicate is set. */
bool tm_enqueue_run(TmRun *run, const TmEnqueue *task, bool is_in_scope);

#endif
