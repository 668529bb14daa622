/* fn_enqueue.c - tm_enqueue.
 * Owns:    the enqueue options.
 * Promise: whatever is wrong with them is said before anything is written.
 * Why:     a task born with a wrong option would fail far from who made it. */
#include "face/fn_enqueue.h"

#include "face/fn_depend.h"
#include "face/fn_unique.h"
#include "face/verbs.h"

static const char *const option_names[TM_TASK_OPTIONS] = {TM_TASK_OPTION_NAMES};

enum { BACKOFF_KIND, BACKOFF_BASE, BACKOFF_MAX, BACKOFF_JITTER, BACKOFF_COUNT };
static const char *const backoff_names[BACKOFF_COUNT] = {"kind", "base", "max", "jitter"};

static const char *const backoff_kinds[] = {"fixed", "linear", "exponential"};

static void enqueue_backoff(TmOptions *options, TmEnqueue *task) {
  TmCall *call = options->call;
  if (!options->is_given[TM_TASK_BACKOFF] || tm_run_failed(&call->run)) return;
  const TmJsonValue *value = &options->values[TM_TASK_BACKOFF];
  if (value->type != TM_JSON_OBJECT) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "option 'backoff' is %.*s, give an object of kind, base, max and jitter",
                 value->raw_bytes < 40 ? value->raw_bytes : 40, value->raw);
    return;
  }
  TmOptions backoff;
  tm_options_read_json(&backoff, call, value, backoff_names, BACKOFF_COUNT);
  task->has_base = tm_options_duration(&backoff, BACKOFF_BASE, 0, &task->backoff_base_ms);
  task->has_max = tm_options_duration(&backoff, BACKOFF_MAX, 0, &task->backoff_max_ms);
  task->has_jitter = tm_options_real(&backoff, BACKOFF_JITTER, 0, 1, &task->backoff_jitter);
  TmText kind;
  if (tm_options_text(&backoff, BACKOFF_KIND, &kind)) {
    for (int i = 0; i < 3 && kind.z; i++) {
      if (strcmp(kind.z, backoff_kinds[i]) == 0) task->backoff_kind = tm_text_of(backoff_kinds[i]);
    }
    if (!task->backoff_kind.z) {
      tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                   "backoff kind is %.40s, give fixed, linear or exponential",
                   kind.z ? kind.z : "null");
    }
  }
  tm_options_free(&backoff);
}

/* Tags and metadata are stored as they were written, so only their form is checked. */
static void enqueue_json(TmOptions *options, int i, TmJsonType type, const char *wanted,
                         TmText *out) {
  TmCall *call = options->call;
  if (tm_run_failed(&call->run) || !options->is_given[i]) return;
  const TmJsonValue *value = &options->values[i];
  if (value->type == TM_JSON_NULL) return;
  bool is_good = value->type == type;
  TmJsonIter it;
  TmJsonValue item;
  if (is_good && type == TM_JSON_ARRAY) {
    tm_json_iter(value, &it);
    while (is_good && tm_json_next(&it, NULL, &item)) is_good = item.type == TM_JSON_TEXT;
  }
  if (is_good) {
    *out = (TmText){value->raw, value->raw_bytes};
  } else {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT, "option '%s' is %.*s, give %s",
                 options->names[i], value->raw_bytes < 40 ? value->raw_bytes : 40, value->raw,
                 wanted);
  }
}

/* Text of 1 to 255 bytes, or none. */
static void enqueue_name(TmOptions *options, int i, TmText *out) {
  if (!tm_options_text(options, i, out) || !out->z) return;
  tm_args_check_name(options->call, options->names[i], *out);
}

/* A duration from now, or {"at_ms":...}. */
static bool enqueue_time(TmOptions *options, int i, TmFlowTime *time) {
  static const char *const names[] = {"at_ms"};
  TmCall *call = options->call;
  if (tm_run_failed(&call->run) || !options->is_given[i]) return false;
  if (options->values[i].type != TM_JSON_OBJECT) {
    time->is_given = tm_options_duration(options, i, 0, &time->ms);
    return time->is_given;
  }
  TmOptions at;
  tm_options_read_json(&at, call, &options->values[i], names, 1);
  time->is_given = time->is_at = tm_options_int(&at, 0, 0, TM_TIME_MAX_MS, &time->ms);
  if (!time->is_at && !tm_run_failed(&call->run)) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "option '%s' is {}, give a duration or {\"at_ms\":...}", options->names[i]);
  }
  tm_options_free(&at);
  return time->is_given;
}

static void enqueue_times(TmOptions *options, TmFlow *flow) {
  bool is_any = enqueue_time(options, TM_TASK_EXPIRES, &flow->expires);
  is_any |= enqueue_time(options, TM_TASK_DEADLINE, &flow->deadline);
  is_any |= tm_options_duration(options, TM_TASK_TIMEOUT, 1, &flow->timeout_ms);
  if (is_any) flow->bits |= TM_FLOW_TIMES;
}

static void enqueue_flow(TmOptions *options, TmFlow *flow) {
  enqueue_name(options, TM_TASK_PARTITION, &flow->partition);
  if (flow->partition.z) flow->bits |= TM_FLOW_PARTITION;
  enqueue_name(options, TM_TASK_GROUP, &flow->group);
  if (flow->group.z) flow->bits |= TM_FLOW_GROUP;
  bool has_parent =
      !tm_options_is_null(options, TM_TASK_PARENT) &&
      tm_options_int(options, TM_TASK_PARENT, 1, 0x7fffffffffffffffLL, &flow->parent_id);
  if (has_parent) flow->bits |= TM_FLOW_CHILD;
  enqueue_times(options, flow);
  tm_depend_options(options, TM_TASK_AFTER, TM_TASK_ON_FAILURE, flow);
  if (tm_unique_options(options, TM_TASK_UNIQUE, &flow->unique)) flow->bits |= TM_FLOW_UNIQUE;
}

void tm_enqueue_options(TmOptions *options, TmEnqueue *task) {
  tm_options_exclude(options, TM_TASK_DELAY, TM_TASK_RUN_AT_MS);
  task->has_priority =
      tm_options_int(options, TM_TASK_PRIORITY, TM_PRIORITY_MIN, TM_PRIORITY_MAX, &task->priority);
  tm_options_duration(options, TM_TASK_DELAY, 0, &task->delay_ms);
  task->has_run_at =
      tm_options_int(options, TM_TASK_RUN_AT_MS, 0, TM_TIME_MAX_MS, &task->run_at_ms);
  task->has_max_attempts =
      tm_options_int(options, TM_TASK_MAX_ATTEMPTS, 1, TM_MAX_ATTEMPTS_MAX, &task->max_attempts);
  task->has_lease = tm_options_duration(options, TM_TASK_LEASE, 1, &task->lease_ms);
  tm_options_bool(options, TM_TASK_HELD, &task->is_held);
  enqueue_name(options, TM_TASK_KIND, &task->kind);
  enqueue_json(options, TM_TASK_TAGS, TM_JSON_ARRAY, "an array of texts", &task->tags);
  enqueue_json(options, TM_TASK_METADATA, TM_JSON_OBJECT, "an object", &task->metadata);
  enqueue_backoff(options, task);
  enqueue_flow(options, &task->flow);
}

void fn_enqueue(TmCall *call) {
  TmEnqueue task = {0};
  task.queue = tm_args_name(call, 0, "queue");
  task.payload = tm_args_value(call, 1);
  TmOptions options = {0};
  if (call->argc > 2) {
    tm_options_read(&options, call, 2, option_names, TM_TASK_OPTIONS);
    tm_enqueue_options(&options, &task);
  }
  if (call->only_reads_arguments) {
    call->wants_scope = !tm_run_failed(&call->run);
  } else if (!tm_run_failed(&call->run)) {
    call->wants_scope = !tm_enqueue_run(&call->run, &task, call->is_in_scope);
    bool is_done = !call->wants_scope && !tm_run_failed(&call->run);
    if (is_done) call->context->was_duplicate = call->run.is_duplicate;
    tm_call_result_int(call, call->run.task_id);
  }
  tm_options_free(&options);
}
