/* flow.c - what a task's place among others costs, among a thousand tasks and among a million.
 * Owns:    a figure for each part: unique keys, dependencies, limits, schedules, pruning.
 * Promise: the databases of a ground are open at once and take turns; their tasks were made by
 *          verbs wherever something is counted along. What a run needs is made before the clock
 *          starts, what it leaves is taken away after it has stopped.
 * Why:     a counter that is a scan, or an edge without an index, is fast until the day it matters.
 *
 *   A ground is one way of filling databases; its rows are what is measured on them. All is SQL:
 *     ?1  a number that rises with each run        ?2  one of the tasks there, from 1 on, anywhere
 *     ?3  an id and                                ?4  a token: the last integers that were read
 *     ?5  how many tasks there were                ?6  the last text that was read
 *     ?7  partitions
 *   A statement that gives a row is asked for one, and what is in it is remembered. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#define MAX_CASES 4
#define MAX_ROUND 21
#define MAX_STEPS 16
#define MAX_ROWS  5
#define MAX_RUNS  100
#define LEAST     2000

/* n (value): 1 up to so many. */
#define COUNT_TO(many)                                                                             \
  "WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < " many ") "
#define BULK(many)                                                                                 \
  COUNT_TO(many) "INSERT INTO tm_command (verb, arg1, arg2, arg3) SELECT 'enqueue', "

/* Keys that fall anywhere in an index. */
#define KEY(number) "format('user:%08x', (" number ") * 2654435761 & 0xffffffff)"

#define CLAIM_ONE "SELECT id, token FROM tm_claim('q', 'worker-1')"
#define CLEAN_UP                                                                                   \
  "DELETE FROM tm_task WHERE id > ?5 AND id <> ?3", "DELETE FROM tm_task WHERE id > ?5"
#define COMPLETE  "SELECT tm_complete(?3, ?4)"
#define FINISH_IT "SELECT ?6 ->> 'id', ?6 ->> 'token'", COMPLETE
#define FINISH_1000                                                                                \
  "INSERT INTO tm_command (verb, arg1, arg2)"                                                      \
  " SELECT 'complete', id, token FROM tm_claim('q', 'worker-1', 1000)"
#define FINISH_5000 FINISH_1000, FINISH_1000, FINISH_1000, FINISH_1000, FINISH_1000

typedef struct Case {
  const char *name;
  double tasks; /* of the size asked for; at least LEAST */
  int partitions;
} Case;

typedef struct Row {
  const char *name;
  int runs;  /* in a round */
  int share; /* how many a run is of */
  const char *before[MAX_STEPS];
  const char *run;
  const char *after[MAX_STEPS];
} Row;

typedef struct Ground {
  const char *name;
  const char *needs; /* what must work on an empty database, or the ground is not there yet */
  const char *fill[MAX_STEPS];
  Case cases[MAX_CASES];
  Row rows[MAX_ROWS];
} Ground;

static const Ground grounds[] = {
    {
        .name = "unique",
        .needs = "SELECT tm_enqueue('q', 1, '{\"unique\":\"k\"}')",
        .fill = {BULK("?5") "'q', value, json_object('unique', " KEY("value") ") FROM n"},
        .cases = {{"1k", 0, 0}, {"1m", 1, 0}},
        .rows =
            {
                {.name = "enqueue_plain",
                 .runs = 40,
                 .share = 1,
                 .run = "SELECT tm_enqueue('q', 1)"},
                {.name = "enqueue_unique",
                 .runs = 40,
                 .share = 1,
                 .before = {"SELECT json_object('unique', " KEY("?5 + ?1") ")"},
                 .run = "SELECT tm_enqueue('q', 1, ?6)"},
                {.name = "enqueue_duplicate",
                 .runs = 40,
                 .share = 1,
                 .before = {"SELECT json_object('unique', " KEY("?2") ")"},
                 .run = "SELECT tm_enqueue('q', 1, ?6)"},
            },
    },
    {
        .name = "after",
        .needs = "SELECT tm_enqueue('q', 1); SELECT tm_enqueue('q', 1, '{\"after\":[1]}')",
        /* Each of the second half waits for one of the first. */
        .fill = {BULK("?5 / 2") "'others', value, NULL FROM n",
                 BULK("?5 / 2") "'others', value, json_object('after', value) FROM n"},
        .cases = {{"1k", 0, 0}, {"1m", 1, 0}},
        .rows =
            {
                {.name = "enqueue_after",
                 .runs = 40,
                 .share = 1,
                 .before = {"SELECT json_object('after', 1 + ?2 % (?5 / 2))"},
                 .run = "SELECT tm_enqueue('others', 1, ?6)",
                 .after = {CLEAN_UP}},
                {.name = "complete_0_dependants",
                 .runs = 40,
                 .share = 1,
                 .before = {"SELECT tm_enqueue('q', 1)", "BEGIN IMMEDIATE", CLAIM_ONE, "COMMIT"},
                 .run = COMPLETE,
                 .after = {CLEAN_UP}},
                {.name = "complete_1_dependant",
                 .runs = 40,
                 .share = 1,
                 .before = {"SELECT tm_enqueue('q', 1)",
                            "SELECT tm_enqueue('others', 1, json_object('after', ?3))",
                            "BEGIN IMMEDIATE", CLAIM_ONE, "COMMIT"},
                 .run = COMPLETE,
                 .after = {CLEAN_UP}},
                {.name = "complete_1000_dependants_each",
                 .runs = 3,
                 .share = 1000,
                 .before = {"SELECT tm_enqueue('q', 1)",
                            BULK("1000") "'others', value, json_object('after', ?3) FROM n",
                            "BEGIN IMMEDIATE", CLAIM_ONE, "COMMIT"},
                 .run = COMPLETE,
                 .after = {CLEAN_UP}},
            },
    },
    {
        .name = "group",
        .needs = "SELECT tm_enqueue('q', 1, '{\"group\":\"g\"}')",
        .fill = {BULK("?5") "'others', value, '{\"group\":\"g\"}' FROM n"},
        .cases = {{"1k", 0, 0}, {"1m", 1, 0}},
        .rows =
            {
                {.name = "enqueue_group",
                 .runs = 40,
                 .share = 1,
                 .run = "SELECT tm_enqueue('others', 1, '{\"group\":\"g\"}')"},
                {.name = "complete_group",
                 .runs = 40,
                 .share = 1,
                 .before = {"SELECT tm_enqueue('q', 1, '{\"group\":\"g\"}')", "BEGIN IMMEDIATE",
                            CLAIM_ONE, "COMMIT"},
                 .run = COMPLETE},
            },
    },
    {
        .name = "partitions",
        .needs = "INSERT INTO tm_queue (name, max_running_per_partition) VALUES ('q', 1);"
                 "SELECT tm_enqueue('q', 1, '{\"partition\":\"p\"}')",
        .fill = {"INSERT INTO tm_queue (name, max_running_per_partition) VALUES ('q', 1)",
                 BULK("?5") "'q', value, json_object('partition', 'p' || (value % ?7)) FROM n"},
        .cases = {{"1k_1", 0, 1}, {"1m_1", 1, 1}, {"1m_1000", 1, 1000}, {"1m_100000", 1, 100000}},
        .rows = {{.name = "claim_partition",
                  .runs = 40,
                  .share = 1,
                  .run = "SELECT tm_claim('q', 'worker-1')",
                  .after = {FINISH_IT}}},
    },
    {
        .name = "fair",
        .needs = "INSERT INTO tm_queue (name, fair) VALUES ('q', 1);"
                 "SELECT tm_enqueue('q', 1, '{\"partition\":\"p\"}')",
        .fill = {"INSERT INTO tm_queue (name, fair) VALUES ('q', 1)",
                 BULK("?5") "'q', value, json_object('partition', 'p' || (value % ?7)) FROM n"},
        .cases = {{"1k_1", 0, 1}, {"1m_1", 1, 1}, {"1m_1000", 1, 1000}, {"1m_100000", 1, 100000}},
        .rows = {{.name = "claim_fair",
                  .runs = 40,
                  .share = 1,
                  .run = "SELECT tm_claim('q', 'worker-1')",
                  .after = {FINISH_IT}}},
    },
    {
        .name = "schedules",
        .needs = "SELECT tm_schedule('s', '@every 1s', 'q', 1)",
        .fill = {BULK("?5") "'q', value, NULL FROM n", "SELECT tm_clock_set(1700000000000)",
                 "SELECT tm_schedule('each second', '@every 1s', 'q', 1)",
                 COUNT_TO("?7") "INSERT INTO tm_command (verb, arg1, arg2, arg3, arg4)"
                                " SELECT 'schedule', 'yearly ' || value, '@yearly', 'q', 1 FROM n"},
        .cases = {{"1k", 0, 1}, {"1m", 1, 1}, {"1m_1000_schedules", 1, 1000}},
        .rows = {{.name = "fire",
                  .runs = 40,
                  .share = 1,
                  .before = {"SELECT tm_clock_advance(1)"},
                  .run = "SELECT tm_tick()"}},
    },
    {
        .name = "retention",
        .needs = "INSERT INTO tm_queue (name, keep_completed_ms) VALUES ('q', 0)",
        /* As many that are not due yet, and noted as those that are. */
        .fill =
            {"INSERT INTO tm_queue (name, keep_completed_ms) VALUES ('q', 0)",
             "SELECT tm_clock_set(1700000000000)",
             COUNT_TO(
                 "?5") "INSERT INTO tm_task (queue, state, run_at_ms, created_ms, moves,"
                       " moved_ms, worker, token, attempt)"
                       " SELECT 'q', 'completed', 1, 1, 0, 1800000000000 + value, 'w', 1, 1 FROM n",
             "INSERT INTO tm_finished (queue, phase, at_ms, task_id)"
             " SELECT queue, state, moved_ms, id FROM tm_task"},
        .cases = {{"1k", 0, 0}, {"1m", 1, 0}},
        .rows = {{.name = "prune_10000_each",
                  .runs = 1,
                  .share = 10000,
                  .before = {"BEGIN IMMEDIATE", BULK("10000") "'q', value, NULL FROM n",
                             FINISH_5000, FINISH_5000, "COMMIT"},
                  .run = "SELECT tm_prune('{\"limit\":10000}')"}},
    },
};
#define GROUNDS ((int)(sizeof grounds / sizeof *grounds))

/* ---- one database ---------------------------------------------------------------------------- */

typedef struct Steps {
  sqlite3_stmt *list[MAX_STEPS];
  int count;
} Steps;

typedef struct Field {
  Subject subject;
  sqlite3_int64 tasks;
  sqlite3_int64 partitions;
  sqlite3_int64 serial;
  sqlite3_int64 id;
  sqlite3_int64 token;
  char *text;
} Field;

static void flow_bind(const Field *f, sqlite3_stmt *stmt) {
  sqlite3_int64 any = 1 + f->serial * 2654435761 % f->tasks;
  sqlite3_int64 numbers[] = {f->serial, any, f->id, f->token, f->tasks, 0, f->partitions};

  for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
    if (i == 6) {
      sqlite3_bind_text(stmt, i, f->text, -1, SQLITE_TRANSIENT);
    } else {
      sqlite3_bind_int64(stmt, i, numbers[i - 1]);
    }
  }
}

static void flow_remember(Field *f, sqlite3_stmt *stmt) {
  switch (sqlite3_column_type(stmt, 0)) {
  case SQLITE_TEXT:
    sqlite3_free(f->text);
    f->text = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
    break;
  case SQLITE_INTEGER:
    f->id = sqlite3_column_int64(stmt, 0);
    if (sqlite3_column_count(stmt) > 1) f->token = sqlite3_column_int64(stmt, 1);
    break;
  default: bench_fail(sqlite3_sql(stmt), "there is nothing");
  }
}

/* Microseconds. */
static double flow_step(Field *f, sqlite3_stmt *stmt) {
  flow_bind(f, stmt);
  double start = bench_now_us();
  if (sqlite3_step(stmt) == SQLITE_ROW) {
    flow_remember(f, stmt);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
    }
  }
  if (sqlite3_reset(stmt) != SQLITE_OK)
    bench_fail(sqlite3_sql(stmt), sqlite3_errmsg(f->subject.db));
  return bench_now_us() - start;
}

static void flow_prepare(Field *f, const char *const *texts, Steps *steps) {
  for (steps->count = 0; steps->count < MAX_STEPS && texts[steps->count]; steps->count++) {
    steps->list[steps->count] = bench_prepare(f->subject.db, texts[steps->count]);
  }
}

static void flow_run(Field *f, const Steps *steps) {
  for (int i = 0; i < steps->count; i++) flow_step(f, steps->list[i]);
}

static void flow_finalize(Steps *steps) {
  for (int i = 0; i < steps->count; i++) sqlite3_finalize(steps->list[i]);
}

static void flow_open(Field *f, const Settings *settings, const Ground *ground, const Case *one) {
  char *path = bench_path(settings, one->name);
  sqlite3_int64 tasks = (sqlite3_int64)(one->tasks * settings->size);

  memset(f, 0, sizeof *f);
  f->tasks = tasks > LEAST ? tasks : LEAST;
  f->partitions = one->partitions;
  bench_open(&f->subject, &bench_tm, settings->so, path, true);
  sqlite3_free(path);
  bench_exec(f->subject.db, "DELETE FROM tm_queue; BEGIN IMMEDIATE");
  for (int i = 0; i < MAX_STEPS && ground->fill[i]; i++) {
    sqlite3_stmt *stmt = bench_prepare(f->subject.db, ground->fill[i]);
    flow_step(f, stmt);
    sqlite3_finalize(stmt);
  }
  bench_exec(f->subject.db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
}

static void flow_close(Field *f) {
  sqlite3_free(f->text);
  bench_close(&f->subject);
}

/* ---- one row --------------------------------------------------------------------------------- */

typedef struct Turn {
  Steps before, run, after;
} Turn;

/* The median of so many runs. */
static double flow_measure(Field *f, const Row *row, const Turn *turn) {
  double times[MAX_RUNS];

  for (int i = 0; i < row->runs; i++) {
    f->serial++;
    flow_run(f, &turn->before);
    times[i] = flow_step(f, turn->run.list[0]) / row->share;
    flow_run(f, &turn->after);
  }
  return bench_median(times, row->runs);
}

static void flow_report(const Row *row, const Case *one, double *times, const double *base,
                        int rounds) {
  double ratios[MAX_ROUND];
  char name[96];

  for (int r = 0; r < rounds; r++) ratios[r] = times[r] / base[r];
  snprintf(name, sizeof name, "flow_%s_%s_ratio", row->name, one->name);
  bench_report(name, bench_median(ratios, rounds));
  snprintf(name, sizeof name, "flow_%s_%s_us", row->name, one->name);
  double sorted[MAX_ROUND];
  memcpy(sorted, times, (size_t)rounds * sizeof *times);
  bench_report(name, bench_median(sorted, rounds));
}

static void flow_row(Field *fields, const Case *cases, int count, const Row *row, int rounds) {
  double times[MAX_CASES][MAX_ROUND];
  Turn turns[MAX_CASES] = {0};

  for (int c = 0; c < count; c++) {
    const char *run[] = {row->run, NULL};
    flow_prepare(&fields[c], row->before, &turns[c].before);
    flow_prepare(&fields[c], run, &turns[c].run);
    flow_prepare(&fields[c], row->after, &turns[c].after);
    flow_measure(&fields[c], row, &turns[c]);
  }
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < count; i++) {
      int c = (i + r) % count;
      times[c][r] = flow_measure(&fields[c], row, &turns[c]);
    }
  }
  for (int c = 0; c < count; c++) {
    flow_report(row, &cases[c], times[c], times[0], rounds);
    flow_finalize(&turns[c].before);
    flow_finalize(&turns[c].run);
    flow_finalize(&turns[c].after);
  }
}

/* ---- one ground ------------------------------------------------------------------------------ */

static bool flow_is_there(const Settings *settings, const Ground *ground) {
  Subject s;
  char *path = bench_path(settings, "probe");

  bench_open(&s, &bench_tm, settings->so, path, true);
  sqlite3_free(path);
  bench_exec(s.db, "DELETE FROM tm_queue");
  bool is_there = sqlite3_exec(s.db, ground->needs, NULL, NULL, NULL) == SQLITE_OK;
  bench_close(&s);
  return is_there;
}

static void flow_ground(const Settings *settings, const Ground *ground, int rounds) {
  Field fields[MAX_CASES];
  int count = 0;

  while (count < MAX_CASES && ground->cases[count].name) {
    flow_open(&fields[count], settings, ground, &ground->cases[count]);
    count++;
  }
  for (int i = 0; i < MAX_ROWS && ground->rows[i].name; i++) {
    flow_row(fields, ground->cases, count, &ground->rows[i], rounds);
  }
  for (int c = 0; c < count; c++) flow_close(&fields[c]);
}

void bench_flow(const Settings *settings) {
  int rounds = settings->rounds < MAX_ROUND ? settings->rounds : MAX_ROUND;

  for (int g = 0; g < GROUNDS; g++) {
    if (flow_is_there(settings, &grounds[g])) {
      flow_ground(settings, &grounds[g], rounds);
    } else {
      char name[96];
      snprintf(name, sizeof name, "flow_%s_missing", grounds[g].name);
      bench_report(name, 1);
    }
  }
}
