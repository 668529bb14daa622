/* children.h - the tasks that a task made, and those that they made.
 * Owns:    the walk down from a task.
 * Promise: each once, those born meanwhile left out; as much memory for a million as for one, at
 *          any depth; between two steps no statement is open, so that rows may change. */
#ifndef TM_CORE_CHILDREN_H
#define TM_CORE_CHILDREN_H

#include "store/run.h"

typedef struct TmChildren {
  sqlite3_int64 root_id;
  sqlite3_int64 last_id; /* the newest task when the walk began */
  sqlite3_int64 lost_id; /* vanished under the walk; 0 */
  sqlite3_int64 at_id, parent_id;
} TmChildren;

void tm_children_begin(TmRun *run, sqlite3_int64 root_id, TmChildren *walk);

/* The next task below the root; 0 at the end. */
sqlite3_int64 tm_children_next(TmRun *run, TmChildren *walk);

/* Before and after the birth of a child: [no_such_task]; that the parent says it has one. */
void tm_children_need_parent(TmRun *run, sqlite3_int64 parent_id);
void tm_children_prove_parent(TmRun *run, sqlite3_int64 parent_id);

#endif
