/* schedule.c - schedules: made, changed, paused, removed.
 * Owns:    tm_schedule as far as people change it, and how its row is read.
 * Promise: a schedule made again with the same spec, zone and start keeps the slots that are
 *          still to be decided, so that an application may do that whenever it starts;
 *          with another one it goes on from now. What has passed while it was paused is gone.
 * Why:     rounds only ask which row is due; when that is, is settled here and there once. */
#include "core/schedule.h"

#include "base/suggest.h"
#include "core/queue.h"

const char *const tm_catch_up_names[] = {"none", "one", "all"};
const char *const tm_overlap_names[] = {"allow", "skip", "queue"};

#define SCHEDULE_OVERDUE_MS 60000

/* ---- reading ------------------------------------------------------------- */

static sqlite3_int64 schedule_int(const TmStmt *s, int column, sqlite3_int64 none) {
  return tm_stmt_is_null(s, column) ? none : tm_stmt_int(s, column);
}

static bool schedule_has_int(const TmStmt *s, int column, sqlite3_int64 *out) {
  *out = tm_stmt_int(s, column);
  return !tm_stmt_is_null(s, column);
}

/* The constraints let no other name in. */
static int schedule_choice(const TmStmt *s, int column, const char *const *names) {
  TmText text = tm_stmt_text(s, column);
  for (int i = 0; i < 3 && text.z; i++) {
    if (strcmp(text.z, names[i]) == 0) return i;
  }
  return 0;
}

static void schedule_read_task(const TmStmt *s, TmEnqueue *task) {
  task->queue = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_QUEUE);
  task->payload = tm_stmt_value(s, TM_C_SCHEDULE_LOAD_PAYLOAD);
  task->kind = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_KIND);
  task->tags = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_TAGS);
  task->metadata = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_METADATA);
  task->backoff_kind = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_BACKOFF_KIND);
  task->is_held = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_HELD) != 0;
  task->delay_ms = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_DELAY_MS);
  task->has_priority = schedule_has_int(s, TM_C_SCHEDULE_LOAD_PRIORITY, &task->priority);
  task->has_max_attempts =
      schedule_has_int(s, TM_C_SCHEDULE_LOAD_MAX_ATTEMPTS, &task->max_attempts);
  task->has_lease = schedule_has_int(s, TM_C_SCHEDULE_LOAD_LEASE_MS, &task->lease_ms);
  task->has_base = schedule_has_int(s, TM_C_SCHEDULE_LOAD_BACKOFF_BASE_MS, &task->backoff_base_ms);
  task->has_max = schedule_has_int(s, TM_C_SCHEDULE_LOAD_BACKOFF_MAX_MS, &task->backoff_max_ms);
  task->has_jitter = !tm_stmt_is_null(s, TM_C_SCHEDULE_LOAD_BACKOFF_JITTER);
  task->backoff_jitter = tm_stmt_real(s, TM_C_SCHEDULE_LOAD_BACKOFF_JITTER);
}

static void schedule_read_flow(const TmStmt *s, TmFlow *flow) {
  flow->partition = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_PARTITION);
  flow->expires.is_given = schedule_has_int(s, TM_C_SCHEDULE_LOAD_EXPIRES_MS, &flow->expires.ms);
  flow->deadline.is_given = schedule_has_int(s, TM_C_SCHEDULE_LOAD_DEADLINE_MS, &flow->deadline.ms);
  flow->timeout_ms = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_TIMEOUT_MS);
  if (flow->partition.z) flow->bits |= TM_FLOW_PARTITION;
  if (flow->expires.is_given || flow->deadline.is_given || flow->timeout_ms) {
    flow->bits |= TM_FLOW_TIMES;
  }
}

static void schedule_read(const TmStmt *s, TmScheduleRow *row) {
  TmSchedule *schedule = &row->schedule;
  schedule->name = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_NAME);
  schedule->spec = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_SPEC);
  schedule->zone = tm_stmt_text(s, TM_C_SCHEDULE_LOAD_ZONE);
  schedule->catch_up =
      (TmCatchUp)schedule_choice(s, TM_C_SCHEDULE_LOAD_CATCH_UP, tm_catch_up_names);
  schedule->overlap = (TmOverlap)schedule_choice(s, TM_C_SCHEDULE_LOAD_OVERLAP, tm_overlap_names);
  schedule->start_ms = schedule_int(s, TM_C_SCHEDULE_LOAD_START_MS, TM_NO_TIME);
  schedule->end_ms = schedule_int(s, TM_C_SCHEDULE_LOAD_END_MS, TM_NO_TIME);
  schedule->max_runs = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_MAX_RUNS);
  schedule->jitter_ms = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_JITTER_MS);
  schedule_read_task(s, &schedule->task);
  schedule_read_flow(s, &schedule->task.flow);
  row->is_paused = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_PAUSED) != 0;
  row->next_ms = schedule_int(s, TM_C_SCHEDULE_LOAD_NEXT_MS, TM_NO_TIME);
  row->due_ms = schedule_int(s, TM_C_SCHEDULE_LOAD_DUE_MS, TM_NO_TIME);
  row->resumed_ms = schedule_int(s, TM_C_SCHEDULE_LOAD_RESUMED_MS, TM_NO_TIME);
  row->runs = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_RUNS);
  row->revision = tm_stmt_int(s, TM_C_SCHEDULE_LOAD_REVISION);
}

bool tm_schedule_load(TmRun *run, TmText name, TmScheduleRow *row) {
  memset(row, 0, sizeof *row);
  tm_stmt_open(run, TM_Q_SCHEDULE_LOAD, &row->stmt);
  tm_stmt_bind_text(&row->stmt, TM_P_SCHEDULE_LOAD_NAME, name);
  bool is_there = tm_stmt_row(&row->stmt);
  if (is_there) schedule_read(&row->stmt, row);
  return is_there && !tm_run_failed(run);
}

/* ---- when ---------------------------------------------------------------- */

bool tm_schedule_rhythm(TmRun *run, const TmSchedule *schedule, TmRhythm *rhythm) {
  rhythm->zone = NULL;
  if (tm_run_failed(run)) return false;
  if (!tm_cron_parse(schedule->spec, &rhythm->cron, &run->error)) return false;
  if (schedule->start_ms != TM_NO_TIME) rhythm->cron.start_ms = schedule->start_ms;
  if (!schedule->zone.z) return true;
  rhythm->zone = tm_zones_get(&run->context->zones, schedule->zone, &run->error);
  return !tm_run_failed(run);
}

/* The first slot that is still to come, for who has been round so often. */
static sqlite3_int64 schedule_first(TmRun *run, const TmSchedule *schedule, sqlite3_int64 runs) {
  TmRhythm rhythm;
  if (!tm_schedule_rhythm(run, schedule, &rhythm)) return TM_NO_TIME;
  if (schedule->max_runs && runs >= schedule->max_runs) return TM_NO_TIME;
  sqlite3_int64 after_ms = run->now_ms;
  if (schedule->start_ms > after_ms) after_ms = schedule->start_ms - 1;
  sqlite3_int64 next_ms = tm_cron_next(&rhythm.cron, rhythm.zone, after_ms);
  bool is_over = schedule->end_ms != TM_NO_TIME && next_ms > schedule->end_ms;
  return next_ms == TM_CRON_NEVER || is_over ? TM_NO_TIME : next_ms;
}

static bool schedule_is_same(TmText a, TmText b) {
  return (a.z != NULL) == (b.z != NULL) && a.n == b.n &&
         (a.n == 0 || memcmp(a.z, b.z, (size_t)a.n) == 0);
}

/* The next slot of a schedule that is made again. Where it waited for a time that lies behind
 * the next one, clocks have gone back: then it goes on from now too. */
static sqlite3_int64 schedule_next(TmRun *run, const TmSchedule *schedule,
                                   const TmScheduleRow *old) {
  sqlite3_int64 first_ms = schedule_first(run, schedule, old->runs);
  bool is_same = schedule_is_same(schedule->spec, old->schedule.spec) &&
                 schedule_is_same(schedule->zone, old->schedule.zone) &&
                 schedule->start_ms == old->schedule.start_ms;
  bool has_ended = schedule->max_runs && old->runs >= schedule->max_runs;
  if (!is_same || has_ended || old->next_ms == TM_NO_TIME) return first_ms;
  if (schedule->end_ms != TM_NO_TIME && old->next_ms > schedule->end_ms) return first_ms;
  return first_ms == TM_NO_TIME || old->next_ms < first_ms ? old->next_ms : first_ms;
}

/* ---- writing ------------------------------------------------------------- */

static void schedule_bind_task(TmStmt *s, const TmEnqueue *task) {
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_QUEUE, task->queue);
  tm_stmt_bind_value(s, TM_P_SCHEDULE_PUT_PAYLOAD, &task->payload);
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_KIND, task->kind);
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_TAGS, task->tags);
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_METADATA, task->metadata);
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_BACKOFF_KIND, task->backoff_kind);
  tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_HELD, task->is_held);
  tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_DELAY_MS, task->delay_ms);
  if (task->has_priority) tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_PRIORITY, task->priority);
  if (task->has_max_attempts) {
    tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_MAX_ATTEMPTS, task->max_attempts);
  }
  if (task->has_lease) tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_LEASE_MS, task->lease_ms);
  if (task->has_base) tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_BACKOFF_BASE_MS, task->backoff_base_ms);
  if (task->has_max) tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_BACKOFF_MAX_MS, task->backoff_max_ms);
  if (task->has_jitter) {
    tm_stmt_bind_real(s, TM_P_SCHEDULE_PUT_BACKOFF_JITTER, task->backoff_jitter);
  }
}

static void schedule_bind_flow(TmStmt *s, const TmFlow *flow) {
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_PARTITION, flow->partition);
  if (flow->expires.is_given) {
    tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_EXPIRES_MS, flow->expires.ms);
  }
  if (flow->deadline.is_given) {
    tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_DEADLINE_MS, flow->deadline.ms);
  }
  if (flow->timeout_ms) tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_TIMEOUT_MS, flow->timeout_ms);
}

static void schedule_bind_time(TmStmt *s, int param, sqlite3_int64 time_ms) {
  if (time_ms != TM_NO_TIME) tm_stmt_bind_int(s, param, time_ms);
}

static void schedule_bind(TmStmt *s, const TmSchedule *schedule) {
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_NAME, schedule->name);
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_SPEC, schedule->spec);
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_ZONE, schedule->zone);
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_CATCH_UP,
                    tm_text_of(tm_catch_up_names[schedule->catch_up]));
  tm_stmt_bind_text(s, TM_P_SCHEDULE_PUT_OVERLAP, tm_text_of(tm_overlap_names[schedule->overlap]));
  schedule_bind_time(s, TM_P_SCHEDULE_PUT_START_MS, schedule->start_ms);
  schedule_bind_time(s, TM_P_SCHEDULE_PUT_END_MS, schedule->end_ms);
  if (schedule->max_runs) tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_MAX_RUNS, schedule->max_runs);
  tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_JITTER_MS, schedule->jitter_ms);
  tm_stmt_bind_int(s, TM_P_SCHEDULE_PUT_NOW_MS, s->run->now_ms);
  schedule_bind_task(s, &schedule->task);
  schedule_bind_flow(s, &schedule->task.flow);
}

void tm_schedule_write(TmStmt *stmt, TmText name, sqlite3_int64 revision, sqlite3_int64 next_ms,
                       bool is_paused) {
  TmRun *run = stmt->run;
  tm_stmt_write(stmt, "tm_schedule");
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_WRITTEN, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_WRITTEN_NAME, name);
  bool is_written = tm_stmt_row(&s) && !tm_stmt_is_null(&s, TM_C_SCHEDULE_WRITTEN_REVISION) &&
                    tm_stmt_int(&s, TM_C_SCHEDULE_WRITTEN_REVISION) == revision &&
                    (tm_stmt_int(&s, TM_C_SCHEDULE_WRITTEN_PAUSED) != 0) == is_paused &&
                    schedule_int(&s, TM_C_SCHEDULE_WRITTEN_NEXT_MS, TM_NO_TIME) == next_ms;
  tm_stmt_close(&s);
  if (!is_written) tm_run_dropped(run, "tm_schedule");
}

sqlite3_int64 tm_schedule_put(TmRun *run, const TmSchedule *schedule) {
  tm_queue_need(run, schedule->task.queue);
  TmScheduleRow old;
  bool is_there = tm_schedule_load(run, schedule->name, &old);
  sqlite3_int64 revision = is_there ? old.revision + 1 : 0;
  bool is_paused = is_there && old.is_paused;
  sqlite3_int64 next_ms =
      is_there ? schedule_next(run, schedule, &old) : schedule_first(run, schedule, 0);
  tm_stmt_close(&old.stmt);
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_PUT, &s);
  schedule_bind(&s, schedule);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_PUT_REVISION, revision);
  schedule_bind_time(&s, TM_P_SCHEDULE_PUT_NEXT_MS, next_ms);
  tm_schedule_write(&s, schedule->name, revision, next_ms, is_paused);
  return next_ms;
}

/* ---- names --------------------------------------------------------------- */

static void schedule_unknown(TmRun *run, TmText name) {
  TmSuggest suggest;
  tm_suggest_init(&suggest, name.z, name.n);
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_NAMES, &s);
  while (tm_stmt_row(&s)) {
    TmText known = tm_stmt_text(&s, TM_C_SCHEDULE_NAMES_NAME);
    if (known.z) tm_suggest_offer(&suggest, known.z, known.n);
  }
  tm_stmt_close(&s);
  if (tm_run_failed(run)) return;
  const char *best = tm_suggest_best(&suggest);
  if (best) {
    tm_error_set(&run->error, TM_NO_SUCH_SCHEDULE, "no schedule '%.*s', did you mean '%s'?", name.n,
                 name.z, best);
  } else {
    tm_error_set(&run->error, TM_NO_SUCH_SCHEDULE,
                 "no schedule '%.*s', see tm_schedule for those there are", name.n, name.z);
  }
}

/* What has passed when it is resumed does not fire: the time is noted. */
static void schedule_resume(TmRun *run, TmText name, sqlite3_int64 revision,
                            sqlite3_int64 next_ms) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_RESUME, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_RESUME_NAME, name);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_RESUME_REVISION, revision);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_RESUME_NOW_MS, run->now_ms);
  schedule_bind_time(&s, TM_P_SCHEDULE_RESUME_NEXT_MS, next_ms);
  tm_schedule_write(&s, name, revision, next_ms, false);
}

void tm_schedule_set_paused(TmRun *run, TmText name, bool is_paused) {
  tm_run_begin(run);
  TmScheduleRow row;
  bool is_there = tm_schedule_load(run, name, &row);
  bool is_change = is_there && row.is_paused != is_paused;
  sqlite3_int64 next_ms =
      is_change && !is_paused ? schedule_first(run, &row.schedule, row.runs) : TM_NO_TIME;
  tm_stmt_close(&row.stmt);
  if (tm_run_failed(run)) return;
  if (!is_there) {
    schedule_unknown(run, name);
  } else if (is_change && is_paused) {
    TmStmt s;
    tm_stmt_open(run, TM_Q_SCHEDULE_PAUSE, &s);
    tm_stmt_bind_text(&s, TM_P_SCHEDULE_PAUSE_NAME, name);
    tm_schedule_write(&s, name, row.revision, row.next_ms, true);
  } else if (is_change) {
    schedule_resume(run, name, row.revision + 1, next_ms);
  }
}

void tm_schedule_remove(TmRun *run, TmText name) {
  tm_run_begin(run);
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_EXISTS, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_EXISTS_NAME, name);
  bool is_there = tm_stmt_row(&s);
  tm_stmt_close(&s);
  if (!is_there) {
    schedule_unknown(run, name);
    return;
  }
  tm_stmt_open(run, TM_Q_SCHEDULE_DELETE, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_DELETE_NAME, name);
  tm_stmt_write(&s, "tm_schedule");
  tm_stmt_open(run, TM_Q_SCHEDULE_LEFTOVER, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEDULE_LEFTOVER_NAME, name);
  bool is_gone = tm_stmt_row(&s) && tm_stmt_is_null(&s, TM_C_SCHEDULE_LEFTOVER_NAME) &&
                 tm_stmt_is_null(&s, TM_C_SCHEDULE_LEFTOVER_TASK_ID);
  tm_stmt_close(&s);
  if (!is_gone) tm_run_dropped(run, "tm_schedule or tm_schedule_slot");
}

/* ---- health -------------------------------------------------------------- */

/* What keeps it from firing, NULL for nothing; freed by the caller. */
static char *schedule_trouble(TmRun *run, const TmSchedule *schedule, sqlite3_int64 next_ms) {
  sqlite3_int64 first_ms = schedule_first(run, schedule, 0);
  char *what = NULL;
  if (run->error.rc == SQLITE_ERROR && run->error.message) {
    what = run->error.message;
    tm_error_init(&run->error, run->error.subject);
  } else if (!tm_run_failed(run) && first_ms != TM_NO_TIME && next_ms > first_ms) {
    what =
        sqlite3_mprintf("waits for a later slot than its next, the clock or the zone has changed");
    if (!what) tm_error_nomem(&run->error);
  }
  return what;
}

void tm_schedule_health(TmRun *run, TmScheduleHealth *health) {
  memset(health, 0, sizeof *health);
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEDULE_ALL, &s);
  while (tm_stmt_row(&s)) {
    TmSchedule schedule = {.end_ms = TM_NO_TIME};
    schedule.name = tm_stmt_text(&s, TM_C_SCHEDULE_ALL_NAME);
    schedule.spec = tm_stmt_text(&s, TM_C_SCHEDULE_ALL_SPEC);
    schedule.zone = tm_stmt_text(&s, TM_C_SCHEDULE_ALL_ZONE);
    schedule.start_ms = schedule_int(&s, TM_C_SCHEDULE_ALL_START_MS, TM_NO_TIME);
    health->count++;
    char *what = schedule_trouble(run, &schedule, tm_stmt_int(&s, TM_C_SCHEDULE_ALL_NEXT_MS));
    if (what) {
      health->broken++;
      if (!health->what) {
        health->what = sqlite3_mprintf("'%.*s': %s", schedule.name.n, schedule.name.z, what);
      }
    }
    sqlite3_int64 late_ms = run->now_ms - tm_stmt_int(&s, TM_C_SCHEDULE_ALL_DUE_MS);
    bool is_waiting = tm_stmt_int(&s, TM_C_SCHEDULE_ALL_IS_WAITING) != 0;
    if (!what && !is_waiting && late_ms > SCHEDULE_OVERDUE_MS) {
      health->overdue++;
      if (late_ms > health->oldest_ms) health->oldest_ms = late_ms;
    }
    sqlite3_free(what);
  }
  tm_stmt_close(&s);
}
