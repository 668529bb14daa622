/* duration_test.c - durations: every form of the text, and the bounds of numbers.
 * Promise: every text is read from a block of its exact size. */
#include "base_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"

typedef struct DurationCase {
  const char *text;
  TmDurationStatus status;
  sqlite3_int64 ms;
} DurationCase;

static const DurationCase duration_cases[] = {
    {"250ms", TM_DURATION_OK, 250},
    {"90s", TM_DURATION_OK, 90000},
    {"1m", TM_DURATION_OK, 60000},
    {"1h30m", TM_DURATION_OK, 5400000},
    {"2d", TM_DURATION_OK, 172800000},
    {"1.5h", TM_DURATION_OK, 5400000},
    {"1w", TM_DURATION_OK, 604800000},
    {"1m1ms", TM_DURATION_OK, 60001},
    {"1s1h1s", TM_DURATION_OK, 3602000},
    {"0s", TM_DURATION_OK, 0},
    {"-0s", TM_DURATION_OK, 0},
    {"007s", TM_DURATION_OK, 7000},
    {"-1h30m", TM_DURATION_OK, -5400000},
    {"0.1s", TM_DURATION_OK, 100},
    {"0.001s", TM_DURATION_OK, 1},
    {"0.4ms", TM_DURATION_OK, 0},
    {"0.5ms", TM_DURATION_OK, 1},
    {"-0.5ms", TM_DURATION_OK, -1},
    {"1.49999999999999999999ms", TM_DURATION_OK, 1},
    {"0.3ms0.3ms", TM_DURATION_OK, 1},
    {"0.2ms0.2ms", TM_DURATION_OK, 0},
    {"0.33333333333333333333h", TM_DURATION_OK, 1200000},
    {"0.00000000000000000000000000000000000000000001w", TM_DURATION_OK, 0},
    {"0.99999999999999999999999999999999999999999999w", TM_DURATION_OK, 604800000},
    {"36500d", TM_DURATION_OK, 3153600000000},
    {"-36500d", TM_DURATION_OK, -3153600000000},
    {"36500d0.4ms", TM_DURATION_OK, 3153600000000},
    {"36500d0.5ms", TM_DURATION_RANGE, 0},
    {"36500d1ms", TM_DURATION_RANGE, 0},
    {"-36501d", TM_DURATION_RANGE, 0},
    {"36499d48h", TM_DURATION_RANGE, 0},
    {"99999999999999999999999999999999w", TM_DURATION_RANGE, 0},
    {"9223372036854775807ms", TM_DURATION_RANGE, 0},
    {"99999999999999999999999999999999w1", TM_DURATION_BAD, 0},
    {"", TM_DURATION_BAD, 0},
    {"-", TM_DURATION_BAD, 0},
    {"--1s", TM_DURATION_BAD, 0},
    {"+1s", TM_DURATION_BAD, 0},
    {"5", TM_DURATION_BAD, 0},
    {"1h30", TM_DURATION_BAD, 0},
    {"s", TM_DURATION_BAD, 0},
    {"1S", TM_DURATION_BAD, 0},
    {"1.s", TM_DURATION_BAD, 0},
    {".5s", TM_DURATION_BAD, 0},
    {"1.2.3s", TM_DURATION_BAD, 0},
    {"1e3s", TM_DURATION_BAD, 0},
    {" 1s", TM_DURATION_BAD, 0},
    {"1s ", TM_DURATION_BAD, 0},
    {"1 s", TM_DURATION_BAD, 0},
    {"1h-30m", TM_DURATION_BAD, 0},
    {"1mss", TM_DURATION_BAD, 0},
    {"1y", TM_DURATION_BAD, 0},
    {"\xd9\xa1s", TM_DURATION_BAD, 0},
};

static void test_duration_text(Tally *tally) {
  char sentence[160];
  sqlite3_int64 ms;

  for (size_t i = 0; i < sizeof duration_cases / sizeof duration_cases[0]; i++) {
    const DurationCase *one = &duration_cases[i];
    int n = (int)strlen(one->text);
    char *text = exact_copy(one->text, n);
    TmDurationStatus status;

    ms = 77;
    status = tm_duration_parse(text, n, &ms);
    snprintf(sentence, sizeof sentence, "the duration '%s' is %lld ms, status %d", one->text,
             (long long)one->ms, (int)one->status);
    check(tally, status == one->status && ms == one->ms, sentence);
    free(text);
  }
  check(tally, tm_duration_parse(NULL, 0, &ms) == TM_DURATION_BAD, "no text is no duration");
  check(tally, tm_duration_parse("1s\0", 3, &ms) == TM_DURATION_BAD,
        "a NUL inside is no part of a duration");
}

static void test_duration_long_text(Tally *tally) {
  const int parts = 250000;
  char *text = malloc((size_t)parts * 4);
  sqlite3_int64 ms;

  if (text == NULL) abort();
  for (int i = 0; i < parts; i++) memcpy(text + i * 4, "0.9s", 4);
  check(tally, tm_duration_parse(text, parts * 4, &ms) == TM_DURATION_OK && ms == 225000000,
        "a quarter of a million fractions are summed exactly");
  for (int i = 0; i < parts; i++) memcpy(text + i * 4, "0.9w", 4);
  check(tally, tm_duration_parse(text, parts * 4, &ms) == TM_DURATION_RANGE && ms == 0,
        "fractions alone can be out of range");
  free(text);
}

static bool real_is(double seconds, TmDurationStatus status, sqlite3_int64 expected_ms) {
  sqlite3_int64 ms = 77;

  return tm_duration_from_real(seconds, &ms) == status && ms == expected_ms;
}

static bool int_is(sqlite3_int64 seconds, TmDurationStatus status, sqlite3_int64 expected_ms) {
  sqlite3_int64 ms = 77;

  return tm_duration_from_int(seconds, &ms) == status && ms == expected_ms;
}

static void test_duration_numbers(Tally *tally) {
  check(tally, real_is(0.1, TM_DURATION_OK, 100), "0.1 seconds are 100 ms");
  check(tally, real_is(-1.5, TM_DURATION_OK, -1500), "-1.5 seconds are -1500 ms");
  check(tally, real_is(0.0005, TM_DURATION_OK, 1) && real_is(-0.0005, TM_DURATION_OK, -1),
        "half a millisecond rounds away from zero");
  check(tally, real_is(0.0004, TM_DURATION_OK, 0), "less than half a millisecond is none");
  check(tally, real_is(3153600000.0, TM_DURATION_OK, 3153600000000), "36,500 days fit as a real");
  check(tally,
        real_is(3153600000.001, TM_DURATION_RANGE, 0) &&
            real_is(-3153600000.001, TM_DURATION_RANGE, 0),
        "a millisecond more does not, forwards or backwards");
  check(tally,
        real_is(1e300, TM_DURATION_RANGE, 0) && real_is(1e306, TM_DURATION_RANGE, 0) &&
            real_is(-1e306, TM_DURATION_RANGE, 0),
        "large finite reals are out of range");
  check(tally,
        real_is(NAN, TM_DURATION_BAD, 0) && real_is(INFINITY, TM_DURATION_BAD, 0) &&
            real_is(-INFINITY, TM_DURATION_BAD, 0),
        "NaN and infinity are no durations");
  check(tally, int_is(90, TM_DURATION_OK, 90000) && int_is(-1, TM_DURATION_OK, -1000),
        "whole seconds are seconds");
  check(tally,
        int_is(3153600000, TM_DURATION_OK, 3153600000000) &&
            int_is(3153600001, TM_DURATION_RANGE, 0) &&
            int_is(9223372036854775807, TM_DURATION_RANGE, 0) &&
            int_is(-9223372036854775807 - 1, TM_DURATION_RANGE, 0),
        "whole seconds have the same bounds");
}

void test_duration(Tally *tally) {
  test_duration_text(tally);
  test_duration_long_text(tally);
  test_duration_numbers(tally);
}
