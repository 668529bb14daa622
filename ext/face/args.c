/* args.c - positional arguments, checked.
 * Owns:    how SQL values become the plain forms that core/ takes.
 * Promise: each failure names the argument, its value, and what is wanted; after the
 *          first failure the rest return nothing of interest.
 * Why:     some drivers bind every number as REAL, so an integral REAL is an integer. */
#include "face/args.h"

#include "base/duration.h"

#include <math.h>

static const char *args_type(const sqlite3_value *value) {
  switch (sqlite3_value_type((sqlite3_value *)(size_t)value)) {
  case SQLITE_INTEGER: return "an integer";
  case SQLITE_FLOAT: return "a real number";
  case SQLITE_TEXT: return "text";
  case SQLITE_BLOB: return "a blob";
  default: return "NULL";
  }
}

bool tm_args_has(const TmCall *call, int arg) {
  return arg < call->argc && sqlite3_value_type(call->argv[arg]) != SQLITE_NULL;
}

sqlite3_int64 tm_args_int(TmCall *call, int arg, const char *name, sqlite3_int64 min,
                          sqlite3_int64 max) {
  TmError *error = &call->run.error;
  if (tm_run_failed(&call->run)) return min;
  if (!tm_args_has(call, arg)) {
    tm_error_set(error, TM_BAD_ARGUMENT, "%s is NULL, give an integer", name);
    return min;
  }
  sqlite3_value *value = call->argv[arg];
  sqlite3_int64 i = 0;
  if (sqlite3_value_type(value) == SQLITE_INTEGER) {
    i = sqlite3_value_int64(value);
  } else if (sqlite3_value_type(value) == SQLITE_FLOAT) {
    double r = sqlite3_value_double(value);
    if (r != floor(r)) {
      tm_error_set(error, TM_BAD_ARGUMENT, "%s is %g, give an integer", name, r);
      return min;
    }
    if (r < -9.2e18 || r > 9.2e18) {
      tm_error_set(error, TM_OUT_OF_RANGE, "%s %g is outside %lld..%lld", name, r, min, max);
      return min;
    }
    i = (sqlite3_int64)r;
  } else {
    tm_error_set(error, TM_BAD_ARGUMENT, "%s is %s, give an integer", name, args_type(value));
    return min;
  }
  if (i < min || i > max) {
    tm_error_set(error, TM_OUT_OF_RANGE, "%s %lld is outside %lld..%lld", name, i, min, max);
    return min;
  }
  return i;
}

TmText tm_args_text(TmCall *call, int arg, const char *name) {
  if (tm_run_failed(&call->run) || !tm_args_has(call, arg)) return TM_NO_TEXT;
  sqlite3_value *value = call->argv[arg];
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT, "%s is %s, give text", name, args_type(value));
    return TM_NO_TEXT;
  }
  const char *text = (const char *)sqlite3_value_text(value);
  if (!text) {
    tm_error_nomem(&call->run.error);
    return TM_NO_TEXT;
  }
  return (TmText){text, sqlite3_value_bytes(value)};
}

void tm_args_check_name(TmCall *call, const char *name, TmText text) {
  if (text.n > TM_NAME_MAX_BYTES) {
    tm_error_set(&call->run.error, TM_TOO_LARGE, "%s has %d bytes, at most %d are allowed", name,
                 text.n, TM_NAME_MAX_BYTES);
  } else if (text.n < 1 || memchr(text.z, 0, (size_t)text.n)) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT, "%s is %s, give text of 1 to %d bytes", name,
                 text.n < 1 ? "empty" : "text with a NUL inside", TM_NAME_MAX_BYTES);
  }
}

TmText tm_args_name(TmCall *call, int arg, const char *name) {
  if (tm_run_failed(&call->run)) return TM_NO_TEXT;
  TmText text = tm_args_text(call, arg, name);
  if (tm_run_failed(&call->run)) return TM_NO_TEXT;
  if (!text.z) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT, "%s is NULL, give text of 1 to %d bytes", name,
                 TM_NAME_MAX_BYTES);
    return TM_NO_TEXT;
  }
  tm_args_check_name(call, name, text);
  return text;
}

TmValue tm_args_value(TmCall *call, int arg) {
  TmValue out = {.type = SQLITE_NULL};
  if (arg >= call->argc) return out;
  sqlite3_value *value = call->argv[arg];
  out.type = sqlite3_value_type(value);
  switch (out.type) {
  case SQLITE_INTEGER: out.i = sqlite3_value_int64(value); break;
  case SQLITE_FLOAT: out.r = sqlite3_value_double(value); break;
  case SQLITE_TEXT:
    out.data = sqlite3_value_text(value);
    out.n = sqlite3_value_bytes(value);
    if (!out.data) tm_error_nomem(&call->run.error);
    break;
  case SQLITE_BLOB:
    out.data = sqlite3_value_blob(value);
    out.n = sqlite3_value_bytes(value);
    if (!out.data && out.n > 0) tm_error_nomem(&call->run.error);
    break;
  default: break;
  }
  return out;
}

sqlite3_int64 tm_args_duration(TmCall *call, int arg, const char *name) {
  TmError *error = &call->run.error;
  if (tm_run_failed(&call->run)) return 0;
  sqlite3_int64 ms = 0;
  TmDurationStatus status = TM_DURATION_BAD;
  int type = tm_args_has(call, arg) ? sqlite3_value_type(call->argv[arg]) : SQLITE_NULL;
  if (type == SQLITE_INTEGER) {
    status = tm_duration_from_int(sqlite3_value_int64(call->argv[arg]), &ms);
  } else if (type == SQLITE_FLOAT) {
    status = tm_duration_from_real(sqlite3_value_double(call->argv[arg]), &ms);
  } else if (type == SQLITE_TEXT) {
    TmText text = tm_args_text(call, arg, name);
    if (text.z) status = tm_duration_parse(text.z, text.n, &ms);
  }
  if (tm_run_failed(&call->run)) return 0;
  if (status == TM_DURATION_BAD) {
    const char *shown =
        type == SQLITE_TEXT ? (const char *)sqlite3_value_text(call->argv[arg]) : NULL;
    if (shown) {
      tm_error_set(error, TM_BAD_ARGUMENT,
                   "%s '%.40s' is not a duration, give seconds or text such as '90s' or '1h30m'",
                   name, shown);
    } else {
      tm_error_set(error, TM_BAD_ARGUMENT,
                   "%s is %s, give seconds or text such as '90s' or '1h30m'", name,
                   type == SQLITE_NULL ? "NULL" : args_type(call->argv[arg]));
    }
  } else if (status == TM_DURATION_RANGE || ms < 0) {
    tm_error_set(error, TM_OUT_OF_RANGE, "%s is outside 0..36500d", name);
  }
  return ms;
}

/* ---- queues ---------------------------------------------------------- */

void tm_args_free_queues(TmQueues *queues) {
  for (int i = 0; i < queues->count; i++) sqlite3_free(queues->owned[i]);
  queues->count = 0;
}

static void args_queue_array(TmCall *call, const TmJsonValue *array, TmQueues *queues) {
  TmJsonIter it;
  TmJsonValue item;
  tm_json_iter(array, &it);
  while (!tm_run_failed(&call->run) && tm_json_next(&it, NULL, &item)) {
    if (queues->count == TM_QUEUES_MAX) {
      tm_error_set(&call->run.error, TM_TOO_LARGE, "queue has more than %d names", TM_QUEUES_MAX);
      return;
    }
    if (item.type != TM_JSON_TEXT) {
      tm_error_set(&call->run.error, TM_BAD_ARGUMENT, "queue has an item that is not text: %.40s",
                   item.raw);
      return;
    }
    int n = 0;
    char *name = tm_json_text(&item, &n);
    if (!name) {
      tm_error_nomem(&call->run.error);
      return;
    }
    queues->owned[queues->count] = name;
    queues->names[queues->count++] = (TmText){name, n};
    tm_args_check_name(call, "queue", (TmText){name, n});
  }
  if (queues->count == 0) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "queue is an empty array, give at least one name");
  }
}

void tm_args_queues(TmCall *call, int arg, TmQueues *queues) {
  queues->count = 0;
  TmText text = tm_args_text(call, arg, "queue");
  TmJsonValue json;
  if (text.z && text.n > 0 && text.z[0] == '[' && tm_json_parse(text.z, text.n, &json)) {
    args_queue_array(call, &json, queues);
    return;
  }
  queues->names[0] = tm_args_name(call, arg, "queue");
  queues->owned[0] = NULL;
  queues->count = 1;
}
