/* steer.h - what people do to tasks from outside.
 * Owns:    cancel, retry, hold, unhold, reschedule and delete, of one task and of many.
 * Promise: where the effect is there already, nothing changes and the result says so. */
#ifndef TM_CORE_STEER_H
#define TM_CORE_STEER_H

#include "core/select.h"
#include "core/task.h"

typedef enum TmSteerVerb {
  TM_STEER_CANCEL,     /* waiting ones and held ones -> cancelled; running -> cancelling */
  TM_STEER_RETRY,      /* discarded, cancelled, retryable, scheduled -> available, with a fresh set
                          of attempts */
  TM_STEER_HOLD,       /* waiting ones -> held */
  TM_STEER_UNHOLD,     /* held -> where it was, or available */
  TM_STEER_RESCHEDULE, /* scheduled, retryable, available: another time */
  TM_STEER_DELETE      /* final ones: removed, and what belongs to them */
} TmSteerVerb;

/* When: a time, or a delay from now. */
typedef struct TmWhen {
  bool is_time;
  sqlite3_int64 ms;
} TmWhen;

/* Of a delete: what becomes of a task that an unfinished one needs. */
typedef enum TmIfNeeded {
  TM_NEEDED_IS_ERROR, /* [wrong_state] */
  TM_NEEDED_IS_LEFT,  /* it is left alone */
  TM_NEEDED_IS_TRIED  /* left to the schema, whose constraints refuse it */
} TmIfNeeded;

typedef struct TmSteer {
  TmSteerVerb verb;
  TmText reason;        /* of a cancel */
  bool with_children;   /* of a cancel: all below it too */
  bool takes_completed; /* of a retry */
  TmWhen when;          /* of a reschedule */
  TmIfNeeded if_needed; /* of a delete */
  bool is_many;         /* one of many: what cannot be changed is left alone, without an error */
} TmSteer;

/* Give a waiting task another time, and the state that goes with it: a time that has come makes
 * it available, one to come makes an available one scheduled; held and blocked ones stay what
 * they are. False where it had that time already. */
bool tm_steer_set_time(TmRun *run, TmTask *task, sqlite3_int64 run_at_ms, const char *reason);

/* One task, which has to be in a state that the verb takes, any where its children are meant too.
 * Returns the new state. */
TmState tm_steer_one(TmRun *run, sqlite3_int64 id, const TmSteer *steer);

/* All that the filter asks for, in the order of their ids; those in a state that the verb does not
 * take are left alone. A retry takes completed ones where the filter names them. Returns how many
 * were changed; the filter's limit is of those that it asks for, their children come on top. */
sqlite3_int64 tm_steer_where(TmRun *run, const TmFilter *filter, const TmSteer *steer);

#endif
