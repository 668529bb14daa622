/* task.c - one task: read it, check it, move it.
 * Owns:    the row of tm_task, its history, and the statements by which both change.
 * Promise: a move that was not written whole, its history row included, is an error.
 * Why:     an authorizer that ignores, or a trigger that raises IGNORE, makes a write
 *          vanish without an error; the count of changes and a second look tell. */
#include "core/task.h"

#include "core/flow.h"
#include "core/queue.h"
#include "core/spare.h"
#include "store/schema.h"

#include <stddef.h>

/* What the queue says where the task says nothing. */
static sqlite3_int64 task_int_or(const TmStmt *s, int column, sqlite3_int64 otherwise) {
  return tm_stmt_is_null(s, column) ? otherwise : tm_stmt_int(s, column);
}

static void task_fill(TmTask *task, const TmStmt *s, const TmQueueRow *queue) {
  task->state = tm_state_of(tm_stmt_text(s, TM_C_TASK_LOAD_STATE));
  task->flow = (unsigned)tm_stmt_int(s, TM_C_TASK_LOAD_FLOW);
  if (queue->is_limited) task->flow |= TM_FLOW_LIMITED;
  task->has_history = queue->has_history;
  task->changes = sqlite3_total_changes64(s->run->context->db);
  task->event_id = tm_stmt_int(s, TM_C_TASK_LOAD_EVENT_ID);
  task->moves = tm_stmt_int(s, TM_C_TASK_LOAD_MOVES);
  task->token = tm_stmt_int(s, TM_C_TASK_LOAD_TOKEN);
  task->attempt = tm_stmt_int(s, TM_C_TASK_LOAD_ATTEMPT);
  task->max_attempts = tm_stmt_int(s, TM_C_TASK_LOAD_MAX_ATTEMPTS);
  task->run_at_ms = task->was_run_at_ms = tm_stmt_int(s, TM_C_TASK_LOAD_RUN_AT_MS);
  task->lease_until_ms = tm_stmt_int(s, TM_C_TASK_LOAD_LEASE_UNTIL_MS);
  task->has_spare = !tm_stmt_is_null(s, TM_C_TASK_LOAD_SPARE_BYTES);
  TmText worker = tm_stmt_text(s, TM_C_TASK_LOAD_WORKER);
  if (worker.n > 0 && worker.n <= TM_NAME_MAX_BYTES) {
    task->worker_bytes = worker.n;
    memcpy(task->worker, worker.z, (size_t)worker.n);
  }
}

/* What only some verbs ask for; every column read is a call. */
static void task_fill_rest(TmTask *task, const TmStmt *s, const TmQueueRow *queue) {
  task->held_from = tm_state_of(tm_stmt_text(s, TM_C_TASK_LOAD_HELD_FROM));
  task->lease_ms = task_int_or(s, TM_C_TASK_LOAD_LEASE_MS, queue->lease_ms);
  TmText kind = tm_stmt_text(s, TM_C_TASK_LOAD_BACKOFF_KIND);
  task->backoff_kind = kind.n > 0 ? kind.z[0] : queue->backoff_kind;
  task->backoff_base_ms = task_int_or(s, TM_C_TASK_LOAD_BACKOFF_BASE_MS, queue->backoff_base_ms);
  task->backoff_max_ms = task_int_or(s, TM_C_TASK_LOAD_BACKOFF_MAX_MS, queue->backoff_max_ms);
  task->backoff_jitter = tm_stmt_is_null(s, TM_C_TASK_LOAD_BACKOFF_JITTER)
                             ? queue->backoff_jitter
                             : tm_stmt_real(s, TM_C_TASK_LOAD_BACKOFF_JITTER);
}

static bool task_load(TmRun *run, sqlite3_int64 id, TmTask *task, bool is_whole) {
  memset(task, 0, offsetof(TmTask, worker));
  task->id = id;
  task->state = task->held_from = TM_STATE_COUNT;
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_LOAD, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_LOAD_ID, id);
  bool is_row = tm_stmt_row(&s);
  if (is_row) tm_run_begin_from(run, &s);
  bool is_there = is_row && !tm_stmt_is_null(&s, TM_C_TASK_LOAD_ID);
  if (is_there && !tm_run_failed(run)) {
    const TmQueueRow *queue = tm_queue_find(run, tm_stmt_text(&s, TM_C_TASK_LOAD_QUEUE));
    if (queue) {
      task_fill(task, &s, queue);
      if (is_whole) task_fill_rest(task, &s, queue);
    } else {
      tm_run_unreadable(run, "tm_queue");
    }
  }
  tm_stmt_close(&s);
  if (!is_row) tm_schema_refuse(run);
  run->task_id = id;
  return is_there;
}

static void task_need(TmRun *run, sqlite3_int64 id, bool is_there) {
  if (tm_run_failed(run) || is_there) return;
  tm_error_set(&run->error, TM_NO_SUCH_TASK, "no task %lld, see tm_task for those there are", id);
}

void tm_task_load(TmRun *run, sqlite3_int64 id, TmTask *task) {
  task_need(run, id, task_load(run, id, task, true));
}

void tm_task_load_short(TmRun *run, sqlite3_int64 id, TmTask *task) {
  task_need(run, id, task_load(run, id, task, false));
}

bool tm_task_find(TmRun *run, sqlite3_int64 id, TmTask *task) {
  return task_load(run, id, task, true) && !tm_run_failed(run);
}

TmText tm_task_worker(const TmTask *task) {
  if (task->worker_bytes == 0) return TM_NO_TEXT;
  return (TmText){task->worker, task->worker_bytes};
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

/* ---- what others do to it meanwhile ------------------------------------ */

void tm_task_overtaken(TmRun *run, sqlite3_int64 id) {
  if (tm_run_failed(run)) return;
  tm_error_set(&run->error, TM_WRITE_DROPPED,
               "a trigger changed task %lld in the middle of the call, which was moving it: let it "
               "act AFTER UPDATE OF state ON tm_task, or on another task",
               id);
}

void tm_task_need_still(TmRun *run, const TmTask *task) {
  for (const TmTask *other = run->context->moving; other; other = other->outer) {
    if (other->id == task->id && other->moves == task->moves) tm_task_overtaken(run, task->id);
  }
}

static void task_begin_move(TmRun *run, TmTask *task) {
  tm_task_need_still(run, task);
  task->outer = run->context->moving;
  run->context->moving = task;
}

/* A write that found no row as it was read, or none at all. */
static void task_explain(TmRun *run, const TmTask *task) {
  if (run->error.symbol != TM_WRITE_DROPPED) return;
  TmError plain = run->error;
  tm_error_init(&run->error, plain.subject);
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_WRITTEN, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_WRITTEN_ID, task->id);
  bool is_same = tm_stmt_row(&s) && tm_stmt_int(&s, TM_C_TASK_WRITTEN_MOVES) == task->moves &&
                 tm_stmt_int(&s, TM_C_TASK_WRITTEN_RUN_AT_MS) == task->was_run_at_ms;
  tm_stmt_close(&s);
  if (!is_same) tm_task_overtaken(run, task->id);
  if (tm_run_failed(run)) {
    tm_error_clear(&plain);
  } else {
    run->error = plain;
  }
}

/* More was written than the move: by triggers of ours, by which a task may have got a place among
 * others, or by somebody's. A move that a BEFORE trigger made is under this one, and has its row in
 * the history behind that of this one. */
static void task_look_again(TmRun *run, TmTask *task) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_MEANWHILE, &s);
  if (task->event_id) tm_stmt_bind_int(&s, TM_P_TASK_MEANWHILE_EVENT_ID, task->event_id);
  tm_stmt_bind_int(&s, TM_P_TASK_MEANWHILE_MOVES, tm_task_next_move(task));
  tm_stmt_bind_int(&s, TM_P_TASK_MEANWHILE_ID, task->id);
  if (tm_stmt_row(&s)) {
    unsigned flow = (unsigned)tm_stmt_int(&s, TM_C_TASK_MEANWHILE_FLOW);
    task->flow = flow | (task->flow & TM_FLOW_LIMITED);
    if (tm_stmt_int(&s, TM_C_TASK_MEANWHILE_IS_OVERTAKEN)) tm_task_overtaken(run, task->id);
  }
  tm_stmt_close(&s);
}

/* ---- its move ----------------------------------------------------------- */

void tm_task_keep_history(TmRun *run, TmTask *task, TmState to, TmText actor, TmText reason) {
  sqlite3_int64 previous_id = task->event_id;
  task->event_id = 0;
  task_begin_move(run, task);
  if (!task->has_history || tm_run_failed(run)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_EVENT, &s);
  tm_stmt_bind_floor(&s, TM_P_TASK_EVENT_FLOOR, run->context->settings.event_floor);
  tm_stmt_bind_int(&s, TM_P_TASK_EVENT_TASK_ID, task->id);
  tm_stmt_bind_int(&s, TM_P_TASK_EVENT_PREVIOUS_ID, previous_id);
  tm_stmt_bind_int(&s, TM_P_TASK_EVENT_MOVE, tm_task_next_move(task));
  tm_stmt_bind_text(&s, TM_P_TASK_EVENT_FROM_STATE, tm_text_of(tm_state_name(task->state)));
  tm_stmt_bind_text(&s, TM_P_TASK_EVENT_TO_STATE, tm_text_of(tm_state_name(to)));
  tm_stmt_bind_int(&s, TM_P_TASK_EVENT_NOW_MS, run->now_ms);
  tm_stmt_bind_int(&s, TM_P_TASK_EVENT_ATTEMPT, task->attempt);
  if (actor.z) tm_stmt_bind_text(&s, TM_P_TASK_EVENT_ACTOR, actor);
  if (reason.z) tm_stmt_bind_text(&s, TM_P_TASK_EVENT_REASON, reason);
  tm_stmt_write(&s, "tm_event");
  task->changes++;
  /* Its one foreign key is the graph. */
  if (run->error.rc == SQLITE_CONSTRAINT_FOREIGNKEY) {
    tm_error_explain(&run->error, TM_RULE_BROKEN,
                     "tm_transition has no move from %s to %s for task %lld, see tm_doctor for a "
                     "row that somebody wrote around the rules",
                     tm_state_name(task->state), tm_state_name(to), task->id);
  }
  task->event_id = sqlite3_last_insert_rowid(run->context->db);
}

/* A trigger of the user's may have moved the task on in the meantime. */
bool tm_task_is_moved(TmState state, sqlite3_int64 moves, TmState to, sqlite3_int64 moves_before) {
  return (moves == moves_before + 1 && state == to) || moves > moves_before + 1;
}

/* See that the UPDATE of a move did what it should. */
static void task_prove_move(TmRun *run, const TmTask *task, TmState to, const TmProof *proof) {
  if (proof->is_proven || tm_run_failed(run)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_WRITTEN, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_WRITTEN_ID, task->id);
  bool is_written = tm_stmt_row(&s) &&
                    tm_task_is_moved(tm_state_of(tm_stmt_text(&s, TM_C_TASK_WRITTEN_STATE)),
                                     tm_stmt_int(&s, TM_C_TASK_WRITTEN_MOVES), to, task->moves);
  tm_stmt_close(&s);
  if (!is_written) tm_run_dropped(run, "tm_task");
  tm_run_proven(run, proof);
}

void tm_task_write_move(TmStmt *stmt, TmTask *task, TmState to) {
  TmRun *run = stmt->run;
  TmState from = task->state;
  TmProof proof = tm_stmt_write(stmt, "tm_task");
  run->context->moving = task->outer;
  task_explain(run, task);
  if (sqlite3_total_changes64(run->context->db) != task->changes + 1) task_look_again(run, task);
  task->state = to;
  task_prove_move(run, task, to, &proof);
  if (task->flow) tm_flow_moved(run, task->id, task->flow, from, to);
}

void tm_task_write_times(TmStmt *stmt, const TmTask *task) {
  TmRun *run = stmt->run;
  tm_task_need_still(run, task);
  TmProof proof = tm_stmt_write(stmt, "tm_task");
  task_explain(run, task);
  if (proof.is_proven || tm_run_failed(run)) return;
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
  tm_run_proven(run, &proof);
}

/* The columns that a move may change, as it sets them. */
static void task_bind_spare(TmStmt *s, const TmTask *task, TmSpare *spare, TmState to,
                            TmText worker, TmText reason, TmText error) {
  if (!spare->is_kept) return;
  tm_spare_text(spare, TM_SPARE_STATE, tm_text_of(tm_state_name(to)));
  tm_spare_int(spare, TM_SPARE_RUN_AT_MS, task->run_at_ms);
  tm_spare_int(spare, TM_SPARE_ATTEMPT, task->attempt);
  tm_spare_int(spare, TM_SPARE_MOVES, tm_task_next_move(task));
  tm_spare_int(spare, TM_SPARE_MOVED_MS, s->run->now_ms);
  if (task->event_id) tm_spare_int(spare, TM_SPARE_EVENT_ID, task->event_id);
  if (!tm_state_is_leased(to)) tm_spare_text(spare, TM_SPARE_LEASE_UNTIL_MS, TM_NO_TEXT);
  tm_spare_text(spare, TM_SPARE_HELD_FROM,
                to == TM_HELD ? tm_text_of(tm_state_name(task->held_from)) : TM_NO_TEXT);
  tm_spare_text(spare, TM_SPARE_WORKER, worker);
  tm_spare_text(spare, TM_SPARE_REASON, reason);
  if (error.z) tm_spare_text(spare, TM_SPARE_ERROR, error);
  tm_spare_bind(spare, s, TM_P_TASK_MOVE_SPARE);
}

void tm_task_move(TmRun *run, TmTask *task, TmState to, TmActor actor, TmText reason,
                  TmText error) {
  if (tm_run_failed(run)) return;
  bool keeps_worker = actor == TM_BY_WORKER || tm_state_is_leased(to);
  TmText worker = keeps_worker ? tm_task_worker(task) : TM_NO_TEXT;
  TmState was_held_from = task->held_from;
  task->held_from = to == TM_HELD ? task->state : TM_STATE_COUNT;
  tm_task_keep_history(run, task, to, to == TM_CANCELLING ? TM_NO_TEXT : worker, reason);

  TmSpare spare;
  tm_spare_open(run, task, &spare);
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_MOVE, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_MOVE_ID, task->id);
  tm_stmt_bind_text(&s, TM_P_TASK_MOVE_STATE, tm_text_of(tm_state_name(to)));
  tm_stmt_bind_int(&s, TM_P_TASK_MOVE_RUN_AT_MS, task->run_at_ms);
  tm_stmt_bind_int(&s, TM_P_TASK_MOVE_ATTEMPT, task->attempt);
  tm_stmt_bind_int(&s, TM_P_TASK_MOVE_MOVES, task->moves);
  tm_stmt_bind_int(&s, TM_P_TASK_MOVE_WAS_RUN_AT_MS, task->was_run_at_ms);
  if (was_held_from != TM_STATE_COUNT) {
    tm_stmt_bind_text(&s, TM_P_TASK_MOVE_WAS_HELD_FROM, tm_text_of(tm_state_name(was_held_from)));
  }
  tm_stmt_bind_int(&s, TM_P_TASK_MOVE_NOW_MS, run->now_ms);
  if (task->event_id) tm_stmt_bind_int(&s, TM_P_TASK_MOVE_EVENT_ID, task->event_id);
  if (tm_state_is_leased(to)) {
    tm_stmt_bind_int(&s, TM_P_TASK_MOVE_LEASE_UNTIL_MS, task->lease_until_ms);
  }
  if (to == TM_HELD) {
    tm_stmt_bind_text(&s, TM_P_TASK_MOVE_HELD_FROM, tm_text_of(tm_state_name(task->held_from)));
  }
  tm_stmt_bind_int(&s, TM_P_TASK_MOVE_KEEPS_WORKER, keeps_worker);
  if (reason.z) tm_stmt_bind_text(&s, TM_P_TASK_MOVE_REASON, reason);
  if (error.z) tm_stmt_bind_text(&s, TM_P_TASK_MOVE_ERROR, error);
  task_bind_spare(&s, task, &spare, to, worker, reason, error);
  tm_task_write_move(&s, task, to);
}

sqlite3_int64 tm_task_time_after(TmRun *run, const char *what, sqlite3_int64 delay_ms) {
  if (delay_ms <= TM_TIME_MAX_MS - run->now_ms) return run->now_ms + delay_ms;
  tm_error_set(&run->error, TM_OUT_OF_RANGE, "%s %lld ms reaches beyond the year 9999", what,
               delay_ms);
  return run->now_ms;
}

void tm_task_set_run_at(TmRun *run, TmTask *task) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_SET_RUN_AT, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_SET_RUN_AT_ID, task->id);
  tm_stmt_bind_int(&s, TM_P_TASK_SET_RUN_AT_MOVES, task->moves);
  tm_stmt_bind_int(&s, TM_P_TASK_SET_RUN_AT_RUN_AT_MS, task->run_at_ms);
  tm_task_write_times(&s, task);
}
