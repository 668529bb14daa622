/* base_test.c - the base layer, called from C without a database in between.
 * Owns:    the forms that SQL tests cannot reach: bounds of memory, exact bytes.
 * Promise: every text is checked in a block of its exact size, so that a sanitizer
 *          sees one byte read too many; no test needs another one.
 * Why:     built with -DSQLITE_CORE against libsqlite3; exit status 1 on a failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(int argc, char **argv) {
  const char *program = argc > 0 ? argv[0] : "./base_test";
  Tally tally = {0};

  test_error(&tally);
  test_watch(&tally, program);
  test_duration(&tally);
  test_suggest(&tally);
  test_json(&tally);
  test_calendar(&tally);
  test_zone(&tally, program);
  test_cron(&tally);
  printf("%d passed, %d failed\n", tally.passed, tally.failed);
  return tally.failed == 0 ? 0 : 1;
}
