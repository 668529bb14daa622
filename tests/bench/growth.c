/* growth.c - the same operation in queues of other sizes.
 * Owns:    the promise that a verb costs the same whatever state the other tasks are in.
 * Promise: all databases are open at once and take turns, each with its warm cache.
 * Why:     what scans is fast in every demo, and slow on the day it matters. */
#include "bench.h"

#include <stdio.h>

#define BURST     40
#define MAX_ROUND 21

/* Tasks as verbs would have left them. %d is how many. */
#define AVAILABLE                                                                                  \
  "INSERT INTO tm_task (queue, state, run_at_ms, created_ms, moves, moved_ms, payload)"            \
  " SELECT 'q', 'available', 1000 + value, 1, 0, 1, '{\"user\":12345,\"what\":\"mail\"}' FROM n"
#define OTHERS(queue, columns, values)                                                             \
  "INSERT INTO tm_task (queue, run_at_ms, created_ms, moves, moved_ms, payload, " columns ")"      \
  " SELECT '" queue "', 1, 1, 0, 1, '{\"user\":12345,\"what\":\"mail\"}', " values " FROM n"

#define FAR_AWAY "253402300799999"

/* The waiting tasks of the queue, and what stands beside them; shares of the size asked for. */
static const struct Case {
  const char *name;
  double available; /* at least 1,000 */
  double others;
  const char *sql;
  const char *after;
} cases[] = {
    {"1k_available", 0, 0, NULL, NULL},
    {"100k_available", 0.1, 0, NULL, NULL},
    {"1m_available", 1, 0, NULL, NULL},
    {"1m_delayed_first", 0, 1,
     "INSERT INTO tm_task (queue, state, priority, run_at_ms, created_ms, moves, moved_ms)"
     " SELECT 'q', 'scheduled', 100, " FAR_AWAY " - value, 1, 0, 1 FROM n",
     NULL},
    {"100k_leased", 0, 0.1,
     OTHERS("q", "state, worker, token, attempt, lease_until_ms",
            "'running', 'w', 1, 1, " FAR_AWAY " - value"),
     NULL},
    {"1m_finished", 0, 1, OTHERS("q", "state", "'completed'"), NULL},
    {"1m_elsewhere", 0, 1, OTHERS("other", "state", "'available'"), NULL},
    {"analyzed_and_indexed", 0.1, 0.1, OTHERS("other", "state", "'completed'"),
     "CREATE INDEX mine ON tm_task (state, queue, priority);"
     "CREATE INDEX mine_too ON tm_task (queue, state, created_ms); ANALYZE"},
};
#define CASES ((int)(sizeof cases / sizeof *cases))

static void growth_fill(Subject *s, const char *sql, int count) {
  char *text = sqlite3_mprintf("WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 "
                               "FROM n WHERE value < %d) %s",
                               count, sql);

  if (count > 0) bench_exec(s->db, text);
  sqlite3_free(text);
}

static void growth_open(Subject *s, const Settings *settings, const struct Case *one) {
  char *path = bench_path(settings, one->name);
  int available = (int)(one->available * settings->size);

  bench_open(s, &bench_tm, settings->so, path, true);
  sqlite3_free(path);
  bench_exec(s->db, "INSERT INTO tm_queue (name) VALUES ('other'), ('empty')");
  bench_exec(s->db, "BEGIN");
  growth_fill(s, AVAILABLE, available > 2000 ? available : 2000);
  if (one->sql) growth_fill(s, one->sql, (int)(one->others * settings->size));
  bench_exec(s->db, "COMMIT");
  if (one->after) bench_exec(s->db, one->after);
  bench_exec(s->db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void growth_claim(Subject *s) {
  if (!s->kind->claim(s)) bench_fail("growth", "nothing to claim");
}

static void growth_empty(Subject *s) {
  bench_step(s->db, s->stmts[STMT_CHOOSE]);
}

static void growth_report(const char *what, double times[CASES][MAX_ROUND], int rounds) {
  char name[96];

  for (int c = 0; c < CASES; c++) {
    double ratios[MAX_ROUND];
    for (int r = 0; r < rounds; r++) ratios[r] = times[c][r] / times[0][r];
    snprintf(name, sizeof name, "growth_%s_%s_us", what, cases[c].name);
    bench_report(name, bench_median(times[c], rounds));
    snprintf(name, sizeof name, "growth_%s_%s_ratio", what, cases[c].name);
    bench_report(name, bench_median(ratios, rounds));
  }
}

void bench_growth(const Settings *settings) {
  static Subject subjects[CASES];
  static double claims[CASES][MAX_ROUND];
  static double empties[CASES][MAX_ROUND];
  int rounds = settings->rounds < MAX_ROUND ? settings->rounds : MAX_ROUND;

  for (int c = 0; c < CASES; c++) {
    growth_open(&subjects[c], settings, &cases[c]);
    subjects[c].stmts[STMT_CHOOSE] =
        bench_prepare(subjects[c].db, "SELECT tm_claim('empty', 'worker-1')");
    bench_typical(&subjects[c], growth_claim, 20);
  }
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < CASES; i++) {
      int c = (i + r) % CASES;
      claims[c][r] = bench_typical(&subjects[c], growth_claim, BURST);
      empties[c][r] = bench_typical(&subjects[c], growth_empty, BURST);
    }
  }
  growth_report("claim", claims, rounds);
  growth_report("empty", empties, rounds);
  for (int c = 0; c < CASES; c++) bench_close(&subjects[c]);
}
