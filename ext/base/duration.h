/* duration.h - spans of time as users write them, in milliseconds.
 * Owns:    the text form ('250ms', '1h30m', '1.5d') and seconds as numbers.
 * Promise: decimal text is summed exactly and rounded once, half away from zero.
 * Why:     '0.1s' has to be 100 ms everywhere; binary fractions would drift. */
#ifndef TM_BASE_DURATION_H
#define TM_BASE_DURATION_H

#include "base/sqlite.h"

/* The longest duration, either way: 36,500 days. */
#define TM_DURATION_MAX_MS ((sqlite3_int64)3153600000000)

typedef enum {
  TM_DURATION_OK,
  TM_DURATION_BAD,  /* not a duration */
  TM_DURATION_RANGE /* one, but longer than TM_DURATION_MAX_MS */
} TmDurationStatus;

/* All three set *out_ms: to the duration, or to 0 where the status is not TM_DURATION_OK.
 * A negative duration is TM_DURATION_OK; whether it makes sense is the caller's to say. */

/* text = ['-'] (number unit)+ ; number = digit+ ['.' digit+] ; unit = ms s m h d w.
 * Lower case, no blanks, any order, a unit may repeat; '-' negates the whole. */
TmDurationStatus tm_duration_parse(const char *text, int n, sqlite3_int64 *out_ms);

/* Seconds. A value that is not finite is TM_DURATION_BAD. */
TmDurationStatus tm_duration_from_real(double seconds, sqlite3_int64 *out_ms);

/* Seconds. */
TmDurationStatus tm_duration_from_int(sqlite3_int64 seconds, sqlite3_int64 *out_ms);

#endif
