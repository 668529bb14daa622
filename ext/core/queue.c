/* queue.c - queues: rows with settings, made by their first task.
 * Owns:    tm_queue as far as verbs touch it.
 * Promise: a name that does not exist is answered with the nearest that does.
 * Why:     a misspelt queue is the commonest reason for a task that never runs. */
#include "core/queue.h"

#include "base/suggest.h"

static bool queue_exists(TmRun *run, TmText name) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_EXISTS, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_EXISTS_NAME, name);
  bool exists = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return exists;
}

static void queue_unknown(TmRun *run, TmText name) {
  TmSuggest suggest;
  tm_suggest_init(&suggest, name.z, name.n);
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_NAMES, &s);
  while (tm_stmt_row(&s)) {
    TmText known = tm_stmt_text(&s, TM_C_QUEUE_NAMES_NAME);
    tm_suggest_offer(&suggest, known.z, known.n);
  }
  tm_stmt_close(&s);
  if (tm_run_failed(run)) return;
  const char *best = tm_suggest_best(&suggest);
  if (best) {
    tm_error_set(&run->error, TM_NO_SUCH_QUEUE, "no queue '%.*s', did you mean '%s'?", name.n,
                 name.z, best);
  } else {
    tm_error_set(&run->error, TM_NO_SUCH_QUEUE, "no queue '%.*s', see tm_queue for those there are",
                 name.n, name.z);
  }
}

void tm_queue_need(TmRun *run, TmText name) {
  tm_run_begin(run);
  if (tm_run_failed(run) || queue_exists(run, name)) return;
  if (run->has_strict_queues) {
    queue_unknown(run, name);
    return;
  }
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_CREATE, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_CREATE_NAME, name);
  bool is_made = tm_stmt_row(&s);
  tm_stmt_exec(&s);
  if (!tm_run_failed(run) && !is_made) {
    tm_run_dropped(run, "tm_queue");
  }
}

void tm_queue_set_paused(TmRun *run, TmText name, bool is_paused) {
  tm_run_begin(run);
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_SET_PAUSED, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_SET_PAUSED_NAME, name);
  tm_stmt_bind_int(&s, TM_P_QUEUE_SET_PAUSED_PAUSED, is_paused);
  bool is_row = tm_stmt_row(&s);
  bool is_set = is_row && !tm_stmt_is_null(&s, TM_C_QUEUE_SET_PAUSED_PAUSED) &&
                tm_stmt_int(&s, TM_C_QUEUE_SET_PAUSED_PAUSED) == is_paused;
  tm_stmt_exec(&s);
  if (tm_run_failed(run) || is_set) return;
  if (!is_row && !queue_exists(run, name)) {
    queue_unknown(run, name);
  } else if (!tm_run_failed(run)) {
    tm_run_dropped(run, "tm_queue");
  }
}

bool tm_queue_next(TmRun *run, char *name, int *n) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_NEXT, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_NEXT_AFTER, (TmText){name, *n});
  bool is_there = tm_stmt_row(&s);
  if (is_there) {
    TmText next = tm_stmt_text(&s, TM_C_QUEUE_NEXT_NAME);
    *n = next.n > TM_NAME_MAX_BYTES ? TM_NAME_MAX_BYTES : next.n;
    memcpy(name, next.z, (size_t)*n);
    name[*n] = 0;
  }
  tm_stmt_close(&s);
  return is_there;
}
