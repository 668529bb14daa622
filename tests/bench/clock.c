/* clock.c - time and medians.
 * Owns:    the only clock of the benchmark.
 * Promise: medians, not means: a checkpoint or a neighbour on the machine moves a mean. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <stdlib.h>
#include <time.h>

double bench_now_us(void) {
  struct timespec now = {0};

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

sqlite3_int64 bench_wall_ms(void) {
  struct timespec now = {0};

  clock_gettime(CLOCK_REALTIME, &now);
  return (sqlite3_int64)now.tv_sec * 1000 + (sqlite3_int64)now.tv_nsec / 1000000;
}

static int clock_compare(const void *a, const void *b) {
  double left = *(const double *)a;
  double right = *(const double *)b;

  return (left > right) - (left < right);
}

double bench_percentile(double *values, int count, double share) {
  if (count == 0) return 0;
  qsort(values, (size_t)count, sizeof *values, clock_compare);
  int at = (int)((double)(count - 1) * share + 0.5);
  return values[at];
}

double bench_median(double *values, int count) {
  return bench_percentile(values, count, 0.5);
}
