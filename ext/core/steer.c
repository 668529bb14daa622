/* steer.c - what people do to a task from outside.
 * Owns:    cancel, retry, hold, unhold, reschedule and delete.
 * Promise: where the effect is there already, nothing changes and the result says so.
 * Why:     an operator who repeats a command wants its effect, not an error. */
#include "core/steer.h"

#define WAITING_STATES                                                                             \
  (TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_BLOCKED) | TM_STATE_BIT(TM_AVAILABLE) |            \
   TM_STATE_BIT(TM_WAITING) | TM_STATE_BIT(TM_RETRYABLE))

static void steer_load(TmRun *run, sqlite3_int64 id, TmStateSet takes, TmTask *task) {
  tm_task_load(run, id, task);
  tm_task_need_state(run, task, takes);
}

TmState tm_steer_cancel(TmRun *run, sqlite3_int64 id, TmText reason) {
  TmTask task;
  TmStateSet there = TM_STATE_BIT(TM_CANCELLING) | TM_STATE_BIT(TM_CANCELLED);
  steer_load(run, id, WAITING_STATES | TM_STATE_BIT(TM_RUNNING) | TM_STATE_BIT(TM_HELD) | there,
             &task);
  if (tm_run_failed(run) || (there & TM_STATE_BIT(task.state))) return task.state;
  TmState to = task.state == TM_RUNNING ? TM_CANCELLING : TM_CANCELLED;
  tm_task_move(run, &task, to, TM_BY_OTHERS, reason, TM_NO_TEXT);
  return to;
}

TmState tm_steer_retry(TmRun *run, sqlite3_int64 id, bool takes_completed) {
  TmTask task;
  TmStateSet takes = TM_STATE_BIT(TM_DISCARDED) | TM_STATE_BIT(TM_CANCELLED) |
                     TM_STATE_BIT(TM_RETRYABLE) | TM_STATE_BIT(TM_SCHEDULED) |
                     TM_STATE_BIT(TM_AVAILABLE);
  if (takes_completed) takes |= TM_STATE_BIT(TM_COMPLETED);
  steer_load(run, id, takes, &task);
  if (tm_run_failed(run) || task.state == TM_AVAILABLE) return TM_AVAILABLE;
  task.attempt = 0;
  task.run_at_ms = run->now_ms;
  tm_task_move(run, &task, TM_AVAILABLE, TM_BY_OTHERS, tm_text_of("retried"), TM_NO_TEXT);
  return TM_AVAILABLE;
}

TmState tm_steer_hold(TmRun *run, sqlite3_int64 id) {
  TmTask task;
  steer_load(run, id, WAITING_STATES | TM_STATE_BIT(TM_HELD), &task);
  if (tm_run_failed(run) || task.state == TM_HELD) return TM_HELD;
  tm_task_move(run, &task, TM_HELD, TM_BY_OTHERS, tm_text_of("held"), TM_NO_TEXT);
  return TM_HELD;
}

/* Back where it was; a time that has come in the meantime makes it available. */
static TmState steer_unhold_to(const TmRun *run, const TmTask *task) {
  bool is_due = task->run_at_ms <= run->now_ms;
  switch (task->held_from) {
  case TM_BLOCKED: return TM_BLOCKED;
  case TM_WAITING: return TM_WAITING;
  case TM_RETRYABLE: return is_due ? TM_AVAILABLE : TM_RETRYABLE;
  default: return is_due ? TM_AVAILABLE : TM_SCHEDULED;
  }
}

TmState tm_steer_unhold(TmRun *run, sqlite3_int64 id) {
  TmTask task;
  steer_load(run, id, TM_STATE_BIT(TM_HELD), &task);
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  TmState to = steer_unhold_to(run, &task);
  tm_task_move(run, &task, to, TM_BY_OTHERS, tm_text_of("unheld"), TM_NO_TEXT);
  return to;
}

TmState tm_steer_reschedule(TmRun *run, sqlite3_int64 id, TmWhen when) {
  TmTask task;
  steer_load(run, id,
             TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_RETRYABLE) | TM_STATE_BIT(TM_AVAILABLE),
             &task);
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  task.run_at_ms = when.is_time ? when.ms : tm_task_time_after(run, "delay", when.ms);
  TmState to = task.state;
  if (task.run_at_ms <= run->now_ms) {
    to = TM_AVAILABLE;
  } else if (to == TM_AVAILABLE) {
    to = TM_SCHEDULED;
  }
  if (to == task.state) {
    tm_task_set_run_at(run, &task);
  } else {
    tm_task_move(run, &task, to, TM_BY_OTHERS, tm_text_of("rescheduled"), TM_NO_TEXT);
  }
  return to;
}

/* What there is of a task, before and after its delete. */
typedef struct Leftover {
  bool has_task, has_event, has_attempt;
  bool is_readable;
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
    left.is_readable = tm_stmt_reads(&s, TM_C_TASK_LEFTOVER_TASK) &&
                       tm_stmt_reads(&s, TM_C_TASK_LEFTOVER_EVENT) &&
                       tm_stmt_reads(&s, TM_C_TASK_LEFTOVER_ATTEMPT);
    left.next_task_id = tm_stmt_int(&s, TM_C_TASK_LEFTOVER_NEXT_TASK_ID);
    left.next_event_id = tm_stmt_int(&s, TM_C_TASK_LEFTOVER_NEXT_EVENT_ID);
  }
  tm_stmt_close(&s);
  return left;
}

void tm_steer_delete(TmRun *run, sqlite3_int64 id) {
  TmTask task;
  steer_load(run, id,
             TM_STATE_BIT(TM_COMPLETED) | TM_STATE_BIT(TM_CANCELLED) | TM_STATE_BIT(TM_DISCARDED),
             &task);
  if (tm_run_failed(run)) return;
  Leftover before = steer_leftover(run, &task);
  if (!before.is_readable) tm_run_unreadable(run, "tm_task, tm_event or tm_attempt");
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_DELETE, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_DELETE_ID, id);
  tm_stmt_exec(&s);
  Leftover after = steer_leftover(run, &task);
  if (after.has_task) tm_run_dropped(run, "tm_task");
  if (after.has_event) tm_run_dropped(run, "tm_event");
  if (after.has_attempt) tm_run_dropped(run, "tm_attempt");
  if (after.next_task_id < before.next_task_id || after.next_event_id < before.next_event_id) {
    tm_run_dropped(run, "tm_setting");
  }
}
