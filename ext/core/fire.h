/* fire.h - slots that have come: each becomes one task, or is decided against.
 * Owns:    the rounds over tm_schedule, and tm_schedule_slot. */
#ifndef TM_CORE_FIRE_H
#define TM_CORE_FIRE_H

#include "core/tick.h"

/* catch_up 'all': of more slots that were missed, the oldest do not fire. */
#define TM_CATCH_UP_MAX 1000
/* catch_up 'none': a slot that came longer ago was missed. */
#define TM_CATCH_UP_GRACE_MS 60000
/* So many slots of a schedule are kept at least, the newest. */
#define TM_SLOTS_KEPT 100
/* What could not fire, such as one whose zone is gone, is tried again after so long. */
#define TM_FIRE_AGAIN_MS 60000

/* When a schedule of the queue is to be looked at next, 0 for never. */
sqlite3_int64 tm_fire_due_ms(TmRun *run, TmText queue);

/* Decide what is due in the queue, in at most `limit` steps: a step is a task made, or a
 * schedule that was looked at and made none. Adds the tasks to the counts; returns the steps. */
sqlite3_int64 tm_fire_queue(TmRun *run, TmText queue, sqlite3_int64 limit, TmTick *counts);

#endif
