/* verbs.c - the extension against the same facts by hand.
 * Owns:    the ratios that the project promises.
 * Promise: the subjects take turns within every round, so that what the machine does besides
 *          falls on all of them; the ratio is taken in the round, its median over the rounds.
 * Why:     a time of one machine says nothing to another; a ratio does. */
#include "bench.h"

#include <string.h>

#define BURST      300
#define MAX_ROUNDS 101

typedef double Measure(Subject *subject);

double bench_burst(Subject *subject, void (*run)(Subject *), int count) {
  double times[4096];

  for (int i = 0; i < count; i++) {
    double start = bench_now_us();
    run(subject);
    times[i] = bench_now_us() - start;
  }
  return bench_median(times, count);
}

static void verbs_claim(Subject *s) {
  if (!s->kind->claim(s)) bench_fail(s->kind->name, "nothing to claim");
}

static void verbs_claim_none(Subject *s) {
  if (s->kind->claim(s)) bench_fail(s->kind->name, "the queue should be empty");
}

static void verbs_cycle(Subject *s) {
  s->kind->enqueue(s);
  verbs_claim(s);
  s->kind->complete(s);
}

static double measure_enqueue(Subject *s) {
  return bench_burst(s, s->kind->enqueue, BURST);
}

static double measure_claim(Subject *s) {
  return bench_burst(s, verbs_claim, BURST);
}

static double measure_heartbeat(Subject *s) {
  return bench_burst(s, s->kind->heartbeat, BURST);
}

static double measure_complete(Subject *s) {
  return bench_burst(s, s->kind->complete, BURST);
}

static double measure_empty(Subject *s) {
  return bench_burst(s, verbs_claim_none, BURST);
}

static double measure_cycle(Subject *s) {
  return bench_burst(s, verbs_cycle, BURST);
}

/* Calls in one transaction, its commit included. */
static double measure_calls(Subject *s) {
  double start = bench_now_us();

  bench_step(s->db, s->stmts[STMT_BEGIN]);
  for (int i = 0; i < BENCH_BULK; i++) s->kind->enqueue(s);
  bench_step(s->db, s->stmts[STMT_COMMIT]);
  return (bench_now_us() - start) / BENCH_BULK;
}

static double measure_bulk(Subject *s) {
  double start = bench_now_us();

  s->kind->bulk(s);
  return (bench_now_us() - start) / BENCH_BULK;
}

static double measure_claim_many(Subject *s) {
  return bench_burst(s, s->kind->claim_many, 20) / BENCH_MANY;
}

static double measure_complete_many(Subject *s) {
  return bench_burst(s, s->kind->complete_many, 20) / BENCH_MANY;
}

static double measure_swap(Subject *s) {
  verbs_claim(s);
  return bench_burst(s, s->kind->swap, BURST);
}

static double measure_fail(Subject *s) {
  for (int i = 0; i < BURST; i++) verbs_claim(s);
  return bench_burst(s, s->kind->fail, BURST);
}

static double measure_snooze(Subject *s) {
  for (int i = 0; i < BURST; i++) verbs_claim(s);
  return bench_burst(s, s->kind->snooze, BURST);
}

/* In this order a round leaves what the next measure needs. */
static const struct Figure {
  const char *name;
  Measure *measure;
} figures[] = {
    {"enqueue", measure_enqueue},         {"claim", measure_claim},
    {"heartbeat", measure_heartbeat},     {"complete", measure_complete},
    {"empty_claim", measure_empty},       {"cycle", measure_cycle},
    {"batch_calls", measure_calls},       {"batch_command", measure_bulk},
    {"claim_32", measure_claim_many},     {"complete_32", measure_complete_many},
    {"complete_and_claim", measure_swap}, {"fail", measure_fail},
    {"snooze", measure_snooze},
};
#define FIGURES ((int)(sizeof figures / sizeof *figures))

static const Kind *const kinds[] = {&bench_tm, &bench_full, &bench_kept, &bench_bare};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

static void verbs_name(char *out, int bytes, const char *figure, const char *kind) {
  sqlite3_snprintf(bytes, out, "%s_%s", figure, kind);
}

static void verbs_report(double times[FIGURES][KINDS][MAX_ROUNDS], int rounds) {
  char name[64];

  for (int f = 0; f < FIGURES; f++) {
    for (int k = 1; k < KINDS; k++) {
      double ratios[MAX_ROUNDS];
      for (int r = 0; r < rounds; r++) ratios[r] = times[f][0][r] / times[f][k][r];
      char to[32];
      verbs_name(to, sizeof to, "ratio", kinds[k]->name);
      verbs_name(name, sizeof name, figures[f].name, to);
      bench_report(name, bench_median(ratios, rounds));
    }
    for (int k = 0; k < KINDS; k++) {
      char of[32];
      verbs_name(of, sizeof of, "us", kinds[k]->name);
      verbs_name(name, sizeof name, figures[f].name, of);
      bench_report(name, bench_median(times[f][k], rounds));
    }
  }
}

void bench_verbs(const Settings *settings) {
  static double times[FIGURES][KINDS][MAX_ROUNDS];
  int rounds = settings->rounds < MAX_ROUNDS ? settings->rounds : MAX_ROUNDS;

  for (int r = 0; r < rounds; r++) {
    Subject subjects[KINDS];
    for (int k = 0; k < KINDS; k++) {
      char *path = bench_path(settings, kinds[k]->name);
      bench_open(&subjects[k], kinds[k], settings->so, path, true);
      sqlite3_free(path);
      for (int i = 0; i < 50; i++) verbs_cycle(&subjects[k]);
    }
    for (int f = 0; f < FIGURES; f++) {
      /* Who begins changes from round to round. */
      for (int i = 0; i < KINDS; i++) {
        int k = (i + r) % KINDS;
        times[f][k][r] = figures[f].measure(&subjects[k]);
      }
    }
    for (int k = 0; k < KINDS; k++) bench_close(&subjects[k]);
  }
  verbs_report(times, rounds);
}
