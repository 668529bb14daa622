/* claim.c - give available tasks to a worker.
 * Owns:    the move available -> running, and no other.
 * Promise: a task never has two live leases; best priority first, then oldest; what
 *          is due or lapsed in the queue is brought back before the choice.
 * Why:     runs under the write lock that the atomic scope took, so the row chosen is
 *          still the row taken: reading first and writing second, without the
 *          lock, is where double delivery comes from. */
#include "core/claim.h"

#include "core/tick.h"
#include "store/schema.h"

/* The look before the lock, and the claim itself, bring back at most so many each time. */
#define CLAIM_UPKEEP_LIMIT 256

void tm_claim_probe(TmRun *run, TmText queue, TmProbe *probe) {
  memset(probe, 0, sizeof *probe);
  TmStmt s;
  tm_stmt_open(run, TM_Q_CLAIM_PROBE, &s);
  tm_stmt_bind_text(&s, TM_P_CLAIM_PROBE_QUEUE, queue);
  bool is_current = tm_stmt_row(&s) && tm_run_begin_from(run, &s);
  if (is_current) {
    probe->now_ms = run->now_ms;
    probe->exists = !tm_stmt_is_null(&s, TM_C_CLAIM_PROBE_PAUSED);
    probe->is_paused = tm_stmt_int(&s, TM_C_CLAIM_PROBE_PAUSED) != 0;
    probe->has_history = tm_stmt_int(&s, TM_C_CLAIM_PROBE_HISTORY) != 0;
    probe->has_available = !tm_stmt_is_null(&s, TM_C_CLAIM_PROBE_BEST_ID);
    probe->next_due_ms = tm_stmt_int(&s, TM_C_CLAIM_PROBE_NEXT_DUE_MS);
    probe->next_lapse_ms = tm_stmt_int(&s, TM_C_CLAIM_PROBE_NEXT_LAPSE_MS);
  }
  tm_stmt_close(&s);
  if (!is_current) tm_schema_refuse(run);
}

static bool probe_is_due(const TmProbe *probe) {
  return probe->next_due_ms != 0 && probe->next_due_ms <= probe->now_ms;
}

static bool probe_is_lapsed(const TmProbe *probe) {
  return probe->next_lapse_ms != 0 && probe->next_lapse_ms <= probe->now_ms;
}

bool tm_claim_probe_finds(const TmProbe *probe) {
  return probe->has_available || probe_is_due(probe) || probe_is_lapsed(probe);
}

sqlite3_int64 tm_claim_probe_next_ms(const TmProbe *probe) {
  if (probe->next_due_ms == 0) return probe->next_lapse_ms;
  if (probe->next_lapse_ms == 0) return probe->next_due_ms;
  return probe->next_due_ms < probe->next_lapse_ms ? probe->next_due_ms : probe->next_lapse_ms;
}

bool tm_claim_may_find(TmRun *run, const TmClaim *claim) {
  if (claim->count == 0) return false;
  for (int i = 0; i < claim->queue_count && !tm_run_failed(run); i++) {
    TmProbe probe;
    tm_claim_probe(run, claim->queues[i], &probe);
    if (tm_run_failed(run)) return true;
    if (!probe.exists || probe.is_paused) continue;
    if (tm_claim_probe_finds(&probe)) return true;
  }
  return false;
}

/* The best available task of the queue, or `wanted` where it is one; id 0 for none. */
static void claim_choose(TmRun *run, TmText queue, sqlite3_int64 wanted, TmTask *task) {
  TmStmt s;
  tm_stmt_open(run, wanted ? TM_Q_CLAIM_WANTED : TM_Q_CLAIM_BEST, &s);
  if (wanted) {
    tm_stmt_bind_text(&s, TM_P_CLAIM_WANTED_QUEUE, queue);
    tm_stmt_bind_int(&s, TM_P_CLAIM_WANTED_ID, wanted);
  } else {
    tm_stmt_bind_text(&s, TM_P_CLAIM_BEST_QUEUE, queue);
  }
  task->id = 0;
  if (tm_stmt_row(&s)) {
    task->id = tm_stmt_int(&s, TM_C_CLAIM_BEST_ID);
    task->moves = tm_stmt_int(&s, TM_C_CLAIM_BEST_MOVES);
  }
  tm_stmt_close(&s);
}

/* Hand the row over; it is read after the write, and so shows that the write was made. */
static void claim_give(TmRun *run, const TmClaim *claim, const TmTask *task) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_CLAIM_ROW, &s);
  tm_stmt_bind_int(&s, TM_P_CLAIM_ROW_ID, task->id);
  if (tm_stmt_row(&s) &&
      tm_task_is_moved(tm_state_of(tm_stmt_text(&s, TM_C_CLAIM_ROW_STATE)),
                       tm_stmt_int(&s, TM_C_CLAIM_ROW_MOVES), TM_RUNNING, task->moves)) {
    run->task_id = task->id;
    claim->on_row(claim->arg, &s);
  } else {
    tm_run_dropped(run, "tm_task");
  }
  tm_stmt_close(&s);
}

static void claim_take(TmRun *run, const TmClaim *claim, TmText queue, const TmTask *task) {
  TmWrite write;
  tm_task_write_open(run, TM_Q_CLAIM_TAKE, &write);
  TmStmt *s = &write.stmt;
  tm_stmt_bind_int(s, TM_P_CLAIM_TAKE_ID, task->id);
  tm_stmt_bind_text(s, TM_P_CLAIM_TAKE_QUEUE, queue);
  tm_stmt_bind_text(s, TM_P_CLAIM_TAKE_WORKER, claim->worker);
  tm_stmt_bind_int(s, TM_P_CLAIM_TAKE_NOW_MS, run->now_ms);
  if (claim->lease_ms) tm_stmt_bind_int(s, TM_P_CLAIM_TAKE_LEASE_MS, claim->lease_ms);
  tm_stmt_bind_int(s, TM_P_CLAIM_TAKE_HAS_HISTORY, task->has_history);
  tm_task_write_counted(&write, task->has_history);
  if (!tm_run_failed(run)) claim_give(run, claim, task);
}

static sqlite3_int64 claim_from(TmRun *run, const TmClaim *claim, TmText queue,
                                sqlite3_int64 limit) {
  TmProbe probe;
  tm_claim_probe(run, queue, &probe);
  if (tm_run_failed(run) || !probe.exists || probe.is_paused) return 0;
  TmTick counts = {0};
  if (probe_is_due(&probe)) tm_tick_promote(run, queue, CLAIM_UPKEEP_LIMIT, &counts);
  if (probe_is_lapsed(&probe)) tm_tick_rescue(run, queue, CLAIM_UPKEEP_LIMIT, &counts);
  sqlite3_int64 claimed = 0;
  while (claimed < limit && !tm_run_failed(run)) {
    TmTask task = {.has_history = probe.has_history};
    claim_choose(run, queue, claim->id, &task);
    if (task.id == 0) break;
    claim_take(run, claim, queue, &task);
    claimed++;
  }
  return claimed;
}

sqlite3_int64 tm_claim_run(TmRun *run, const TmClaim *claim) {
  run->task_id = 0;
  sqlite3_int64 claimed = 0;
  for (int i = 0; i < claim->queue_count && claimed < claim->count; i++) {
    claimed += claim_from(run, claim, claim->queues[i], claim->count - claimed);
    if (tm_run_failed(run)) return 0;
    if (claim->id && claimed) break;
  }
  return claimed;
}
