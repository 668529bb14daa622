/* zone_test.c - calendar, rules and zone files, from bytes made here.
 * Owns:    what the system's own files cannot show: other versions, damage, missing folders.
 * Promise: every file and rule is read from a block of its exact size. */
#include "base_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/zone.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

/* ---- calendar ---------------------------------------------------------------------------- */

void test_calendar(Tally *tally) {
  TmDate date = {1968, 12, 31};
  sqlite3_int64 days = tm_calendar_days(1968, 12, 31);
  int wrong = 0;

  check(tally, tm_calendar_days(1970, 1, 1) == 0 && tm_calendar_days(2000, 2, 29) == 11016,
        "days are counted from 1970-01-01");
  check(tally, tm_calendar_weekday(0) == 4 && tm_calendar_weekday(-5) == 6,
        "1970-01-01 was a Thursday, also seen from before");
  check(tally, tm_calendar_day_of(-1) == -1 && tm_calendar_day_of(86399) == 0,
        "the day of a second before 1970 is the one it lies in");
  for (; date.year < 10001; days++) {
    TmDate found = tm_calendar_date(days);
    if (memcmp(&found, &date, sizeof date) != 0) wrong++;
    if (tm_calendar_days(date.year, date.month, date.day) != days) wrong++;
    if (++date.day > tm_calendar_month_days(date.year, date.month)) {
      date.day = 1;
      date.month = date.month % 12 + 1;
      if (date.month == 1) date.year++;
    }
  }
  check(tally, wrong == 0, "each day from 1968 to 10000 is the one after the day before");
}

/* ---- rules ------------------------------------------------------------------------------- */

static bool parse_rule(const char *text, int n, TmZoneRule *out) {
  char *copy = exact_copy(text, n);
  bool is_good = tm_zone_rule_parse(copy, n, out);

  free(copy);
  return is_good;
}

static void test_rule_grammar(Tally *tally) {
  static const char *const good[] = {BERLIN,
                                     "UTC0",
                                     "<+0545>-5:45",
                                     "EST5EDT,M3.2.0,M11.1.0",
                                     "ABC-24",
                                     "ABC+24:59:59",
                                     "AAA1BBB,J1,J365/167",
                                     "AAA1BBB2:30:15,0/-167,365/+1:2:3",
                                     "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"};
  static const char *const bad[] = {"",
                                    "CET",
                                    "C1",
                                    "CE1",
                                    "CET25",
                                    "CET-1CEST",
                                    "CET-1CEST,M3.5.0",
                                    "CET-1CEST,M3.5.0,M10.5.0/168",
                                    "CET-1CEST,M13.5.0,M10.5.0",
                                    "CET-1CEST,M3.6.0,M10.5.0",
                                    "CET-1CEST,M3.0.0,M10.5.0",
                                    "CET-1CEST,M3.5.7,M10.5.0",
                                    "CET-1CEST,J0,J10",
                                    "CET-1CEST,J366,J10",
                                    "CET-1CEST,366,10",
                                    "CET-1:60",
                                    "<CET-1",
                                    "<C>1",
                                    "CET-1,M3.5.0,M10.5.0",
                                    BERLIN " ",
                                    "CET-99999999999999999999"};
  TmZoneRule rule;
  int wrong = 0;

  for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
    if (!parse_rule(good[k], (int)strlen(good[k]), &rule)) wrong++;
    for (int n = 0; n < (int)strlen(good[k]); n++) parse_rule(good[k], n, &rule);
  }
  check(tally, wrong == 0, "rules of POSIX and of RFC 8536 are read");
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    if (parse_rule(bad[k], (int)strlen(bad[k]), &rule)) wrong++;
  }
  check(tally, wrong == 0, "what is no rule is refused");
}

/* True where the span of that second is this one. */
static bool rule_has_span(const char *text, sqlite3_int64 utc_s, sqlite3_int64 begin_s,
                          sqlite3_int64 end_s, int offset_s) {
  TmZoneRule rule;
  TmZoneSpan span;

  if (!parse_rule(text, (int)strlen(text), &rule)) return false;
  tm_zone_rule_span(&rule, utc_s, &span);
  return span.begin_s == begin_s && span.end_s == end_s && span.offset_s == offset_s;
}

static sqlite3_int64 utc(int year, int month, int day, int hour, int minute) {
  return tm_calendar_days(year, month, day) * TM_DAY_S + hour * 3600 + minute * 60;
}

static void test_rule_spans(Tally *tally) {
  sqlite3_int64 spring = utc(2050, 3, 27, 1, 0);
  sqlite3_int64 autumn = utc(2050, 10, 30, 1, 0);

  check(tally,
        rule_has_span(BERLIN, spring, spring, autumn, 7200) &&
            rule_has_span(BERLIN, autumn - 1, spring, autumn, 7200) &&
            rule_has_span(BERLIN, autumn, autumn, utc(2051, 3, 26, 1, 0), 3600),
        "a span begins with its first second and ends before the next");
  check(tally,
        rule_has_span("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", utc(2050, 1, 1, 0, 0),
                      utc(2049, 10, 2, 15, 30), utc(2050, 4, 2, 15, 0), 39600),
        "a southern summer lasts over the new year, and may be half an hour");
  check(tally,
        rule_has_span("IST-1GMT0,M10.5.0,M3.5.0/1", utc(2050, 1, 1, 0, 0), utc(2049, 10, 31, 1, 0),
                      spring, 0),
        "saving may be negative");
  check(tally,
        rule_has_span("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", utc(2050, 6, 1, 0, 0), spring, autumn,
                      -3600),
        "a time of day may lie before its day");
  check(tally,
        rule_has_span("EET-2EEST,M3.4.4/50,M10.4.4/50", utc(2050, 6, 1, 0, 0),
                      utc(2050, 3, 26, 0, 0), utc(2050, 10, 28, 23, 0), 10800),
        "or days behind it");
  check(tally,
        rule_has_span("AAA0BBB,J60/0,J100/0", utc(2048, 3, 15, 0, 0), utc(2048, 3, 1, 0, 0),
                      utc(2048, 4, 9, 23, 0), 3600) &&
            rule_has_span("AAA0BBB,59/0,100/0", utc(2048, 3, 15, 0, 0), utc(2048, 2, 29, 0, 0),
                          utc(2048, 4, 9, 23, 0), 3600),
        "J60 is always March 1; day 59 is February 29 in a leap year");
  check(tally,
        rule_has_span("AAA0BBB,J59/0,J60/0", utc(2048, 2, 28, 12, 0), utc(2048, 2, 28, 0, 0),
                      utc(2048, 2, 29, 23, 0), 3600),
        "J59 is always February 28");
  check(tally,
        rule_has_span("XXX3EDT4,0/0,J365/23", utc(2050, 6, 1, 0, 0), utc(2050, 1, 1, 3, 0),
                      utc(2051, 1, 1, 3, 0), -14400),
        "saving that begins where it ends lasts all year");
  check(tally,
        rule_has_span("AAA0BBB,J365/25,0/2", utc(2050, 6, 1, 0, 0), utc(2050, 1, 1, 1, 0),
                      utc(2051, 1, 1, 1, 0), 3600),
        "also where it begins in the year before");
}

/* ---- files ------------------------------------------------------------------------------- */

typedef struct Bytes {
  unsigned char at[4096];
  int n;
} Bytes;

static void put(Bytes *out, sqlite3_int64 value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out->at[out->n++] = (unsigned char)(value >> shift & 0xff);
  }
}

/* UTC+0 at first, UTC+1 from 1000000, UTC+2 from 2000000 on; types 0, 1, 2. */
static void put_block(Bytes *out, char version, int time_bytes) {
  memcpy(out->at + out->n, "TZif", 4);
  out->n += 4;
  put(out, version, 1);
  for (int i = 0; i < 15; i++) put(out, 0, 1);
  put(out, 0, 4);
  put(out, 0, 4);
  put(out, 0, 4);
  put(out, 2, 4);
  put(out, 3, 4);
  put(out, 4, 4);
  put(out, 1000000, time_bytes);
  put(out, 2000000, time_bytes);
  put(out, 1, 1);
  put(out, 2, 1);
  for (int i = 0; i < 3; i++) {
    put(out, 3600 * i, 4);
    put(out, 0, 2);
  }
  memcpy(out->at + out->n, "ABC", 4);
  out->n += 4;
}

/* A file with this footer; NULL: of version 1. */
static Bytes make_file(const char *footer) {
  Bytes out = {.n = 0};

  put_block(&out, footer != NULL ? '2' : '\0', 4);
  if (footer == NULL) return out;
  put_block(&out, '2', 8);
  out.n += sprintf((char *)out.at + out.n, "\n%s\n", footer);
  return out;
}

static TmZone *read_file(const Bytes *file, TmError *error) {
  char *copy = exact_copy(file->at, file->n);
  TmZone *zone;

  tm_error_init(error, "tm_cron");
  zone = tm_zone_read((const unsigned char *)copy, file->n, tm_text_of("Test/Zone"), error);
  free(copy);
  return zone;
}

static int offset_at(const TmZone *zone, sqlite3_int64 utc_s) {
  TmZoneSpan span;

  tm_zone_span(zone, utc_s, &span);
  return span.offset_s;
}

/* A zone whose clocks never change has a type and a footer, and not one change. */
static void put_still_block(Bytes *out, char version) {
  memcpy(out->at + out->n, "TZif", 4);
  out->n += 4;
  put(out, version, 1);
  for (int i = 0; i < 15; i++) put(out, 0, 1);
  for (int i = 0; i < 4; i++) put(out, 0, 4);
  put(out, 1, 4);
  put(out, 4, 4);
  put(out, 3600, 4);
  put(out, 0, 2);
  memcpy(out->at + out->n, "ABC", 4);
  out->n += 4;
}

static void test_file_without_changes(Tally *tally) {
  TmError error;
  Bytes file = {.n = 0};
  TmZoneSpan span;

  put_still_block(&file, '2');
  put_still_block(&file, '2');
  file.n += sprintf((char *)file.at + file.n, "\n<+01>-1\n");
  TmZone *zone = read_file(&file, &error);
  memset(&span, 0, sizeof span);
  if (zone != NULL) tm_zone_span(zone, 0, &span);
  check(tally,
        zone != NULL && span.begin_s == TM_ZONE_BEGINNING && span.end_s == TM_ZONE_END &&
            span.offset_s == 3600,
        "a zone without a change is one span");
  tm_zone_free(zone);
  file = (Bytes){.n = 0};
  put_still_block(&file, '2');
  put_still_block(&file, '2');
  file.n += sprintf((char *)file.at + file.n, "\n\n");
  zone = read_file(&file, &error);
  check(tally, zone != NULL && offset_at(zone, 0) == 3600, "and without a rule too");
  tm_zone_free(zone);
}

static void test_file_versions(Tally *tally) {
  TmError error;
  Bytes file = make_file(NULL);
  TmZone *zone = read_file(&file, &error);

  check(tally,
        zone != NULL && offset_at(zone, 999999) == 0 && offset_at(zone, 1000000) == 3600 &&
            offset_at(zone, 1999999) == 3600 && offset_at(zone, utc(2050, 1, 1, 0, 0)) == 7200,
        "version 1: the last offset stays");
  tm_zone_free(zone);
  file = make_file("");
  zone = read_file(&file, &error);
  check(tally, zone != NULL && offset_at(zone, utc(2050, 1, 1, 0, 0)) == 7200,
        "an empty footer: the last offset stays");
  tm_zone_free(zone);
  file = make_file(BERLIN);
  zone = read_file(&file, &error);
  check(tally,
        zone != NULL && offset_at(zone, 1999999) == 3600 &&
            offset_at(zone, utc(2050, 1, 1, 0, 0)) == 3600 &&
            offset_at(zone, utc(2050, 7, 1, 0, 0)) == 7200,
        "the footer holds from the last change on");
  tm_zone_free(zone);
  file = (Bytes){.n = 0};
  put_block(&file, '3', 4);
  put_block(&file, '3', 8);
  file.n += sprintf((char *)file.at + file.n, "\nUTC0\n");
  zone = read_file(&file, &error);
  check(tally, zone != NULL && offset_at(zone, 3000000) == 0, "version 3 is read as version 2");
  tm_zone_free(zone);
  tm_error_clear(&error);
}

/* True where the file with one byte changed is refused with these words. */
static bool is_refused(Bytes file, int at, int byte, const char *words) {
  TmError error;
  TmZone *zone;
  bool is_right;

  file.at[at] = (unsigned char)byte;
  zone = read_file(&file, &error);
  is_right = zone == NULL && error.rc == SQLITE_ERROR && strstr(error.message, words) != NULL &&
             strstr(error.message, "'Test/Zone'") != NULL;
  if (!is_right) printf("  %s\n", zone != NULL ? "it was read" : error.message);
  tm_zone_free(zone);
  tm_error_clear(&error);
  return is_right;
}

/* A file of version 1 with so many types, and no change. */
static Bytes with_types(int types) {
  Bytes file = {.n = 0};

  memcpy(file.at, "TZif", 4);
  file.n = 4;
  for (int i = 0; i < 16; i++) put(&file, 0, 1);
  for (int i = 0; i < 4; i++) put(&file, 0, 4);
  put(&file, types, 4);
  put(&file, 4, 4);
  for (int i = 0; i < types; i++) put(&file, 0, 6);
  put(&file, 0, 4);
  return file;
}

static void test_file_damage(Tally *tally) {
  Bytes file = make_file(BERLIN);
  const int second = 76;        /* where the second block begins */
  const int data = second + 44; /* its two times, two types, three offsets, one name */
  const int footer = data + 16 + 2 + 18 + 4;

  check(tally, file.at[second] == 'T' && file.at[footer] == '\n',
        "the parts are where they should be");
  check(tally, is_refused(file, 0, 'X', "not of the format TZif"), "a file that is none");
  check(tally, is_refused(file, second + 3, 'X', "not of the format TZif"),
        "a second part that is none");
  check(tally, is_refused(file, second + 32, 0xff, "not of the format TZif"),
        "more changes than bytes, by far");
  check(tally, is_refused(file, second + 36, 0xff, "not of the format TZif"),
        "more types than bytes");
  check(tally, is_refused(file, second + 39, 0, "its types are not 1 to 256"), "no types");
  check(tally, is_refused(with_types(257), 0, 'T', "its types are not 1 to 256"), "257 types");
  check(tally, is_refused(file, second + 31, 1, "leap seconds"), "leap seconds");
  check(tally, is_refused(file, data + 17, 3, "an offset is out of bounds"),
        "a type that is not there");
  check(tally, is_refused(file, data + 18, 1, "an offset is out of bounds"), "an offset of months");
  check(tally, is_refused(file, data + 8, 0xff, "its times do not rise"), "changes out of order");
  check(tally, is_refused(file, footer, 'x', "its footer is missing"), "no footer");
  check(tally, is_refused(file, file.n - 1, 'x', "its footer is missing"),
        "a footer without an end");
  check(tally, is_refused(file, footer + 1, '1', "its footer is no rule"),
        "a footer that is no rule");
}

/* Nothing is promised of what a damaged file says, except that answers fit each other. */
static bool is_sound(const TmZone *zone, sqlite3_int64 local_s) {
  sqlite3_int64 at_s = tm_zone_moment(zone, local_s);

  return tm_zone_latest(zone, at_s) >= local_s && tm_zone_latest(zone, at_s - 1) < local_s;
}

static void test_file_mutations(Tally *tally) {
  Bytes whole = make_file(BERLIN);
  unsigned seed = 1;
  int read = 0, wrong = 0;
  TmError error;

  for (int n = 0; n < whole.n; n++) {
    Bytes file = whole;
    file.n = n;
    if (read_file(&file, &error) != NULL) wrong++;
    tm_error_clear(&error);
  }
  check(tally, wrong == 0, "no beginning of a file is one");
  for (int k = 0; k < 100000; k++) {
    Bytes file = whole;
    TmZone *zone;
    for (int changes = 1 + k % 3; changes > 0; changes--) {
      seed = seed * 1103515245 + 12345;
      file.at[seed / 256 % (unsigned)file.n] = (unsigned char)(seed >> 24);
    }
    zone = read_file(&file, &error);
    if (zone != NULL) {
      read++;
      if (!is_sound(zone, 1000000 + k % 9000) || !is_sound(zone, 2000000 + k % 9000)) wrong++;
      if (!is_sound(zone, utc(2050, 10, 30, 0, 0) + k % 20000)) wrong++;
    }
    tm_zone_free(zone);
    tm_error_clear(&error);
  }
  check(tally, read > 1000 && read < 99000 && wrong == 0,
        "100,000 damaged files are refused, or their answers fit each other");
}

/* ---- clocks ------------------------------------------------------------------------------ */

static void test_clocks(Tally *tally) {
  Bytes file = make_file(BERLIN);
  TmError error;
  TmZone *zone = read_file(&file, &error);
  sqlite3_int64 spring = utc(2050, 3, 27, 1, 0);
  sqlite3_int64 autumn = utc(2050, 10, 30, 1, 0);

  check(tally, tm_zone_moment(zone, utc(2050, 7, 1, 12, 0)) == utc(2050, 7, 1, 10, 0),
        "a time of the clocks is a moment");
  check(tally,
        tm_zone_moment(zone, utc(2050, 3, 27, 2, 0)) == spring &&
            tm_zone_moment(zone, utc(2050, 3, 27, 2, 59)) == spring &&
            tm_zone_moment(zone, utc(2050, 3, 27, 3, 0)) == spring,
        "one that is skipped is the moment at which it is skipped");
  check(tally,
        tm_zone_moment(zone, utc(2050, 10, 30, 2, 30)) == autumn - 1800 &&
            tm_zone_moment(zone, utc(2050, 10, 30, 3, 0)) == autumn + 3600,
        "one that is shown twice is its first moment");
  check(tally,
        tm_zone_latest(zone, autumn - 1) == utc(2050, 10, 30, 3, 0) - 1 &&
            tm_zone_latest(zone, autumn + 1800) == utc(2050, 10, 30, 3, 0) - 1 &&
            tm_zone_latest(zone, autumn + 3600) == utc(2050, 10, 30, 3, 0),
        "in the repeated hour the latest time stays");
  check(tally, tm_zone_latest(NULL, 5) == 5 && tm_zone_moment(NULL, 5) == 5, "no zone is UTC");
  tm_zone_free(zone);
  tm_error_clear(&error);
}

/* ---- names ------------------------------------------------------------------------------- */

/* True where loading fails with these words. */
static bool fails(const char *folder, const char *name, int n, const char *words) {
  char *copy = exact_copy(name, n);
  TmError error;
  TmZone *zone;
  bool is_right;

  tm_error_init(&error, "tm_cron");
  zone = tm_zone_load_from(&folder, 1, (TmText){copy, n}, &error);
  is_right = zone == NULL && error.message != NULL && strstr(error.message, words) != NULL;
  if (!is_right)
    printf("  %.*s: %s\n", n, name, error.message != NULL ? error.message : "no error");
  tm_zone_free(zone);
  tm_error_clear(&error);
  free(copy);
  return is_right;
}

static void test_names(Tally *tally) {
  static const char *const bad[] = {"",
                                    "/etc/passwd",
                                    "../../etc/passwd",
                                    "Europe/../Berlin",
                                    "Europe//Berlin",
                                    "Europe/",
                                    "/",
                                    ".",
                                    "tzdata.zi",
                                    "Europe\\Berlin",
                                    "Europe/Ber lin",
                                    "Europe/Berl\xc3\xadn",
                                    "a:b",
                                    "%s"};
  char *utc_name = exact_copy("UTC", 3);
  TmError error;
  TmZone *zone;
  int wrong = 0;

  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    if (!fails("/", bad[k], (int)strlen(bad[k]), "is no name of a zone")) wrong++;
  }
  check(tally, wrong == 0, "a name leads nowhere but below a zone folder");
  check(tally, fails("/", "UTC\0x", 5, "is no name of a zone"), "no NUL in a name");
  check(tally,
        fails("/", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 65,
              "is no name of a zone"),
        "a name has 64 bytes at most");
  check(tally, fails("/nowhere", "Europe/Berlin", 13, "install the package tzdata"),
        "without zone files the error names the cure");
  tm_error_init(&error, "tm_cron");
  zone = tm_zone_load_from(NULL, 0, (TmText){utc_name, 3}, &error);
  check(tally, zone != NULL && error.rc == SQLITE_OK && offset_at(zone, 0) == 0,
        "UTC needs no file");
  tm_zone_free(zone);
  free(utc_name);
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t n) {
  char path[512];
  FILE *file;

  snprintf(path, sizeof path, "%s/%s", folder, name);
  file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, n, file) != n || fclose(file) != 0) abort();
}

/* A folder of zones beside the program. */
static void test_folder(Tally *tally, const char *folder) {
  const char *const names[] = {"UTC", "tzdata.zi", "Test_Berlin", "Test_Huge"};
  const char list[] = "# names\nZ Test_Berlin 1\nL Test_Berlin Test_Alias\nL Test_Cut\nR x 1\n";
  Bytes file = make_file(BERLIN);
  char *huge = calloc(1, TM_ZONE_FILE_MAX_BYTES + 1);
  TmError error;
  TmZone *zone;

  if (huge == NULL) abort();
  write_file(folder, "UTC", file.at, (size_t)file.n);
  write_file(folder, "tzdata.zi", list, sizeof list - 1);
  write_file(folder, "Test_Berlin", file.at, (size_t)file.n);
  write_file(folder, "Test_Huge", huge, TM_ZONE_FILE_MAX_BYTES + 1);
  tm_error_init(&error, "tm_cron");
  zone = tm_zone_load_from(&folder, 1, tm_text_of("Test_Berlin"), &error);
  check(tally, zone != NULL && offset_at(zone, utc(2050, 7, 1, 0, 0)) == 7200,
        "a zone is read from its file");
  tm_zone_free(zone);
  tm_error_nomem(&error);
  check(tally,
        tm_zone_load_from(&folder, 1, tm_text_of("Test_Berlin"), &error) == NULL &&
            tm_zone_read(file.at, file.n, tm_text_of("Test_Berlin"), &error) == NULL &&
            error.rc == SQLITE_NOMEM,
        "after an error no zone is read, and the error stays");
  tm_error_clear(&error);
  check(tally, fails(folder, "Test_Huge", 9, "over 65536 bytes"), "a huge file is not read");
  check(tally,
        fails(folder, "test_berlni", 11, "did you mean 'Test_Berlin'?") &&
            fails(folder, "Test_Alais", 10, "did you mean 'Test_Alias'?") &&
            fails(folder, "utc", 3, "did you mean 'UTC'?"),
        "the nearest name is suggested");
  check(tally, fails(folder, "Nowhere/At_all", 14, "give an IANA name"),
        "where none is near an example is");
  for (int i = 0; i < 4; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    remove(path);
  }
  free(huge);
}

void test_zone(Tally *tally, const char *program) {
  const char *slash = strrchr(program, '/');
  char folder[300];

  snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - program) : 1,
           slash != NULL ? program : ".");
  test_rule_grammar(tally);
  test_rule_spans(tally);
  test_file_without_changes(tally);
  test_file_versions(tally);
  test_file_damage(tally);
  test_file_mutations(tally);
  test_clocks(tally);
  test_names(tally);
  test_folder(tally, folder);
}
