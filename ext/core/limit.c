/* limit.c - what the limits of a queue let a claim do.
 * Owns:    whose turn it is in a queue with limits.
 * Promise: a seek for each question, however many partitions there are and however many of them
 *          are full; what is counted is counted by triggers, in the statement that moves the task.
 * Why:     a claim runs under the write lock, so that what it reads here is still true when it
 *          writes; the trigger that counts a start refuses one too many all the same. */
#include "core/limit.h"

_Static_assert((int)TM_P_LIMIT_WAKE_QUEUE == (int)TM_P_LIMIT_WAKE_LATE_QUEUE &&
                   (int)TM_P_LIMIT_WAKE_QUEUE == (int)TM_P_LIMIT_SET_BACK_QUEUE,
               "these statements have the same parameters");

/* ---- a look, by reading only ---------------------------------------------- */

/* The earlier of two times, of which 0 is none. */
static sqlite3_int64 limit_earlier(sqlite3_int64 a_ms, sqlite3_int64 b_ms) {
  if (a_ms == 0) return b_ms;
  return b_ms != 0 && b_ms < a_ms ? b_ms : a_ms;
}

static sqlite3_int64 limit_next(const TmStmt *s, const TmQueueRow *queue, sqlite3_int64 now_ms) {
  sqlite3_int64 lapse_ms = tm_stmt_int(s, TM_C_LIMIT_LOOK_LAPSE_MS);
  if (tm_stmt_int(s, TM_C_LIMIT_LOOK_IS_FULL)) return lapse_ms;
  sqlite3_int64 next_ms = limit_earlier(lapse_ms, tm_stmt_int(s, TM_C_LIMIT_LOOK_DUE_MS));
  if (queue->is_partitioned) {
    next_ms = limit_earlier(next_ms, tm_stmt_int(s, TM_C_LIMIT_LOOK_REST_MS));
    if (tm_stmt_int(s, TM_C_LIMIT_LOOK_HAS_TURN)) next_ms = now_ms;
  } else if (tm_stmt_int(s, TM_C_LIMIT_LOOK_IS_AVAILABLE)) {
    next_ms = now_ms;
  }
  sqlite3_int64 open_ms = tm_stmt_int(s, TM_C_LIMIT_LOOK_OPEN_MS);
  return next_ms != 0 && next_ms < open_ms ? open_ms : next_ms;
}

sqlite3_int64 tm_limit_next_ms(TmRun *run, const TmQueueRow *queue) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_LIMIT_LOOK, &s);
  tm_stmt_bind_text(&s, TM_P_LIMIT_LOOK_QUEUE, (TmText){queue->name, queue->name_bytes});
  tm_stmt_bind_int(&s, TM_P_LIMIT_LOOK_NOW_MS, run->now_ms);
  bool is_row = tm_stmt_row(&s);
  sqlite3_int64 next_ms = is_row ? limit_next(&s, queue, run->now_ms) : 0;
  tm_stmt_close(&s);
  if (!is_row) tm_run_unreadable(run, "tm_queue or tm_limit");
  return next_ms;
}

/* ---- whose turn it is ------------------------------------------------------- */

/* Forget so many with each look: then there are never more of them than starts. */
#define LIMIT_FORGETS 2

/* One of the statements that have the parameters of limit_wake and no others. */
static void limit_tidy(TmRun *run, TmQuery query, TmText queue) {
  TmStmt s;
  tm_stmt_open(run, query, &s);
  tm_stmt_bind_text(&s, TM_P_LIMIT_WAKE_QUEUE, queue);
  tm_stmt_bind_int(&s, TM_P_LIMIT_WAKE_NOW_MS, run->now_ms);
  tm_stmt_exec(&s);
}

static void limit_forget(TmRun *run, TmText queue, sqlite3_int64 limit) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_LIMIT_FORGET, &s);
  tm_stmt_bind_text(&s, TM_P_LIMIT_FORGET_QUEUE, queue);
  tm_stmt_bind_int(&s, TM_P_LIMIT_FORGET_NOW_MS, run->now_ms);
  tm_stmt_bind_int(&s, TM_P_LIMIT_FORGET_LIMIT, limit);
  tm_stmt_exec(&s);
}

typedef struct Gate {
  sqlite3_int64 id; /* 0: nothing may start */
  bool is_stale;    /* what rested is to be woken, or waits too long, before that counts */
  bool is_littered;
} Gate;

static Gate limit_ask(TmRun *run, TmText queue, sqlite3_int64 id) {
  Gate gate = {0};
  TmStmt s;
  tm_stmt_open(run, TM_Q_LIMIT_GATE, &s);
  tm_stmt_bind_text(&s, TM_P_LIMIT_GATE_QUEUE, queue);
  tm_stmt_bind_int(&s, TM_P_LIMIT_GATE_NOW_MS, run->now_ms);
  if (id) tm_stmt_bind_int(&s, TM_P_LIMIT_GATE_ID, id);
  bool is_row = tm_stmt_row(&s);
  if (is_row) {
    bool is_open = tm_stmt_int(&s, TM_C_LIMIT_GATE_IS_OPEN) != 0;
    gate.id = is_open ? tm_stmt_int(&s, TM_C_LIMIT_GATE_ID) : 0;
    gate.is_stale = tm_stmt_int(&s, TM_C_LIMIT_GATE_IS_STALE) != 0;
    gate.is_littered = tm_stmt_int(&s, TM_C_LIMIT_GATE_IS_LITTERED) != 0;
  }
  tm_stmt_close(&s);
  if (!is_row) tm_run_unreadable(run, "tm_queue or tm_limit");
  return gate;
}

sqlite3_int64 tm_limit_turn(TmRun *run, const TmQueueRow *queue, sqlite3_int64 id) {
  TmText name = {queue->name, queue->name_bytes};
  Gate gate = limit_ask(run, name, id);
  if (gate.is_littered) limit_forget(run, name, LIMIT_FORGETS);
  if (gate.is_stale) {
    limit_tidy(run, TM_Q_LIMIT_WAKE, name);
    limit_tidy(run, TM_Q_LIMIT_WAKE_LATE, name);
    limit_tidy(run, TM_Q_LIMIT_SET_BACK, name);
    gate = limit_ask(run, name, id);
  }
  return tm_run_failed(run) ? 0 : gate.id;
}

/* ---- upkeep ------------------------------------------------------------------ */

void tm_limit_prove(TmRun *run, sqlite3_int64 id, const TmProof *proof) {
  if (proof->is_proven || tm_run_failed(run)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_LIMIT_PROOF, &s);
  tm_stmt_bind_int(&s, TM_P_LIMIT_PROOF_ID, id);
  bool is_row = tm_stmt_row(&s);
  bool is_wrong = is_row && tm_stmt_int(&s, TM_C_LIMIT_PROOF_IS_WRONG) != 0;
  tm_stmt_close(&s);
  if (!is_row) tm_run_unreadable(run, "a table that the limits are counted by");
  if (is_wrong) tm_run_dropped(run, "tm_place or tm_partition");
  tm_run_proven(run, proof);
}

void tm_limit_forget(TmRun *run, sqlite3_int64 limit) {
  char name[TM_NAME_MAX_BYTES];
  int n = 0;
  bool is_more = true;
  while (is_more && !tm_run_failed(run)) {
    TmStmt s;
    tm_stmt_open(run, TM_Q_LIMIT_NEXT_PARTITIONED, &s);
    tm_stmt_bind_text(&s, TM_P_LIMIT_NEXT_PARTITIONED_AFTER, (TmText){name, n});
    is_more = tm_stmt_row(&s);
    if (is_more) {
      TmText next = tm_stmt_text(&s, TM_C_LIMIT_NEXT_PARTITIONED_QUEUE);
      is_more = tm_queue_keep_name(run, next, name, &n);
    }
    tm_stmt_close(&s);
    if (is_more) limit_forget(run, (TmText){name, n}, limit);
  }
}
