/* cron.h - schedules as people write them, and when they fire next.
 * Owns:    the grammar of a spec, and the search for its next time.
 * Promise: a spec that could never fire is refused; the next time is found by days and
 *          months, never second by second; all of it is a pure function.
 * Why:     clocks that change have one rule, the same for every spec: each time of the
 *          clocks that the spec names fires once, at the first moment at which they show it
 *          or a later one. So one that is skipped fires when they skip it, one that is
 *          shown twice at its first, and times that fall on one moment fire once. */
#ifndef TM_BASE_CRON_H
#define TM_BASE_CRON_H

#include "base/error.h"
#include "base/value.h"
#include "base/zone.h"

#include <stdbool.h>
#include <stdint.h>

/* spec    = [second] minute hour day month weekday | '@' word | '@every' duration
 * second  = 0..59   minute = 0..59   hour = 0..23   day = 1..31
 * month   = 1..12, jan..dec          weekday = 0..7 (0 and 7 are Sunday), sun..sat
 * field   = item { ',' item }
 * item    = ( '*' | '?' | value | value '-' value ) [ '/' step ]
 *         | 'L' | 'L-' 1..30 | 1..31 'W' | 'LW'            of the field day
 *         | weekday 'L' | weekday '#' 1..5                 of the field weekday
 *
 * Fields are separated by blanks and tabs; letters may be of either case. Without seconds the
 * spec fires at second 0. '?' is '*'. `value/step` goes from the value to the end of the field. A
 * range whose end comes before its start goes round: `22-2`, `fri-mon`. `15W` is the weekday
 * (Monday to Friday) nearest to the 15th in the same month, `L-3` the third day before the last,
 * `5L` the last Friday, `5#3` the third.
 *
 * Days are those of crontab(5): where neither day nor weekday begins with '*' or '?', a day that
 * fits either of them fits; otherwise it has to fit both, so that a '*' with step 2 for the day and
 * 1 for the weekday is every Monday with an odd date. */

#define TM_CRON_EVERY_MIN_MS ((sqlite3_int64)1000)

typedef struct TmCron {
  sqlite3_int64 every_ms; /* not 0: fires every so long, whatever the clocks show */
  sqlite3_int64 start_ms; /* what that is counted from; 0, the epoch, unless the caller sets it */
  uint64_t seconds;       /* one bit a value, here and below */
  uint64_t minutes;
  uint32_t hours;
  uint32_t months;
  uint32_t days;
  uint32_t days_to_last; /* bit n: the n-th day before the last */
  uint32_t days_near;    /* bit d: the weekday nearest to d; bit 0: the last weekday */
  uint8_t weekdays;      /* bit 0: Sunday */
  uint8_t weekdays_last; /* the last such day of the month */
  uint8_t weekdays_nth[5];
  bool fits_either; /* day or weekday is enough */
} TmCron;

/* False and an error [bad_argument] or [out_of_range] for what is no spec. */
bool tm_cron_parse(TmText text, TmCron *out, TmError *error);

/* False where no day of any year fits, as with the 30th of February. */
bool tm_cron_can_fire(const TmCron *cron);

#define TM_CRON_NEVER ((sqlite3_int64)-1)

/* The first time it fires after `after_ms` (0..TM_TIME_MAX_MS), or TM_CRON_NEVER where that would
 * be later than TM_TIME_MAX_MS. A NULL zone is UTC. */
sqlite3_int64 tm_cron_next(const TmCron *cron, const TmZone *zone, sqlite3_int64 after_ms);

/* Given a time at which it fires, the later one from which on it fires `count` times up to
 * `until_ms`; at_ms itself where it fires no oftener. Found by halving, so that a year of seconds
 * costs hardly more than a day of them. */
sqlite3_int64 tm_cron_newest(const TmCron *cron, const TmZone *zone, sqlite3_int64 at_ms,
                             sqlite3_int64 until_ms, int count);

#endif
