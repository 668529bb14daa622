/* fire.c - slots that have come: each becomes one task, or is decided against.
 * Owns:    the rounds over tm_schedule, and tm_schedule_slot.
 * Promise: a slot fires once, whoever comes round and how often: the lock says who comes first,
 *          next_ms moves on with the task that it made, and a slot's row is UNIQUE. A round is
 *          bounded whatever was missed. One schedule that cannot fire stops no other.
 * Why:     no daemon: ticks and claims come round, so a slot is decided some time after it.
 *
 *   next_ms                    the oldest slot that is not decided
 *      |  resumed_ms           those up to here passed in a pause
 *      |     |  catch_up       none, one: the newest; all: the newest 1000
 *      v     v     v    now
 *   ---s--s--|--s--s--s--|--s-->
 *      pause |gone| plan |  ahead
 *
 *   Times are settled first and tasks made afterwards: what a trigger of the user's does meanwhile
 *   may take the zone out of the connection's hands. Until the row says so too, a tick or a claim
 *   of such a trigger must not decide the same slots. */
#include "core/fire.h"

#include "core/schedule.h"

/* Slots that one look at a schedule decides. */
#define FIRE_BLOCK 64
/* Old slots are removed once in so many runs. */
#define FIRE_PRUNE_EVERY 16

typedef struct Plan {
  sqlite3_int64 slots[FIRE_BLOCK];
  int count;
  sqlite3_int64 next_ms;  /* the first slot behind them, TM_NO_TIME for none */
  sqlite3_int64 ahead_ms; /* the first that has not come */
} Plan;

/* What came of a look. */
typedef struct Round {
  sqlite3_int64 next_ms; /* TM_NO_TIME: it has ended */
  sqlite3_int64 due_ms;
  sqlite3_int64 runs;
  sqlite3_int64 last_ms, last_task_id; /* 0: nothing fired */
  sqlite3_int64 waits_for_id;          /* 0: for nothing */
  char *error;
} Round;

/* ---- which slots --------------------------------------------------------- */

static sqlite3_int64 fire_bounded(const TmSchedule *schedule, sqlite3_int64 slot_ms) {
  bool is_over = schedule->end_ms != TM_NO_TIME && slot_ms > schedule->end_ms;
  return slot_ms == TM_CRON_NEVER || is_over ? TM_NO_TIME : slot_ms;
}

static sqlite3_int64 fire_after(const TmSchedule *schedule, const TmRhythm *rhythm,
                                sqlite3_int64 after_ms) {
  return fire_bounded(schedule, tm_cron_next(&rhythm->cron, rhythm->zone, after_ms));
}

/* The first slot that is to fire, of those from slot_ms up to until_ms. */
static sqlite3_int64 fire_first(const TmSchedule *schedule, const TmRhythm *rhythm,
                                sqlite3_int64 slot_ms, sqlite3_int64 until_ms,
                                sqlite3_int64 now_ms) {
  int count = schedule->catch_up == TM_CATCH_UP_ALL ? TM_CATCH_UP_MAX : 1;
  slot_ms = tm_cron_newest(&rhythm->cron, rhythm->zone, slot_ms, until_ms, count);
  /* One that waited for its turn was not missed. */
  bool is_missed = schedule->catch_up == TM_CATCH_UP_NONE &&
                   schedule->overlap != TM_OVERLAP_QUEUE && now_ms - slot_ms > TM_CATCH_UP_GRACE_MS;
  return is_missed ? fire_after(schedule, rhythm, now_ms) : slot_ms;
}

static void fire_plan(TmRun *run, const TmScheduleRow *row, sqlite3_int64 limit, Plan *plan) {
  const TmSchedule *schedule = &row->schedule;
  TmRhythm rhythm;
  plan->count = 0;
  plan->next_ms = plan->ahead_ms = TM_NO_TIME;
  if (!tm_schedule_rhythm(run, schedule, &rhythm)) return;
  sqlite3_int64 now_ms = run->now_ms;
  sqlite3_int64 until_ms = now_ms;
  if (schedule->end_ms != TM_NO_TIME && schedule->end_ms < until_ms) until_ms = schedule->end_ms;
  plan->ahead_ms = fire_after(schedule, &rhythm, now_ms);
  sqlite3_int64 slot_ms = fire_bounded(schedule, row->next_ms);
  if (slot_ms != TM_NO_TIME && slot_ms <= row->resumed_ms) {
    slot_ms = fire_after(schedule, &rhythm, row->resumed_ms);
  }
  if (slot_ms != TM_NO_TIME && slot_ms <= until_ms) {
    slot_ms = fire_first(schedule, &rhythm, slot_ms, until_ms, now_ms);
  }
  sqlite3_int64 runs = row->runs;
  while (slot_ms != TM_NO_TIME && slot_ms <= until_ms && plan->count < limit) {
    if (schedule->max_runs && runs++ >= schedule->max_runs) break;
    plan->slots[plan->count++] = slot_ms;
    slot_ms = fire_after(schedule, &rhythm, slot_ms);
  }
  plan->next_ms = slot_ms;
}

/* ---- one slot ------------------------------------------------------------ */

/* The same in every process: a number from the name and the slot (FNV-1a, and a stir that lets
 * each bit reach the low ones). */
static sqlite3_int64 fire_jitter(const TmSchedule *schedule, sqlite3_int64 slot_ms) {
  if (schedule->jitter_ms == 0) return 0;
  sqlite3_uint64 hash = 0xcbf29ce484222325u;
  for (int i = 0; i < schedule->name.n; i++) {
    hash = (hash ^ (unsigned char)schedule->name.z[i]) * 0x100000001b3u;
  }
  for (int i = 0; i < 64; i += 8) {
    hash = (hash ^ (((sqlite3_uint64)slot_ms >> i) & 0xff)) * 0x100000001b3u;
  }
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash ^= hash >> 33;
  return (sqlite3_int64)(hash % ((sqlite3_uint64)schedule->jitter_ms + 1));
}

/* Kept after the task was deleted, and where next_ms was set back by hand. */
static bool fire_is_done(TmRun *run, TmText schedule, sqlite3_int64 slot_ms) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_SLOT, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_SLOT_SCHEDULE, schedule);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_SLOT_SLOT_MS, slot_ms);
  bool is_done = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return is_done;
}

static void fire_slot(TmRun *run, const TmSchedule *schedule, sqlite3_int64 slot_ms, Round *round) {
  TmEnqueue task = schedule->task;
  task.has_run_at = true;
  task.run_at_ms = slot_ms + task.delay_ms + fire_jitter(schedule, slot_ms);
  if (task.run_at_ms > TM_TIME_MAX_MS) task.run_at_ms = TM_TIME_MAX_MS;
  tm_enqueue_run(run, &task, true);
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_ADD_SLOT, &s);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_ADD_SLOT_TASK_ID, run->task_id);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_ADD_SLOT_SCHEDULE, schedule->name);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_ADD_SLOT_SLOT_MS, slot_ms);
  tm_stmt_write(&s, "tm_schedule_slot");
  round->runs++;
  round->last_ms = slot_ms;
  round->last_task_id = run->task_id;
}

/* The newest task of the schedule that is not finished, 0 for none. */
static sqlite3_int64 fire_unfinished(TmRun *run, TmText schedule) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_UNFINISHED, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_UNFINISHED_SCHEDULE, schedule);
  sqlite3_int64 id = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_SCHEDULE_UNFINISHED_ID) : 0;
  tm_stmt_close(&s);
  return id;
}

/* ---- one schedule -------------------------------------------------------- */

/* Returns how many fired. */
static int fire_all(TmRun *run, const TmScheduleRow *row, const Plan *plan, Round *round) {
  const TmSchedule *schedule = &row->schedule;
  bool is_alone = schedule->overlap != TM_OVERLAP_ALLOW;
  int fired = 0;
  round->next_ms = plan->next_ms;
  for (int i = 0; i < plan->count && !tm_run_failed(run); i++) {
    sqlite3_int64 unfinished_id = is_alone ? fire_unfinished(run, schedule->name) : 0;
    if (unfinished_id && schedule->overlap == TM_OVERLAP_SKIP) {
      round->next_ms = plan->ahead_ms;
      break;
    }
    if (unfinished_id) {
      round->waits_for_id = unfinished_id;
      round->next_ms = plan->slots[i];
      break;
    }
    if (fire_is_done(run, schedule->name, plan->slots[i])) continue;
    fire_slot(run, schedule, plan->slots[i], round);
    fired++;
  }
  if (schedule->max_runs && round->runs >= schedule->max_runs) round->next_ms = TM_NO_TIME;
  return fired;
}

/* What is wrong with the spec or the zone is noted in the row. Other failures are the caller's. */
static void fire_postpone(TmRun *run, const TmScheduleRow *row, sqlite3_int64 now_ms,
                          Round *round) {
  if (run->error.rc != SQLITE_ERROR || !run->error.message) return;
  round->error = run->error.message;
  tm_error_init(&run->error, run->error.subject);
  round->next_ms = row->next_ms;
  round->due_ms = now_ms + TM_FIRE_AGAIN_MS;
}

static void fire_write(TmRun *run, TmText name, sqlite3_int64 revision, const Round *round) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_ROUND, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_ROUND_NAME, name);
  if (round->next_ms != TM_NO_TIME) {
    tm_stmt_bind_int(&s, TM_P_SCHEDULE_ROUND_NEXT_MS, round->next_ms);
    tm_stmt_bind_int(&s, TM_P_SCHEDULE_ROUND_DUE_MS, round->due_ms);
  }
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_ROUND_RUNS, round->runs);
  if (round->last_task_id) {
    tm_stmt_bind_int(&s, TM_P_SCHEDULE_ROUND_LAST_MS, round->last_ms);
    tm_stmt_bind_int(&s, TM_P_SCHEDULE_ROUND_LAST_TASK_ID, round->last_task_id);
  }
  if (round->waits_for_id) {
    tm_stmt_bind_int(&s, TM_P_SCHEDULE_ROUND_WAITS_FOR_ID, round->waits_for_id);
  }
  if (round->error) tm_stmt_bind_text(&s, TM_P_SCHEDULE_ROUND_ERROR, tm_text_of(round->error));
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_ROUND_REVISION, revision);
  tm_schedule_write(&s, name, revision, round->next_ms, false);
}

static void fire_prune(TmRun *run, TmText name) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_PRUNE, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_PRUNE_SCHEDULE, name);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_PRUNE_KEEP, TM_SLOTS_KEPT);
  tm_stmt_exec(&s);
}

/* Look at one that is due; returns the steps taken. */
static sqlite3_int64 fire_schedule(TmRun *run, TmText name, sqlite3_int64 limit, TmTick *counts) {
  TmScheduleRow row;
  Round round = {.next_ms = TM_NO_TIME};
  int fired = 0;
  bool is_there = tm_schedule_load(run, name, &row);
  if (is_there) {
    sqlite3_int64 now_ms = run->now_ms;
    Plan plan;
    round.runs = row.runs;
    fire_plan(run, &row, limit < FIRE_BLOCK ? limit : FIRE_BLOCK, &plan);
    if (tm_run_failed(run)) {
      fire_postpone(run, &row, now_ms, &round);
    } else {
      fired = fire_all(run, &row, &plan, &round);
      round.due_ms = round.next_ms;
    }
  }
  tm_stmt_close(&row.stmt);
  if (!is_there) tm_run_dropped(run, "tm_schedule");
  fire_write(run, name, row.revision + 1, &round);
  bool is_full = round.runs / FIRE_PRUNE_EVERY > row.runs / FIRE_PRUNE_EVERY;
  if (is_full && round.runs > TM_SLOTS_KEPT) fire_prune(run, name);
  sqlite3_free(round.error);
  counts->fired += fired;
  return fired ? fired : 1;
}

/* ---- a queue ------------------------------------------------------------- */

/* The first that is due, copied to `name` (TM_NAME_MAX_BYTES bytes) where that is not NULL. */
static sqlite3_int64 fire_find(TmRun *run, TmText queue, char *name, int *n) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_DUE, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_DUE_QUEUE, queue);
  sqlite3_int64 due_ms = 0;
  if (tm_stmt_row(&s)) {
    due_ms = tm_stmt_int(&s, TM_C_SCHEDULE_DUE_DUE_MS);
    if (due_ms == 0) due_ms = 1; /* for 0 says that there is none */
    TmText text = tm_stmt_text(&s, TM_C_SCHEDULE_DUE_NAME);
    if (name) {
      *n = text.n > TM_NAME_MAX_BYTES ? TM_NAME_MAX_BYTES : text.n;
      memcpy(name, text.z, (size_t)*n);
    }
  }
  tm_stmt_close(&s);
  return due_ms;
}

sqlite3_int64 tm_fire_due_ms(TmRun *run, TmText queue) {
  if (run->context->is_firing) return 0;
  return fire_find(run, queue, NULL, NULL);
}

sqlite3_int64 tm_fire_queue(TmRun *run, TmText queue, sqlite3_int64 limit, TmTick *counts) {
  sqlite3_int64 task_id = run->task_id;
  sqlite3_int64 steps = 0;
  char name[TM_NAME_MAX_BYTES];
  int n = 0;
  if (run->context->is_firing) return 0;
  run->context->is_firing = true;
  while (steps < limit && !tm_run_failed(run)) {
    sqlite3_int64 due_ms = fire_find(run, queue, name, &n);
    if (due_ms == 0 || due_ms > run->now_ms) break;
    steps += fire_schedule(run, (TmText){name, n}, limit - steps, counts);
  }
  run->context->is_firing = false;
  run->task_id = task_id;
  return steps;
}
