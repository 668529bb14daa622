/* fn_look.c - tm_get.
 * Owns:    the JSON of a whole task.
 * Promise: reads only, and of one moment; NULL for a task that is not there.
 * Why:     one call shows an operator everything that the database knows of a task. */
#include "face/args.h"
#include "face/fn_depend.h"
#include "face/json_row.h"
#include "face/verbs.h"

static const TmJsonColumn task_columns[] = {
    {"id", TM_C_TASK_ROW_ID, TM_JSON_AS_PLAIN},
    {"queue", TM_C_TASK_ROW_QUEUE, TM_JSON_AS_PLAIN},
    {"state", TM_C_TASK_ROW_STATE, TM_JSON_AS_PLAIN},
    {"kind", TM_C_TASK_ROW_KIND, TM_JSON_AS_PLAIN},
    {"payload", TM_C_TASK_ROW_PAYLOAD, TM_JSON_AS_VALUE},
    {"priority", TM_C_TASK_ROW_PRIORITY, TM_JSON_AS_PLAIN},
    {"run_at_ms", TM_C_TASK_ROW_RUN_AT_MS, TM_JSON_AS_PLAIN},
    {"attempt", TM_C_TASK_ROW_ATTEMPT, TM_JSON_AS_PLAIN},
    {"max_attempts", TM_C_TASK_ROW_MAX_ATTEMPTS, TM_JSON_AS_PLAIN},
    {"worker", TM_C_TASK_ROW_WORKER, TM_JSON_AS_PLAIN},
    {"token", TM_C_TASK_ROW_TOKEN, TM_JSON_AS_PLAIN},
    {"lease_until_ms", TM_C_TASK_ROW_LEASE_UNTIL_MS, TM_JSON_AS_PLAIN},
    {"progress", TM_C_TASK_ROW_PROGRESS, TM_JSON_AS_PLAIN},
    {"note", TM_C_TASK_ROW_NOTE, TM_JSON_AS_PLAIN},
    {"result", TM_C_TASK_ROW_RESULT, TM_JSON_AS_VALUE},
    {"error", TM_C_TASK_ROW_ERROR, TM_JSON_AS_PLAIN},
    {"reason", TM_C_TASK_ROW_REASON, TM_JSON_AS_PLAIN},
    {"created_ms", TM_C_TASK_ROW_CREATED_MS, TM_JSON_AS_PLAIN},
    {"started_ms", TM_C_TASK_ROW_STARTED_MS, TM_JSON_AS_PLAIN},
    {"finished_ms", TM_C_TASK_ROW_FINISHED_MS, TM_JSON_AS_PLAIN},
    {"tags", TM_C_TASK_ROW_TAGS, TM_JSON_AS_RAW},
    {"metadata", TM_C_TASK_ROW_METADATA, TM_JSON_AS_RAW},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

static const TmJsonColumn error_columns[] = {
    {"attempt", TM_C_TASK_ERRORS_ATTEMPT, TM_JSON_AS_PLAIN},
    {"token", TM_C_TASK_ERRORS_TOKEN, TM_JSON_AS_PLAIN},
    {"worker", TM_C_TASK_ERRORS_WORKER, TM_JSON_AS_PLAIN},
    {"started_ms", TM_C_TASK_ERRORS_STARTED_MS, TM_JSON_AS_PLAIN},
    {"failed_ms", TM_C_TASK_ERRORS_FAILED_MS, TM_JSON_AS_PLAIN},
    {"error", TM_C_TASK_ERRORS_ERROR, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

static const TmJsonColumn slot_columns[] = {
    {"schedule", TM_C_SCHEDULE_OF_TASK_SCHEDULE, TM_JSON_AS_PLAIN},
    {"slot_ms", TM_C_SCHEDULE_OF_TASK_SLOT_MS, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

/* Which schedule made it, where one did. */
static void look_slot(TmCall *call, sqlite3_int64 id, sqlite3_str *json) {
  TmStmt s;
  tm_stmt_open(&call->run, TM_Q_SCHEDULE_OF_TASK, &s);
  tm_stmt_bind_int(&s, TM_P_SCHEDULE_OF_TASK_TASK_ID, id);
  if (tm_stmt_row(&s)) tm_json_row_add(json, &s, slot_columns);
  tm_stmt_close(&s);
}

static const TmJsonColumn flow_columns[] = {
    {"partition", TM_C_FLOW_ROW_PARTITION, TM_JSON_AS_PLAIN},
    {"expires_ms", TM_C_FLOW_ROW_EXPIRES_MS, TM_JSON_AS_PLAIN},
    {"timeout_ms", TM_C_FLOW_ROW_TIMEOUT_MS, TM_JSON_AS_PLAIN},
    {"deadline_ms", TM_C_FLOW_ROW_DEADLINE_MS, TM_JSON_AS_PLAIN},
    {"stopping", TM_C_FLOW_ROW_STOPPING, TM_JSON_AS_PLAIN},
    {"group", TM_C_FLOW_ROW_IN_GROUP, TM_JSON_AS_PLAIN},
    {"parent_id", TM_C_FLOW_ROW_PARENT_ID, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

/* Its place among others, where it has one. */
static void look_flow(TmCall *call, sqlite3_int64 id, sqlite3_str *json) {
  TmStmt s;
  tm_stmt_open(&call->run, TM_Q_FLOW_ROW, &s);
  tm_stmt_bind_int(&s, TM_P_FLOW_ROW_TASK_ID, id);
  if (tm_stmt_row(&s)) tm_json_row_add(json, &s, flow_columns);
  tm_stmt_close(&s);
}

static const TmJsonColumn unique_columns[] = {
    {"key", TM_C_UNIQUE_ROW_KEY, TM_JSON_AS_PLAIN},
    {"scope", TM_C_UNIQUE_ROW_SCOPE, TM_JSON_AS_PLAIN},
    {"until_ms", TM_C_UNIQUE_ROW_UNTIL_MS, TM_JSON_AS_PLAIN},
    {"held", TM_C_UNIQUE_ROW_IS_HELD, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

static void look_unique(TmCall *call, sqlite3_int64 id, sqlite3_str *json) {
  TmStmt s;
  tm_stmt_open(&call->run, TM_Q_UNIQUE_ROW, &s);
  tm_stmt_bind_int(&s, TM_P_UNIQUE_ROW_TASK_ID, id);
  if (tm_stmt_row(&s)) {
    sqlite3_str_appendall(json, ",\"unique\":");
    tm_json_row_write(json, &s, unique_columns, false);
  }
  tm_stmt_close(&s);
}

static void look_errors(TmCall *call, sqlite3_int64 id, sqlite3_str *json) {
  TmStmt s;
  tm_stmt_open(&call->run, TM_Q_TASK_ERRORS, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_ERRORS_ID, id);
  sqlite3_str_appendall(json, ",\"errors\":[");
  for (int i = 0; tm_stmt_row(&s); i++) {
    if (i) sqlite3_str_appendchar(json, 1, ',');
    tm_json_row_write(json, &s, error_columns, false);
  }
  sqlite3_str_appendall(json, "]}");
  tm_stmt_close(&s);
}

/* The task's own statement stays at its row until all is read: so all of it is of one moment, in
 * whatever transaction others commit meanwhile. */
void fn_get(TmCall *call) {
  sqlite3_int64 id = tm_args_int(call, 0, "id", 0, 0x7fffffffffffffffLL);
  tm_run_begin(&call->run);
  sqlite3_str *json = sqlite3_str_new(call->context->db);
  TmStmt s;
  tm_stmt_open(&call->run, TM_Q_TASK_ROW, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_ROW_ID, id);
  bool is_there = tm_stmt_row(&s);
  if (is_there) tm_json_row_write(json, &s, task_columns, true);
  if (is_there) look_slot(call, id, json);
  if (is_there) look_flow(call, id, json);
  if (is_there) tm_depend_show(call, id, json);
  if (is_there) look_unique(call, id, json);
  if (is_there) look_errors(call, id, json);
  tm_stmt_close(&s);
  if (is_there && !tm_run_failed(&call->run)) {
    tm_call_result_json(call, json);
  } else {
    sqlite3_free(sqlite3_str_finish(json));
  }
}
