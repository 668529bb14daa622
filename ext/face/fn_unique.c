/* fn_unique.c - the option unique, and tm_was_duplicate.
 * Owns:    how a text or an object becomes a TmUnique, with what is left out.
 * Promise: whatever is wrong with it is said before anything is written.
 * Why:     a key made of other fields than its user thinks is found when two mails go out. */
#include "face/fn_unique.h"

#include "core/unique.h"
#include "face/verbs.h"

enum { KEY, FIELDS, SCOPE, PERIOD, ON_CONFLICT, OPTION_COUNT };
static const char *const option_names[OPTION_COUNT] = {"key", "fields", "scope", "period",
                                                       "on_conflict"};

/* In the order of the TM_UNIQUE_ bits. */
#define FIELD_COUNT 4
static const char *const field_names[FIELD_COUNT] = {"queue", "kind", "payload", "partition"};

static void unique_key(TmOptions *options, int i, TmText *key) {
  TmError *error = &options->call->run.error;
  if (!tm_options_text(options, i, key) || !key->z) return;
  if (key->n == 0 || memchr(key->z, 0, (size_t)key->n)) {
    tm_error_set(error, TM_BAD_ARGUMENT, "the unique key is %s, give text of 1 to %d bytes",
                 key->n ? "text with a NUL inside" : "empty", TM_KEY_MAX_BYTES);
  } else if (key->n > TM_KEY_MAX_BYTES) {
    tm_error_set(error, TM_TOO_LARGE, "the unique key has %d bytes, at most %d are allowed", key->n,
                 TM_KEY_MAX_BYTES);
  }
}

static int unique_word(const TmJsonValue *value, const char *const *words, int count) {
  for (int word = 0; word < count; word++) {
    if (tm_json_equals(value, words[word])) return word;
  }
  return -1;
}

static void unique_bad(TmOptions *options, int i, const TmJsonValue *value, const char *wanted) {
  tm_error_set(&options->call->run.error, TM_BAD_ARGUMENT, "unique %s is %.*s, give %s",
               options->names[i], value->raw_bytes < 40 ? value->raw_bytes : 40, value->raw,
               wanted);
}

static int unique_choice(TmOptions *options, int i, const char *const *words, int count,
                         const char *wanted, int otherwise) {
  if (tm_run_failed(&options->call->run) || !options->is_given[i]) return otherwise;
  int word = unique_word(&options->values[i], words, count);
  if (word >= 0) return word;
  unique_bad(options, i, &options->values[i], wanted);
  return otherwise;
}

static unsigned unique_fields(TmOptions *options, unsigned otherwise) {
  if (tm_run_failed(&options->call->run) || !options->is_given[FIELDS]) return otherwise;
  const TmJsonValue *array = &options->values[FIELDS];
  bool is_good = array->type == TM_JSON_ARRAY;
  unsigned fields = 0;
  TmJsonIter it;
  TmJsonValue item;
  tm_json_iter(array, &it);
  while (is_good && tm_json_next(&it, NULL, &item)) {
    int field = unique_word(&item, field_names, FIELD_COUNT);
    is_good = field >= 0;
    if (is_good) fields |= 1U << (unsigned)field;
  }
  if (!is_good) unique_bad(options, FIELDS, array, "an array of queue, kind, payload, partition");
  return fields;
}

static void unique_object(TmOptions *options, TmUnique *unique) {
  TmError *error = &options->call->run.error;
  unique_key(options, KEY, &unique->key);
  unique->fields = unique_fields(options, unique->key.z ? TM_UNIQUE_QUEUE : 0);
  if (!unique->key.z && !unique->fields && !tm_run_failed(&options->call->run)) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "unique has neither key nor fields, give a key, or an array of queue, kind, "
                 "payload, partition");
  }
  bool has_period = tm_options_duration(options, PERIOD, 1, &unique->period_ms);
  unique->scope = (TmUniqueScope)unique_choice(options, SCOPE, tm_unique_scope_names, 3,
                                               "incomplete, queued or all",
                                               has_period ? TM_UNIQUE_ALL : TM_UNIQUE_INCOMPLETE);
  unique->on_conflict =
      (TmOnConflict)unique_choice(options, ON_CONFLICT, tm_on_conflict_names, 4,
                                  "ignore, error, replace or reschedule", TM_CONFLICT_IGNORE);
}

bool tm_unique_options(TmOptions *options, int i, TmUnique *unique) {
  TmCall *call = options->call;
  if (tm_run_failed(&call->run) || !options->is_given[i]) return false;
  const TmJsonValue *value = &options->values[i];
  switch (value->type) {
  case TM_JSON_NULL: return false;
  case TM_JSON_TEXT:
    unique_key(options, i, &unique->key);
    unique->fields = TM_UNIQUE_QUEUE;
    break;
  case TM_JSON_OBJECT: {
    TmOptions own;
    tm_options_read_json(&own, call, value, option_names, OPTION_COUNT);
    unique_object(&own, unique);
    /* The key has to live as long as the options around it. */
    options->owned[i] = own.owned[KEY];
    own.owned[KEY] = NULL;
    tm_options_free(&own);
    break;
  }
  default:
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "option 'unique' is %.*s, give a text, or an object of key, fields, scope, period "
                 "and on_conflict",
                 value->raw_bytes < 40 ? value->raw_bytes : 40, value->raw);
  }
  return !tm_run_failed(&call->run);
}

void fn_was_duplicate(TmCall *call) {
  tm_call_result_int(call, call->context->was_duplicate);
}
