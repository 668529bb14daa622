/* suggest.c - the known word that a mistyped one most likely means.
 * Owns:    the distance of two words, three rows of its matrix at a time.
 * Promise: allocates nothing; a candidate out of reach by length alone costs nothing.
 * Why:     names of queues come from users, by the thousand and of any length. */
#include "base/suggest.h"

#include <string.h>

static char suggest_lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? (char)(letter + ('a' - 'A')) : letter;
}

static int suggest_least(int a, int b, int c) {
  int least = a < b ? a : b;
  return least < c ? least : c;
}

/* Row i of the matrix holds the distances of the candidate's first i letters to each start of the
 * word. A swap of neighbours looks two rows back, hence three of them, used in turn. */
static int suggest_distance(const TmSuggest *suggest, const char *candidate, int n) {
  int rows[3][TM_SUGGEST_WORD_BYTES + 1];
  const char *word = suggest->word;
  int width = suggest->word_bytes;

  for (int j = 0; j <= width; j++) rows[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *row = rows[i % 3];
    const int *above = rows[(i + 2) % 3];
    const int *second_above = rows[(i + 1) % 3];
    char letter = suggest_lower(candidate[i - 1]);
    char letter_before = i > 1 ? suggest_lower(candidate[i - 2]) : letter;

    row[0] = i;
    for (int j = 1; j <= width; j++) {
      int replaced = above[j - 1] + (letter == word[j - 1] ? 0 : 1);
      row[j] = suggest_least(above[j] + 1, row[j - 1] + 1, replaced);
      if (i > 1 && j > 1 && letter == word[j - 2] && letter_before == word[j - 1]) {
        int swapped = second_above[j - 2] + 1;
        if (swapped < row[j]) row[j] = swapped;
      }
    }
  }
  return rows[n % 3][width];
}

void tm_suggest_init(TmSuggest *suggest, const char *word, int n) {
  memset(suggest, 0, sizeof *suggest);
  if (n < 0 || n > TM_SUGGEST_WORD_BYTES) {
    suggest->word_bytes = -1;
    return;
  }
  suggest->word_bytes = n;
  suggest->distance = TM_SUGGEST_REACH(n) + 1;
  for (int i = 0; i < n; i++) suggest->word[i] = suggest_lower(word[i]);
}

void tm_suggest_offer(TmSuggest *suggest, const char *candidate, int n) {
  int word_bytes = suggest->word_bytes;
  int distance;

  if (word_bytes < 0 || n <= 0) return;
  /* Each byte that one is longer than the other costs an insertion at least. */
  if (n >= word_bytes + suggest->distance || word_bytes >= n + suggest->distance) return;
  distance = suggest_distance(suggest, candidate, n);
  if (distance >= suggest->distance) return;
  suggest->distance = distance;
  memcpy(suggest->best, candidate, (size_t)n);
  suggest->best[n] = '\0';
}

const char *tm_suggest_best(const TmSuggest *suggest) {
  return suggest->best[0] != '\0' ? suggest->best : NULL;
}

const char *tm_suggest(const char *word, int n, const char *const *known, int count) {
  TmSuggest suggest;
  const char *best = NULL;

  tm_suggest_init(&suggest, word, n);
  for (int i = 0; i < count; i++) {
    int distance = suggest.distance;
    tm_suggest_offer(&suggest, known[i], (int)strlen(known[i]));
    if (suggest.distance < distance) best = known[i];
  }
  return best;
}
