/* fn_schedule.c - tm_schedule, tm_unschedule, tm_pause_schedule, tm_resume_schedule.
 * Owns:    the options of a schedule beside those of its tasks.
 * Promise: whatever is wrong with spec, zone or options is said before anything is written.
 * Why:     checks and results only: the rules are in core/schedule.c and core/fire.c. */
#include "core/schedule.h"
#include "face/fn_enqueue.h"
#include "face/verbs.h"

enum {
  OPT_ZONE = TM_TASK_OPTIONS,
  OPT_CATCH_UP,
  OPT_OVERLAP,
  OPT_START_MS,
  OPT_END_MS,
  OPT_MAX_RUNS,
  OPT_JITTER,
  OPT_COUNT
};
static const char *const option_names[OPT_COUNT] = {
    TM_TASK_OPTION_NAMES, "zone", "catch_up", "overlap", "start_ms", "end_ms", "max_runs", "jitter",
};

/* One of three words. */
static int schedule_choice(TmOptions *options, int i, const char *const *words, int otherwise) {
  TmText text;
  if (!tm_options_text(options, i, &text)) return otherwise;
  for (int word = 0; word < 3 && text.z; word++) {
    if (strcmp(text.z, words[word]) == 0) return word;
  }
  tm_error_set(&options->call->run.error, TM_BAD_ARGUMENT,
               "option '%s' is %.40s, give '%s', '%s' or '%s'", options->names[i],
               text.z ? text.z : "null", words[0], words[1], words[2]);
  return otherwise;
}

static void schedule_options(TmOptions *options, TmSchedule *schedule) {
  TmError *error = &options->call->run.error;
  tm_enqueue_options(options, &schedule->task);
  const TmFlow *flow = &schedule->task.flow;
  if (options->is_given[TM_TASK_AFTER] || options->is_given[TM_TASK_ON_FAILURE]) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "the tasks of a schedule wait for no others, leave after and on_failure away");
  } else if (schedule->task.has_run_at) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "the time of a slot is its task's run_at_ms, give delay to move it");
  } else if (flow->bits & TM_FLOW_UNIQUE) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "unique is not an option of a schedule, overlap says what becomes of a slot");
  } else if (flow->bits & (TM_FLOW_GROUP | TM_FLOW_CHILD)) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "the tasks of a schedule take no group and no parent, leave both out");
  } else if (flow->expires.is_at || flow->deadline.is_at) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "expires and deadline are for each task of a schedule, give durations");
  }
  if (tm_options_text(options, OPT_ZONE, &schedule->zone) && schedule->zone.z &&
      memchr(schedule->zone.z, 0, (size_t)schedule->zone.n)) {
    tm_error_set(error, TM_BAD_ARGUMENT, "zone has a NUL inside, give an IANA name");
  }
  schedule->catch_up =
      (TmCatchUp)schedule_choice(options, OPT_CATCH_UP, tm_catch_up_names, (int)schedule->catch_up);
  schedule->overlap =
      (TmOverlap)schedule_choice(options, OPT_OVERLAP, tm_overlap_names, (int)schedule->overlap);
  tm_options_int(options, OPT_START_MS, 0, TM_TIME_MAX_MS, &schedule->start_ms);
  tm_options_int(options, OPT_END_MS, 0, TM_TIME_MAX_MS, &schedule->end_ms);
  tm_options_int(options, OPT_MAX_RUNS, 1, 0x7fffffffffffffffLL, &schedule->max_runs);
  tm_options_duration(options, OPT_JITTER, 0, &schedule->jitter_ms);
  if (schedule->end_ms != TM_NO_TIME && schedule->end_ms < schedule->start_ms) {
    tm_error_set(error, TM_BAD_ARGUMENT, "end_ms %lld is before start_ms %lld", schedule->end_ms,
                 schedule->start_ms);
  }
}

static TmText schedule_spec(TmCall *call) {
  TmText spec = tm_args_text(call, 1, "spec");
  if (!spec.z) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "spec is NULL, give cron fields or @daily and the like");
  } else if (spec.n > TM_SPEC_MAX_BYTES) {
    tm_error_set(&call->run.error, TM_TOO_LARGE, "spec has %d bytes, at most %d are allowed",
                 spec.n, TM_SPEC_MAX_BYTES);
  }
  return spec;
}

void fn_schedule(TmCall *call) {
  TmSchedule schedule = {.catch_up = TM_CATCH_UP_ONE};
  schedule.start_ms = schedule.end_ms = TM_NO_TIME;
  schedule.name = tm_args_name(call, 0, "name");
  schedule.spec = schedule_spec(call);
  schedule.task.queue = tm_args_name(call, 2, "queue");
  schedule.task.payload = tm_args_value(call, 3);
  TmOptions options;
  tm_options_read(&options, call, 4, option_names, OPT_COUNT);
  schedule_options(&options, &schedule);
  TmRhythm rhythm;
  if (tm_schedule_rhythm(&call->run, &schedule, &rhythm)) {
    sqlite3_int64 next_ms = tm_schedule_put(&call->run, &schedule);
    if (next_ms != TM_NO_TIME) tm_call_result_int(call, next_ms);
  }
  tm_options_free(&options);
}

void fn_unschedule(TmCall *call) {
  TmText name = tm_args_name(call, 0, "name");
  tm_schedule_remove(&call->run, name);
  tm_call_result_int(call, 1);
}

static void schedule_pause(TmCall *call, bool is_paused) {
  TmText name = tm_args_name(call, 0, "name");
  tm_schedule_set_paused(&call->run, name, is_paused);
  tm_call_result_int(call, 1);
}

void fn_pause_schedule(TmCall *call) {
  schedule_pause(call, true);
}

void fn_resume_schedule(TmCall *call) {
  schedule_pause(call, false);
}
