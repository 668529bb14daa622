/* base_test.c - the base layer, called from C without a database in between.
 * Owns:    the forms that SQL tests cannot reach: bounds of memory, exact bytes.
 * Promise: every text is checked in a block of its exact size, so that a sanitizer
 *          sees one byte read too many; no test needs another one.
 * Why:     built with -DSQLITE_CORE against libsqlite3; exit status 1 on a failure. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/error.h"
#include "base/json.h"
#include "base/os.h"
#include "base/suggest.h"
#include "base/watch.h"
#include "base_test.h"

void check(Tally *tally, bool is_true, const char *sentence) {
  printf("%s - %s\n", is_true ? "ok" : "not ok", sentence);
  if (is_true) {
    tally->passed++;
  } else {
    tally->failed++;
  }
}

char *exact_copy(const void *bytes, int n) {
  char *copy = malloc(n > 0 ? (size_t)n : 1);

  if (copy == NULL) abort();
  if (n > 0) memcpy(copy, bytes, (size_t)n);
  return copy;
}

/* -- error ------------------------------------------------------------------------------------- */

static bool error_reads(const TmError *error, int rc, const char *message) {
  if (error->rc != rc) return false;
  if (message == NULL || error->message == NULL) return message == error->message;
  return strcmp(error->message, message) == 0;
}

static void test_error_message(Tally *tally) {
  TmError error;

  tm_error_init(&error, "tm_claim");
  check(tally, error_reads(&error, SQLITE_OK, NULL), "an error starts unset");
  tm_error_clear(&error);
  tm_error_set(&error, TM_NO_SUCH_QUEUE, "no queue %Q, did you mean %Q?", "emials", "emails");
  check(tally,
        error_reads(&error, SQLITE_ERROR,
                    "tm_claim: no queue 'emials', did you mean 'emails'? [no_such_queue]"),
        "a message has subject, words and symbol");
  tm_error_set(&error, TM_CYCLE, "later");
  tm_error_nomem(&error);
  tm_error_sqlite(&error, NULL, SQLITE_BUSY);
  check(tally, error.rc == SQLITE_ERROR && strstr(error.message, "emials") != NULL,
        "the first error stays");
  tm_error_clear(&error);
  check(tally, error_reads(&error, SQLITE_OK, NULL) && strcmp(error.subject, "tm_claim") == 0,
        "a cleared error may be set again");
  tm_error_set(&error, TM_BAD_ARGUMENT, "queue %Q", "a\nb\tc\x01\x7f\xc3\xa9");
  check(tally,
        error_reads(&error, SQLITE_ERROR, "tm_claim: queue 'a?b?c?\x7f\xc3\xa9' [bad_argument]"),
        "control characters of a value show as question marks");
  tm_error_clear(&error);
  check(tally,
        strcmp(tm_error_symbol_text(TM_BAD_ARGUMENT), "bad_argument") == 0 &&
            strcmp(tm_error_symbol_text(TM_WRITE_DROPPED), "write_dropped") == 0 &&
            strcmp(tm_error_symbol_doc(TM_CYCLE), "the dependency would close a cycle") == 0,
        "symbols have their text and doc");
}

static void test_error_sqlite(Tally *tally) {
  TmError error;
  sqlite3 *db = NULL;
  int rc;

  tm_error_init(&error, "tm_claim");
  tm_error_sqlite(&error, NULL, SQLITE_OK);
  tm_error_sqlite(&error, NULL, SQLITE_ROW);
  tm_error_sqlite(&error, NULL, SQLITE_DONE);
  check(tally, error_reads(&error, SQLITE_OK, NULL), "OK, ROW and DONE are no errors");
  tm_error_sqlite(&error, NULL, SQLITE_BUSY_SNAPSHOT);
  check(tally, error_reads(&error, SQLITE_BUSY_SNAPSHOT, NULL),
        "without a connection the code passes on alone");
  tm_error_clear(&error);

  if (sqlite3_open(":memory:", &db) != SQLITE_OK) abort();
  rc = sqlite3_exec(db, "SELECT * FROM nowhere", NULL, NULL, NULL);
  tm_error_sqlite(&error, db, rc);
  check(tally, error_reads(&error, SQLITE_ERROR, "no such table: nowhere"),
        "the connection's text passes on as it is");
  tm_error_clear(&error);
  tm_error_sqlite(&error, db, SQLITE_MISUSE);
  check(tally, error_reads(&error, SQLITE_MISUSE, NULL),
        "an older text of the connection is not taken for a new failure's");
  tm_error_clear(&error);
  rc = sqlite3_exec(db, "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1),(1)", NULL, NULL, NULL);
  tm_error_sqlite(&error, db, rc);
  check(tally, error_reads(&error, SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.a"),
        "a primary code becomes the connection's extended one");
  tm_error_clear(&error);
  tm_error_sqlite(&error, db, SQLITE_NOMEM);
  check(tally, error_reads(&error, SQLITE_NOMEM, NULL), "out of memory carries no text");
  tm_error_clear(&error);
  tm_error_nomem(&error);
  check(tally, error_reads(&error, SQLITE_NOMEM, NULL), "out of memory of ours is the same");
  tm_error_clear(&error);
  sqlite3_close(db);
}

/* -- os ---------------------------------------------------------------------------------------- */

static void test_os(Tally *tally) {
  sqlite3_int64 before_us = tm_os_monotonic_us();
  sqlite3_int64 wall_us = tm_os_wall_us();

  tm_os_sleep_us(0);
  tm_os_sleep_us(-5);
  tm_os_sleep_us(20000);
  check(tally, tm_os_monotonic_us() - before_us >= 19900, "a sleep of 20 ms takes that long");
  check(tally, wall_us > 1577836800000000 && wall_us < 32503680000000000,
        "the wall clock is between the years 2020 and 3000 in microseconds");
}

/* -- watch ------------------------------------------------------------------------------------- */

/* A file of this name, with so many bytes more. */
static void append(const char *path, int n) {
  FILE *file = fopen(path, "a");

  if (file == NULL) abort();
  for (int k = 0; k < n; k++) fputc('x', file);
  if (fclose(file) != 0) abort();
}

static void test_watch_absent(Tally *tally) {
  sqlite3_int64 before_us = tm_os_monotonic_us();

  check(tally, tm_watch_follow(NULL, "anything") == TM_WATCH_NONE, "no watch follows nothing");
  check(tally,
        !tm_watch_sleep(NULL, 0) && !tm_watch_sleep(NULL, -5) && !tm_watch_sleep(NULL, 20000),
        "and hears nothing");
  check(tally, tm_os_monotonic_us() - before_us >= 19900, "but sleeps");
  tm_watch_close(NULL);
}

#ifdef __linux__
static void test_watch(Tally *tally, const char *path) {
  TmWatch *watch = tm_watch_open();

  if (watch == NULL) {
    check(tally, true, "there is no inotify to be had");
    return;
  }
  remove(path);
  check(tally, tm_watch_follow(watch, path) == TM_WATCH_NONE, "what is not there is not watched");
  append(path, 1);
  check(tally,
        tm_watch_follow(watch, path) == TM_WATCH_NEW &&
            tm_watch_follow(watch, path) == TM_WATCH_KEPT,
        "a file is watched once");
  check(tally, !tm_watch_sleep(watch, 0) && !tm_watch_sleep(watch, 1000),
        "without a change there is no news");
  append(path, 1);
  append(path, 1);
  check(tally, tm_watch_sleep(watch, 60000000) && !tm_watch_sleep(watch, 0),
        "what came before the sleep ends it, once");
  for (int k = 0; k < 300; k++) {
    append(path, 1);
    remove(path);
    append(path, 1);
    if (tm_watch_follow(watch, path) != TM_WATCH_NEW) abort();
  }
  check(tally, tm_watch_sleep(watch, 60000000) && !tm_watch_sleep(watch, 0),
        "more news than a buffer holds are taken at once");
  append(path, 1);
  check(tally, tm_watch_sleep(watch, 60000000), "a file that was replaced is watched again");
  remove(path);
  check(tally, tm_watch_sleep(watch, 60000000) && tm_watch_follow(watch, path) == TM_WATCH_NONE,
        "its end is news");
  tm_watch_close(watch);
}
#else
static void test_watch(Tally *tally, const char *path) {
  (void)path;
  check(tally, tm_watch_open() == NULL, "there is no inotify here");
}
#endif

/* -- duration ---------------------------------------------------------------------------------- */

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
  check(tally, real_is(-3153600000.001, TM_DURATION_RANGE, 0), "a millisecond more does not");
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

/* -- suggest ----------------------------------------------------------------------------------- */

static bool suggests(const char *word, const char *expected) {
  static const char *const known[] = {"priority", "delay", "run_at_ms", "max_attempts",
                                      "backoff",  "lease", "kind",      "metadata"};
  int n = (int)strlen(word);
  char *copy = exact_copy(word, n);
  const char *best = tm_suggest(copy, n, known, (int)(sizeof known / sizeof known[0]));

  free(copy);
  if (best == NULL || expected == NULL) return best == expected;
  return strcmp(best, expected) == 0;
}

static void test_suggest_known(Tally *tally) {
  char word[65];

  check(tally, suggests("priorty", "priority"), "a missing letter is found");
  check(tally, suggests("delayy", "delay"), "a letter too many is found");
  check(tally, suggests("daley", "delay"), "two wrong letters are found");
  check(tally, suggests("lesae", "lease"), "swapped neighbours are found");
  check(tally, suggests("Max_Attempts", "max_attempts"), "case does not count");
  check(tally, suggests("maxattemps_", "max_attempts"), "a third of a long word may be wrong");
  check(tally, suggests("colour", NULL), "a word far from all gets nothing");
  check(tally, suggests("metamorphosis", NULL), "a long word far from all gets nothing");
  memset(word, 'x', sizeof word);
  check(tally, tm_suggest(word, 65, (const char *const[]){"x"}, 1) == NULL,
        "a word over 64 bytes gets nothing");
  check(tally, tm_suggest("abc", 3, NULL, 0) == NULL, "nothing known gives nothing");
}

static void test_suggest_offers(Tally *tally) {
  TmSuggest suggest;
  char word[64], candidate[300];

  tm_suggest_init(&suggest, "emials", 6);
  check(tally, tm_suggest_best(&suggest) == NULL, "without offers there is nothing");
  tm_suggest_offer(&suggest, "emailsXX", 8);
  check(tally, tm_suggest_best(&suggest) == NULL, "an offer out of reach is not taken");
  tm_suggest_offer(&suggest, "mails", 5);
  check(tally, strcmp(tm_suggest_best(&suggest), "mails") == 0, "the first near one is taken");
  tm_suggest_offer(&suggest, "emails-and-more", 6);
  check(tally, strcmp(tm_suggest_best(&suggest), "emails") == 0, "a nearer one replaces it");
  tm_suggest_offer(&suggest, "emialx", 6);
  check(tally, strcmp(tm_suggest_best(&suggest), "emails") == 0, "of equals the first stays");

  memset(word, 'a', sizeof word);
  memset(candidate, 'a', sizeof candidate);
  tm_suggest_init(&suggest, word, 64);
  tm_suggest_offer(&suggest, candidate, 300);
  tm_suggest_offer(&suggest, candidate, 86);
  check(tally, tm_suggest_best(&suggest) == NULL, "the longest word has 21 bytes of reach");
  tm_suggest_offer(&suggest, candidate, 85);
  check(tally, strlen(tm_suggest_best(&suggest)) == 85, "the longest candidate fits");
  tm_suggest_init(&suggest, candidate, 65);
  tm_suggest_offer(&suggest, candidate, 65);
  check(tally, tm_suggest_best(&suggest) == NULL, "offers for too long a word do nothing");
}

/* -- json: grammar ----------------------------------------------------------------------------- */

static bool json_accepts(const char *text, int n) {
  TmJsonValue value;
  char *copy = exact_copy(text, n);
  bool is_valid = tm_json_parse(copy, n, &value);

  if (!is_valid && (value.type != TM_JSON_NULL || value.raw != NULL)) abort();
  free(copy);
  return is_valid;
}

static const char *const json_valid[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "12",
    "-1",
    "1.5",
    "1e5",
    "1E+5",
    "1.25e-3",
    "0.0",
    "\"\"",
    "\"a\"",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    " [1 , 2]\n",
    "\t{\"a\" : 1 ,\r\"b\":[{}]}",
    "[[],{}]",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
    "\"\\ud800\"",
    "\"\xff\x7f\"",
    "{\"\":0}",
    "{\"a\":1,\"a\":2}",
    "1e999",
    "123456789012345678901234567890",
    "[1,[2,[3,[4]]],{\"x\":{}}]",
};

static const char *const json_invalid[] = {
    "",           " ",
    "nul",        "nulll",
    "nulL",       "nope",
    "trux",       "fals0",
    "True",       "NaN",
    "Infinity",   "+1",
    "01",         "-",
    "-01",        "1.",
    ".5",         "1e",
    "1e+",        "1.e5",
    "0x10",       "1 2",
    "\"",         "\"a",
    "\"\\\"",     "\"\\x\"",
    "\"\\u12\"",  "\"\\u123g\"",
    "\"\\",       "\"\n\"",
    "\"\x01\"",   "'a'",
    "[",          "]",
    "[1",         "[1,",
    "[1,]",       "[,1]",
    "[1 2]",      "[1}",
    "{",          "}",
    "{]",         "{1:2}",
    "{\"a\"}",    "{\"a\":}",
    "{\"a\":1,}", "{\"a\" 1}",
    "{,}",        "{\"a\":1 \"b\":2}",
    "[1]]",       "{}{}",
    "[1]x",       "// c\n1",
    "[1,/**/2]",  "\xef\xbb\xbf[]",
    "\f[]",       "{a:1}",
    "[\"a\":1]",  "\xc2\xa0[]",
};

static void test_json_grammar(Tally *tally) {
  char sentence[128];

  for (size_t i = 0; i < sizeof json_valid / sizeof json_valid[0]; i++) {
    snprintf(sentence, sizeof sentence, "valid JSON %d is accepted: %s", (int)i, json_valid[i]);
    for (char *at = sentence; *at != '\0'; at++) *at = *at >= ' ' ? *at : '?';
    check(tally, json_accepts(json_valid[i], (int)strlen(json_valid[i])), sentence);
  }
  for (size_t i = 0; i < sizeof json_invalid / sizeof json_invalid[0]; i++) {
    snprintf(sentence, sizeof sentence, "invalid JSON %d is refused: %s", (int)i, json_invalid[i]);
    for (char *at = sentence; *at != '\0'; at++) *at = *at >= ' ' ? *at : '?';
    check(tally, !json_accepts(json_invalid[i], (int)strlen(json_invalid[i])), sentence);
  }
  check(tally, !json_accepts("[1]\0", 4), "a NUL behind the value is refused");
  check(tally, !json_accepts("\"a\0b\"", 5), "a NUL in a string is refused");
}

static void test_json_prefixes(Tally *tally) {
  static const char sample[] =
      "{\"kind\":\"fixed\",\"n\":-12.5e+3,\"list\":[true,false,null,{\"x\":"
      "\"\\u00e9\\ud83d\\ude00\\n"
      "\"},[ ]],\"deep\":{\"a\":{\"b\":[1,2,3]}}, \"last\" : \"\xc3\xa9\"}";
  int n = (int)sizeof sample - 1;
  bool all_refused = true;

  for (int k = 0; k < n; k++) all_refused = all_refused && !json_accepts(sample, k);
  check(tally, all_refused, "every shorter prefix of an object is refused");
  check(tally, json_accepts(sample, n), "the whole object is accepted");
}

/* Any byte in any place: nothing to assert but that no sanitizer speaks, and that what is accepted
 * can be walked to its end. */
static void test_json_mutations(Tally *tally) {
  static const char sample[] = "{\"a\":[1.5e3,\"\\u00e9\\n\",{}],\"b\":{\"c\":null}}";
  int n = (int)sizeof sample - 1;
  bool is_whole = true;

  for (int k = 0; k < n; k++) {
    for (int byte = 0; byte < 256; byte++) {
      char *copy = exact_copy(sample, n);
      TmJsonValue outer, key, value;
      TmJsonIter it;
      int count = 0;

      copy[k] = (char)byte;
      if (tm_json_parse(copy, n, &outer)) {
        tm_json_iter(&outer, &it);
        while (tm_json_next(&it, &key, &value)) count++;
        is_whole = is_whole && it.at == it.end && count > 0 && count <= 3;
      }
      free(copy);
    }
  }
  check(tally, is_whole, "what is accepted of any one-byte change can be walked");
}

static void test_json_depth(Tally *tally) {
  char text[2 * 100000];
  const int deepest = TM_JSON_MAX_DEPTH;

  memset(text, '[', (size_t)deepest);
  memset(text + deepest, ']', (size_t)deepest);
  check(tally, json_accepts(text, 2 * deepest), "1000 arrays in each other are accepted");
  memset(text, '[', (size_t)deepest + 1);
  memset(text + deepest + 1, ']', (size_t)deepest + 1);
  check(tally, !json_accepts(text, 2 * deepest + 2), "1001 are not");
  memset(text, '[', sizeof text / 2);
  memset(text + sizeof text / 2, ']', sizeof text / 2);
  check(tally, !json_accepts(text, (int)sizeof text), "a hundred thousand are refused at once");
  for (int k = 0; k < 1000; k++) memcpy(text + 1 + k * 3, "[],", 3);
  text[1 + 1000 * 3 - 1] = ']';
  check(tally, json_accepts(text, 1 + 1000 * 3), "a thousand side by side are not deep");
}

/* -- json: values ------------------------------------------------------------------------------ */

/* True when `out` holds this; ends it. */
static bool wrote(sqlite3_str *out, const char *expected) {
  char *text = sqlite3_str_finish(out);
  bool is_equal = text != NULL && strcmp(text, expected) == 0;

  sqlite3_free(text);
  return is_equal;
}

static TmJsonValue parsed(const char *text) {
  TmJsonValue value;

  if (!tm_json_parse(text, (int)strlen(text), &value)) abort();
  return value;
}

static bool int_reads(const char *text, sqlite3_int64 expected) {
  TmJsonValue value = parsed(text);

  return value.type == TM_JSON_INT && value.i == expected && value.r == (double)expected;
}

static bool real_reads(const char *text, double expected) {
  TmJsonValue value = parsed(text);

  return value.type == TM_JSON_REAL && value.r == expected && value.i == 0;
}

static void test_json_numbers(Tally *tally) {
  char text[3000];

  check(tally, int_reads("0", 0) && int_reads("-0", 0) && int_reads(" 42 ", 42),
        "small integers are integers");
  check(tally,
        int_reads("9223372036854775807", 9223372036854775807) &&
            int_reads("-9223372036854775808", -9223372036854775807 - 1),
        "the largest and the smallest integer are integers");
  check(tally,
        real_reads("9223372036854775808", 9223372036854775808.0) &&
            real_reads("-9223372036854775809", -9223372036854775808.0) &&
            real_reads("92233720368547758070", 92233720368547758070.0),
        "integers beyond are reals");
  check(tally, real_reads("1.0", 1) && real_reads("1e2", 100) && real_reads("-2.5E-1", -0.25),
        "a point or an exponent makes a real");
  check(tally,
        real_reads("0.1", 0.1) && real_reads("2.2250738585072011e-308", 2.2250738585072011e-308) &&
            real_reads("5e-324", 5e-324) &&
            real_reads("1.7976931348623157e308", 1.7976931348623157e308),
        "reals are rounded to the nearest double");
  check(tally, real_reads("1e999", INFINITY) && real_reads("-1e99999999999999999999", -INFINITY),
        "a real too large is infinite");
  check(tally,
        real_reads("1e-999", 0) && real_reads("0e99999999999999999999", 0) &&
            real_reads("0.000e5", 0),
        "a real too small is zero");

  memset(text, '0', sizeof text);
  memcpy(text, "0.", 2);
  strcpy(text + 2000, "1e1999");
  check(tally, real_reads(text, 1), "leading zeros and a large exponent cancel out");
  memset(text, '0', sizeof text);
  text[0] = '1';
  strcpy(text + 2000, "e-2000");
  check(tally, real_reads(text, 0.1), "so do a long integer and a small exponent");
  /* 1 + 2^-53 lies half way; a digit far behind decides. */
  memset(text, '0', sizeof text);
  memcpy(text, "1.00000000000000011102230246251565404236316680908203125", 55);
  text[2500] = '\0';
  check(tally, real_reads(text, 1.0), "half way goes to even");
  text[2499] = '1';
  check(tally, real_reads(text, 1.0000000000000002), "the 2,500th digit breaks a tie");
}

static void test_json_locale(Tally *tally) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
  bool is_set = false;

  for (size_t i = 0; i < sizeof names / sizeof names[0] && !is_set; i++) {
    is_set = setlocale(LC_NUMERIC, names[i]) != NULL;
  }
  check(tally, real_reads("1.5", 1.5),
        is_set ? "a decimal comma of the locale is not read" : "the C locale reads points");
  /* Some versions of SQLite do not print this one exactly, and the C library has to. */
  tm_json_write_real(out, -1.0783972713012537e+226);
  check(tally, wrote(out, "-1.0783972713012537e+226"),
        is_set ? "nor written" : "the C locale writes points");
  setlocale(LC_NUMERIC, "C");
}

static bool raw_is(const TmJsonValue *value, TmJsonType type, const char *raw) {
  return value->type == type && value->raw_bytes == (int)strlen(raw) &&
         memcmp(value->raw, raw, strlen(raw)) == 0;
}

static void test_json_object(Tally *tally) {
  TmJsonValue outer = parsed(" { \"a\" : [1, {\"x\":2}] ,\"b\":null, \"a\":\"s\\\"}\" } ");
  TmJsonValue key, value;
  TmJsonIter it;

  check(tally,
        outer.type == TM_JSON_OBJECT && outer.raw[0] == '{' &&
            outer.raw[outer.raw_bytes - 1] == '}',
        "an object's slice is without the blanks around it");
  tm_json_iter(&outer, &it);
  check(tally,
        tm_json_next(&it, &key, &value) && raw_is(&key, TM_JSON_TEXT, "\"a\"") &&
            raw_is(&value, TM_JSON_ARRAY, "[1, {\"x\":2}]"),
        "the first member is a key and its exact slice");
  check(tally, tm_json_next(&it, NULL, &value) && raw_is(&value, TM_JSON_NULL, "null"),
        "a key that is not wanted is left out");
  check(tally,
        tm_json_next(&it, &key, &value) && tm_json_equals(&key, "a") &&
            raw_is(&value, TM_JSON_TEXT, "\"s\\\"}\""),
        "a key may come twice, and strings may hold brackets");
  check(tally, !tm_json_next(&it, &key, &value) && !tm_json_next(&it, &key, &value),
        "after the last member there is none, twice");
}

static void test_json_array(Tally *tally) {
  TmJsonValue outer = parsed("[true,false ,\t\"x\",-1.5,{},[]]");
  TmJsonValue key = {.type = TM_JSON_REAL, .i = 77};
  TmJsonValue value[6];
  TmJsonIter it;
  int count = 0;

  tm_json_iter(&outer, &it);
  while (count < 6 && tm_json_next(&it, &key, &value[count])) count++;
  check(tally, count == 6 && !tm_json_next(&it, &key, &value[0]), "an array gives each element");
  check(tally,
        raw_is(&value[0], TM_JSON_TRUE, "true") && raw_is(&value[1], TM_JSON_FALSE, "false") &&
            raw_is(&value[2], TM_JSON_TEXT, "\"x\"") && raw_is(&value[3], TM_JSON_REAL, "-1.5") &&
            raw_is(&value[4], TM_JSON_OBJECT, "{}") && raw_is(&value[5], TM_JSON_ARRAY, "[]"),
        "each with its type and slice");
  check(tally, key.type == TM_JSON_REAL && key.i == 77, "an array leaves the key untouched");
  tm_json_iter(&value[4], &it);
  check(tally, !tm_json_next(&it, &key, &value[0]), "an empty object has no member");
  outer = parsed("[ ]");
  tm_json_iter(&outer, &it);
  check(tally, !tm_json_next(&it, &key, &value[0]), "an empty array has no element");
  outer = parsed("\"[1]\"");
  tm_json_iter(&outer, &it);
  check(tally, !tm_json_next(&it, &key, &value[0]), "a text has no element");
}

static bool text_decodes(const char *json, const char *expected, int expected_bytes) {
  char *copy = exact_copy(json, (int)strlen(json));
  TmJsonValue value;
  bool is_equal = false;

  if (tm_json_parse(copy, (int)strlen(json), &value)) {
    int n = -1;
    char *text = tm_json_text(&value, &n);
    is_equal = text != NULL && n == expected_bytes &&
               memcmp(text, expected, (size_t)expected_bytes) == 0 && text[n] == '\0';
    sqlite3_free(text);
  }
  free(copy);
  return is_equal;
}

static void test_json_text(Tally *tally) {
  TmJsonValue value;

  check(tally, text_decodes("\"\"", "", 0), "an empty string decodes to nothing");
  check(tally, text_decodes("\"h\xc3\xa9llo\"", "h\xc3\xa9llo", 6), "plain bytes stay");
  check(tally, text_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8),
        "each short escape is one byte");
  check(tally, text_decodes("\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", 6),
        "escapes become one to three bytes");
  check(tally, text_decodes("\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!", 5),
        "a pair of surrogates becomes four");
  check(tally,
        text_decodes("\"\\ud800\"", "\xef\xbf\xbd", 3) &&
            text_decodes("\"\\udc00\\ud800\"", "\xef\xbf\xbd\xef\xbf\xbd", 6) &&
            text_decodes("\"\\ud800\\n\"", "\xef\xbf\xbd\n", 4) &&
            text_decodes("\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7),
        "a lone surrogate becomes U+FFFD");
  check(tally, text_decodes("\"a\\u0000b\"", "a\0b", 3), "a NUL is kept and counted");

  value = parsed("\"la\\u0062el\"");
  check(tally, tm_json_equals(&value, "label"), "a word equals its escaped form");
  check(tally,
        !tm_json_equals(&value, "labe") && !tm_json_equals(&value, "labels") &&
            !tm_json_equals(&value, "") && !tm_json_equals(&value, "Label"),
        "a shorter, longer or different word does not");
  value = parsed("\"a\\u0000\"");
  check(tally, !tm_json_equals(&value, "a"), "a NUL does not end a comparison");
  value = parsed("\"\\u00e9\"");
  check(tally, !tm_json_equals(&value, "e"), "a longer character equals no ASCII one");
  value = parsed("\"\"");
  check(tally, tm_json_equals(&value, ""), "nothing equals nothing");
  value = parsed("12");
  check(tally, !tm_json_equals(&value, "12"), "a number is not a word");
}

static void test_json_container(Tally *tally) {
  check(tally,
        tm_json_is_container("{}", 2) && tm_json_is_container(" [1] ", 5) &&
            !tm_json_is_container("1", 1) && !tm_json_is_container("\"{}\"", 4) &&
            !tm_json_is_container("{", 1) && !tm_json_is_container(NULL, 0),
        "valid objects and arrays are containers, and nothing else");
}

/* -- json: writing ----------------------------------------------------------------------------- */

static bool text_writes(const char *text, int n, const char *expected) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  char *copy = exact_copy(text, n);

  tm_json_write_text(out, copy, n);
  free(copy);
  return wrote(out, expected);
}

static bool real_writes(double real, const char *expected) {
  sqlite3_str *out = sqlite3_str_new(NULL);

  tm_json_write_real(out, real);
  return wrote(out, expected);
}

#define FFFD "\xef\xbf\xbd"

static void test_json_write_text(Tally *tally) {
  check(tally, text_writes("", 0, "\"\""), "no bytes make an empty string");
  check(tally,
        text_writes("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80/\x7f", 14,
                    "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80/\x7f\""),
        "characters of every length stay as they are");
  check(tally, text_writes("\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\""),
        "short escapes are used where they exist");
  check(tally, text_writes("a\0\x1f", 3, "\"a\\u0000\\u001f\""), "other controls are \\u00XX");
  check(tally,
        text_writes("\x80"
                    "a\xff",
                    3, "\"" FFFD "a" FFFD "\""),
        "a byte that begins nothing becomes U+FFFD");
  check(tally,
        text_writes("\xc3", 1, "\"" FFFD "\"") && text_writes("\xe2\x82", 2, "\"" FFFD FFFD "\"") &&
            text_writes("\xf0\x9f\x98", 3, "\"" FFFD FFFD FFFD "\"") &&
            text_writes("\xe2\"", 2, "\"" FFFD "\\\"\""),
        "so does each byte of a cut sequence");
  check(tally,
        text_writes("\xc0\xaf", 2, "\"" FFFD FFFD "\"") &&
            text_writes("\xe0\x80\xaf", 3, "\"" FFFD FFFD FFFD "\"") &&
            text_writes("\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\"") &&
            text_writes("\xf4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\"") &&
            text_writes("\xf0\x8f\xbf\xbf", 4, "\"" FFFD FFFD FFFD FFFD "\""),
        "overlong forms, surrogates and codes over U+10FFFF are not UTF-8");
  check(tally,
        text_writes("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 10,
                    "\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\""),
        "the codes next to them are");
}

static void test_json_write_reads_back(Tally *tally) {
  char bytes[256];
  char *json;
  TmJsonValue value;
  sqlite3_str *out = sqlite3_str_new(NULL);
  int n = 0;

  for (int k = 0; k < 256; k++) bytes[k] = (char)k;
  tm_json_write_text(out, bytes, 256);
  n = sqlite3_str_length(out);
  json = sqlite3_str_finish(out);
  check(tally, json != NULL && tm_json_parse(json, n, &value) && value.type == TM_JSON_TEXT,
        "all 256 bytes make a valid string");
  if (json != NULL) {
    char *text = tm_json_text(&value, &n);
    check(tally, text != NULL && n == 128 + 128 * 3 && memcmp(text, bytes, 128) == 0,
          "whose ASCII half reads back as it was");
    sqlite3_free(text);
  }
  sqlite3_free(json);
}

static void test_json_write_real(Tally *tally) {
  sqlite3_uint64 seed = 88172645463325252u;
  int lost = 0;

  check(tally, real_writes(0.1, "0.1") && real_writes(-2.5, "-2.5"), "short reals stay short");
  check(tally, real_writes(1, "1.0") && real_writes(0, "0.0") && real_writes(100000, "100000.0"),
        "whole reals have a point");
  check(tally, real_writes(1e300, "1.0e+300"), "large reals have an exponent");
  check(tally, real_writes(0.1 + 0.2, "0.30000000000000004"), "17 digits where they are needed");
  check(tally,
        real_writes(INFINITY, "null") && real_writes(-INFINITY, "null") && real_writes(NAN, "null"),
        "what is not finite is null");
  for (int k = 0; k < 200000; k++) {
    sqlite3_str *out = sqlite3_str_new(NULL);
    TmJsonValue value;
    double real;
    char *text;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    memcpy(&real, &seed, sizeof real);
    if (!isfinite(real)) real = (double)k / 7;
    tm_json_write_real(out, real);
    text = sqlite3_str_finish(out);
    if (text == NULL || !tm_json_parse(text, (int)strlen(text), &value) ||
        value.type != TM_JSON_REAL || value.r != real) {
      lost++;
    }
    sqlite3_free(text);
  }
  check(tally, lost == 0, "200,000 doubles of any size read back the same");
}

static void test_json_write_hex(Tally *tally) {
  unsigned char bytes[200];
  sqlite3_str *out = sqlite3_str_new(NULL);
  char *text;

  tm_json_write_hex(out, "\x00\x7f\xff\xa5", 4);
  check(tally, wrote(out, "\"007fffa5\""), "bytes are written as lower-case hexadecimal");
  out = sqlite3_str_new(NULL);
  tm_json_write_hex(out, NULL, 0);
  check(tally, wrote(out, "\"\""), "no bytes are an empty string");
  memset(bytes, 0xab, sizeof bytes);
  out = sqlite3_str_new(NULL);
  tm_json_write_hex(out, bytes, (int)sizeof bytes);
  text = sqlite3_str_finish(out);
  check(tally, text != NULL && strlen(text) == 402 && strspn(text + 1, "ab") == 400,
        "many bytes are all there");
  sqlite3_free(text);
}

int main(int argc, char **argv) {
  Tally tally = {0};
  char path[4096];

  /* Beside the program, where it may write. */
  snprintf(path, sizeof path, "%s.watched", argc > 0 ? argv[0] : "base_test");
  test_error_message(&tally);
  test_error_sqlite(&tally);
  test_os(&tally);
  test_watch_absent(&tally);
  test_watch(&tally, path);
  test_duration_text(&tally);
  test_duration_long_text(&tally);
  test_duration_numbers(&tally);
  test_suggest_known(&tally);
  test_suggest_offers(&tally);
  test_json_grammar(&tally);
  test_json_prefixes(&tally);
  test_json_mutations(&tally);
  test_json_depth(&tally);
  test_json_numbers(&tally);
  test_json_locale(&tally);
  test_json_object(&tally);
  test_json_array(&tally);
  test_json_text(&tally);
  test_json_container(&tally);
  test_json_write_text(&tally);
  test_json_write_reads_back(&tally);
  test_json_write_real(&tally);
  test_json_write_hex(&tally);
  test_calendar(&tally);
  test_zone(&tally, argc > 0 ? argv[0] : "");
  test_cron(&tally);
  printf("%d passed, %d failed\n", tally.passed, tally.failed);
  return tally.failed == 0 ? 0 : 1;
}
