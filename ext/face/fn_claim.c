/* fn_claim.c - tm_claim as a function, and tm_wait.
 * Owns:    the claim options, and the JSON of a claimed task.
 * Promise: an empty queue is answered by reading alone, without the write lock.
 * Why:     idle workers must not stand in the way of those who write. */
#include "core/claim.h"
#include "core/wait.h"
#include "face/args.h"
#include "face/fn_claim.h"
#include "face/json_row.h"
#include "face/verbs.h"

enum { OPT_LEASE, OPT_COUNT, OPT_ID, OPT_COUNT_OF };
static const char *const option_names[OPT_COUNT_OF] = {"lease", "count", "id"};

static const TmJsonColumn claim_columns[] = {
    {"id", TM_C_CLAIM_PROBE_ID, TM_JSON_AS_PLAIN},
    {"token", TM_C_CLAIM_PROBE_TOKEN, TM_JSON_AS_PLAIN},
    {"queue", TM_C_CLAIM_PROBE_QUEUE, TM_JSON_AS_PLAIN},
    {"kind", TM_C_CLAIM_PROBE_KIND, TM_JSON_AS_PLAIN},
    {"payload", TM_C_CLAIM_PROBE_PAYLOAD, TM_JSON_AS_VALUE},
    {"attempt", TM_C_CLAIM_PROBE_ATTEMPT, TM_JSON_AS_PLAIN},
    {"max_attempts", TM_C_CLAIM_PROBE_MAX_ATTEMPTS, TM_JSON_AS_PLAIN},
    {"priority", TM_C_CLAIM_PROBE_PRIORITY, TM_JSON_AS_PLAIN},
    {"run_at_ms", TM_C_CLAIM_PROBE_RUN_AT_MS, TM_JSON_AS_PLAIN},
    {"lease_until_ms", TM_C_CLAIM_PROBE_LEASE_UNTIL_MS, TM_JSON_AS_PLAIN},
    {"created_ms", TM_C_CLAIM_PROBE_CREATED_MS, TM_JSON_AS_PLAIN},
    {"worker", TM_C_CLAIM_PROBE_WORKER, TM_JSON_AS_PLAIN},
    {"tags", TM_C_CLAIM_PROBE_TAGS, TM_JSON_AS_RAW},
    {"metadata", TM_C_CLAIM_PROBE_METADATA, TM_JSON_AS_RAW},
    {"error", TM_C_CLAIM_PROBE_ERROR, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

/* A payload may be stored whose JSON is too long, six letters for a control character: the next
 * claim would find it again, and whoever stands behind it in the queue would never run. */
static void claim_refuse_json(const TmStmt *row) {
  sqlite3_int64 id = tm_stmt_int(row, TM_C_CLAIM_PROBE_ID);
  tm_error_set(&row->run->error, TM_TOO_LARGE,
               "with task %lld its JSON would be larger than the %d bytes that this connection "
               "takes: claim fewer, or the task as a row of the table tm_claim, or set it aside "
               "with tm_hold(%lld)",
               id, sqlite3_limit(row->run->context->db, SQLITE_LIMIT_LENGTH, -1), id);
}

void tm_claim_write_json(void *arg, TmStmt *row) {
  sqlite3_str *out = arg;
  if (sqlite3_str_length(out) > 1) sqlite3_str_appendchar(out, 1, ',');
  tm_json_row_write(out, row, claim_columns, false);
  if (sqlite3_str_errcode(out) == SQLITE_TOOBIG) claim_refuse_json(row);
}

/* Read the arguments; free `queues` afterwards on every path. */
static bool claim_read(TmCall *call, TmClaim *claim, TmQueues *queues) {
  *claim = (TmClaim){.count = 1};
  tm_args_queues(call, 0, queues);
  claim->worker = tm_args_name(call, 1, "worker");
  TmOptions options;
  tm_options_read(&options, call, 2, option_names, OPT_COUNT_OF);
  tm_options_duration(&options, OPT_LEASE, 1, &claim->lease_ms);
  bool is_array = tm_options_int(&options, OPT_COUNT, 0, TM_CLAIM_COUNT_MAX, &claim->count);
  tm_options_int(&options, OPT_ID, 1, 0x7fffffffffffffffLL, &claim->id);
  tm_options_free(&options);
  if (claim->id && claim->count > 1) claim->count = 1;
  claim->queues = queues->names;
  claim->queue_count = queues->count;
  return is_array;
}

static void claim_nothing(TmCall *call, bool is_array) {
  if (is_array) tm_call_result_static(call, "[]");
}

bool fn_claim_is_idle(TmCall *call) {
  if (call->context->is_busy_queue) return false;
  TmClaim claim;
  TmQueues queues;
  bool is_array = claim_read(call, &claim, &queues);
  bool is_idle = !tm_claim_may_find(&call->run, &claim);
  tm_args_free_queues(&queues);
  if (tm_run_failed(&call->run)) return true;
  if (is_idle) claim_nothing(call, is_array);
  return is_idle;
}

void fn_claim(TmCall *call) {
  TmClaim claim;
  TmQueues queues;
  bool is_array = claim_read(call, &claim, &queues);
  sqlite3_str *json = sqlite3_str_new(call->context->db);
  if (is_array) sqlite3_str_appendchar(json, 1, '[');
  claim.on_row = tm_claim_write_json;
  claim.arg = json;
  sqlite3_int64 claimed = tm_run_failed(&call->run) ? 0 : tm_claim_run(&call->run, &claim);
  if (is_array) sqlite3_str_appendchar(json, 1, ']');
  call->context->is_busy_queue = claimed > 0;
  if (claimed > 0) {
    tm_call_result_json(call, json);
  } else {
    sqlite3_free(sqlite3_str_finish(json));
    claim_nothing(call, is_array);
  }
  tm_args_free_queues(&queues);
}

void fn_wait(TmCall *call) {
  TmQueues queues;
  tm_args_queues(call, 0, &queues);
  sqlite3_int64 timeout_ms = tm_args_duration(call, 1, "timeout");
  if (!tm_run_failed(&call->run)) {
    bool found = tm_wait_run(&call->run, queues.names, queues.count, timeout_ms);
    tm_call_result_int(call, found);
  }
  tm_args_free_queues(&queues);
}
