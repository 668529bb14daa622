/* task.c - one task: read it, check it, move it.
 * Owns:    the row of tm_task, and the one statement by which it changes its state.
 * Promise: a move that was not written whole, its history row included, is an error.
 * Why:     an authorizer that ignores, or a trigger that raises IGNORE, makes a write
 *          vanish without an error; the count of changes and a second look tell. */
#include "core/task.h"

#include "store/schema.h"

void tm_task_load(TmRun *run, sqlite3_int64 id, TmTask *task) {
  *task = (TmTask){.id = id, .state = TM_STATE_COUNT, .held_from = TM_STATE_COUNT};
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_LOAD, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_LOAD_ID, id);
  bool is_current = tm_stmt_row(&s) && tm_run_begin_from(run, &s);
  bool is_there = is_current && !tm_stmt_is_null(&s, TM_C_TASK_LOAD_ID);
  if (is_there && tm_stmt_is_null(&s, TM_C_TASK_LOAD_HISTORY)) tm_run_unreadable(run, "tm_queue");
  if (is_there) {
    task->state = tm_state_of(tm_stmt_text(&s, TM_C_TASK_LOAD_STATE));
    task->held_from = tm_state_of(tm_stmt_text(&s, TM_C_TASK_LOAD_HELD_FROM));
    task->has_history = tm_stmt_int(&s, TM_C_TASK_LOAD_HISTORY) != 0;
    task->event_id = tm_stmt_int(&s, TM_C_TASK_LOAD_EVENT_ID);
    task->moves = tm_stmt_int(&s, TM_C_TASK_LOAD_MOVES);
    task->token = tm_stmt_int(&s, TM_C_TASK_LOAD_TOKEN);
    task->attempt = tm_stmt_int(&s, TM_C_TASK_LOAD_ATTEMPT);
    task->max_attempts = tm_stmt_int(&s, TM_C_TASK_LOAD_MAX_ATTEMPTS);
    task->run_at_ms = tm_stmt_int(&s, TM_C_TASK_LOAD_RUN_AT_MS);
    task->lease_until_ms = tm_stmt_int(&s, TM_C_TASK_LOAD_LEASE_UNTIL_MS);
    task->lease_ms = tm_stmt_int(&s, TM_C_TASK_LOAD_LEASE_MS);
    TmText kind = tm_stmt_text(&s, TM_C_TASK_LOAD_BACKOFF_KIND);
    task->backoff_kind = kind.n > 0 ? kind.z[0] : 'e';
    task->backoff_base_ms = tm_stmt_int(&s, TM_C_TASK_LOAD_BACKOFF_BASE_MS);
    task->backoff_max_ms = tm_stmt_int(&s, TM_C_TASK_LOAD_BACKOFF_MAX_MS);
    task->backoff_jitter = tm_stmt_real(&s, TM_C_TASK_LOAD_BACKOFF_JITTER);
  }
  tm_stmt_close(&s);
  if (!is_current) tm_schema_refuse(run);
  if (!tm_run_failed(run) && !is_there) {
    tm_error_set(&run->error, TM_NO_SUCH_TASK, "no task %lld, see tm_task for those there are", id);
  }
  run->task_id = id;
}

void tm_task_need_token(TmRun *run, const TmTask *task, sqlite3_int64 token) {
  if (tm_run_failed(run) || task->token == token) return;
  tm_error_set(&run->error, TM_LEASE_LOST,
               "token %lld of task %lld is not its newest, which is %lld, stop working on it",
               token, task->id, task->token);
}

void tm_task_need_state(TmRun *run, const TmTask *task, TmStateSet takes) {
  if (tm_run_failed(run) || (takes & TM_STATE_BIT(task->state))) return;
  sqlite3_str *names = sqlite3_str_new(run->context->db);
  for (int i = 0; i < TM_STATE_COUNT; i++) {
    if (!(takes & TM_STATE_BIT(i))) continue;
    sqlite3_str_appendf(names, "%s%s", sqlite3_str_length(names) ? ", " : "",
                        tm_state_name((TmState)i));
  }
  char *list = sqlite3_str_finish(names);
  if (list) {
    tm_error_set(&run->error, TM_WRONG_STATE, "task %lld is %s, and must be one of: %s", task->id,
                 tm_state_name(task->state), list);
  } else {
    tm_error_nomem(&run->error);
  }
  sqlite3_free(list);
}

void tm_task_write_open(TmRun *run, TmQuery query, TmWrite *write) {
  write->changes_before = sqlite3_total_changes64(run->context->db);
  tm_stmt_open(run, query, &write->stmt);
}

void tm_task_write_counted(TmWrite *write, bool has_history) {
  TmRun *run = write->stmt.run;
  tm_stmt_exec(&write->stmt);
  sqlite3_int64 changes = sqlite3_total_changes64(run->context->db) - write->changes_before;
  if (changes < (has_history ? 2 : 1)) tm_run_dropped(run, changes < 1 ? "tm_task" : "tm_event");
}

/* A trigger of the user's may have moved the task on in the meantime. */
bool tm_task_is_moved(TmState state, sqlite3_int64 moves, TmState to, sqlite3_int64 moves_before) {
  return (moves == moves_before + 1 && state == to) || moves > moves_before + 1;
}

void tm_task_write_move(TmWrite *write, TmTask *task, TmState to) {
  TmRun *run = write->stmt.run;
  tm_task_write_counted(write, task->has_history);
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_WRITTEN, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_WRITTEN_ID, task->id);
  bool is_written = tm_stmt_row(&s) &&
                    tm_task_is_moved(tm_state_of(tm_stmt_text(&s, TM_C_TASK_WRITTEN_STATE)),
                                     tm_stmt_int(&s, TM_C_TASK_WRITTEN_MOVES), to, task->moves);
  tm_stmt_close(&s);
  if (!is_written) tm_run_dropped(run, "tm_task");
  task->state = to;
}

void tm_task_write_times(TmWrite *write, const TmTask *task) {
  TmRun *run = write->stmt.run;
  tm_task_write_counted(write, false);
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_WRITTEN, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_WRITTEN_ID, task->id);
  bool is_written = tm_stmt_row(&s);
  if (is_written && tm_stmt_int(&s, TM_C_TASK_WRITTEN_MOVES) == task->moves) {
    is_written = tm_stmt_int(&s, TM_C_TASK_WRITTEN_RUN_AT_MS) == task->run_at_ms &&
                 tm_stmt_int(&s, TM_C_TASK_WRITTEN_LEASE_UNTIL_MS) == task->lease_until_ms;
  }
  tm_stmt_close(&s);
  if (!is_written) tm_run_dropped(run, "tm_task");
}

void tm_task_move(TmRun *run, TmTask *task, TmState to, TmActor actor, TmText reason,
                  TmText error) {
  if (tm_run_failed(run)) return;
  bool is_leased = tm_state_is_leased(to);
  task->held_from = to == TM_HELD ? task->state : TM_STATE_COUNT;

  TmWrite write;
  tm_task_write_open(run, TM_Q_TASK_MOVE, &write);
  TmStmt *s = &write.stmt;
  tm_stmt_bind_int(s, TM_P_TASK_MOVE_ID, task->id);
  const char *name = tm_state_name(to);
  tm_stmt_bind_text(s, TM_P_TASK_MOVE_STATE, tm_text_of(name));
  tm_stmt_bind_int(s, TM_P_TASK_MOVE_RUN_AT_MS, task->run_at_ms);
  tm_stmt_bind_int(s, TM_P_TASK_MOVE_ATTEMPT, task->attempt);
  tm_stmt_bind_int(s, TM_P_TASK_MOVE_NOW_MS, run->now_ms);
  if (is_leased) tm_stmt_bind_int(s, TM_P_TASK_MOVE_LEASE_UNTIL_MS, task->lease_until_ms);
  if (to == TM_HELD) {
    tm_stmt_bind_text(s, TM_P_TASK_MOVE_HELD_FROM, tm_text_of(tm_state_name(task->held_from)));
  }
  tm_stmt_bind_int(s, TM_P_TASK_MOVE_KEEPS_WORKER, actor == TM_BY_WORKER || is_leased);
  tm_stmt_bind_text(s, TM_P_TASK_MOVE_REASON, reason);
  tm_stmt_bind_text(s, TM_P_TASK_MOVE_ERROR, error);
  tm_stmt_bind_int(s, TM_P_TASK_MOVE_HAS_HISTORY, task->has_history);
  tm_task_write_move(&write, task, to);
}

sqlite3_int64 tm_task_time_after(TmRun *run, const char *what, sqlite3_int64 delay_ms) {
  if (delay_ms <= TM_TIME_MAX_MS - run->now_ms) return run->now_ms + delay_ms;
  tm_error_set(&run->error, TM_OUT_OF_RANGE, "%s %lld ms reaches beyond the year 9999", what,
               delay_ms);
  return run->now_ms;
}

void tm_task_set_run_at(TmRun *run, TmTask *task) {
  TmWrite write;
  tm_task_write_open(run, TM_Q_TASK_SET_RUN_AT, &write);
  tm_stmt_bind_int(&write.stmt, TM_P_TASK_SET_RUN_AT_ID, task->id);
  tm_stmt_bind_int(&write.stmt, TM_P_TASK_SET_RUN_AT_RUN_AT_MS, task->run_at_ms);
  tm_task_write_times(&write, task);
}
