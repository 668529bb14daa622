/* args.h - arguments and options, checked.
 * Owns:    how SQL values and JSON options become the plain forms that core/ takes.
 * Promise: each failure names the argument, its value, and what is wanted; a REAL with
 *          an integral value is an integer; absent, null and a value are told apart.
 * Why:     one place decides what a duration, a name or a number may look like. */
#ifndef TM_FACE_ARGS_H
#define TM_FACE_ARGS_H

#include "base/json.h"
#include "face/call.h"

/* ---- positional arguments -------------------------------------------- */

sqlite3_int64 tm_args_int(TmCall *call, int arg, const char *name, sqlite3_int64 min,
                          sqlite3_int64 max);
/* Text of 1 to 255 bytes without NUL. */
TmText tm_args_name(TmCall *call, int arg, const char *name);
/* The same of a text that came otherwise. */
void tm_args_check_name(TmCall *call, const char *name, TmText text);
/* Text, or absent where the argument is missing or NULL. */
TmText tm_args_text(TmCall *call, int arg, const char *name);
/* Any value, NULL where missing. */
TmValue tm_args_value(TmCall *call, int arg);
/* Seconds, or text with units; not negative. */
sqlite3_int64 tm_args_duration(TmCall *call, int arg, const char *name);
bool tm_args_has(const TmCall *call, int arg);

/* One queue name, or a JSON array of at least one. At most TM_QUEUES_MAX. Free with
 * tm_args_free_queues on every path. */
#define TM_QUEUES_MAX 64
typedef struct TmQueues {
  TmText names[TM_QUEUES_MAX];
  char *owned[TM_QUEUES_MAX]; /* NULL where the name points into the argument */
  int count;
} TmQueues;
void tm_args_queues(TmCall *call, int arg, TmQueues *queues);
void tm_args_free_queues(TmQueues *queues);

/* ---- options --------------------------------------------------------- */

#define TM_OPTIONS_MAX 16

typedef struct TmOptions {
  TmCall *call;
  const char *const *names; /* the known keys, `count` of them */
  int count;
  bool is_given[TM_OPTIONS_MAX];
  TmJsonValue values[TM_OPTIONS_MAX];
  char *owned[TM_OPTIONS_MAX]; /* decoded texts, freed with the options */
} TmOptions;

/* Read the options object in argument `arg`, if it is there; `names[count]`. */
void tm_options_read(TmOptions *options, TmCall *call, int arg, const char *const *names,
                     int count);
/* The same from a value inside another object, e.g. backoff. */
void tm_options_read_json(TmOptions *options, TmCall *call, const TmJsonValue *object,
                          const char *const *names, int count);
void tm_options_free(TmOptions *options);

/* True and the value where the option is there. null is an error in all but the last two. */
bool tm_options_int(TmOptions *options, int i, sqlite3_int64 min, sqlite3_int64 max,
                    sqlite3_int64 *out);
bool tm_options_real(TmOptions *options, int i, double min, double max, double *out);
bool tm_options_bool(TmOptions *options, int i, bool *out);
bool tm_options_duration(TmOptions *options, int i, sqlite3_int64 min_ms, sqlite3_int64 *out_ms);
bool tm_options_is_null(const TmOptions *options, int i);
bool tm_options_text(TmOptions *options, int i, TmText *out); /* null: absent text */

/* delay and run_at_ms together are an error. */
void tm_options_exclude(TmOptions *options, int a, int b);

#endif
