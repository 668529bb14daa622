/* suggest_test.c - the word that was meant.
 * Promise: every word is read from a block of its exact size. */
#include "base_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

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
  tm_suggest_init(&suggest, candidate, -1);
  tm_suggest_offer(&suggest, candidate, 0);
  check(tally, tm_suggest_best(&suggest) == NULL, "nor do they for none");
}

void test_suggest(Tally *tally) {
  test_suggest_known(tally);
  test_suggest_offers(tally);
}
