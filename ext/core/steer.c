/* steer.c - what people do to tasks from outside.
 * Owns:    cancel, retry, hold, unhold, reschedule and delete, of one task and of many.
 * Promise: where the effect is there already, nothing changes and the result says so.
 * Why:     an operator who repeats a command wants its effect, not an error. */
#include "core/steer.h"

#include "core/children.h"
#include "core/depend.h"
#include "core/group.h"
#include "core/times.h"
#include "core/unique.h"

#define WAITING_STATES                                                                             \
  (TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_BLOCKED) | TM_STATE_BIT(TM_AVAILABLE) |            \
   TM_STATE_BIT(TM_WAITING) | TM_STATE_BIT(TM_RETRYABLE))

/* ---- what each verb does to a task that is in a state it takes --------- */

/* Each returns false where it left the task as it is. */

static bool steer_move(TmRun *run, TmTask *task, TmState to, TmText reason) {
  tm_task_move(run, task, to, TM_BY_OTHERS, reason, TM_NO_TEXT);
  return true;
}

static bool steer_cancel(TmRun *run, TmTask *task, const TmSteer *steer) {
  return steer_move(run, task, task->state == TM_RUNNING ? TM_CANCELLING : TM_CANCELLED,
                    steer->reason);
}

/* A finished task waits again for what it needs and has been retried too. */
static bool steer_retry(TmRun *run, TmTask *task, const TmSteer *steer) {
  bool is_final = tm_state_kind(task->state) == TM_KIND_FINAL;
  bool takes_key = (task->flow & TM_FLOW_UNIQUE) && is_final;
  if (takes_key && !tm_unique_is_free(run, task, steer->is_many)) return false;
  bool needs = (task->flow & TM_FLOW_NEEDS) && is_final;
  task->attempt = 0;
  task->run_at_ms = run->now_ms;
  tm_times_renew(run, task);
  steer_move(run, task, TM_AVAILABLE, tm_text_of("retried"));
  if (needs && tm_depend_rearm(run, task->id) > 0) {
    tm_task_load(run, task->id, task);
    steer_move(run, task, TM_BLOCKED, tm_text_of("waits for what it needs, which was retried"));
  }
  return true;
}

static bool steer_hold(TmRun *run, TmTask *task, const TmSteer *steer) {
  (void)steer;
  return steer_move(run, task, TM_HELD, tm_text_of("held"));
}

/* Back where it was; a time that has come in the meantime makes it available. */
static TmState steer_unhold_to(TmRun *run, const TmTask *task) {
  bool is_due = task->run_at_ms <= run->now_ms;
  if (task->held_from == TM_BLOCKED) {
    bool is_blocked = !(task->flow & TM_FLOW_NEEDS) || tm_depend_rearm(run, task->id) > 0;
    if (is_blocked) return TM_BLOCKED;
  }
  switch (task->held_from) {
  case TM_WAITING: return TM_WAITING;
  case TM_RETRYABLE: return is_due ? TM_AVAILABLE : TM_RETRYABLE;
  default: return is_due ? TM_AVAILABLE : TM_SCHEDULED;
  }
}

static bool steer_unhold(TmRun *run, TmTask *task, const TmSteer *steer) {
  (void)steer;
  return steer_move(run, task, steer_unhold_to(run, task), tm_text_of("unheld"));
}

static sqlite3_int64 steer_time(TmRun *run, TmWhen when) {
  return when.is_time ? when.ms : tm_task_time_after(run, "delay", when.ms);
}

bool tm_steer_set_time(TmRun *run, TmTask *task, sqlite3_int64 run_at_ms, const char *reason) {
  sqlite3_int64 before_ms = task->run_at_ms;
  task->run_at_ms = run_at_ms;
  TmState to = task->state;
  if (to == TM_HELD || to == TM_BLOCKED) {
    /* Its state waits for something else than a time. */
  } else if (task->run_at_ms <= run->now_ms) {
    to = TM_AVAILABLE;
  } else if (to == TM_AVAILABLE) {
    to = TM_SCHEDULED;
  }
  if (to != task->state) return steer_move(run, task, to, tm_text_of(reason));
  if (task->run_at_ms == before_ms) return false;
  tm_task_set_run_at(run, task);
  return true;
}

static bool steer_reschedule(TmRun *run, TmTask *task, const TmSteer *steer) {
  return tm_steer_set_time(run, task, steer_time(run, steer->when), "rescheduled");
}

/* What there is of a task, before and after its delete. */
typedef struct Leftover {
  bool has_task, has_event, has_attempt;
  bool is_there;
  sqlite3_int64 next_task_id, next_event_id;
} Leftover;

static Leftover steer_leftover(TmRun *run, const TmTask *task) {
  Leftover left = {0};
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_LEFTOVER, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_LEFTOVER_ID, task->id);
  tm_stmt_bind_int(&s, TM_P_TASK_LEFTOVER_EVENT_ID, task->event_id);
  if (tm_stmt_row(&s)) {
    left.has_task = !tm_stmt_is_null(&s, TM_C_TASK_LEFTOVER_TASK);
    left.has_event = !tm_stmt_is_null(&s, TM_C_TASK_LEFTOVER_EVENT);
    left.has_attempt = !tm_stmt_is_null(&s, TM_C_TASK_LEFTOVER_ATTEMPT);
    left.is_there = true;
    left.next_task_id = tm_stmt_int(&s, TM_C_TASK_LEFTOVER_NEXT_TASK_ID);
    left.next_event_id = tm_stmt_int(&s, TM_C_TASK_LEFTOVER_NEXT_EVENT_ID);
  }
  tm_stmt_close(&s);
  return left;
}

/* The rows of history, from the newest back. The trigger of tm_task would do it too, ten times
 * slower: it walks by a query that builds a table in memory. */
static void steer_delete_history(TmRun *run, const TmTask *task) {
  sqlite3_int64 id = task->event_id;
  while (id > 0 && !tm_run_failed(run)) {
    TmStmt s;
    tm_stmt_open(run, TM_Q_EVENT_BEFORE, &s);
    tm_stmt_bind_int(&s, TM_P_EVENT_BEFORE_ID, id);
    tm_stmt_bind_int(&s, TM_P_EVENT_BEFORE_TASK_ID, task->id);
    bool is_there = tm_stmt_row(&s);
    sqlite3_int64 previous_id = is_there ? tm_stmt_int(&s, TM_C_EVENT_BEFORE_PREVIOUS_ID) : 0;
    tm_stmt_close(&s);
    if (!is_there) return;
    tm_stmt_open(run, TM_Q_EVENT_DELETE, &s);
    tm_stmt_bind_int(&s, TM_P_EVENT_DELETE_ID, id);
    tm_stmt_write(&s, "tm_event");
    if (previous_id >= id) return; /* out of order: the doctor names what is left of it */
    id = previous_id;
  }
}

/* True where a task that is not finished needs it, and it stays. */
static bool steer_is_needed(TmRun *run, const TmTask *task, TmIfNeeded if_needed) {
  if (!(task->flow & TM_FLOW_NEEDED) || if_needed == TM_NEEDED_IS_TRIED) return false;
  TmState state = TM_STATE_COUNT;
  sqlite3_int64 by_id = tm_depend_dependant(run, task->id, &state);
  if (!by_id || tm_run_failed(run)) return false;
  if (if_needed == TM_NEEDED_IS_ERROR) {
    tm_error_set(&run->error, TM_WRONG_STATE,
                 "task %lld is needed by task %lld, which is %s, and stays until that is finished",
                 task->id, by_id, tm_state_name(state));
  }
  return true;
}

static bool steer_delete(TmRun *run, TmTask *task, const TmSteer *steer) {
  if (steer_is_needed(run, task, steer->if_needed)) return false;
  tm_task_need_still(run, task);
  Leftover before = steer_leftover(run, task);
  if (!before.is_there) tm_run_unreadable(run, "tm_task, tm_event or tm_attempt");
  if (task->flow & TM_FLOW_UNIQUE) tm_unique_need_reads(run, task->id);
  steer_delete_history(run, task);
  TmGroupExit leaving;
  tm_group_exit_begin(run, task, &leaving);
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_DELETE, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_DELETE_ID, task->id);
  tm_stmt_bind_int(&s, TM_P_TASK_DELETE_MOVES, task->moves);
  tm_stmt_exec(&s);
  Leftover after = steer_leftover(run, task);
  if (after.has_task) tm_run_dropped(run, "tm_task");
  if (after.has_event) tm_run_dropped(run, "tm_event");
  if (after.has_attempt) tm_run_dropped(run, "tm_attempt");
  if (after.next_task_id < before.next_task_id || after.next_event_id < before.next_event_id) {
    tm_run_dropped(run, "tm_setting");
  }
  tm_group_exit_end(run, &leaving);
  return true;
}

/* ---- the verbs --------------------------------------------------------- */

typedef struct SteerRule {
  TmStateSet takes; /* the states of a task that it changes */
  TmStateSet there; /* those in which its effect is there already */
  bool (*change)(TmRun *run, TmTask *task, const TmSteer *steer);
} SteerRule;

/* In the order of TmSteerVerb. */
static const SteerRule steer_rules[] = {
    {WAITING_STATES | TM_STATE_BIT(TM_RUNNING) | TM_STATE_BIT(TM_HELD),
     TM_STATE_BIT(TM_CANCELLING) | TM_STATE_BIT(TM_CANCELLED), steer_cancel},
    {TM_STATE_BIT(TM_DISCARDED) | TM_STATE_BIT(TM_CANCELLED) | TM_STATE_BIT(TM_RETRYABLE) |
         TM_STATE_BIT(TM_SCHEDULED),
     TM_STATE_BIT(TM_AVAILABLE), steer_retry},
    {WAITING_STATES, TM_STATE_BIT(TM_HELD), steer_hold},
    {TM_STATE_BIT(TM_HELD), 0, steer_unhold},
    {TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_RETRYABLE) | TM_STATE_BIT(TM_AVAILABLE), 0,
     steer_reschedule},
    {TM_STATE_BIT(TM_COMPLETED) | TM_STATE_BIT(TM_CANCELLED) | TM_STATE_BIT(TM_DISCARDED), 0,
     steer_delete},
};

static TmStateSet steer_takes(const TmSteer *steer) {
  TmStateSet takes = steer_rules[steer->verb].takes;
  return steer->takes_completed ? takes | TM_STATE_BIT(TM_COMPLETED) : takes;
}

/* What a walk saw may be otherwise by now: a trigger of the application's on a task before this
 * one may have moved it or taken it away. */
static bool steer_found(TmRun *run, sqlite3_int64 id, TmStateSet states, const TmSteer *steer) {
  TmTask task;
  if (!tm_task_find(run, id, &task)) return false;
  if (!(states & TM_STATE_BIT(task.state))) return false;
  return steer_rules[steer->verb].change(run, &task, steer);
}

/* All below the task; returns how many were changed. */
static sqlite3_int64 steer_children(TmRun *run, sqlite3_int64 id, const TmSteer *steer) {
  if (!steer->with_children || tm_run_failed(run)) return 0;
  sqlite3_int64 done = 0;
  TmChildren walk;
  tm_children_begin(run, id, &walk);
  sqlite3_int64 child_id = tm_children_next(run, &walk);
  while (child_id && !tm_run_failed(run)) {
    done += steer_found(run, child_id, steer_takes(steer), steer);
    child_id = tm_children_next(run, &walk);
  }
  run->task_id = id;
  return done;
}

TmState tm_steer_one(TmRun *run, sqlite3_int64 id, const TmSteer *steer) {
  TmTask task;
  TmStateSet takes = steer_takes(steer);
  tm_task_load(run, id, &task);
  if (!steer->with_children) {
    tm_task_need_state(run, &task, takes | steer_rules[steer->verb].there);
  }
  if (!tm_run_failed(run) && (takes & TM_STATE_BIT(task.state))) {
    steer_rules[steer->verb].change(run, &task, steer);
  } else if (steer->verb == TM_STEER_CANCEL) {
    tm_times_cancel(run, &task);
  }
  steer_children(run, id, steer);
  return task.state;
}

/* ---- many -------------------------------------------------------------- */

typedef struct SteerBlock {
  sqlite3_int64 ids[TM_SELECT_BLOCK];
  int count;
} SteerBlock;

static void steer_note(void *arg, const TmStmt *row) {
  SteerBlock *block = arg;
  block->ids[block->count++] = tm_stmt_int(row, TM_C_SELECT_BY_ID_ID);
}

sqlite3_int64 tm_steer_where(TmRun *run, const TmFilter *filter, const TmSteer *steer) {
  tm_run_begin(run);
  TmSteer each = *steer;
  each.is_many = true;
  each.takes_completed =
      each.verb == TM_STEER_RETRY && (filter->states & TM_STATE_BIT(TM_COMPLETED)) != 0;
  each.if_needed = TM_NEEDED_IS_LEFT;
  if (tm_run_failed(run)) return 0;
  if (each.verb == TM_STEER_RESCHEDULE) each.when = (TmWhen){true, steer_time(run, each.when)};
  TmSelect select;
  tm_select_begin(run, filter, steer_takes(&each), &select);
  sqlite3_int64 done = 0;
  sqlite3_int64 below = 0;
  SteerBlock block;
  do {
    block.count = 0;
    tm_select_next(run, &select, filter->limit - done, steer_note, &block);
    for (int i = 0; i < block.count && !tm_run_failed(run); i++) {
      if (!steer_found(run, block.ids[i], select.states, &each)) continue;
      done++;
      below += steer_children(run, block.ids[i], &each);
    }
  } while (block.count > 0 && done < filter->limit && !tm_run_failed(run));
  run->task_id = 0;
  return done + below;
}
