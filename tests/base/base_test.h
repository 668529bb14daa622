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

/* zone_test.c; files are written beside the program, and removed. */
void test_calendar(Tally *tally);
void test_zone(Tally *tally, const char *program);

/* cron_test.c */
void test_cron(Tally *tally);

#endif
