/* fn_steer.c - what people and their tools call.
 * Owns:    tm_cancel, tm_retry, tm_hold, tm_unhold, tm_reschedule, tm_delete, and each of them
 *          with _where; tm_seal, tm_pause, tm_resume, tm_tick, tm_prune, tm_reconcile.
 * Promise: arguments are checked before anything is read or written.
 * Why:     checks and results only: the rules are in core/steer.c, core/tick.c and
 *          core/prune.c. */
#include "core/group.h"
#include "core/prune.h"
#include "core/queue.h"
#include "core/steer.h"
#include "core/tick.h"
#include "face/args.h"
#include "face/filter.h"
#include "face/verbs.h"

#define ID_MAX 0x7fffffffffffffffLL

/* ---- one task -------------------------------------------------------- */

/* The id comes before all else, so that the first wrong argument is the one named. */
static sqlite3_int64 steer_id(TmCall *call) {
  return tm_args_int(call, 0, "id", 1, ID_MAX);
}

static void steer_one(TmCall *call, sqlite3_int64 id, const TmSteer *steer) {
  if (tm_run_failed(&call->run)) return;
  TmState state = tm_steer_one(&call->run, id, steer);
  if (tm_run_failed(&call->run)) return;
  if (steer->verb == TM_STEER_DELETE) {
    tm_call_result_int(call, 1);
  } else {
    tm_call_result_static(call, tm_state_name(state));
  }
}

/* A text that begins as a JSON object does. */
static bool steer_is_object(TmText text) {
  int first = 0;
  while (first < text.n && memchr(" \t\r\n", text.z[first], 4)) first++;
  return first < text.n && text.z[first] == '{';
}

/* reason, options or both, from the second argument on. */
static TmSteer steer_cancel(TmCall *call, TmOptions *options) {
  enum { CHILDREN, REASON, COUNT };
  static const char *const names[COUNT] = {"children", "reason"};
  TmSteer steer = {.verb = TM_STEER_CANCEL};
  TmText text = tm_args_text(call, 1, "reason");
  bool is_options = !tm_args_has(call, 2) && steer_is_object(text);
  if (!is_options) steer.reason = text;
  tm_options_read(options, call, is_options ? 1 : 2, names, COUNT);
  tm_options_bool(options, CHILDREN, &steer.with_children);
  if (options->is_given[REASON] && steer.reason.z) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "reason is there twice, give it as an argument or as an option");
  }
  tm_options_text(options, REASON, &steer.reason);
  return steer;
}

void fn_cancel(TmCall *call) {
  sqlite3_int64 id = steer_id(call);
  TmOptions options;
  TmSteer steer = steer_cancel(call, &options);
  steer_one(call, id, &steer);
  tm_options_free(&options);
}

void fn_retry(TmCall *call) {
  static const char *const names[] = {"completed"};
  TmSteer steer = {.verb = TM_STEER_RETRY};
  sqlite3_int64 id = steer_id(call);
  TmOptions options;
  tm_options_read(&options, call, 1, names, 1);
  tm_options_bool(&options, 0, &steer.takes_completed);
  steer_one(call, id, &steer);
  tm_options_free(&options);
}

void fn_hold(TmCall *call) {
  steer_one(call, steer_id(call), &(TmSteer){.verb = TM_STEER_HOLD});
}

void fn_unhold(TmCall *call) {
  steer_one(call, steer_id(call), &(TmSteer){.verb = TM_STEER_UNHOLD});
}

/* A duration from now, or the object {"run_at_ms":...}. */
static TmWhen steer_when(TmCall *call) {
  TmWhen when = {false, 0};
  TmText text = TM_NO_TEXT;
  if (tm_args_has(call, 1) && sqlite3_value_type(call->argv[1]) == SQLITE_TEXT) {
    text = tm_args_text(call, 1, "when");
  }
  if (!steer_is_object(text)) {
    when.ms = tm_args_duration(call, 1, "when");
    return when;
  }
  static const char *const names[] = {"run_at_ms"};
  TmOptions options;
  tm_options_read(&options, call, 1, names, 1);
  when.is_time = tm_options_int(&options, 0, 0, TM_TIME_MAX_MS, &when.ms);
  if (!when.is_time) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "when is {}, give a duration or {\"run_at_ms\":...}");
  }
  tm_options_free(&options);
  return when;
}

void fn_reschedule(TmCall *call) {
  sqlite3_int64 id = steer_id(call);
  TmWhen when = steer_when(call);
  steer_one(call, id, &(TmSteer){.verb = TM_STEER_RESCHEDULE, .when = when});
}

void fn_delete(TmCall *call) {
  steer_one(call, steer_id(call), &(TmSteer){.verb = TM_STEER_DELETE});
}

/* ---- many ------------------------------------------------------------ */

static void steer_where(TmCall *call, const TmSteer *steer) {
  TmFilterArg arg;
  tm_filter_read(call, 0, &arg);
  if (!tm_run_failed(&call->run)) {
    tm_call_result_int(call, tm_steer_where(&call->run, &arg.filter, steer));
  }
  tm_filter_free(&arg);
}

void fn_cancel_where(TmCall *call) {
  TmOptions options;
  TmSteer steer = steer_cancel(call, &options);
  steer_where(call, &steer);
  tm_options_free(&options);
}

void fn_retry_where(TmCall *call) {
  steer_where(call, &(TmSteer){.verb = TM_STEER_RETRY});
}

void fn_hold_where(TmCall *call) {
  steer_where(call, &(TmSteer){.verb = TM_STEER_HOLD});
}

void fn_unhold_where(TmCall *call) {
  steer_where(call, &(TmSteer){.verb = TM_STEER_UNHOLD});
}

void fn_reschedule_where(TmCall *call) {
  TmWhen when = steer_when(call);
  steer_where(call, &(TmSteer){.verb = TM_STEER_RESCHEDULE, .when = when});
}

void fn_delete_where(TmCall *call) {
  steer_where(call, &(TmSteer){.verb = TM_STEER_DELETE});
}

/* ---- groups ---------------------------------------------------------- */

void fn_seal(TmCall *call) {
  TmText group = tm_args_name(call, 0, "group");
  if (!tm_run_failed(&call->run)) tm_group_seal(&call->run, group);
  tm_call_result_int(call, 1);
}

/* ---- queues and upkeep ----------------------------------------------- */

static void steer_pause(TmCall *call, bool is_paused) {
  TmText queue = tm_args_name(call, 0, "queue");
  tm_queue_set_paused(&call->run, queue, is_paused);
  tm_call_result_int(call, 1);
}

void fn_pause(TmCall *call) {
  steer_pause(call, true);
}

void fn_resume(TmCall *call) {
  steer_pause(call, false);
}

static void steer_counts(TmCall *call, const TmTick *counts, bool has_ends) {
  if (tm_run_failed(&call->run)) return;
  sqlite3_str *json = sqlite3_str_new(call->context->db);
  sqlite3_str_appendf(
      json, "{\"promoted\":%lld,\"rescued\":%lld,\"expired\":%lld,\"fired\":%lld,\"pruned\":%lld",
      counts->promoted, counts->rescued, counts->expired, counts->fired, counts->pruned);
  if (has_ends) {
    sqlite3_str_appendf(json, ",\"discarded\":%lld,\"cancelled\":%lld", counts->discarded,
                        counts->cancelled);
  }
  sqlite3_str_appendchar(json, 1, '}');
  tm_call_result_json(call, json);
}

void fn_tick(TmCall *call) {
  static const char *const names[] = {"limit"};
  TmOptions options;
  tm_options_read(&options, call, 0, names, 1);
  sqlite3_int64 limit = TM_TICK_LIMIT;
  tm_options_int(&options, 0, 1, 1000000, &limit);
  tm_options_free(&options);
  TmTick counts = {0};
  tm_tick_run(&call->run, limit, &counts);
  steer_counts(call, &counts, false);
}

void fn_prune(TmCall *call) {
  static const char *const names[] = {"limit", "queue"};
  TmOptions options;
  tm_options_read(&options, call, 0, names, 2);
  sqlite3_int64 limit = TM_TICK_LIMIT;
  tm_options_int(&options, 0, 1, 1000000, &limit);
  TmText queue = TM_NO_TEXT;
  if (tm_options_text(&options, 1, &queue)) {
    tm_args_check_name(call, "queue", queue);
    if (!tm_run_failed(&call->run)) tm_queue_must_exist(&call->run, queue);
  }
  sqlite3_int64 pruned = tm_prune_run(&call->run, queue, limit, true);
  tm_options_free(&options);
  if (tm_run_failed(&call->run)) return;
  sqlite3_str *json = sqlite3_str_new(call->context->db);
  sqlite3_str_appendf(json, "{\"pruned\":%lld}", pruned);
  tm_call_result_json(call, json);
}

void fn_reconcile(TmCall *call) {
  TmText worker = tm_args_has(call, 0) ? tm_args_name(call, 0, "worker") : TM_NO_TEXT;
  TmTick counts = {0};
  tm_tick_reconcile(&call->run, worker, &counts);
  steer_counts(call, &counts, true);
}
