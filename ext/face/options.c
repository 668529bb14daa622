/* options.c - the options object, checked.
 * Owns:    how one JSON object becomes typed options.
 * Promise: an unknown key is answered with the nearest known one; a key given twice, a
 *          wrong type, and null where there is no "none" are errors.
 * Why:     a misspelt option that is silently ignored is found weeks later. */
#include "base/duration.h"
#include "base/suggest.h"
#include "face/args.h"

#include <math.h>

void tm_options_free(TmOptions *options) {
  for (int i = 0; i < options->count; i++) sqlite3_free(options->owned[i]);
  options->count = 0;
}

static int options_find(const TmOptions *options, const TmJsonValue *key) {
  for (int i = 0; i < options->count; i++) {
    if (tm_json_equals(key, options->names[i])) return i;
  }
  return -1;
}

static void options_unknown(TmOptions *options, const TmJsonValue *key) {
  TmError *error = &options->call->run.error;
  int n = 0;
  char *word = tm_json_text(key, &n);
  if (!word) {
    tm_error_nomem(error);
    return;
  }
  const char *best = tm_suggest(word, n, options->names, options->count);
  for (int i = 0; i < options->count && !best && n > 0; i++) {
    /* run_at is far from run_at_ms by letters, and yet its beginning. */
    if (strncmp(options->names[i], word, (size_t)n) == 0) best = options->names[i];
  }
  if (best) {
    tm_error_set(error, TM_UNKNOWN_OPTION, "no option '%.40s', did you mean '%s'?", word, best);
  } else {
    tm_error_set(error, TM_UNKNOWN_OPTION, "no option '%.40s', the first known one is '%s'", word,
                 options->names[0]);
  }
  sqlite3_free(word);
}

void tm_options_read_json(TmOptions *options, TmCall *call, const TmJsonValue *object,
                          const char *const *names, int count) {
  memset(options, 0, sizeof *options);
  options->call = call;
  options->names = names;
  options->count = count;
  if (tm_run_failed(&call->run)) return;
  if (object->type != TM_JSON_OBJECT) {
    tm_error_set(&call->run.error, TM_BAD_JSON, "%.40s is not a JSON object", object->raw);
    return;
  }
  TmJsonIter it;
  TmJsonValue key;
  TmJsonValue value;
  tm_json_iter(object, &it);
  while (!tm_run_failed(&call->run) && tm_json_next(&it, &key, &value)) {
    int i = options_find(options, &key);
    if (i < 0) {
      options_unknown(options, &key);
    } else if (options->is_given[i]) {
      tm_error_set(&call->run.error, TM_BAD_JSON, "option '%s' is there twice", names[i]);
    } else {
      options->is_given[i] = true;
      options->values[i] = value;
    }
  }
}

void tm_options_read(TmOptions *options, TmCall *call, int arg, const char *const *names,
                     int count) {
  static const char empty[] = "{}";
  TmJsonValue object;
  TmText text = tm_args_text(call, arg, "options");
  if (!text.z) text = tm_text_of(empty);
  if (!tm_json_parse(text.z, text.n, &object)) {
    tm_error_set(&call->run.error, TM_BAD_JSON, "options are not valid JSON: %.40s", text.z);
  }
  tm_options_read_json(options, call, &object, names, count);
}

/* True where the option is there and no error stands in the way of reading it. */
static bool options_has(const TmOptions *options, int i) {
  return !tm_run_failed(&options->call->run) && options->is_given[i];
}

static void options_bad(TmOptions *options, int i, const char *wanted) {
  tm_error_set(&options->call->run.error, TM_BAD_ARGUMENT, "option '%s' is %.*s, give %s",
               options->names[i],
               options->values[i].raw_bytes < 40 ? options->values[i].raw_bytes : 40,
               options->values[i].raw, wanted);
}

bool tm_options_is_null(const TmOptions *options, int i) {
  return options_has(options, i) && options->values[i].type == TM_JSON_NULL;
}

bool tm_options_int(TmOptions *options, int i, sqlite3_int64 min, sqlite3_int64 max,
                    sqlite3_int64 *out) {
  if (!options_has(options, i)) return false;
  const TmJsonValue *value = &options->values[i];
  bool is_integral =
      value->type == TM_JSON_INT || (value->type == TM_JSON_REAL && value->r == floor(value->r));
  if (!is_integral) {
    options_bad(options, i, "an integer");
    return false;
  }
  bool fits = value->type == TM_JSON_INT || (value->r >= -9.2e18 && value->r <= 9.2e18);
  sqlite3_int64 number = value->type == TM_JSON_INT ? value->i : fits ? (sqlite3_int64)value->r : 0;
  if (!fits || number < min || number > max) {
    tm_error_set(&options->call->run.error, TM_OUT_OF_RANGE, "%s %.*s is outside %lld..%lld",
                 options->names[i], value->raw_bytes < 40 ? value->raw_bytes : 40, value->raw, min,
                 max);
    return false;
  }
  *out = number;
  return true;
}

bool tm_options_real(TmOptions *options, int i, double min, double max, double *out) {
  if (!options_has(options, i)) return false;
  const TmJsonValue *value = &options->values[i];
  if (value->type != TM_JSON_INT && value->type != TM_JSON_REAL) {
    options_bad(options, i, "a number");
    return false;
  }
  double number = value->type == TM_JSON_INT ? (double)value->i : value->r;
  if (number < min || number > max) {
    tm_error_set(&options->call->run.error, TM_OUT_OF_RANGE, "%s %g is outside %g..%g",
                 options->names[i], number, min, max);
    return false;
  }
  *out = number;
  return true;
}

bool tm_options_bool(TmOptions *options, int i, bool *out) {
  if (!options_has(options, i)) return false;
  const TmJsonValue *value = &options->values[i];
  /* Of a JSON integer r is the same number, so 1 and 1.0 both count. */
  bool is_number = (value->type == TM_JSON_INT || value->type == TM_JSON_REAL) &&
                   (value->r == 0.0 || value->r == 1.0);
  if (value->type != TM_JSON_TRUE && value->type != TM_JSON_FALSE && !is_number) {
    options_bad(options, i, "true or false");
    return false;
  }
  *out = value->type == TM_JSON_TRUE || (is_number && value->r == 1.0);
  return true;
}

bool tm_options_duration(TmOptions *options, int i, sqlite3_int64 min_ms, sqlite3_int64 *out_ms) {
  if (!options_has(options, i)) return false;
  TmDurationStatus status = TM_DURATION_BAD;
  const TmJsonValue *value = &options->values[i];
  if (value->type == TM_JSON_INT) {
    status = tm_duration_from_int(value->i, out_ms);
  } else if (value->type == TM_JSON_REAL) {
    status = isinf(value->r) ? TM_DURATION_RANGE : tm_duration_from_real(value->r, out_ms);
  } else if (value->type == TM_JSON_TEXT) {
    int n = 0;
    char *text = tm_json_text(value, &n);
    if (!text) {
      tm_error_nomem(&options->call->run.error);
      return false;
    }
    status = tm_duration_parse(text, n, out_ms);
    sqlite3_free(text);
  }
  if (status == TM_DURATION_BAD) {
    options_bad(options, i, "seconds, or text such as '90s' or '1h30m'");
    return false;
  }
  if (status == TM_DURATION_RANGE || *out_ms < min_ms) {
    tm_error_set(&options->call->run.error, TM_OUT_OF_RANGE, "%s %.*s is outside %lldms..36500d",
                 options->names[i], value->raw_bytes < 40 ? value->raw_bytes : 40, value->raw,
                 min_ms);
    return false;
  }
  return true;
}

bool tm_options_text(TmOptions *options, int i, TmText *out) {
  if (!options_has(options, i)) return false;
  *out = TM_NO_TEXT;
  if (options->values[i].type == TM_JSON_NULL) return true;
  if (options->values[i].type != TM_JSON_TEXT) {
    options_bad(options, i, "text");
    return false;
  }
  int n = 0;
  char *text = tm_json_text(&options->values[i], &n);
  if (!text) {
    tm_error_nomem(&options->call->run.error);
    return false;
  }
  options->owned[i] = text;
  *out = (TmText){text, n};
  return true;
}

void tm_options_exclude(TmOptions *options, int a, int b) {
  if (!options_has(options, a) || !options_has(options, b)) return;
  tm_error_set(&options->call->run.error, TM_BAD_ARGUMENT, "%s and %s exclude each other, give one",
               options->names[a], options->names[b]);
}
