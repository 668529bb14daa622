/* times.c - tasks whose time is over.
 * Owns:    what becomes of a task when expires, timeout or deadline has passed.
 * Promise: bounded; each task found by a seek in tm_flow_due; what a worker still holds is asked
 *          to stop first, and has grace_ms of its queue to answer.
 * Why:     a worker that hangs in its own code still sends heartbeats: a lease alone never ends. */
#include "core/times.h"

#include "core/finish.h"

#define TIMES_BLOCK 64

static const char stopping_timeout[] = "timeout";
static const char stopping_deadline[] = "deadline";

typedef struct Times {
  bool is_there;
  bool is_over;      /* due_ms has come */
  bool is_past;      /* so has the deadline */
  bool is_true;      /* due_ms and stopping are what they should be */
  const char *stops; /* one of the two above; NULL */
} Times;

static Times times_read(TmRun *run, sqlite3_int64 id) {
  Times times = {0};
  TmStmt s;
  tm_stmt_open(run, TM_Q_TIMES_ROW, &s);
  tm_stmt_bind_int(&s, TM_P_TIMES_ROW_TASK_ID, id);
  times.is_there = tm_stmt_row(&s);
  if (times.is_there) {
    sqlite3_int64 due_ms = tm_stmt_int(&s, TM_C_TIMES_ROW_DUE_MS);
    sqlite3_int64 deadline_ms = tm_stmt_int(&s, TM_C_TIMES_ROW_DEADLINE_MS);
    times.is_over = !tm_stmt_is_null(&s, TM_C_TIMES_ROW_DUE_MS) && due_ms <= run->now_ms;
    times.is_past = !tm_stmt_is_null(&s, TM_C_TIMES_ROW_DEADLINE_MS) && deadline_ms <= run->now_ms;
    times.is_true = tm_stmt_int(&s, TM_C_TIMES_ROW_IS_TRUE) != 0;
    TmText stopping = tm_stmt_text(&s, TM_C_TIMES_ROW_STOPPING);
    if (stopping.z) {
      times.stops =
          strcmp(stopping.z, stopping_deadline) == 0 ? stopping_deadline : stopping_timeout;
    }
  }
  tm_stmt_close(&s);
  return times;
}

/* ---- the end ----------------------------------------------------------- */

sqlite3_int64 tm_times_next_ms(TmRun *run) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_TIMES_NEXT, &s);
  bool is_there = tm_stmt_row(&s);
  sqlite3_int64 due_ms = is_there ? tm_stmt_int(&s, TM_C_TIMES_NEXT_DUE_MS) : 0;
  tm_stmt_close(&s);
  return is_there && due_ms < 1 ? 1 : due_ms;
}

bool tm_times_is_over(TmRun *run, sqlite3_int64 id) {
  return times_read(run, id).is_over && !tm_run_failed(run);
}

static void times_stop(TmRun *run, TmTask *task, const char *stopping) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_TIMES_STOP, &s);
  tm_stmt_bind_text(&s, TM_P_TIMES_STOP_STOPPING, tm_text_of(stopping));
  tm_stmt_bind_int(&s, TM_P_TIMES_STOP_TASK_ID, task->id);
  tm_stmt_write(&s, "tm_flow");
  tm_task_move(run, task, TM_CANCELLING, TM_BY_OTHERS, tm_text_of(stopping), TM_NO_TEXT);
}

bool tm_times_end(TmRun *run, sqlite3_int64 id) {
  TmTask task;
  if (!tm_task_find(run, id, &task)) return false;
  Times times = times_read(run, id);
  if (tm_run_failed(run) || !times.is_over) return false;
  if (task.state == TM_RUNNING) {
    times_stop(run, &task, times.is_past ? stopping_deadline : stopping_timeout);
  } else if (task.state == TM_CANCELLING) {
    tm_finish_time_out(run, &task, times.stops ? times.stops : stopping_timeout);
  } else {
    const char *reason = times.is_past ? stopping_deadline : "expired";
    tm_task_move(run, &task, TM_DISCARDED, TM_BY_OTHERS, tm_text_of(reason), TM_NO_TEXT);
  }
  return !tm_run_failed(run);
}

sqlite3_int64 tm_times_run(TmRun *run, sqlite3_int64 limit) {
  sqlite3_int64 task_id = run->task_id;
  sqlite3_int64 done = 0;
  int count;
  do {
    sqlite3_int64 ids[TIMES_BLOCK];
    count = 0;
    TmStmt s;
    tm_stmt_open(run, TM_Q_TIMES_DUE, &s);
    tm_stmt_bind_int(&s, TM_P_TIMES_DUE_UNTIL_MS, run->now_ms);
    tm_stmt_bind_int(&s, TM_P_TIMES_DUE_LIMIT,
                     limit - done < TIMES_BLOCK ? limit - done : TIMES_BLOCK);
    while (tm_stmt_row(&s)) ids[count++] = tm_stmt_int(&s, TM_C_TIMES_DUE_TASK_ID);
    tm_stmt_close(&s);
    /* What follows from the end of one may have moved another of the block. */
    for (int i = 0; i < count && !tm_run_failed(run); i++) tm_times_end(run, ids[i]);
    done += count;
  } while (count > 0 && done < limit && !tm_run_failed(run));
  run->task_id = task_id;
  return done;
}

/* ---- what others ask --------------------------------------------------- */

const char *tm_times_stopping(TmRun *run, const TmTask *task) {
  bool may_stop = task->state == TM_CANCELLING && (task->flow & TM_FLOW_TIMES);
  if (!may_stop || tm_run_failed(run)) return NULL;
  return times_read(run, task->id).stops;
}

void tm_times_cancel(TmRun *run, const TmTask *task) {
  if (!tm_times_stopping(run, task)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_TIMES_CANCEL, &s);
  tm_stmt_bind_int(&s, TM_P_TIMES_CANCEL_TASK_ID, task->id);
  tm_stmt_write(&s, "tm_flow");
  if (tm_times_stopping(run, task)) tm_run_dropped(run, "tm_flow");
}

void tm_times_renew(TmRun *run, const TmTask *task) {
  if (!(task->flow & TM_FLOW_TIMES)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_TIMES_RENEW, &s);
  tm_stmt_bind_int(&s, TM_P_TIMES_RENEW_NOW_MS, run->now_ms);
  tm_stmt_bind_int(&s, TM_P_TIMES_RENEW_TASK_ID, task->id);
  tm_stmt_write(&s, "tm_flow");
}

void tm_times_prove(TmRun *run, sqlite3_int64 id) {
  if (tm_run_failed(run)) return;
  Times times = times_read(run, id);
  if (!times.is_there || !times.is_true) tm_run_dropped(run, "tm_flow");
}
