/* children.c - the tasks that a task made, and those that they made.
 * Owns:    the walk down from a task.
 * Promise: each once, those born meanwhile left out; as much memory for a million as for one, at
 *          any depth; between two steps no statement is open, so that rows may change.
 * Why:     a recursive query would hold a statement open while rows change below it, and a list of
 *          what is still to be seen grows with the tree. The tree itself says what is next: the
 *          first child, else the next sibling, else that of the nearest ancestor that has one. A
 *          child has a higher id than its parent, which the statements hold to: the walk ends
 *          whatever the rows say. */
#include "core/children.h"

#include "core/flow.h"

/* ---- a birth ----------------------------------------------------------- */

/* -1 where the parent is not there. */
static sqlite3_int64 children_parent_flow(TmRun *run, sqlite3_int64 parent_id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_PARENT_FLOW, &s);
  tm_stmt_bind_int(&s, TM_P_PARENT_FLOW_ID, parent_id);
  sqlite3_int64 flow = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_PARENT_FLOW_FLOW) : -1;
  tm_stmt_close(&s);
  return flow;
}

void tm_children_need_parent(TmRun *run, sqlite3_int64 parent_id) {
  if (children_parent_flow(run, parent_id) >= 0 || tm_run_failed(run)) return;
  tm_error_set(&run->error, TM_NO_SUCH_TASK,
               "parent %lld is no task, see tm_task for those there are", parent_id);
}

void tm_children_prove_parent(TmRun *run, sqlite3_int64 parent_id) {
  sqlite3_int64 flow = children_parent_flow(run, parent_id);
  if (flow < 0 || !(flow & TM_FLOW_PARENT)) tm_run_dropped(run, "tm_task");
}

/* ---- the walk ---------------------------------------------------------- */

static sqlite3_int64 children_after(TmRun *run, const TmChildren *walk, sqlite3_int64 parent_id,
                                    sqlite3_int64 after_id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_CHILD_AFTER, &s);
  tm_stmt_bind_int(&s, TM_P_CHILD_AFTER_PARENT_ID, parent_id);
  tm_stmt_bind_int(&s, TM_P_CHILD_AFTER_AFTER_ID, after_id);
  sqlite3_int64 id = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_CHILD_AFTER_TASK_ID) : 0;
  tm_stmt_close(&s);
  return id <= walk->last_id ? id : 0;
}

static sqlite3_int64 children_parent(TmRun *run, sqlite3_int64 id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_CHILD_PARENT, &s);
  tm_stmt_bind_int(&s, TM_P_CHILD_PARENT_TASK_ID, id);
  sqlite3_int64 parent_id = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_CHILD_PARENT_PARENT_ID) : 0;
  tm_stmt_close(&s);
  return parent_id;
}

void tm_children_begin(TmRun *run, sqlite3_int64 root_id, TmChildren *walk) {
  *walk = (TmChildren){.root_id = root_id, .at_id = root_id};
  TmStmt s;
  tm_stmt_open(run, TM_Q_SELECT_NEWEST, &s);
  if (tm_stmt_row(&s)) walk->last_id = tm_stmt_int(&s, TM_C_SELECT_NEWEST_ID);
  tm_stmt_close(&s);
}

sqlite3_int64 tm_children_next(TmRun *run, TmChildren *walk) {
  sqlite3_int64 next_id = children_after(run, walk, walk->at_id, 0);
  if (next_id) {
    walk->parent_id = walk->at_id;
    walk->at_id = next_id;
    return next_id;
  }
  while (walk->at_id != walk->root_id && !tm_run_failed(run)) {
    next_id = children_after(run, walk, walk->parent_id, walk->at_id);
    if (next_id) {
      walk->at_id = next_id;
      return next_id;
    }
    walk->at_id = walk->parent_id;
    if (walk->at_id == walk->root_id) break;
    walk->parent_id = children_parent(run, walk->at_id);
    /* A trigger of the application's took away what the walk stood on, and with it the way up:
     * walk again from the root. The tasks that may vanish are finite, so this ends; one that is
     * there again has not vanished but its way up is hidden. */
    if (walk->parent_id == 0 && !tm_run_failed(run)) {
      if (walk->at_id == walk->lost_id) tm_run_unreadable(run, "tm_flow");
      walk->lost_id = walk->at_id;
      walk->at_id = walk->root_id;
      return tm_children_next(run, walk);
    }
  }
  return 0;
}
