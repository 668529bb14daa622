/* fn_enqueue.h - the options of a task, for all who make tasks.
 * Owns:    their names.
 * Promise: tm_enqueue and tm_schedule take them alike. */
#ifndef TM_FACE_FN_ENQUEUE_H
#define TM_FACE_FN_ENQUEUE_H

#include "core/enqueue.h"
#include "face/args.h"

/* Whoever takes more options puts theirs behind these. */
enum {
  TM_TASK_PRIORITY,
  TM_TASK_DELAY,
  TM_TASK_RUN_AT_MS,
  TM_TASK_MAX_ATTEMPTS,
  TM_TASK_BACKOFF,
  TM_TASK_LEASE,
  TM_TASK_KIND,
  TM_TASK_TAGS,
  TM_TASK_METADATA,
  TM_TASK_HELD,
  TM_TASK_PARTITION,
  TM_TASK_GROUP,
  TM_TASK_PARENT,
  TM_TASK_EXPIRES,
  TM_TASK_TIMEOUT,
  TM_TASK_DEADLINE,
  TM_TASK_AFTER,
  TM_TASK_ON_FAILURE,
  TM_TASK_UNIQUE,
  TM_TASK_OPTIONS
};
#define TM_TASK_OPTION_NAMES                                                                       \
  "priority", "delay", "run_at_ms", "max_attempts", "backoff", "lease", "kind", "tags",            \
      "metadata", "held", "partition", "group", "parent", "expires", "timeout", "deadline",        \
      "after", "on_failure", "unique"

/* Read them, checked; texts live as long as the options. */
void tm_enqueue_options(TmOptions *options, TmEnqueue *task);

#endif
