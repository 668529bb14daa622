/* finish.c - how a worker lets go of a task, and how it keeps it.
 * Owns:    the moves out of running and cancelling that the lease's holder makes.
 * Promise: an old token changes nothing; a lease that has lapsed still counts until
 *          somebody takes the task back.
 * Why:     the token, not the time, tells whose task it is (Kleppmann, "How to do
 *          distributed locking", 2016): a paused worker cannot know the time. */
#include "core/finish.h"

#include "core/backoff.h"

#define HOLDER_STATES (TM_STATE_BIT(TM_RUNNING) | TM_STATE_BIT(TM_CANCELLING))

/* Read the task and see that the caller holds it. */
static void finish_load(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, TmTask *task) {
  tm_task_load(run, id, task);
  tm_task_need_token(run, task, token);
  tm_task_need_state(run, task, HOLDER_STATES);
}

void tm_finish_complete(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, const TmValue *result) {
  TmTask task;
  finish_load(run, id, token, &task);
  if (tm_run_failed(run)) return;
  TmWrite write;
  tm_task_write_open(run, TM_Q_FINISH_COMPLETE, &write);
  TmStmt *s = &write.stmt;
  tm_stmt_bind_int(s, TM_P_FINISH_COMPLETE_ID, id);
  tm_stmt_bind_int(s, TM_P_FINISH_COMPLETE_NOW_MS, run->now_ms);
  tm_stmt_bind_value(s, TM_P_FINISH_COMPLETE_RESULT, result);
  tm_stmt_bind_int(s, TM_P_FINISH_COMPLETE_HAS_HISTORY, task.has_history);
  tm_task_write_move(&write, &task, TM_COMPLETED);
}

static void finish_keep_error(TmRun *run, const TmTask *task, TmText error) {
  sqlite3_int64 before = sqlite3_total_changes64(run->context->db);
  TmStmt s;
  tm_stmt_open(run, TM_Q_FINISH_KEEP_ERROR, &s);
  tm_stmt_bind_int(&s, TM_P_FINISH_KEEP_ERROR_ID, task->id);
  tm_stmt_bind_int(&s, TM_P_FINISH_KEEP_ERROR_NOW_MS, run->now_ms);
  tm_stmt_bind_text(&s, TM_P_FINISH_KEEP_ERROR_ERROR, error);
  tm_stmt_exec(&s);
  if (tm_run_failed(run) || sqlite3_total_changes64(run->context->db) > before) return;
  tm_run_dropped(run, "tm_attempt");
}

TmState tm_finish_fail(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, TmText error,
                       sqlite3_int64 delay_ms, bool is_hopeless) {
  TmTask task;
  finish_load(run, id, token, &task);
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  finish_keep_error(run, &task, error);
  TmState to = TM_RETRYABLE;
  const char *reason = NULL;
  if (task.state == TM_CANCELLING) {
    to = TM_CANCELLED;
  } else if (is_hopeless) {
    to = TM_DISCARDED;
    reason = "not worth retrying";
  } else if (task.attempt >= task.max_attempts) {
    to = TM_DISCARDED;
    reason = "attempts exhausted";
  } else {
    if (delay_ms >= 0) {
      task.run_at_ms = tm_task_time_after(run, "delay", delay_ms);
    } else {
      delay_ms = tm_backoff_delay_ms(task.backoff_kind, task.backoff_base_ms, task.backoff_max_ms,
                                     task.backoff_jitter, task.attempt);
      /* A backoff is cut, never refused: the task has failed all the same. */
      sqlite3_int64 most_ms = TM_TIME_MAX_MS - run->now_ms;
      task.run_at_ms = run->now_ms + (delay_ms < most_ms ? delay_ms : most_ms);
    }
  }
  tm_task_move(run, &task, to, TM_BY_WORKER, reason ? tm_text_of(reason) : TM_NO_TEXT, error);
  return to;
}

/* Give the task back with its attempt uncounted, or end it where it was asked to stop. */
static TmState finish_give_back(TmRun *run, TmTask *task, TmState to, const char *reason) {
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  if (task->state == TM_CANCELLING) {
    to = TM_CANCELLED;
  } else {
    task->attempt--;
  }
  tm_task_move(run, task, to, TM_BY_WORKER, tm_text_of(reason), TM_NO_TEXT);
  return to;
}

TmState tm_finish_snooze(TmRun *run, sqlite3_int64 id, sqlite3_int64 token,
                         sqlite3_int64 delay_ms) {
  TmTask task;
  finish_load(run, id, token, &task);
  if (!tm_run_failed(run) && task.state == TM_RUNNING) {
    task.run_at_ms = tm_task_time_after(run, "delay", delay_ms);
  }
  return finish_give_back(run, &task, TM_SCHEDULED, "snoozed");
}

TmState tm_finish_release(TmRun *run, sqlite3_int64 id, sqlite3_int64 token) {
  TmTask task;
  finish_load(run, id, token, &task);
  return finish_give_back(run, &task, TM_AVAILABLE, "released");
}

TmState tm_finish_heartbeat(TmRun *run, sqlite3_int64 id, sqlite3_int64 token,
                            const TmHeartbeat *beat) {
  TmTask task;
  finish_load(run, id, token, &task);
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  task.lease_until_ms =
      tm_task_time_after(run, "lease", beat->lease_ms ? beat->lease_ms : task.lease_ms);
  TmWrite write;
  tm_task_write_open(run, TM_Q_FINISH_HEARTBEAT, &write);
  TmStmt *s = &write.stmt;
  tm_stmt_bind_int(s, TM_P_FINISH_HEARTBEAT_ID, id);
  tm_stmt_bind_int(s, TM_P_FINISH_HEARTBEAT_LEASE_UNTIL_MS, task.lease_until_ms);
  tm_stmt_bind_int(s, TM_P_FINISH_HEARTBEAT_SETS_PROGRESS, beat->sets_progress);
  if (beat->has_progress) {
    tm_stmt_bind_real(s, TM_P_FINISH_HEARTBEAT_PROGRESS, beat->progress);
  }
  tm_stmt_bind_int(s, TM_P_FINISH_HEARTBEAT_SETS_NOTE, beat->sets_note);
  tm_stmt_bind_text(s, TM_P_FINISH_HEARTBEAT_NOTE, beat->note);
  tm_task_write_times(&write, &task);
  return task.state;
}
