/* suggest.h - the known word that a mistyped one most likely means.
 * Owns:    the measure: optimal string alignment (insert, delete, replace, swap
 *          of neighbours, one each), letters compared without ASCII case.
 * Promise: work and memory are bounded by TM_SUGGEST_WORD_BYTES per candidate.
 * Why:     "did you mean 'emails'?" turns most errors into a second try. */
#ifndef TM_BASE_SUGGEST_H
#define TM_BASE_SUGGEST_H

#include "base/sqlite.h"

/* A longer word gets no suggestion. */
#define TM_SUGGEST_WORD_BYTES 64

/* How far a candidate may be from a word of n bytes. */
#define TM_SUGGEST_REACH(n) ((n) / 3 > 2 ? (n) / 3 : 2)

/* For candidates that come one by one and do not stay, such as a column of rows. */
typedef struct TmSuggest {
  int word_bytes;                   /* -1 where the word is too long */
  int distance;                     /* of the best so far; one over the reach where there is none */
  char word[TM_SUGGEST_WORD_BYTES]; /* in lower case */
  /* A candidate within reach is at most that much longer than the word. */
  char best[TM_SUGGEST_WORD_BYTES + TM_SUGGEST_REACH(TM_SUGGEST_WORD_BYTES) + 1];
} TmSuggest;

/* Copies the word. */
void tm_suggest_init(TmSuggest *suggest, const char *word, int n);

/* Copies the candidate where it is nearer than all before it; of equals the first stays. */
void tm_suggest_offer(TmSuggest *suggest, const char *candidate, int n);

/* The nearest candidate, living in *suggest, or NULL when none was within reach. */
const char *tm_suggest_best(const TmSuggest *suggest);

/* The nearest of known[0..count-1] (the pointer itself), or NULL when none is within reach. */
const char *tm_suggest(const char *word, int n, const char *const *known, int count);

#endif
