/* duration.c - spans of time as users write them, in milliseconds.
 * Owns:    the sum of a text's parts, kept in decimal until it is whole.
 * Promise: no overflow for any input; decimals up to the 32nd place are exact,
 *          and later ones, far below any effect, are checked and left out.
 * Why:     decimal places as an array need neither wide integers nor floats. */
#include "base/duration.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define DURATION_PLACES 32

typedef struct DurationSum {
  sqlite3_int64 whole_ms; /* 0..TM_DURATION_MAX_MS */
  bool is_beyond;         /* a whole part went over TM_DURATION_MAX_MS */
  /* place[k] counts 10^-(k+1) ms and is not carried. A text has fewer than 2^29 parts, each adds
   * at most 9 weeks' worth of ms (5.5e9) to a place: no overflow. */
  sqlite3_int64 place[DURATION_PLACES];
} DurationSum;

static int duration_skip_digits(const char *text, int n, int at) {
  while (at < n && text[at] >= '0' && text[at] <= '9') at++;
  return at;
}

/* The unit at text[*at] in milliseconds, and *at behind it; 0 when there is none. */
static sqlite3_int64 duration_unit_ms(const char *text, int n, int *at) {
  if (*at >= n) return 0;
  switch (text[(*at)++]) {
  case 's': return 1000;
  case 'h': return 3600 * 1000;
  case 'd': return 24 * 3600 * 1000;
  case 'w': return 7 * 24 * 3600 * 1000;
  case 'm': break;
  default: return 0;
  }
  if (*at >= n || text[*at] != 's') return 60 * 1000;
  (*at)++;
  return 1;
}

static void duration_add_whole(DurationSum *sum, const char *digits, int n, sqlite3_int64 unit_ms) {
  sqlite3_int64 count = 0;

  for (int i = 0; i < n; i++) {
    count = count * 10 + (digits[i] - '0');
    if (count > TM_DURATION_MAX_MS) {
      sum->is_beyond = true;
      return;
    }
  }
  if (count > (TM_DURATION_MAX_MS - sum->whole_ms) / unit_ms) {
    sum->is_beyond = true;
  } else {
    sum->whole_ms += count * unit_ms;
  }
}

static void duration_add_fraction(DurationSum *sum, const char *digits, int n,
                                  sqlite3_int64 unit_ms) {
  for (int i = 0; i < n && i < DURATION_PLACES; i++) {
    sum->place[i] += (digits[i] - '0') * unit_ms;
  }
}

/* Add the number and unit at text[*at], and move *at behind them; false when they are not there. */
static bool duration_add_part(DurationSum *sum, const char *text, int n, int *at) {
  int whole = *at;
  int whole_end = duration_skip_digits(text, n, whole);
  int fraction = whole_end;
  int fraction_end = whole_end;
  sqlite3_int64 unit_ms;

  if (whole_end == whole) return false;
  if (whole_end < n && text[whole_end] == '.') {
    fraction = whole_end + 1;
    fraction_end = duration_skip_digits(text, n, fraction);
    if (fraction_end == fraction) return false;
  }
  *at = fraction_end;
  unit_ms = duration_unit_ms(text, n, at);
  if (unit_ms == 0) return false;
  duration_add_whole(sum, text + whole, whole_end - whole, unit_ms);
  duration_add_fraction(sum, text + fraction, fraction_end - fraction, unit_ms);
  return true;
}

static sqlite3_int64 duration_round(DurationSum *sum) {
  for (int k = DURATION_PLACES - 1; k > 0; k--) sum->place[k - 1] += sum->place[k] / 10;
  return sum->whole_ms + sum->place[0] / 10 + (sum->place[0] % 10 >= 5 ? 1 : 0);
}

TmDurationStatus tm_duration_parse(const char *text, int n, sqlite3_int64 *out_ms) {
  DurationSum sum;
  bool is_negative = n > 0 && text[0] == '-';
  int at = is_negative ? 1 : 0;
  sqlite3_int64 total_ms;

  *out_ms = 0;
  if (at >= n) return TM_DURATION_BAD;
  memset(&sum, 0, sizeof sum);
  while (at < n) {
    if (!duration_add_part(&sum, text, n, &at)) return TM_DURATION_BAD;
  }
  total_ms = duration_round(&sum);
  if (sum.is_beyond || total_ms > TM_DURATION_MAX_MS) return TM_DURATION_RANGE;
  *out_ms = is_negative ? -total_ms : total_ms;
  return TM_DURATION_OK;
}

TmDurationStatus tm_duration_from_real(double seconds, sqlite3_int64 *out_ms) {
  double real_ms = seconds * 1000.0;
  sqlite3_int64 whole_ms;
  double rest;

  *out_ms = 0;
  if (!isfinite(seconds)) return TM_DURATION_BAD;
  /* Far outside first: the conversion below is defined only inside 64 bits. */
  if (!(real_ms > -1e15 && real_ms < 1e15)) return TM_DURATION_RANGE;
  whole_ms = (sqlite3_int64)real_ms;
  rest = real_ms - (double)whole_ms;
  if (rest >= 0.5) whole_ms++;
  if (rest <= -0.5) whole_ms--;
  if (whole_ms > TM_DURATION_MAX_MS || whole_ms < -TM_DURATION_MAX_MS) return TM_DURATION_RANGE;
  *out_ms = whole_ms;
  return TM_DURATION_OK;
}

TmDurationStatus tm_duration_from_int(sqlite3_int64 seconds, sqlite3_int64 *out_ms) {
  const sqlite3_int64 most = TM_DURATION_MAX_MS / 1000;

  *out_ms = 0;
  if (seconds > most || seconds < -most) return TM_DURATION_RANGE;
  *out_ms = seconds * 1000;
  return TM_DURATION_OK;
}
