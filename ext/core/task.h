/* task.h - one task: read it, check it, move it.
 * Owns:    the row of tm_task, and the one statement by which it changes its state.
 * Promise: a move that was not written whole, its history row included, is an error.
 * Why:     every verb is "load, check, change, move"; the checks live once. */
#ifndef TM_CORE_TASK_H
#define TM_CORE_TASK_H

#include "core/state.h"
#include "store/run.h"

typedef struct TmTask {
  sqlite3_int64 id;
  TmState state;
  TmState held_from; /* TM_STATE_COUNT: not known */
  unsigned flow;     /* TM_FLOW_ bits, see core/flow.h; 0: it is alone in a queue without limits */
  bool has_history;  /* the queue keeps one */
  sqlite3_int64 event_id; /* 0: none */
  sqlite3_int64 moves;
  sqlite3_int64 token;
  sqlite3_int64 attempt;
  sqlite3_int64 max_attempts;
  sqlite3_int64 run_at_ms;
  sqlite3_int64 lease_until_ms; /* 0: none */
  sqlite3_int64 lease_ms;       /* the task's own, or its queue's */
  sqlite3_int64 was_run_at_ms;  /* as it was read, for tm_task_move() */
  sqlite3_int64 changes; /* of the connection when it was read, and those of its move since */
  struct TmTask *outer;  /* see TmContext.moving */
  bool has_spare;        /* a large payload, see core/spare.h */
  int worker_bytes;      /* 0: none */
  char worker[TM_NAME_MAX_BYTES];
  int backoff_kind; /* first letter of the name: f, l or e */
  sqlite3_int64 backoff_base_ms;
  sqlite3_int64 backoff_max_ms;
  double backoff_jitter;
} TmTask;

/* The number of its next move. A count that no task can come to is rubbish, and stays: the tables
 * refuse the move. */
static inline sqlite3_int64 tm_task_next_move(const TmTask *task) {
  return task->moves < 0x7fffffffffffffff ? task->moves + 1 : task->moves;
}

/* Who appears as the maker of a move: the worker that holds the lease, or nobody. */
typedef enum TmActor { TM_BY_WORKER, TM_BY_OTHERS } TmActor;

/* Read a task, and begin the run with the same statement; [no_such_task] where there is none. */
void tm_task_load(TmRun *run, sqlite3_int64 id, TmTask *task);
/* The same without held_from, lease_ms and the backoff. */
void tm_task_load_short(TmRun *run, sqlite3_int64 id, TmTask *task);
/* The same as tm_task_load, but false where there is none. */
bool tm_task_find(TmRun *run, sqlite3_int64 id, TmTask *task);

/* [lease_lost] unless `token` is the newest. */
void tm_task_need_token(TmRun *run, const TmTask *task, sqlite3_int64 token);

/* [wrong_state], naming the state it is in and those that the verb takes. */
void tm_task_need_state(TmRun *run, const TmTask *task, TmStateSet takes);

/* Change the state, and write the task's times, attempt and error with it. The
 * caller has set run_at_ms, attempt and max_attempts; what belongs to the new state (lease,
 * held_from) is set here. `error` absent leaves the last one. */
void tm_task_move(TmRun *run, TmTask *task, TmState to, TmActor actor, TmText reason, TmText error);

/* A move is two writes in the atomic scope: first its row of history, then the UPDATE. An
 * authorizer or a trigger can make a write vanish without an error, so each is counted, and the
 * row is looked at afterwards, that it reads as it should.
 *
 * A trigger of the application's may run in each of these writes, and calls or moves what it
 * likes. What it does to the task after the UPDATE comes after the move. What it did to the task
 * before would be lost under the UPDATE, and is refused:
 *
 *   read | tm_attempt, tm_flow ... | tm_event       BEFORE | UPDATE | AFTER
 *        \_ the UPDATE finds other values            a row of |          fine
 *           than were read: its WHERE                 history |
 *                                  \__ a verb finds the task __/
 *                                      in TmContext.moving
 */

/* Write the row of history, where the queue keeps one; task->event_id is its id, and 0 says
 * that the UPDATE leaves event_id as it is. */
void tm_task_keep_history(TmRun *run, TmTask *task, TmState to, TmText actor, TmText reason);
/* Run the UPDATE of a move; task->state is `to` afterwards. */
void tm_task_write_move(TmStmt *stmt, TmTask *task, TmState to);
/* The UPDATE of no move, but of run_at_ms or lease_until_ms, to what the task says; it binds
 * task->moves, as the others do. */
void tm_task_write_times(TmStmt *stmt, const TmTask *task);
TmText tm_task_worker(const TmTask *task);
/* [write_dropped] where a call around this one is just moving the task. */
void tm_task_need_still(TmRun *run, const TmTask *task);
/* [write_dropped]: a trigger changed the task in the middle of the call. */
void tm_task_overtaken(TmRun *run, sqlite3_int64 id);
bool tm_task_is_moved(TmState state, sqlite3_int64 moves, TmState to, sqlite3_int64 moves_before);

/* Now and so much later; [out_of_range] beyond the year 9999, naming `what` is too long. */
sqlite3_int64 tm_task_time_after(TmRun *run, const char *what, sqlite3_int64 delay_ms);

/* Write nothing but a new time. */
void tm_task_set_run_at(TmRun *run, TmTask *task);

#endif
