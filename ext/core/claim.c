/* claim.c - give available tasks to a worker.
 * Owns:    the move available -> running, and no other.
 * Promise: a task never has two live leases; best priority first, then oldest; what
 *          is due or lapsed in the queue is brought back, and fired, before the choice.
 * Why:     runs under the write lock that the atomic scope took, so the row chosen is
 *          still the row taken: reading first and writing second, without the
 *          lock, is where double delivery comes from. */
#include "core/claim.h"

#include "core/depend.h"
#include "core/fire.h"
#include "core/flow.h"
#include "core/limit.h"
#include "core/queue.h"
#include "core/spare.h"
#include "core/tick.h"
#include "core/times.h"
#include "store/schema.h"

/* The look before the lock, and the claim itself, bring back at most so many each time. */
#define CLAIM_UPKEEP_LIMIT 256

/* ---- a look, by reading only ---------------------------------------------- */

static sqlite3_int64 claim_next_lapse(TmRun *run, TmText queue) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_CLAIM_LOOK_LEASED, &s);
  tm_stmt_bind_text(&s, TM_P_CLAIM_LOOK_LEASED_QUEUE, queue);
  sqlite3_int64 lapse_ms = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_CLAIM_LOOK_LEASED_SORT_KEY) : 0;
  tm_stmt_close(&s);
  return lapse_ms;
}

void tm_claim_probe(TmRun *run, TmText queue, TmProbe *probe) {
  memset(probe, 0, sizeof *probe);
  TmStmt s;
  tm_stmt_open(run, TM_Q_CLAIM_LOOK, &s);
  tm_stmt_bind_text(&s, TM_P_CLAIM_LOOK_QUEUE, queue);
  bool is_row = tm_stmt_row(&s);
  if (is_row) {
    tm_run_begin_from(run, &s);
    probe->now_ms = run->now_ms;
    bool is_live = !tm_stmt_is_null(&s, TM_C_CLAIM_LOOK_PHASE);
    sqlite3_int64 phase = tm_stmt_int(&s, TM_C_CLAIM_LOOK_PHASE);
    sqlite3_int64 time_ms = tm_stmt_int(&s, TM_C_CLAIM_LOOK_SORT_KEY);
    probe->has_available = is_live && phase == 0;
    probe->has_unsettled = run->context->settings.has_unsettled;
    if (phase == 1) probe->next_due_ms = time_ms;
    if (phase == 2) probe->next_lapse_ms = time_ms;
    if (phase == 1) probe->next_lapse_ms = claim_next_lapse(run, queue);
    const TmQueueRow *row = tm_queue_find(run, queue);
    probe->exists = row != NULL;
    probe->is_paused = row && row->is_paused;
    if (row && row->is_limited) {
      probe->has_available = false;
      probe->next_lapse_ms = 0;
      probe->next_due_ms = tm_limit_next_ms(run, row);
    }
    if (row && row->has_schedules) probe->next_fire_ms = tm_fire_due_ms(run, queue);
    if (run->context->settings.has_times) probe->next_over_ms = tm_times_next_ms(run);
  }
  tm_stmt_close(&s);
  if (!is_row) tm_schema_refuse(run);
}

bool tm_claim_probe_finds(const TmProbe *probe) {
  sqlite3_int64 next_ms = tm_claim_probe_next_ms(probe);
  return probe->has_available || probe->has_unsettled || (next_ms && next_ms <= probe->now_ms);
}

sqlite3_int64 tm_claim_probe_next_ms(const TmProbe *probe) {
  const sqlite3_int64 times_ms[] = {probe->next_due_ms, probe->next_lapse_ms, probe->next_fire_ms,
                                    probe->next_over_ms};
  sqlite3_int64 next_ms = 0;
  for (int i = 0; i < 4; i++) {
    if (times_ms[i] && (next_ms == 0 || times_ms[i] < next_ms)) next_ms = times_ms[i];
  }
  return next_ms;
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

/* ---- the claim itself ------------------------------------------------------- */

/* The statements that choose a task have the same columns, TM_C_CLAIM_PROBE_*, and the same
 * parameters, which each numbers in its own way. */
typedef struct Choice {
  TmQuery query;
  int queue, now_ms, lease_ms, queue_lease_ms, worker;
} Choice;

#define CHOICE(name)                                                                               \
  {                                                                                                \
    TM_Q_CLAIM_##name, TM_P_CLAIM_##name##_QUEUE, TM_P_CLAIM_##name##_NOW_MS,                      \
        TM_P_CLAIM_##name##_LEASE_MS, TM_P_CLAIM_##name##_QUEUE_LEASE_MS,                          \
        TM_P_CLAIM_##name##_WORKER                                                                 \
  }
static const Choice choice_probe = CHOICE(PROBE);
static const Choice choice_best = CHOICE(BEST);
static const Choice choice_wanted = CHOICE(WANTED);

/* One step of a choice; close it on every path. */
static bool claim_choose(TmRun *run, const Choice *choice, const TmClaim *claim,
                         const TmQueueRow *queue, sqlite3_int64 id, TmStmt *s) {
  tm_stmt_open(run, choice->query, s);
  tm_stmt_bind_text(s, choice->queue, (TmText){queue->name, queue->name_bytes});
  tm_stmt_bind_int(s, choice->now_ms, run->now_ms);
  if (claim->lease_ms) tm_stmt_bind_int(s, choice->lease_ms, claim->lease_ms);
  tm_stmt_bind_int(s, choice->queue_lease_ms, queue->lease_ms);
  tm_stmt_bind_text(s, choice->worker, claim->worker);
  if (choice == &choice_wanted) tm_stmt_bind_int(s, TM_P_CLAIM_WANTED_ID, id);
  return tm_stmt_row(s);
}

static bool claim_has_task(const TmStmt *s) {
  return s->stmt && !tm_stmt_is_null(s, TM_C_CLAIM_PROBE_ID);
}

static void claim_bind_spare(TmStmt *s, const TmClaim *claim, const TmTask *task, TmSpare *spare) {
  if (!spare->is_kept) return;
  tm_spare_text(spare, TM_SPARE_STATE, tm_text_of(tm_state_name(TM_RUNNING)));
  tm_spare_int(spare, TM_SPARE_ATTEMPT, task->attempt);
  tm_spare_int(spare, TM_SPARE_TOKEN, task->token);
  tm_spare_int(spare, TM_SPARE_LEASE_UNTIL_MS, task->lease_until_ms);
  tm_spare_int(spare, TM_SPARE_MOVES, tm_task_next_move(task));
  tm_spare_int(spare, TM_SPARE_MOVED_MS, s->run->now_ms);
  tm_spare_int(spare, TM_SPARE_STARTED_MS, s->run->now_ms);
  if (task->event_id) tm_spare_int(spare, TM_SPARE_EVENT_ID, task->event_id);
  tm_spare_text(spare, TM_SPARE_PROGRESS, TM_NO_TEXT);
  tm_spare_text(spare, TM_SPARE_WORKER, claim->worker);
  tm_spare_text(spare, TM_SPARE_REASON, TM_NO_TEXT);
  tm_spare_text(spare, TM_SPARE_NOTE, TM_NO_TEXT);
  tm_spare_bind(spare, s, TM_P_CLAIM_TAKE_SPARE);
}

/* Hand over the row that was chosen, close it, and make it so. */
static void claim_take(TmRun *run, const TmClaim *claim, const TmQueueRow *queue, TmStmt *row) {
  TmTask task = {.state = TM_AVAILABLE, .has_history = queue->has_history};
  task.changes = sqlite3_total_changes64(run->context->db);
  task.id = tm_stmt_int(row, TM_C_CLAIM_PROBE_ID);
  task.flow = (unsigned)tm_stmt_int(row, TM_C_CLAIM_PROBE_FLOW);
  if (queue->is_limited) task.flow |= TM_FLOW_LIMITED;
  task.moves = tm_stmt_int(row, TM_C_CLAIM_PROBE_MOVES);
  task.event_id = tm_stmt_int(row, TM_C_CLAIM_PROBE_EVENT_ID);
  task.has_spare = !tm_stmt_is_null(row, TM_C_CLAIM_PROBE_SPARE_BYTES);
  task.token = tm_stmt_int(row, TM_C_CLAIM_PROBE_TOKEN);
  task.attempt = tm_stmt_int(row, TM_C_CLAIM_PROBE_ATTEMPT);
  task.lease_until_ms = tm_stmt_int(row, TM_C_CLAIM_PROBE_LEASE_UNTIL_MS);
  claim->on_row(claim->arg, row);
  tm_stmt_close(row);
  tm_task_keep_history(run, &task, TM_RUNNING, claim->worker, TM_NO_TEXT);
  TmSpare spare;
  tm_spare_open(run, &task, &spare);
  TmStmt s;
  tm_stmt_open(run, TM_Q_CLAIM_TAKE, &s);
  tm_stmt_bind_int(&s, TM_P_CLAIM_TAKE_ID, task.id);
  tm_stmt_bind_int(&s, TM_P_CLAIM_TAKE_ATTEMPT, task.attempt);
  tm_stmt_bind_int(&s, TM_P_CLAIM_TAKE_TOKEN, task.token);
  tm_stmt_bind_int(&s, TM_P_CLAIM_TAKE_LEASE_UNTIL_MS, task.lease_until_ms);
  tm_stmt_bind_int(&s, TM_P_CLAIM_TAKE_MOVES, task.moves);
  tm_stmt_bind_int(&s, TM_P_CLAIM_TAKE_NOW_MS, run->now_ms);
  if (task.event_id) tm_stmt_bind_int(&s, TM_P_CLAIM_TAKE_EVENT_ID, task.event_id);
  tm_stmt_bind_text(&s, TM_P_CLAIM_TAKE_WORKER, claim->worker);
  claim_bind_spare(&s, claim, &task, &spare);
  tm_task_write_move(&s, &task, TM_RUNNING);
  run->task_id = task.id;
}

/* The queue, as far as the connection knows it; read again where it would refuse. */
static bool claim_find_queue(TmRun *run, TmText name, TmQueueRow *queue) {
  tm_run_begin_unread(run);
  const TmQueueRow *row = tm_queue_find(run, name);
  if (!row || row->is_paused) {
    tm_run_begin_stale(run);
    tm_run_begin(run);
    row = tm_queue_find(run, name);
  }
  if (!row || row->is_paused) return false;
  *queue = *row;
  return true;
}

/* Look under the lock. What the connection knew of the queue holds, or is read again. */
static bool claim_open(TmRun *run, const TmClaim *claim, TmText name, TmQueueRow *queue,
                       TmStmt *s) {
  s->stmt = NULL;
  while (claim_find_queue(run, name, queue)) {
    sqlite3_int64 stamp = run->context->settings.stamp;
    bool is_row = claim_choose(run, &choice_probe, claim, queue, 0, s);
    if (is_row) tm_run_begin_from(run, s);
    bool is_current = is_row && run->context->settings.stamp == stamp && !tm_run_failed(run);
    if (is_current) return true;
    tm_stmt_close(s);
    if (!is_row) {
      tm_schema_refuse(run);
      return false;
    }
  }
  return false;
}

/* Bring back what is due and what has lapsed, and fire what is due. None of these is the task
 * that the caller is told of. */
static void claim_stir(TmRun *run, TmText queue, bool is_due, bool is_lapsed, bool is_firing) {
  TmTick counts = {0};
  sqlite3_int64 task_id = run->task_id;
  if (is_firing) tm_fire_queue(run, queue, CLAIM_UPKEEP_LIMIT, &counts);
  if (is_due) tm_tick_promote(run, queue, CLAIM_UPKEEP_LIMIT, &counts);
  if (is_lapsed) tm_tick_rescue(run, queue, CLAIM_UPKEEP_LIMIT, &counts);
  run->task_id = task_id;
}

/* The queue's row, which the stamp keeps fresh, says whether it has schedules at all. */
static bool claim_is_firing(TmRun *run, const TmQueueRow *queue) {
  if (!queue->has_schedules) return false;
  sqlite3_int64 fire_ms = tm_fire_due_ms(run, (TmText){queue->name, queue->name_bytes});
  return fire_ms && fire_ms <= run->now_ms;
}

/* The next task that the limits of the queue let start; close the row on every path. */
static bool claim_limited(TmRun *run, const TmClaim *claim, const TmQueueRow *queue, TmStmt *s) {
  s->stmt = NULL;
  sqlite3_int64 id = tm_limit_turn(run, queue, claim->id);
  return id != 0 && claim_choose(run, &choice_wanted, claim, queue, id, s);
}

static bool claim_next(TmRun *run, const TmClaim *claim, const TmQueueRow *queue, TmStmt *s) {
  if (queue->is_limited) return claim_limited(run, claim, queue, s);
  return claim_choose(run, claim->id ? &choice_wanted : &choice_best, claim, queue, claim->id, s);
}

/* The task chosen is too late, which upkeep had no time to see, or which fired only then: end it,
 * and close the row. The caller is not told of it. */
static bool claim_is_late(TmRun *run, TmStmt *s) {
  if (!(tm_stmt_int(s, TM_C_CLAIM_PROBE_FLOW) & TM_FLOW_TIMES)) return false;
  sqlite3_int64 id = tm_stmt_int(s, TM_C_CLAIM_PROBE_ID);
  if (!tm_times_is_over(run, id)) return false;
  tm_stmt_close(s);
  sqlite3_int64 task_id = run->task_id;
  tm_times_end(run, id);
  run->task_id = task_id;
  return true;
}

/* Claim what the row shows and what comes after it, at most `limit`. */
static sqlite3_int64 claim_all(TmRun *run, const TmClaim *claim, const TmQueueRow *queue, TmStmt *s,
                               sqlite3_int64 limit) {
  sqlite3_int64 claimed = 0;
  int late = 0;
  while (!tm_run_failed(run) && claim_has_task(s) && late < CLAIM_UPKEEP_LIMIT) {
    if (claim_is_late(run, s)) {
      late++;
    } else {
      claim_take(run, claim, queue, s);
      if (++claimed == limit || tm_run_failed(run)) return claimed;
    }
    claim_next(run, claim, queue, s);
  }
  tm_stmt_close(s);
  return claimed;
}

static sqlite3_int64 claim_from(TmRun *run, const TmClaim *claim, TmText name,
                                sqlite3_int64 limit) {
  TmQueueRow queue;
  TmStmt s;
  if (!claim_open(run, claim, name, &queue, &s)) return 0;
  bool is_due = tm_stmt_int(&s, TM_C_CLAIM_PROBE_IS_DUE) != 0;
  bool is_lapsed = tm_stmt_int(&s, TM_C_CLAIM_PROBE_IS_LAPSED) != 0;
  bool is_firing = claim_is_firing(run, &queue);
  bool is_unsettled = run->context->settings.has_unsettled;
  bool has_times = run->context->settings.has_times;
  bool is_other = claim->id || queue.is_limited || has_times;
  if (is_due || is_lapsed || is_firing || is_unsettled || is_other) {
    tm_stmt_close(&s);
    if (is_unsettled) tm_depend_settle(run, CLAIM_UPKEEP_LIMIT);
    if (has_times) tm_times_run(run, CLAIM_UPKEEP_LIMIT);
    claim_stir(run, name, is_due, is_lapsed, is_firing);
    claim_next(run, claim, &queue, &s);
  }
  return claim_all(run, claim, &queue, &s, limit);
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
