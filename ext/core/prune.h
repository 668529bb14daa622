/* prune.h - finished tasks go when their queue does not keep them any longer.
 * Owns:    tm_finished, as far as it is not written by the schema's own triggers. */
#ifndef TM_CORE_PRUNE_H
#define TM_CORE_PRUNE_H

#include "core/task.h"

/* One round over the queues that have a limit, or over this one: looks at no more than `limit`
 * tasks that may go, and returns how many went. `tries_all`: also those that could not be deleted
 * a short while ago. */
sqlite3_int64 tm_prune_run(TmRun *run, TmText queue, sqlite3_int64 limit, bool tries_all);

#endif
