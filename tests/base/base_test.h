/* base_test.h - what the files of the base layer's tests share.
 * Owns:    the tally, and copies in which a sanitizer sees one byte read too many.
 * Promise: no test needs another one. */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <stdbool.h>

typedef struct Tally {
  int passed;
  int failed;
} Tally;

void check(Tally *tally, bool is_true, const char *sentence);

/* A copy that ends where its memory ends, without a terminator; free() it. */
char *exact_copy(const void *bytes, int n);

/* One for each file. Those that are told the program write files beside it, and remove them. */
void test_error(Tally *tally);
void test_watch(Tally *tally, const char *program);
void test_duration(Tally *tally);
void test_suggest(Tally *tally);
void test_json(Tally *tally);
void test_calendar(Tally *tally); /* in zone_test.c */
void test_zone(Tally *tally, const char *program);
void test_cron(Tally *tally);

#endif
