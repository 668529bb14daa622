/* queue.h - queues: rows with settings, made by their first task.
 * Owns:    tm_queue as far as verbs touch it; its settings are changed with plain SQL. */
#ifndef TM_CORE_QUEUE_H
#define TM_CORE_QUEUE_H

#include "store/run.h"

/* What a verb wants to know of a queue. */
typedef struct TmQueueRow {
  int name_bytes;
  char name[TM_NAME_MAX_BYTES];
  bool is_paused;
  bool has_history;
  bool has_schedules;
  bool is_limited;     /* by any limit of sql/migrations/0008_limits */
  bool is_partitioned; /* by one that asks for a task's partition */
  char backoff_kind;   /* first letter of the name: f, l or e */
  sqlite3_int64 priority;
  sqlite3_int64 max_attempts;
  sqlite3_int64 lease_ms;
  sqlite3_int64 backoff_base_ms;
  sqlite3_int64 backoff_max_ms;
  double backoff_jitter;
} TmQueueRow;

/* The queue of this name, NULL where there is none. The run has begun; what the connection
 * has read under the same stamp is not read again. Alive until the next call. */
const TmQueueRow *tm_queue_find(TmRun *run, TmText name);

/* [no_such_queue] with the nearest name where there is none. */
void tm_queue_must_exist(TmRun *run, TmText name);

/* Make the queue where it is missing, or [no_such_queue] where queues are strict. */
void tm_queue_need(TmRun *run, TmText name);

/* Pause or resume; [no_such_queue] with the nearest name where there is none. */
void tm_queue_set_paused(TmRun *run, TmText name, bool is_paused);

/* Walk all queues by name: true and the next name, which is copied into `name`
 * (TM_NAME_MAX_BYTES + 1 bytes); start with *n = 0. */
bool tm_queue_next(TmRun *run, char *name, int *n);

/* Copy the name that a walk has come to into `name` (TM_NAME_MAX_BYTES bytes); false and
 * [rule_broken] where it is longer than a name can be. */
bool tm_queue_keep_name(TmRun *run, TmText next, char *name, int *n);

#endif
