/* select.h - tasks by what they are like.
 * Owns:    the filter of the verbs for many tasks and of tm_select, and the walk over what it
 *          asks for.
 * Promise: by id, each task once, and none that is born meanwhile; between two blocks no
 *          statement is open, so that rows may change, and memory does not grow with their number.
 * Why:     a million tasks in one call are as many as in a thousand calls. */
#ifndef TM_CORE_SELECT_H
#define TM_CORE_SELECT_H

#include "core/state.h"
#include "store/run.h"

/* X(NAME, key, form): a condition that one parameter of sql/queries/select.sql holds, the one
 * named like the key. To add a key: a row here, and its line in the two statements there. */
#define TM_FILTER_KEYS(X)                                                                          \
  X(QUEUE, "queue", NAMES)                                                                         \
  X(KIND, "kind", NAMES)                                                                           \
  X(WORKER, "worker", NAMES)                                                                       \
  X(PARTITION, "partition", NAMES)                                                                 \
  X(GROUP, "group", NAMES)                                                                         \
  X(TAGS, "tags", TEXTS)                                                                           \
  X(CREATED_BEFORE_MS, "created_before_ms", TIME)                                                  \
  X(CREATED_AFTER_MS, "created_after_ms", TIME)                                                    \
  X(FINISHED_BEFORE_MS, "finished_before_ms", TIME)                                                \
  X(ERROR_LIKE, "error_like", PATTERN)                                                             \
  X(PAYLOAD, "payload", PATHS)

typedef enum TmFilterKey {
#define TM_FILTER_ENUM(name, key, form) TM_FILTER_##name,
  TM_FILTER_KEYS(TM_FILTER_ENUM)
#undef TM_FILTER_ENUM
      TM_FILTER_KEY_COUNT
} TmFilterKey;

typedef struct TmFilter {
  TmStateSet states;
  bool has_ids;
  const sqlite3_int64 *ids; /* rising, each once */
  int id_count;
  TmValue is[TM_FILTER_KEY_COUNT]; /* of type 0 where nothing is asked */
  sqlite3_int64 limit;             /* at least 1 */
} TmFilter;

/* What a filter that names no state and no limit has. */
#define TM_SELECT_STATES   ((TM_STATE_BIT(TM_STATE_COUNT) - 1) & ~TM_STATE_BIT(TM_COMPLETED))
#define TM_SELECT_NO_LIMIT 0x7fffffffffffffffLL

/* A block is that long at most. */
#define TM_SELECT_BLOCK 256

typedef enum TmSelectBy {
  TM_SELECT_BY_ID,
  TM_SELECT_BY_IDS,
  TM_SELECT_BY_GROUP,
  TM_SELECT_BY_LIVE
} TmSelectBy;

typedef struct TmSelect {
  const TmFilter *filter; /* outlives the walk */
  TmStateSet states;
  TmSelectBy by;
  sqlite3_int64 after_id;
  sqlite3_int64 last_id;    /* the newest when the walk began */
  const sqlite3_int64 *ids; /* those to look at: the filter's, or a block of the group's */
  int id_count, next;
  sqlite3_int64 block[TM_SELECT_BLOCK];
  sqlite3_int64 seen_id; /* of the group, the last in a block */
} TmSelect;

/* Start at the first task that the filter asks for and whose state is among `states`. */
void tm_select_begin(TmRun *run, const TmFilter *filter, TmStateSet states, TmSelect *select);

/* Hand on at most `room` rows, TM_SELECT_BLOCK or fewer, and return how many; 0 at the end. The
 * columns are TM_C_SELECT_BY_ID_. The filter's limit is the caller's to keep. */
typedef void (*TmSelectRow)(void *arg, const TmStmt *row);
int tm_select_next(TmRun *run, TmSelect *select, sqlite3_int64 room, TmSelectRow on_row, void *arg);

#endif
