/* fn_worker.c - what the holder of a lease calls.
 * Owns:    tm_complete, tm_fail, tm_snooze, tm_release, tm_heartbeat.
 * Promise: every one takes (id, token) first; the rest is checked before the write.
 * Why:     checks and results only: the rules are in core/finish.c. */
#include "core/finish.h"
#include "face/args.h"
#include "face/verbs.h"

#define ID_MAX 0x7fffffffffffffffLL

typedef struct Lease {
  sqlite3_int64 id;
  sqlite3_int64 token;
} Lease;

static Lease worker_lease(TmCall *call) {
  Lease lease;
  lease.id = tm_args_int(call, 0, "id", 1, ID_MAX);
  lease.token = tm_args_int(call, 1, "token", 0, ID_MAX);
  return lease;
}

static void worker_result(TmCall *call, TmState state) {
  if (!tm_run_failed(&call->run)) tm_call_result_static(call, tm_state_name(state));
}

void fn_complete(TmCall *call) {
  Lease lease = worker_lease(call);
  TmValue result = tm_args_value(call, 2);
  tm_finish_complete(&call->run, lease.id, lease.token, &result);
  worker_result(call, TM_COMPLETED);
}

enum { FAIL_DELAY, FAIL_DISCARD, FAIL_COUNT };
static const char *const fail_names[FAIL_COUNT] = {"delay", "discard"};

void fn_fail(TmCall *call) {
  Lease lease = worker_lease(call);
  TmText error = tm_args_text(call, 2, "error");
  TmOptions options;
  tm_options_read(&options, call, 3, fail_names, FAIL_COUNT);
  sqlite3_int64 delay_ms = 0;
  bool is_hopeless = false;
  if (!tm_options_duration(&options, FAIL_DELAY, 0, &delay_ms)) delay_ms = -1;
  tm_options_bool(&options, FAIL_DISCARD, &is_hopeless);
  worker_result(call,
                tm_finish_fail(&call->run, lease.id, lease.token, error, delay_ms, is_hopeless));
  tm_options_free(&options);
}

void fn_snooze(TmCall *call) {
  Lease lease = worker_lease(call);
  sqlite3_int64 delay_ms = tm_args_duration(call, 2, "delay");
  worker_result(call, tm_finish_snooze(&call->run, lease.id, lease.token, delay_ms));
}

void fn_release(TmCall *call) {
  Lease lease = worker_lease(call);
  worker_result(call, tm_finish_release(&call->run, lease.id, lease.token));
}

enum { BEAT_LEASE, BEAT_PROGRESS, BEAT_NOTE, BEAT_COUNT };
static const char *const beat_names[BEAT_COUNT] = {"lease", "progress", "note"};

void fn_heartbeat(TmCall *call) {
  Lease lease = worker_lease(call);
  TmOptions options;
  tm_options_read(&options, call, 2, beat_names, BEAT_COUNT);
  TmHeartbeat beat = {0};
  tm_options_duration(&options, BEAT_LEASE, 1, &beat.lease_ms);
  beat.sets_progress = options.is_given[BEAT_PROGRESS];
  if (!tm_options_is_null(&options, BEAT_PROGRESS)) {
    beat.has_progress = tm_options_real(&options, BEAT_PROGRESS, 0, 1, &beat.progress);
  }
  beat.sets_note = tm_options_text(&options, BEAT_NOTE, &beat.note);
  worker_result(call, tm_finish_heartbeat(&call->run, lease.id, lease.token, &beat));
  tm_options_free(&options);
}
