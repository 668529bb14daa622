/* fn_depend.c - tm_depend, tm_inputs, and the enqueue options `after` and `on_failure`.
 * Owns:    the forms of a need: an id, or an object of id or group and on; and how edges look in
 *          JSON.
 * Promise: what is wrong with one is said before anything is written.
 * Why:     checks and results only: the rules are in core/depend.c. */
#include "face/fn_depend.h"

#include "core/await.h"
#include "core/depend.h"
#include "face/json_row.h"
#include "face/verbs.h"

#define ID_MAX 0x7fffffffffffffffLL

/* ---- options --------------------------------------------------------- */

static bool depend_on(TmOptions *options, int i, bool *takes_final) {
  TmText on;
  if (!tm_options_text(options, i, &on)) return false;
  *takes_final = on.z && strcmp(on.z, "final") == 0;
  if (*takes_final || (on.z && strcmp(on.z, "completed") == 0)) return true;
  tm_error_set(&options->call->run.error, TM_BAD_ARGUMENT,
               "option 'on' is %.40s, give completed or final", on.z ? on.z : "null");
  return false;
}

/* What one option `after` holds, in one piece of memory. */
typedef struct Needs {
  int count, group_count;
  TmGroupNeed groups[TM_GROUP_NEEDS_MAX];
  char names[TM_GROUP_NEEDS_MAX][TM_NAME_MAX_BYTES];
  TmNeed tasks[];
} Needs;

/* The stricter of two needs of one group is kept. */
static void depend_group(TmCall *call, TmText name, bool takes_final, Needs *needs) {
  tm_args_check_name(call, "the group of option 'after'", name);
  if (tm_run_failed(&call->run)) return;
  for (int i = 0; i < needs->group_count; i++) {
    TmGroupNeed *other = &needs->groups[i];
    if (!tm_text_is_same(other->name, name)) continue;
    other->takes_final = other->takes_final && takes_final;
    return;
  }
  if (needs->group_count == TM_GROUP_NEEDS_MAX) {
    tm_error_set(&call->run.error, TM_TOO_LARGE,
                 "option 'after' has more than %d groups: add a task between", TM_GROUP_NEEDS_MAX);
    return;
  }
  char *copy = needs->names[needs->group_count];
  memcpy(copy, name.z, (size_t)name.n);
  needs->groups[needs->group_count++] = (TmGroupNeed){{copy, name.n}, takes_final};
}

/* An object of one need: a task, which has to complete, or a group, which has to end. */
static void depend_object(TmCall *call, const TmJsonValue *item, Needs *needs) {
  static const char *const names[] = {"id", "group", "on"};
  TmOptions options;
  tm_options_read_json(&options, call, item, names, 3);
  TmNeed need = {0};
  TmText group;
  bool has_id = tm_options_int(&options, 0, 1, ID_MAX, &need.id);
  bool has_group = tm_options_text(&options, 1, &group);
  if (has_id == has_group && !tm_run_failed(&call->run)) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "option 'after' has an object with %s, give {\"id\":...,\"on\":...} or "
                 "{\"group\":...,\"on\":...}",
                 has_id ? "an id and a group" : "neither id nor group");
  }
  need.takes_final = has_group;
  depend_on(&options, 2, &need.takes_final);
  if (has_group) {
    depend_group(call, group, need.takes_final, needs);
  } else {
    needs->tasks[needs->count++] = need;
  }
  tm_options_free(&options);
}

static void depend_item(TmCall *call, const TmJsonValue *item, Needs *needs) {
  if (item->type == TM_JSON_OBJECT) {
    depend_object(call, item, needs);
    return;
  }
  /* A number is read as an option is, with its bounds. */
  static const char *const names[] = {"after"};
  TmOptions id = {.call = call, .names = names, .count = 1, .is_given = {true}, .values = {*item}};
  TmNeed need = {0};
  tm_options_int(&id, 0, 1, ID_MAX, &need.id);
  needs->tasks[needs->count++] = need;
}

static Needs *depend_room(TmCall *call, sqlite3_int64 count) {
  if (count > TM_NEEDS_MAX) {
    tm_error_set(&call->run.error, TM_TOO_LARGE,
                 "option 'after' has %lld tasks, at most %d are allowed: add a task between, or "
                 "use tm_depend",
                 count, TM_NEEDS_MAX);
    return NULL;
  }
  Needs *needs = sqlite3_malloc64(sizeof *needs + sizeof(TmNeed) * (sqlite3_uint64)count);
  if (needs) {
    needs->count = 0;
    needs->group_count = 0;
  } else {
    tm_error_nomem(&call->run.error);
  }
  return needs;
}

/* One need, or an array of them; null is none. */
static void depend_needs(TmOptions *options, int after, TmFlow *flow) {
  TmCall *call = options->call;
  const TmJsonValue *value = &options->values[after];
  if (!options->is_given[after] || tm_run_failed(&call->run)) return;
  TmJsonIter it;
  TmJsonValue item = *value;
  sqlite3_int64 count = value->type != TM_JSON_NULL;
  if (value->type == TM_JSON_ARRAY) {
    tm_json_iter(value, &it);
    for (count = 0; tm_json_next(&it, NULL, &item);) count++;
  }
  if (count == 0) return;
  Needs *needs = depend_room(call, count);
  options->owned[after] = (char *)needs;
  if (!needs) return;
  if (value->type == TM_JSON_ARRAY) {
    tm_json_iter(value, &it);
    while (tm_json_next(&it, NULL, &item) && !tm_run_failed(&call->run)) {
      depend_item(call, &item, needs);
    }
  } else {
    depend_item(call, value, needs);
  }
  if (tm_run_failed(&call->run)) return;
  flow->needs = needs->tasks;
  flow->need_count = tm_depend_sort(needs->tasks, needs->count);
  flow->group_needs = needs->groups;
  flow->group_need_count = needs->group_count;
  flow->bits |= TM_FLOW_NEEDS;
}

void tm_depend_options(TmOptions *options, int after, int on_failure, TmFlow *flow) {
  TmError *error = &options->call->run.error;
  depend_needs(options, after, flow);
  if (!tm_options_text(options, on_failure, &flow->on_failure)) return;
  static const char *const known[] = {"cancel", "ignore", "hold"};
  bool is_known = false;
  for (int i = 0; i < 3 && flow->on_failure.z; i++) {
    if (strcmp(flow->on_failure.z, known[i]) == 0) is_known = true;
  }
  if (!is_known) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "option 'on_failure' is %.40s, give cancel, ignore or hold",
                 flow->on_failure.z ? flow->on_failure.z : "null");
  } else if (!options->is_given[after]) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "on_failure without after says nothing, give the tasks that it is about");
  }
}

/* ---- verbs ----------------------------------------------------------- */

void fn_depend(TmCall *call) {
  static const char *const names[] = {"on"};
  sqlite3_int64 id = tm_args_int(call, 0, "id", 1, ID_MAX);
  TmNeed need = {0};
  need.id = tm_args_int(call, 1, "needs_id", 1, ID_MAX);
  TmOptions options;
  tm_options_read(&options, call, 2, names, 1);
  depend_on(&options, 0, &need.takes_final);
  tm_options_free(&options);
  if (tm_run_failed(&call->run)) return;
  TmState state = tm_depend_add(&call->run, id, &need);
  if (!tm_run_failed(&call->run)) tm_call_result_static(call, tm_state_name(state));
}

static const TmJsonColumn input_columns[] = {
    {"id", TM_C_DEPEND_INPUTS_ID, TM_JSON_AS_PLAIN},
    {"kind", TM_C_DEPEND_INPUTS_KIND, TM_JSON_AS_PLAIN},
    {"state", TM_C_DEPEND_INPUTS_STATE, TM_JSON_AS_PLAIN},
    {"result", TM_C_DEPEND_INPUTS_RESULT, TM_JSON_AS_VALUE},
    {"error", TM_C_DEPEND_INPUTS_ERROR, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

static void depend_write_inputs(TmCall *call, sqlite3_int64 id) {
  sqlite3_str *json = sqlite3_str_new(call->context->db);
  TmStmt s;
  tm_stmt_open(&call->run, TM_Q_DEPEND_INPUTS, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_INPUTS_TASK_ID, id);
  sqlite3_str_appendchar(json, 1, '[');
  for (int i = 0; tm_stmt_row(&s); i++) {
    if (i) sqlite3_str_appendchar(json, 1, ',');
    tm_json_row_write(json, &s, input_columns, false);
  }
  sqlite3_str_appendchar(json, 1, ']');
  tm_stmt_close(&s);
  if (!tm_run_failed(&call->run)) {
    tm_call_result_json(call, json);
  } else {
    sqlite3_free(sqlite3_str_finish(json));
  }
}

/* The look stays at the task's row meanwhile, so that both are of one moment. */
void fn_inputs(TmCall *call) {
  sqlite3_int64 id = tm_args_int(call, 0, "id", 0, ID_MAX);
  tm_run_begin(&call->run);
  TmStmt look;
  tm_stmt_open(&call->run, TM_Q_DEPEND_LOOK, &look);
  tm_stmt_bind_int(&look, TM_P_DEPEND_LOOK_ID, id);
  if (tm_stmt_row(&look)) depend_write_inputs(call, id);
  tm_stmt_close(&look);
}

static const TmJsonColumn edge_columns[] = {
    {"id", TM_C_DEPEND_OF_NEEDS_ID, TM_JSON_AS_PLAIN},
    {"on", TM_C_DEPEND_OF_NEEDS, TM_JSON_AS_PLAIN},
    {"status", TM_C_DEPEND_OF_STATUS, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

static const TmJsonColumn group_columns[] = {
    {"group", TM_C_GROUP_WAITS_GROUP, TM_JSON_AS_PLAIN},
    {"on", TM_C_GROUP_WAITS_NEEDS, TM_JSON_AS_PLAIN},
    {"status", TM_C_GROUP_WAITS_STATUS, TM_JSON_AS_PLAIN},
    {"sealed", TM_C_GROUP_WAITS_SEALED, TM_JSON_AS_PLAIN},
    {"tasks", TM_C_GROUP_WAITS_TASKS, TM_JSON_AS_PLAIN},
    {"open", TM_C_GROUP_WAITS_OPEN, TM_JSON_AS_PLAIN},
    {NULL, 0, TM_JSON_AS_PLAIN},
};

void tm_depend_show(TmCall *call, sqlite3_int64 id, sqlite3_str *json) {
  TmStmt s;
  tm_stmt_open(&call->run, TM_Q_DEPEND_OF, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_OF_TASK_ID, id);
  int count = 0;
  while (tm_stmt_row(&s)) {
    sqlite3_str_appendall(json, count++ ? "," : ",\"after\":[");
    tm_json_row_write(json, &s, edge_columns, false);
  }
  tm_stmt_close(&s);
  tm_stmt_open(&call->run, TM_Q_GROUP_WAITS, &s);
  tm_stmt_bind_int(&s, TM_P_GROUP_WAITS_TASK_ID, id);
  while (tm_stmt_row(&s)) {
    sqlite3_str_appendall(json, count++ ? "," : ",\"after\":[");
    tm_json_row_write(json, &s, group_columns, false);
  }
  tm_stmt_close(&s);
  if (count) sqlite3_str_appendchar(json, 1, ']');
}
