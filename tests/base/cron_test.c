/* cron_test.c - specs from C: exact bytes, any bytes, and what the search costs.
 * Owns:    what tests/cron.test cannot reach; the rules themselves are tested there.
 * Promise: every spec is parsed from a block of its exact size. */
#include "base_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/calendar.h"
#include "base/cron.h"

/* True where the text is a spec; sets *out. */
static bool parse(const char *text, int n, TmCron *out) {
  char *copy = exact_copy(text, n);
  TmError error;
  bool is_good;

  tm_error_init(&error, "tm_cron");
  is_good = tm_cron_parse((TmText){copy, n}, out, &error);
  if (is_good != (error.rc == SQLITE_OK)) abort();
  tm_error_clear(&error);
  free(copy);
  return is_good;
}

static void test_cron_bytes(Tally *tally) {
  static const char *const specs[] = {"*/15 1-5/2,7 ? jan,mar-may mon-fri",
                                      "0 0 12 L-3,15W,LW,L * *",
                                      "0 0 * * 5L,fri#3,7L",
                                      "@every 1h30m",
                                      "@midnight",
                                      "59 59 23 31 12 7"};
  TmCron cron;
  int wrong = 0;

  for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
    for (int n = 0; n <= (int)strlen(specs[k]); n++) {
      if (!parse(specs[k], n, &cron) && n == (int)strlen(specs[k])) wrong++;
    }
  }
  check(tally, wrong == 0, "each beginning of a spec is read without a byte too many");
  check(tally, !parse("* * * * *\0", 10, &cron) && !parse("", 0, &cron) && !parse(" \t", 2, &cron),
        "a NUL is no blank, and blanks are no spec");
}

/* What any accepted spec has to fulfil. */
static bool is_sound(const TmCron *cron, sqlite3_int64 after_ms) {
  sqlite3_int64 at_ms = tm_cron_next(cron, NULL, after_ms);
  sqlite3_int64 second = at_ms / 1000;

  if (at_ms == TM_CRON_NEVER) return after_ms > tm_calendar_days(9959, 1, 1) * TM_DAY_S * 1000;
  if (at_ms <= after_ms || at_ms > TM_TIME_MAX_MS) return false;
  if (tm_cron_next(cron, NULL, at_ms - 1) != at_ms) return false;
  if (cron->every_ms > 0) return at_ms - after_ms <= cron->every_ms;
  return at_ms % 1000 == 0 && cron->seconds >> (second % 60) & 1 &&
         cron->minutes >> (second / 60 % 60) & 1 && cron->hours >> (second / 3600 % 24) & 1 &&
         cron->months >> tm_calendar_date(tm_calendar_day_of(second)).month & 1;
}

static void test_cron_random(Tally *tally) {
  /* The first eight fit most fields and come more often. */
  static const char *const pieces[] = {"*",  "*",  "?",    "1",   "5",     "7",  "3",   "12",
                                       "0",  "15", "29",   "31",  "59",    "60", "L",   "-3",
                                       "W",  "LW", "#2",   "/2",  "-7",    ",1", "jan", "Sun",
                                       "5L", "x",  "\xff", "90s", "@every"};
  const unsigned count = sizeof pieces / sizeof *pieces;
  unsigned seed = 7;
  int good = 0, wrong = 0;

  for (int k = 0; k < 300000; k++) {
    char text[256] = "";
    TmCron cron;
    for (int field = 0; field < 5 + k % 2; field++) {
      do {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        strcat(text, pieces[seed % (seed >> 20 & 3 ? 8 : count)]);
      } while (seed >> 30 == 0 && strlen(text) < 200);
      strcat(text, " ");
    }
    if (!parse(text, (int)strlen(text), &cron)) continue;
    good++;
    if (is_sound(&cron, (sqlite3_int64)(seed % 1000) * 253402300799)) continue;
    printf("  %s\n", text);
    wrong++;
  }
  printf("  %d of 300,000 random texts are specs\n", good);
  check(tally, good > 10000 && wrong == 0, "300,000 random texts are refused, or fire as they say");
}

/* In the last hours of 9999 the clocks of Kiritimati show the next year. */
static void test_cron_end(Tally *tally) {
  TmError error = {0};
  TmZone *zone = tm_zone_load((TmText){"Pacific/Kiritimati", 18}, &error);
  TmCron cron, kept;

  if (!zone || !parse("0 0 1 1 *", 9, &cron)) abort();
  check(tally,
        tm_cron_next(&cron, zone, TM_TIME_MAX_MS) == TM_CRON_NEVER &&
            tm_cron_next(&cron, zone, TM_TIME_MAX_MS - 15 * 3600000) ==
                TM_TIME_MAX_MS + 1 - 14 * 3600000,
        "the last new year fires, and no other day follows");
  tm_zone_free(zone);
  tm_error_nomem(&error);
  check(tally, !tm_cron_parse(tm_text_of("* * * * *"), &kept, &error) && error.rc == SQLITE_NOMEM,
        "after an error no spec is read, and the error stays");
  tm_error_clear(&error);
}

static void test_cron_start(Tally *tally) {
  TmCron cron;

  if (!parse("@every 90s", 10, &cron)) abort();
  check(tally,
        tm_cron_next(&cron, NULL, 0) == 90000 && tm_cron_next(&cron, NULL, 89999) == 90000 &&
            tm_cron_next(&cron, NULL, 90000) == 180000,
        "@every counts from the epoch");
  cron.start_ms = 1000000;
  check(tally,
        tm_cron_next(&cron, NULL, 0) == 10000 && tm_cron_next(&cron, NULL, 1000000) == 1090000 &&
            tm_cron_next(&cron, NULL, 999999) == 1000000,
        "or from a start of the caller's, both ways");
  check(tally, tm_cron_next(&cron, NULL, TM_TIME_MAX_MS) == TM_CRON_NEVER,
        "nothing fires after the year 9999");
}

/* The rarest day that a spec can name: February 29 on a Sunday, 40 years apart around 2100. */
static void test_cron_cost(Tally *tally) {
  sqlite3_int64 after_ms = tm_calendar_days(2088, 3, 1) * TM_DAY_S * 1000;
  sqlite3_int64 at_ms = 0;
  TmCron cron;
  clock_t began = clock();
  double us;

  if (!parse("59 59 23 29 2 */7", 17, &cron)) abort();
  for (int k = 0; k < 1000; k++) at_ms = tm_cron_next(&cron, NULL, after_ms + k);
  us = (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / 1000;
  printf("  the rarest spec: %.2f us\n", us);
  check(tally, at_ms == (tm_calendar_days(2128, 2, 29) + 1) * TM_DAY_S * 1000 - 1000,
        "the rarest spec waits 40 years");
  check(tally, us < 1000, "and is found in less than a millisecond");
}

/* The newest times, by walking there. */
static sqlite3_int64 newest_slowly(const TmCron *cron, const TmZone *zone, sqlite3_int64 at_ms,
                                   sqlite3_int64 until_ms, int count) {
  sqlite3_int64 ring[8];
  int n = 0;

  for (; at_ms != TM_CRON_NEVER && at_ms <= until_ms; at_ms = tm_cron_next(cron, zone, at_ms)) {
    ring[n++ % 8] = at_ms;
  }
  return ring[n > count ? (n - count) % 8 : 0];
}

static void test_cron_newest(Tally *tally) {
  static const char *const specs[] = {"* * * * * *", "*/7 * * * *",      "30 2 * * *",
                                      "0 9 LW * *",  "* * 3 26 10 *",    "@every 90s",
                                      "0 0 29 2 *",  "15,45 1-3 * * sun"};
  TmError error = {0};
  TmZone *zone = tm_zone_load((TmText){"Europe/Berlin", 13}, &error);
  int wrong = 0;

  for (int i = 0; i < 8; i++) {
    TmCron cron;
    if (!zone || !parse(specs[i], (int)strlen(specs[i]), &cron)) abort();
    for (int k = 0; k < 40; k++) {
      /* From some time before clocks go back until some time after it. */
      sqlite3_int64 from_ms = 1761436800000 - (i == 0 ? k * 7919 : k * 7919993) % 86400000;
      sqlite3_int64 at_ms = tm_cron_next(&cron, zone, from_ms);
      sqlite3_int64 until_ms = at_ms + (i == 0 ? 100003 : 79999999) * (sqlite3_int64)(k % 9);
      int count = 1 + k % 7;
      wrong += tm_cron_newest(&cron, zone, at_ms, until_ms, count) !=
               newest_slowly(&cron, zone, at_ms, until_ms, count);
    }
  }
  check(tally, wrong == 0, "the newest times are found by halving as by walking");
  tm_zone_free(zone);
  tm_error_clear(&error);
}

void test_cron(Tally *tally) {
  test_cron_bytes(tally);
  test_cron_random(tally);
  test_cron_end(tally);
  test_cron_start(tally);
  test_cron_cost(tally);
  test_cron_newest(tally);
}
