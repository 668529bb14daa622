/* group.h - tasks that belong together.
 * Owns:    tm_group as far as verbs touch it: what is checked before and after its triggers count.
 * Promise: a count that was not written is an error; a group that is sealed takes no more. */
#ifndef TM_CORE_GROUP_H
#define TM_CORE_GROUP_H

#include "core/task.h"

typedef struct TmGroupName {
  int n; /* bytes */
  char z[TM_NAME_MAX_BYTES];
} TmGroupName;

/* [wrong_state] where the group is sealed; it need not be there yet. */
void tm_group_need_open(TmRun *run, TmText name);

/* Before and after the move of a task in a group is told to tm_task_moved. Nothing is read where
 * the move changes no count. */
typedef struct TmGroupCount {
  bool is_counted, had_ended;
  sqlite3_int64 revision; /* before */
} TmGroupCount;
void tm_group_count_begin(TmRun *run, sqlite3_int64 task_id, unsigned flow, TmState from,
                          TmState to, TmGroupCount *count);
void tm_group_count_end(TmRun *run, sqlite3_int64 task_id, const TmGroupCount *count);

/* The same around the delete of a task in a group. */
typedef struct TmGroupExit {
  bool is_in_group;
  TmGroupName name;
  sqlite3_int64 removed; /* before */
  bool is_last;          /* the row of the group goes too */
} TmGroupExit;
void tm_group_exit_begin(TmRun *run, const TmTask *task, TmGroupExit *leaving);
void tm_group_exit_end(TmRun *run, const TmGroupExit *leaving);

/* Close the group: no more tasks. [no_such_group]. */
void tm_group_seal(TmRun *run, TmText name);

#endif
