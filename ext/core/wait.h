/* wait.h - block until something may be claimable.
 * Owns:    the only call that sleeps. */
#ifndef TM_CORE_WAIT_H
#define TM_CORE_WAIT_H

#include "store/run.h"

/* True as soon as one of the queues has something for a claim, false when the time is over.
 * [in_transaction] where the caller's snapshot would hide what others commit. */
bool tm_wait_run(TmRun *run, const TmText *queues, int count, sqlite3_int64 timeout_ms);

#endif
