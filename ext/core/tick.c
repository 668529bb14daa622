/* tick.c - maintenance: what time alone makes happen.
 * Owns:    scheduled or retryable -> available when due; the end of lapsed leases; when finished
 *          tasks are pruned.
 * Promise: bounded, idempotent, by anyone at any time; each task found by a seek in
 *          the index of live tasks, never by a scan.
 * Why:     workers need no daemon beside them: a claim calls the same steps, and core/fire.c's. */
#include "core/tick.h"

#include "core/depend.h"
#include "core/finish.h"
#include "core/fire.h"
#include "core/limit.h"
#include "core/prune.h"
#include "core/queue.h"
#include "core/times.h"

/* Ids of tasks are read in blocks, so that no statement reads an index that the
 * moves change. */
#define TICK_BLOCK 64

typedef struct TickBlock {
  sqlite3_int64 ids[TICK_BLOCK];
  int count;
} TickBlock;

/* Tasks whose time is not after `until_ms`, by tick_due or tick_lapsed. */
static void tick_read(TmRun *run, TmText queue, TmQuery query, sqlite3_int64 until_ms,
                      sqlite3_int64 limit, TickBlock *block) {
  block->count = 0;
  TmStmt s;
  tm_stmt_open(run, query, &s);
  tm_stmt_bind_text(&s, TM_P_TICK_DUE_QUEUE, queue);
  tm_stmt_bind_int(&s, TM_P_TICK_DUE_UNTIL_MS, until_ms);
  tm_stmt_bind_int(&s, TM_P_TICK_DUE_LIMIT, limit < TICK_BLOCK ? limit : TICK_BLOCK);
  while (tm_stmt_row(&s)) block->ids[block->count++] = tm_stmt_int(&s, TM_C_TICK_DUE_ID);
  tm_stmt_close(&s);
}

/* A task as it is by now, which is why it is asked again: a trigger of somebody's on one before it
 * in the block may have moved it or taken it away. */
static bool tick_find(TmRun *run, sqlite3_int64 id, TmStateSet states, TmTask *task) {
  return tm_task_find(run, id, task) && (states & TM_STATE_BIT(task->state)) != 0;
}

#define TICK_WAITING                                                                               \
  (TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_RETRYABLE) | TM_STATE_BIT(TM_WAITING))
#define TICK_LEASED (TM_STATE_BIT(TM_RUNNING) | TM_STATE_BIT(TM_CANCELLING))

sqlite3_int64 tm_tick_promote(TmRun *run, TmText queue, sqlite3_int64 limit, TmTick *counts) {
  sqlite3_int64 done = 0;
  TickBlock block;
  do {
    tick_read(run, queue, TM_Q_TICK_DUE, run->now_ms, limit - done, &block);
    for (int i = 0; i < block.count && !tm_run_failed(run); i++) {
      TmTask task;
      done++;
      if (!tick_find(run, block.ids[i], TICK_WAITING, &task)) continue;
      if (task.run_at_ms > run->now_ms) continue;
      tm_task_move(run, &task, TM_AVAILABLE, TM_BY_OTHERS, TM_NO_TEXT, TM_NO_TEXT);
      counts->promoted++;
    }
  } while (block.count > 0 && done < limit && !tm_run_failed(run));
  return done;
}

void tm_tick_take_back(TmRun *run, TmTask *task, const char *reason, TmTick *counts) {
  const char *stopping = tm_times_stopping(run, task);
  if (stopping) {
    counts->rescued++;
    if (tm_finish_time_out(run, task, stopping) == TM_DISCARDED) counts->discarded++;
    return;
  }
  TmState to = TM_AVAILABLE;
  if (task->state == TM_CANCELLING) {
    to = TM_CANCELLED;
    counts->cancelled++;
  } else if (task->attempt >= task->max_attempts) {
    to = TM_DISCARDED;
    counts->discarded++;
  }
  counts->rescued++;
  tm_task_move(run, task, to, TM_BY_OTHERS, tm_text_of(reason), TM_NO_TEXT);
}

sqlite3_int64 tm_tick_rescue(TmRun *run, TmText queue, sqlite3_int64 limit, TmTick *counts) {
  sqlite3_int64 done = 0;
  TickBlock block;
  do {
    tick_read(run, queue, TM_Q_TICK_LAPSED, run->now_ms, limit - done, &block);
    for (int i = 0; i < block.count && !tm_run_failed(run); i++) {
      TmTask task;
      done++;
      if (!tick_find(run, block.ids[i], TICK_LEASED, &task)) continue;
      if (task.lease_until_ms > run->now_ms) continue;
      tm_tick_take_back(run, &task, "lease lapsed", counts);
    }
  } while (block.count > 0 && done < limit && !tm_run_failed(run));
  return done;
}

void tm_tick_run(TmRun *run, sqlite3_int64 limit, TmTick *counts) {
  tm_run_begin(run);
  char name[TM_NAME_MAX_BYTES + 1] = "";
  int n = 0;
  sqlite3_int64 left = limit;
  if (run->context->settings.has_unsettled) left -= tm_depend_settle(run, left);
  if (run->context->settings.has_times && left > 0) {
    sqlite3_int64 ended = tm_times_run(run, left);
    counts->expired += ended;
    left -= ended;
  }
  while (left > 0 && !tm_run_failed(run) && tm_queue_next(run, name, &n)) {
    left -= tm_fire_queue(run, (TmText){name, n}, left, counts);
    if (left > 0) left -= tm_tick_promote(run, (TmText){name, n}, left, counts);
    if (left > 0) left -= tm_tick_rescue(run, (TmText){name, n}, left, counts);
  }
  /* Work comes before tidying: what is left of the limit. */
  if (left > 0) tm_limit_forget(run, left);
  if (left > 0) counts->pruned += tm_prune_run(run, TM_NO_TEXT, left, false);
  run->task_id = 0;
}

/* Take back the leases of one queue, of this worker only where one is named. The walk goes
 * by (lease end, id), because leases of others stay where they are. */
static void tick_reconcile_queue(TmRun *run, TmText queue, TmText worker, TmTick *counts) {
  sqlite3_int64 after_ms = -1;
  sqlite3_int64 after_id = 0;
  TickBlock block;
  do {
    block.count = 0;
    TmStmt s;
    tm_stmt_open(run, TM_Q_TICK_LEASED, &s);
    tm_stmt_bind_text(&s, TM_P_TICK_LEASED_QUEUE, queue);
    tm_stmt_bind_text(&s, TM_P_TICK_LEASED_WORKER, worker);
    tm_stmt_bind_int(&s, TM_P_TICK_LEASED_AFTER_MS, after_ms);
    tm_stmt_bind_int(&s, TM_P_TICK_LEASED_AFTER_ID, after_id);
    tm_stmt_bind_int(&s, TM_P_TICK_LEASED_LIMIT, TICK_BLOCK);
    while (tm_stmt_row(&s)) {
      after_id = tm_stmt_int(&s, TM_C_TICK_LEASED_ID);
      after_ms = tm_stmt_int(&s, TM_C_TICK_LEASED_UNTIL_MS);
      block.ids[block.count++] = after_id;
    }
    tm_stmt_close(&s);
    for (int i = 0; i < block.count && !tm_run_failed(run); i++) {
      TmTask task;
      if (!tick_find(run, block.ids[i], TICK_LEASED, &task)) continue;
      if (worker.z && !tm_text_is_same(tm_task_worker(&task), worker)) continue;
      tm_tick_take_back(run, &task, "reconciled", counts);
    }
  } while (block.count > 0 && !tm_run_failed(run));
}

void tm_tick_reconcile(TmRun *run, TmText worker, TmTick *counts) {
  tm_run_begin(run);
  char name[TM_NAME_MAX_BYTES + 1] = "";
  int n = 0;
  while (!tm_run_failed(run) && tm_queue_next(run, name, &n)) {
    tick_reconcile_queue(run, (TmText){name, n}, worker, counts);
  }
  tm_tick_run(run, TM_TICK_LIMIT, counts);
}
