#include "bench.h"
void bench_growth(const Settings *s) {
  (void)s;
}
void bench_counts(const Settings *s) {
  (void)s;
}
void bench_rivals(const Settings *s) {
  (void)s;
}
