/* unique.h - tasks that are unique by a key.
 * Owns:    the rows of tm_unique as far as verbs write them, and what an enqueue does that finds
 *          its key held. When a key is let go of is in triggers, sql/migrations/0010_unique.
 * Promise: two tasks never hold one key: the index tm_unique_key refuses the second. */
#ifndef TM_CORE_UNIQUE_H
#define TM_CORE_UNIQUE_H

#include "core/enqueue.h"
#include "core/task.h"

/* As it is composed for one enqueue. */
typedef struct TmUniqueKey {
  char *text; /* sqlite3_malloc'ed; the caller frees */
  int bytes;
  sqlite3_int64 until_ms; /* the end of its window, where it outlives the task; 0: none */
} TmUniqueKey;

extern const char *const tm_unique_scope_names[3];
extern const char *const tm_on_conflict_names[4];

/* Compose the key, and look who holds it. True where the enqueue ends here: a task holds it, and
 * what on_conflict says was done (run->task_id, run->is_duplicate, or [not_unique]). Under the
 * write lock; false means that tm_unique_take() may follow. */
bool tm_unique_find(TmRun *run, const TmEnqueue *task, TmUniqueKey *key);

/* Take the key for run->task_id, a task that was just inserted. */
void tm_unique_take(TmRun *run, const TmUnique *unique, const TmUniqueKey *key);

/* True where a task that is final may take its key again; else [not_unique], unless `is_many`. */
bool tm_unique_is_free(TmRun *run, const TmTask *task, bool is_many);

/* An error where an authorizer hides the table from the triggers too. */
void tm_unique_need_reads(TmRun *run, sqlite3_int64 task_id);

/* Forget keys whose tasks were deleted and whose windows are over, at most `limit`. */
void tm_unique_forget(TmRun *run, sqlite3_int64 limit);

#endif
