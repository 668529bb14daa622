/* filter.c - the filter of the verbs for many tasks, and of tm_select.
 * Owns:    the form of each key, and what it may say.
 * Promise: what is wrong is said before anything is read or written, naming the key; what is
 *          handed on makes no statement fail.
 * Why:     arrays and paths go to SQL as JSON text, and a wrong one found there would be an error
 *          in the middle of the work. */
#include "face/filter.h"

#include "base/suggest.h"
#include "face/args.h"

#include <math.h>

enum { KEY_IDS, KEY_STATE, KEY_LIMIT, KEY_ALL, KEY_FIRST };
#define KEY_COUNT (KEY_FIRST + (int)TM_FILTER_KEY_COUNT)

typedef enum Form { FORM_NAMES, FORM_TEXTS, FORM_TIME, FORM_PATTERN, FORM_PATHS } Form;

#define FILTER_NAME(name, key, form) key,
#define FILTER_FORM(name, key, form) FORM_##form,
static const char *const filter_names[] = {"ids", "state", "limit", "all",
                                           TM_FILTER_KEYS(FILTER_NAME)};
static const Form filter_forms[] = {TM_FILTER_KEYS(FILTER_FORM)};

_Static_assert(KEY_COUNT <= TM_OPTIONS_MAX, "the options hold every key of a filter");

#define FILTER_STATE(name, text, kind, meaning) text,
static const char *const filter_states[] = {TM_STATES(FILTER_STATE)};

static void filter_bad(TmOptions *options, int key, const TmJsonValue *value, const char *wanted) {
  tm_error_set(&options->call->run.error, TM_BAD_ARGUMENT, "option '%s' is %.*s, give %s",
               options->names[key], value->raw_bytes < 40 ? value->raw_bytes : 40, value->raw,
               wanted);
}

/* ---- ids ------------------------------------------------------------- */

static bool filter_is_rising(const sqlite3_int64 *ids, int count) {
  for (int i = 1; i < count; i++) {
    if (ids[i] <= ids[i - 1]) return false;
  }
  return true;
}

/* Let the id at `root` sink to its place in the heap, the greatest of which is on top. */
static void filter_sink(sqlite3_int64 *ids, int root, int count) {
  sqlite3_int64 id = ids[root];
  while (root < count / 2) {
    int child = 2 * root + 1;
    if (child + 1 < count && ids[child + 1] > ids[child]) child++;
    if (ids[child] <= id) break;
    ids[root] = ids[child];
    root = child;
  }
  ids[root] = id;
}

/* In place, because the qsort of some C libraries takes memory that SQLite does not count. */
static int filter_sort(sqlite3_int64 *ids, int count) {
  if (filter_is_rising(ids, count)) return count;
  for (int i = count / 2 - 1; i >= 0; i--) filter_sink(ids, i, count);
  for (int end = count - 1; end > 0; end--) {
    sqlite3_int64 greatest = ids[0];
    ids[0] = ids[end];
    ids[end] = greatest;
    filter_sink(ids, 0, end);
  }
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (kept == 0 || ids[i] != ids[kept - 1]) ids[kept++] = ids[i];
  }
  return kept;
}

static sqlite3_int64 filter_id(TmOptions *options, const TmJsonValue *item) {
  bool is_integral = item->type == TM_JSON_INT ||
                     (item->type == TM_JSON_REAL && item->r == floor(item->r) && !isinf(item->r));
  if (!is_integral) {
    filter_bad(options, KEY_IDS, item, "an array of ids");
    return 0;
  }
  sqlite3_int64 id = item->type == TM_JSON_INT ? item->i : 0;
  if (item->type == TM_JSON_REAL && fabs(item->r) < 9.2e18) id = (sqlite3_int64)item->r;
  if (id < 1) {
    tm_error_set(&options->call->run.error, TM_OUT_OF_RANGE, "id %.*s is outside 1..%lld",
                 item->raw_bytes < 40 ? item->raw_bytes : 40, item->raw, TM_SELECT_NO_LIMIT);
  }
  return id;
}

/* An empty array asks for no task: lists that a program makes are empty at times. */
static void filter_ids(TmOptions *options, TmFilterArg *out) {
  TmRun *run = &options->call->run;
  const TmJsonValue *value = &options->values[KEY_IDS];
  if (!options->is_given[KEY_IDS] || tm_run_failed(run)) return;
  if (value->type != TM_JSON_ARRAY) {
    filter_bad(options, KEY_IDS, value, "an array of ids");
    return;
  }
  TmJsonIter it;
  TmJsonValue item;
  int count = 0;
  tm_json_iter(value, &it);
  while (tm_json_next(&it, NULL, &item)) count++;
  out->ids = sqlite3_malloc64(sizeof *out->ids * ((sqlite3_uint64)count + 1));
  if (!out->ids) {
    tm_error_nomem(&run->error);
    return;
  }
  int n = 0;
  tm_json_iter(value, &it);
  while (!tm_run_failed(run) && tm_json_next(&it, NULL, &item)) {
    out->ids[n++] = filter_id(options, &item);
  }
  out->filter.has_ids = true;
  out->filter.ids = out->ids;
  out->filter.id_count = filter_sort(out->ids, n);
}

/* ---- states ---------------------------------------------------------- */

static void filter_state(TmOptions *options, const TmJsonValue *item, TmFilter *filter) {
  TmError *error = &options->call->run.error;
  if (item->type != TM_JSON_TEXT) {
    filter_bad(options, KEY_STATE, item, "a state, or an array of states");
    return;
  }
  int n = 0;
  char *name = tm_json_text(item, &n);
  if (!name) {
    tm_error_nomem(error);
    return;
  }
  TmState state = tm_state_of((TmText){name, n});
  if (state != TM_STATE_COUNT) {
    filter->states |= TM_STATE_BIT(state);
  } else {
    const char *best = tm_suggest(name, n, filter_states, TM_STATE_COUNT);
    tm_error_set(error, TM_BAD_ARGUMENT, "no state '%.40s', %s%s%s", name,
                 best ? "did you mean '" : "see tm_state for those there are", best ? best : "",
                 best ? "'?" : "");
  }
  sqlite3_free(name);
}

/* ---- the other keys -------------------------------------------------- */

/* What an array of texts may hold, checked one by one. */
static void filter_text(TmOptions *options, int key, const TmJsonValue *item) {
  Form form = filter_forms[key - KEY_FIRST];
  if (item->type != TM_JSON_TEXT) {
    filter_bad(options, key, item, "text, or an array of texts");
    return;
  }
  if (form != FORM_NAMES) return;
  int n = 0;
  char *name = tm_json_text(item, &n);
  if (name) {
    tm_args_check_name(options->call, options->names[key], (TmText){name, n});
  } else {
    tm_error_nomem(&options->call->run.error);
  }
  sqlite3_free(name);
}

/* Calls for the one value or for each of the array; an empty array is an error. */
static void filter_each(TmOptions *options, int key, TmFilter *filter) {
  TmRun *run = &options->call->run;
  const TmJsonValue *value = &options->values[key];
  TmJsonIter it;
  TmJsonValue item = *value;
  bool is_array = value->type == TM_JSON_ARRAY;
  tm_json_iter(value, &it);
  if (is_array && !tm_json_next(&it, NULL, &item)) {
    filter_bad(options, key, value, "at least one text in the array");
  }
  while (!tm_run_failed(run)) {
    if (key == KEY_STATE) {
      filter_state(options, &item, filter);
    } else {
      filter_text(options, key, &item);
    }
    if (!is_array || !tm_json_next(&it, NULL, &item)) break;
  }
}

/* The part of a path behind one step, NULL where that is none: .name, ."name", [n] or [#-n]. */
static const char *filter_path_step(const char *at) {
  if (at[0] == '.' && at[1] == '"') {
    const char *end = strchr(at + 2, '"');
    return end ? end + 1 : NULL;
  }
  if (at[0] == '.') {
    size_t n = strcspn(at + 1, ".[\"");
    return n > 0 && at[1 + n] != '"' ? at + 1 + n : NULL;
  }
  if (at[0] != '[') return NULL;
  at++;
  if (at[0] == '#' && at[1] == '-') at += 2;
  size_t digits = strspn(at, "0123456789");
  return digits > 0 && digits < 10 && at[digits] == ']' ? at + digits + 1 : NULL;
}

/* Every path that passes is one for every SQLite: a wrong one would raise from within. */
static bool filter_is_path(const char *path, int n) {
  if (n < 1 || path[0] != '$' || memchr(path, 0, (size_t)n)) return false;
  const char *at = path + 1;
  while (at && *at) at = filter_path_step(at);
  return at != NULL;
}

static void filter_paths(TmOptions *options, int key) {
  TmError *error = &options->call->run.error;
  const TmJsonValue *value = &options->values[key];
  TmJsonIter it;
  TmJsonValue path;
  TmJsonValue wanted;
  int count = 0;
  tm_json_iter(value, &it);
  while (value->type == TM_JSON_OBJECT && error->rc == SQLITE_OK &&
         tm_json_next(&it, &path, &wanted)) {
    int n = 0;
    char *text = tm_json_text(&path, &n);
    count++;
    if (!text) {
      tm_error_nomem(error);
    } else if (!filter_is_path(text, n)) {
      tm_error_set(error, TM_BAD_ARGUMENT,
                   "option '%s' has the path '%.40s', give one such as $.user or $.items[0]",
                   options->names[key], text);
    }
    sqlite3_free(text);
  }
  if (count == 0) filter_bad(options, key, value, "an object such as {\"$.user\":5}");
}

static void filter_pattern(TmOptions *options, int key) {
  TmCall *call = options->call;
  int most = sqlite3_limit(call->context->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1);
  TmText pattern;
  if (tm_options_is_null(options, key)) {
    filter_bad(options, key, &options->values[key], "text");
  } else if (tm_options_text(options, key, &pattern) && pattern.n > most) {
    tm_error_set(&call->run.error, TM_TOO_LARGE, "%s has %d bytes, at most %d are allowed",
                 options->names[key], pattern.n, most);
  }
}

/* The text for SQL: the decoded pattern, the object of paths, or an array in any case. */
static void filter_keep_text(TmOptions *options, int key, TmFilterArg *out) {
  TmRun *run = &options->call->run;
  const TmJsonValue *value = &options->values[key];
  if (tm_run_failed(run)) return;
  Form form = filter_forms[key - KEY_FIRST];
  int n = 0;
  char *text = NULL;
  if (form == FORM_PATTERN) {
    text = tm_json_text(value, &n);
  } else {
    bool is_bare = value->type == TM_JSON_TEXT;
    text = sqlite3_mprintf(is_bare ? "[%.*s]" : "%.*s", value->raw_bytes, value->raw);
    n = text ? (int)strlen(text) : 0;
  }
  if (!text) tm_error_nomem(&run->error);
  int i = key - KEY_FIRST;
  out->texts[i] = text;
  out->filter.is[i] = (TmValue){.type = SQLITE_TEXT, .data = text, .n = n};
}

static void filter_key(TmOptions *options, int key, TmFilterArg *out) {
  if (!options->is_given[key] || tm_run_failed(&options->call->run)) return;
  TmValue *value = &out->filter.is[key - KEY_FIRST];
  switch (filter_forms[key - KEY_FIRST]) {
  case FORM_TIME:
    if (tm_options_int(options, key, 0, TM_TIME_MAX_MS, &value->i)) value->type = SQLITE_INTEGER;
    return;
  case FORM_NAMES:
  case FORM_TEXTS: filter_each(options, key, &out->filter); break;
  case FORM_PATTERN: filter_pattern(options, key); break;
  case FORM_PATHS: filter_paths(options, key); break;
  }
  filter_keep_text(options, key, out);
}

/* ---- the whole ------------------------------------------------------- */

/* Something is asked for, or all is, and not both. */
static void filter_need_some(TmOptions *options) {
  bool is_all = false;
  tm_options_bool(options, KEY_ALL, &is_all);
  if (tm_run_failed(&options->call->run)) return;
  int asked = -1;
  for (int key = 0; key < KEY_COUNT; key++) {
    if (key != KEY_LIMIT && key != KEY_ALL && options->is_given[key]) asked = key;
  }
  if (is_all && asked >= 0) {
    tm_options_exclude(options, KEY_ALL, asked);
  } else if (!is_all && asked < 0) {
    tm_error_set(&options->call->run.error, TM_BAD_ARGUMENT,
                 "the filter asks for nothing, give a key such as queue, or {\"all\":true}");
  }
}

void tm_filter_read(TmCall *call, int arg, TmFilterArg *out) {
  memset(out, 0, sizeof *out);
  out->filter.limit = TM_SELECT_NO_LIMIT;
  TmText text = tm_args_text(call, arg, "filter");
  if (tm_run_failed(&call->run)) return;
  TmJsonValue object;
  if (!text.z) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT, "filter is NULL, give a JSON object");
  } else if (!tm_json_parse(text.z, text.n, &object)) {
    tm_error_set(&call->run.error, TM_BAD_JSON, "filter is not valid JSON: %.40s", text.z);
  }
  if (tm_run_failed(&call->run)) return;
  TmOptions options;
  tm_options_read_json(&options, call, &object, filter_names, KEY_COUNT);
  filter_need_some(&options);
  filter_ids(&options, out);
  if (options.is_given[KEY_STATE]) {
    filter_each(&options, KEY_STATE, &out->filter);
  } else {
    out->filter.states = TM_SELECT_STATES;
  }
  tm_options_int(&options, KEY_LIMIT, 1, TM_SELECT_NO_LIMIT, &out->filter.limit);
  for (int key = KEY_FIRST; key < KEY_COUNT; key++) filter_key(&options, key, out);
  tm_options_free(&options);
}

void tm_filter_free(TmFilterArg *filter) {
  sqlite3_free(filter->ids);
  for (int i = 0; i < TM_FILTER_KEY_COUNT; i++) sqlite3_free(filter->texts[i]);
  memset(filter, 0, sizeof *filter);
}
