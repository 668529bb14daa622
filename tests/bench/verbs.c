/* verbs.c - the extension against the same facts by hand.
 * Owns:    the ratios that the project promises.
 * Promise: the subjects take turns within every round, so that what the machine does besides
 *          falls on all of them; the ratio is taken in the round, its median over the rounds.
 * Why:     a time of one machine says nothing to another; a ratio does. */
#include "bench.h"

#include <string.h>

#define BURST      1000
#define MAX_ROUNDS 101

typedef double Measure(Subject *subject);

double bench_burst(Subject *subject, void (*run)(Subject *), int count) {
  double start = bench_now_us();

  for (int i = 0; i < count; i++) run(subject);
  return (bench_now_us() - start) / count;
}

double bench_typical(Subject *subject, void (*run)(Subject *), int count) {
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
  return bench_burst(s, s->kind->probe, BURST);
}

static double measure_cycle(Subject *s) {
  return bench_burst(s, verbs_cycle, BURST);
}

/* Calls in one transaction, its commit included. */
static void verbs_refill(Subject *s, int count) {
  bench_step(s->db, s->stmts[STMT_BEGIN]);
  for (int i = 0; i < count; i++) s->kind->enqueue_inside(s);
  bench_step(s->db, s->stmts[STMT_COMMIT]);
}

static void verbs_calls(Subject *s) {
  verbs_refill(s, BENCH_BULK);
}

static double measure_calls(Subject *s) {
  return bench_typical(s, verbs_calls, 9) / BENCH_BULK;
}

static double measure_bulk(Subject *s) {
  return bench_typical(s, s->kind->bulk, 9) / BENCH_BULK;
}

static double measure_claim_many(Subject *s) {
  return bench_burst(s, s->kind->claim_many, 20) / BENCH_MANY;
}

static double measure_complete_many(Subject *s) {
  return bench_burst(s, s->kind->complete_many, 20) / BENCH_MANY;
}

static double measure_swap(Subject *s) {
  verbs_refill(s, BURST + 1);
  verbs_claim(s);
  return bench_burst(s, s->kind->swap, BURST);
}

static double measure_fail(Subject *s) {
  verbs_refill(s, BURST);
  for (int i = 0; i < BURST; i++) verbs_claim(s);
  return bench_burst(s, s->kind->fail, BURST);
}

static double measure_snooze(Subject *s) {
  verbs_refill(s, BURST);
  for (int i = 0; i < BURST; i++) verbs_claim(s);
  return bench_burst(s, s->kind->snooze, BURST);
}

/* 256 tasks that are due, or whose lease has lapsed, are brought back by one tick. By hand it
 * would be an UPDATE a task: what it is compared with is an enqueue. */
#define UPKEEP 256

static double measure_upkeep(Subject *s, const char *state) {
  char *sql = sqlite3_mprintf(
      "INSERT INTO tm_task (queue, state, run_at_ms, created_ms, moves, moved_ms, attempt, token,"
      " worker, lease_until_ms) SELECT 'upkeep', %Q, 1, 1, 0, 1, 1, 1, 'w', %s"
      " FROM json_each(?1) LIMIT %d",
      state, strcmp(state, "running") == 0 ? "1" : "NULL", UPKEEP);
  sqlite3_stmt *stmt = bench_prepare(s->db, sql);

  bench_exec(s->db, "INSERT OR IGNORE INTO tm_queue (name) VALUES ('upkeep')");
  sqlite3_bind_text(stmt, 1, s->bulk_json, -1, SQLITE_STATIC);
  bench_step(s->db, stmt);
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  stmt = bench_prepare(s->db, "SELECT tm_tick()");
  double start = bench_now_us();
  bench_step(s->db, stmt);
  double took = (bench_now_us() - start) / UPKEEP;
  sqlite3_finalize(stmt);
  bench_exec(s->db, "UPDATE tm_task SET state = 'cancelled' "
                    "WHERE queue = 'upkeep' AND state = 'available'");
  return took;
}

static double measure_promote(Subject *s) {
  return s->kind == &bench_tm ? measure_upkeep(s, "scheduled") : measure_enqueue(s);
}

static double measure_rescue(Subject *s) {
  return s->kind == &bench_tm ? measure_upkeep(s, "running") : measure_enqueue(s);
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
    {"snooze", measure_snooze},           {"promote", measure_promote},
    {"rescue", measure_rescue},
};
#define FIGURES ((int)(sizeof figures / sizeof *figures))

static const Kind *const kinds[] = {&bench_tm, &bench_full, &bench_lean, &bench_kept, &bench_bare};
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
