/* queue.h - queues: rows with settings, made by their first task.
 * Owns:    tm_queue as far as verbs touch it; its settings are changed with plain SQL. */
#ifndef TM_CORE_QUEUE_H
#define TM_CORE_QUEUE_H

#include "store/run.h"

/* Make the queue where it is missing, or [no_such_queue] where queues are strict. */
void tm_queue_need(TmRun *run, TmText name);

/* Pause or resume; [no_such_queue] with the nearest name where there is none. */
void tm_queue_set_paused(TmRun *run, TmText name, bool is_paused);

/* Walk all queues by name: true and the next name, which is copied into `name`
 * (TM_NAME_MAX_BYTES + 1 bytes); start with *n = 0. */
bool tm_queue_next(TmRun *run, char *name, int *n);

#endif
