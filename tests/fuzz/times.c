/* times.c - the targets `times` and `zone`: durations, specs, zones, timestamps; zone files.
 * Promise: the times of a schedule rise, are later than what they are asked after, and tm_cron
 *          gives the same as tm_cron_next asked again and again. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cron.h"
#include "base/zone.h"

#define TIMES_ASKED 4

static const char *const times_calls[] = {
    "SELECT tm_clock_advance(?1)",      "SELECT tm_snooze(1, 1, ?1)",
    "SELECT tm_reschedule(6, ?1)",      "SELECT tm_clock_set(?1)",
    "SELECT tm_tick('{\"limit\":20}')", "SELECT tm_schedule('u', ?1, 'q', 1)",
    "SELECT tm_fail(8, 1, ?1, ?1)",     "SELECT tm_tick('{\"limit\":20}')",
};

/* Each line of the input: a spec, a zone, a moment. */
static void times_split(const uint8_t *data, size_t size, FuzzValue *lines) {
  for (int i = 0; i < 3; i++) {
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    lines[i] = fuzz_text(data, length);
    data += end ? length + 1 : length;
    size -= end ? length + 1 : length;
  }
}

static void times_rise(sqlite3 *db, FuzzValue *spec_after_zone) {
  FuzzValue all[4] = {spec_after_zone[0], spec_after_zone[1], fuzz_int(TIMES_ASKED),
                      spec_after_zone[2]};
  char *listed, *next;
  sqlite3_int64 after = spec_after_zone[1].integer;
  int listing =
      fuzz_ask(db, "SELECT group_concat(at_ms) FROM tm_cron(?1, ?2, ?3, ?4)", all, 4, &listed);
  const char *rest = listed;
  for (int i = 0; i < TIMES_ASKED; i++) {
    spec_after_zone[1] = fuzz_int(after);
    int rc = fuzz_ask(db, "SELECT tm_cron_next(?1, ?2, ?3)", spec_after_zone, 3, &next);
    if ((rc == SQLITE_OK) != (listing == SQLITE_OK) && i == 0)
      fuzz_fail("tm_cron and tm_cron_next differ", sqlite3_errmsg(db));
    if (!next) break;
    sqlite3_int64 at = strtoll(next, NULL, 10);
    if (at <= after) fuzz_fail("the next time is not later", next);
    if (rest) {
      char *end;
      if (strtoll(rest, &end, 10) != at) fuzz_fail("tm_cron gives another time", listed);
      rest = *end == ',' ? end + 1 : NULL;
    }
    after = at;
    sqlite3_free(next);
    next = NULL;
  }
  sqlite3_free(next);
  sqlite3_free(listed);
}

void fuzz_times(const uint8_t *data, size_t size) {
  FuzzValue lines[3];
  char number[40] = {0};
  times_split(data, size, lines);
  memcpy(number, lines[2].bytes,
         lines[2].size < sizeof number - 1 ? lines[2].size : sizeof number - 1);
  sqlite3 *db = fuzz_take(data, size);
  FuzzValue asked[3] = {lines[0], fuzz_int(strtoll(number, NULL, 10)), lines[1]};
  if (lines[1].size == 0) asked[2].type = FUZZ_NULL;
  times_rise(db, asked);
  FuzzValue real = {.type = FUZZ_REAL, .real = strtod(number, NULL)};
  FuzzValue integer = fuzz_int(strtoll(number, NULL, 10));
  const FuzzValue *const as[] = {&lines[0], &lines[2], &real, &integer};
  for (size_t i = 0; i < sizeof as / sizeof *as; i++) {
    for (size_t j = 0; j < sizeof times_calls / sizeof *times_calls; j++) {
      fuzz_run(db, "SAVEPOINT s", NULL, 0);
      fuzz_run(db, times_calls[j], as[i], 1);
      if (j % 4 != 3) fuzz_run(db, "ROLLBACK TO s", NULL, 0);
      fuzz_run(db, "RELEASE s", NULL, 0);
    }
  }
  fuzz_sound(db);
  fuzz_give(db);
}

/* ---- zone files ------------------------------------------------------------------------------ */

static void zone_ask(const TmZone *zone) {
  static const char *const specs[] = {"*/10 * * * *", "30 2 * * *", "0 0 29 2 *"};
  for (sqlite3_int64 s = -4000000000; s < 8000000000; s += 777777777) {
    sqlite3_int64 moment = tm_zone_moment(zone, tm_zone_latest(zone, s));
    if (moment > s) fuzz_fail("zone", "the clocks have shown it, and it is to come");
  }
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    TmError error;
    TmCron cron;
    tm_error_init(&error, "fuzz");
    TmText text = {specs[i], (int)strlen(specs[i])};
    if (!tm_cron_parse(text, &cron, &error)) fuzz_fail("zone", "no spec");
    sqlite3_int64 at = 1700000000000;
    for (int j = 0; j < 50; j++) {
      sqlite3_int64 next = tm_cron_next(&cron, zone, at);
      if (next < 0) break;
      if (next <= at) fuzz_fail("zone", "the next time is not later");
      at = next;
    }
    tm_error_clear(&error);
  }
}

void fuzz_zone(const uint8_t *data, size_t size) {
  sqlite3_int64 before = sqlite3_memory_used();
  TmError error;
  tm_error_init(&error, "fuzz");
  TmText name = {"Fuzz/Zone", 9};
  /* In a block of its exact size, so that one byte read too many is seen. */
  unsigned char *copy = sqlite3_malloc64(size ? size : 1);
  if (!copy) return;
  memcpy(copy, data, size);
  TmZone *zone = tm_zone_read(copy, (int)size, name, &error);
  sqlite3_free(copy);
  if (zone) zone_ask(zone);
  tm_zone_free(zone);
  tm_error_clear(&error);
  if (sqlite3_memory_used() != before) fuzz_fail("memory was left", "zone");
}
