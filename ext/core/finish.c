/* finish.c - how a worker lets go of a task, and how it keeps it.
 * Owns:    the moves out of running and cancelling that the lease's holder makes.
 * Promise: an old token changes nothing; a lease that has lapsed still counts until
 *          somebody takes the task back.
 * Why:     the token, not the time, tells whose task it is (Kleppmann, "How to do
 *          distributed locking", 2016): a paused worker cannot know the time. */
#include "core/finish.h"

#include "core/backoff.h"
#include "core/spare.h"
#include "core/times.h"

#define HOLDER_STATES (TM_STATE_BIT(TM_RUNNING) | TM_STATE_BIT(TM_CANCELLING))

/* See that the caller holds the task. */
static void finish_check(TmRun *run, sqlite3_int64 token, const TmTask *task) {
  tm_task_need_token(run, task, token);
  tm_task_need_state(run, task, HOLDER_STATES);
}

static void finish_load(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, TmTask *task) {
  tm_task_load(run, id, task);
  finish_check(run, token, task);
}

void tm_finish_complete(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, const TmValue *result) {
  TmTask task;
  tm_task_load_short(run, id, &task);
  finish_check(run, token, &task);
  if (tm_run_failed(run)) return;
  tm_task_keep_history(run, &task, TM_COMPLETED, tm_task_worker(&task), TM_NO_TEXT);
  TmSpare spare;
  tm_spare_open(run, &task, &spare);
  TmStmt s;
  tm_stmt_open(run, TM_Q_FINISH_COMPLETE, &s);
  tm_stmt_bind_int(&s, TM_P_FINISH_COMPLETE_ID, id);
  tm_stmt_bind_int(&s, TM_P_FINISH_COMPLETE_MOVES, task.moves);
  tm_stmt_bind_int(&s, TM_P_FINISH_COMPLETE_NOW_MS, run->now_ms);
  if (task.event_id) tm_stmt_bind_int(&s, TM_P_FINISH_COMPLETE_EVENT_ID, task.event_id);
  tm_stmt_bind_value(&s, TM_P_FINISH_COMPLETE_RESULT, result);
  if (spare.is_kept) {
    tm_spare_text(&spare, TM_SPARE_STATE, tm_text_of(tm_state_name(TM_COMPLETED)));
    tm_spare_int(&spare, TM_SPARE_MOVES, tm_task_next_move(&task));
    tm_spare_int(&spare, TM_SPARE_MOVED_MS, run->now_ms);
    if (task.event_id) tm_spare_int(&spare, TM_SPARE_EVENT_ID, task.event_id);
    tm_spare_text(&spare, TM_SPARE_LEASE_UNTIL_MS, TM_NO_TEXT);
    tm_spare_text(&spare, TM_SPARE_REASON, TM_NO_TEXT);
    tm_spare_value(&spare, TM_SPARE_RESULT, result);
    tm_spare_bind(&spare, &s, TM_P_FINISH_COMPLETE_SPARE);
  }
  tm_task_write_move(&s, &task, TM_COMPLETED);
}

static void finish_keep_error(TmRun *run, TmTask *task, TmText error) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_FINISH_KEEP_ERROR, &s);
  tm_stmt_bind_int(&s, TM_P_FINISH_KEEP_ERROR_ID, task->id);
  tm_stmt_bind_int(&s, TM_P_FINISH_KEEP_ERROR_NOW_MS, run->now_ms);
  tm_stmt_bind_text(&s, TM_P_FINISH_KEEP_ERROR_ERROR, error);
  tm_stmt_write(&s, "tm_attempt");
  task->changes++;
}

/* When a failed task runs again: by the backoff where `delay_ms` is below 0. */
static void finish_put_off(TmRun *run, TmTask *task, sqlite3_int64 delay_ms) {
  if (delay_ms >= 0) {
    task->run_at_ms = tm_task_time_after(run, "delay", delay_ms);
    return;
  }
  delay_ms = tm_backoff_delay_ms(task->backoff_kind, task->backoff_base_ms, task->backoff_max_ms,
                                 task->backoff_jitter, task->attempt);
  /* A backoff is cut, never refused: the task has failed all the same. */
  sqlite3_int64 most_ms = TM_TIME_MAX_MS - run->now_ms;
  task->run_at_ms = run->now_ms + (delay_ms < most_ms ? delay_ms : most_ms);
}

/* `reason` is why it is not worth retrying; NULL where it may be. */
static TmState finish_failed(TmRun *run, TmTask *task, TmText error, sqlite3_int64 delay_ms,
                             const char *reason, TmActor actor) {
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  finish_keep_error(run, task, error);
  if (!reason && task->attempt >= task->max_attempts) reason = "attempts exhausted";
  if (!reason) finish_put_off(run, task, delay_ms);
  TmState to = reason ? TM_DISCARDED : TM_RETRYABLE;
  tm_task_move(run, task, to, actor, reason ? tm_text_of(reason) : TM_NO_TEXT, error);
  return to;
}

/* Past its deadline a task is not worth retrying. */
static const char *finish_hopeless(const char *stopping) {
  return stopping && strcmp(stopping, "deadline") == 0 ? stopping : NULL;
}

TmState tm_finish_fail(TmRun *run, sqlite3_int64 id, sqlite3_int64 token, TmText error,
                       sqlite3_int64 delay_ms, bool is_hopeless) {
  TmTask task;
  finish_load(run, id, token, &task);
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  const char *stopping = tm_times_stopping(run, &task);
  if (task.state == TM_CANCELLING && !stopping) {
    finish_keep_error(run, &task, error);
    tm_task_move(run, &task, TM_CANCELLED, TM_BY_WORKER, TM_NO_TEXT, error);
    return TM_CANCELLED;
  }
  const char *reason = finish_hopeless(stopping);
  if (!reason && is_hopeless) reason = "not worth retrying";
  return finish_failed(run, &task, error, delay_ms, reason, TM_BY_WORKER);
}

TmState tm_finish_time_out(TmRun *run, TmTask *task, const char *stopping) {
  const char *reason = finish_hopeless(stopping);
  TmText error = tm_text_of(reason ? "its deadline passed" : "timed out");
  return finish_failed(run, task, error, -1, reason, TM_BY_OTHERS);
}

/* Give the task back with its attempt uncounted, or end it where it was asked to stop. */
static TmState finish_give_back(TmRun *run, TmTask *task, TmState to, const char *reason) {
  if (tm_run_failed(run)) return TM_STATE_COUNT;
  const char *stopping = tm_times_stopping(run, task);
  if (stopping) return tm_finish_time_out(run, task, stopping);
  if (task->state == TM_CANCELLING) {
    to = TM_CANCELLED;
  } else {
    if (task->attempt > 0) task->attempt--;
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
  TmSpare spare;
  tm_spare_open(run, &task, &spare);
  TmStmt s;
  tm_stmt_open(run, TM_Q_FINISH_HEARTBEAT, &s);
  tm_stmt_bind_int(&s, TM_P_FINISH_HEARTBEAT_ID, id);
  tm_stmt_bind_int(&s, TM_P_FINISH_HEARTBEAT_MOVES, task.moves);
  tm_stmt_bind_int(&s, TM_P_FINISH_HEARTBEAT_LEASE_UNTIL_MS, task.lease_until_ms);
  tm_stmt_bind_int(&s, TM_P_FINISH_HEARTBEAT_SETS_PROGRESS, beat->sets_progress);
  if (beat->has_progress) tm_stmt_bind_real(&s, TM_P_FINISH_HEARTBEAT_PROGRESS, beat->progress);
  tm_stmt_bind_int(&s, TM_P_FINISH_HEARTBEAT_SETS_NOTE, beat->sets_note);
  if (beat->note.z) tm_stmt_bind_text(&s, TM_P_FINISH_HEARTBEAT_NOTE, beat->note);
  if (spare.is_kept) {
    /* A whole number in a column of reals is stored as an integer. */
    TmValue progress = {.type = SQLITE_NULL};
    bool is_whole = beat->progress <= 0 || beat->progress >= 1;
    if (beat->has_progress) progress.type = is_whole ? SQLITE_INTEGER : SQLITE_FLOAT;
    progress.i = beat->progress >= 1;
    tm_spare_int(&spare, TM_SPARE_LEASE_UNTIL_MS, task.lease_until_ms);
    if (beat->sets_progress) tm_spare_value(&spare, TM_SPARE_PROGRESS, &progress);
    if (beat->sets_note) tm_spare_text(&spare, TM_SPARE_NOTE, beat->note);
    tm_spare_bind(&spare, &s, TM_P_FINISH_HEARTBEAT_SPARE);
  }
  tm_task_write_times(&s, &task);
  return task.state;
}
