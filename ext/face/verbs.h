/* verbs.h - every verb there is.
 * Owns:    the table from which functions are registered, tm_command finds its verbs, and
 *          the reference is generated.
 * Promise: a verb is added by one row here and one function in a fn_ file. */
#ifndef TM_FACE_VERBS_H
#define TM_FACE_VERBS_H

#include "face/call.h"

extern const TmVerb tm_verbs[];
extern const int tm_verb_count;

/* The verb of this name without tm_; NULL for none. */
const TmVerb *tm_verbs_find(TmText name);

/* fn_enqueue.c */
void fn_enqueue(TmCall *call);

/* fn_depend.c */
void fn_depend(TmCall *call);
void fn_inputs(TmCall *call);
/* fn_unique.c */
void fn_was_duplicate(TmCall *call);

/* fn_claim.c */
void fn_claim(TmCall *call);
bool fn_claim_is_idle(TmCall *call);
void fn_wait(TmCall *call);

/* fn_worker.c: what the holder of a lease calls */
void fn_complete(TmCall *call);
void fn_fail(TmCall *call);
void fn_snooze(TmCall *call);
void fn_release(TmCall *call);
void fn_heartbeat(TmCall *call);

/* fn_steer.c: what people call */
void fn_cancel(TmCall *call);
void fn_retry(TmCall *call);
void fn_hold(TmCall *call);
void fn_unhold(TmCall *call);
void fn_reschedule(TmCall *call);
void fn_delete(TmCall *call);
void fn_cancel_where(TmCall *call);
void fn_retry_where(TmCall *call);
void fn_hold_where(TmCall *call);
void fn_unhold_where(TmCall *call);
void fn_reschedule_where(TmCall *call);
void fn_delete_where(TmCall *call);
void fn_seal(TmCall *call);
void fn_pause(TmCall *call);
void fn_resume(TmCall *call);
void fn_tick(TmCall *call);
void fn_prune(TmCall *call);
void fn_reconcile(TmCall *call);

/* fn_look.c */
void fn_get(TmCall *call);

/* fn_schedule.c */
void fn_schedule(TmCall *call);
void fn_unschedule(TmCall *call);
void fn_pause_schedule(TmCall *call);
void fn_resume_schedule(TmCall *call);

/* fn_cron.c */
void fn_cron_next(TmCall *call);

/* fn_setup.c */
void fn_init(TmCall *call);
void fn_migrate(TmCall *call);
void fn_version(TmCall *call);
void fn_repair(TmCall *call);
void fn_now(TmCall *call);
void fn_clock_set(TmCall *call);
void fn_clock_advance(TmCall *call);
void fn_clock_clear(TmCall *call);

#endif
