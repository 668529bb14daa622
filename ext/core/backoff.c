/* backoff.c - how long a failed task waits before its next attempt.
 * Owns:    the three curves and the jitter.
 * Promise: never negative, never over twice max_ms, no overflow for any input.
 * Why:     doubles carry the curve beyond what an integer holds, and then it is cut. */
#include "core/backoff.h"

sqlite3_int64 tm_backoff_delay_ms(int kind, sqlite3_int64 base_ms, sqlite3_int64 max_ms,
                                  double jitter, sqlite3_int64 attempt) {
  double delay = (double)base_ms;
  if (attempt < 1) attempt = 1;
  if (kind == 'l') delay *= (double)attempt;
  for (sqlite3_int64 i = 1; kind == 'e' && i < attempt && delay < (double)max_ms && delay > 0;
       i++) {
    delay *= 2;
  }
  if (delay > (double)max_ms) delay = (double)max_ms;
  if (jitter > 0) {
    unsigned random = 0;
    sqlite3_randomness((int)sizeof random, &random);
    double spread = 2.0 * ((double)random / 4294967295.0) - 1.0;
    delay += delay * jitter * spread;
  }
  return (sqlite3_int64)(delay + 0.5);
}
