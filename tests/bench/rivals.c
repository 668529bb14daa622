/* rivals.c - several processes on one file.
 * Owns:    throughput, errors, duplicates and fairness under contention.
 * Promise: the processes begin at one moment and share a fixed number of tasks; what each
 *          did is counted by itself, and by the database at the end.
 * Why:     SQLite has one writer: more processes cannot be faster, but none may fail. */
#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASKS   6000
#define MAX_CPU 4

/* Seen by all of them. */
typedef struct Board {
  volatile int may_go;
  int done[MAX_CPU];
  int errors[MAX_CPU];
  double ended_us[MAX_CPU];
} Board;

/* One statement, errors counted instead of ending the program. */
static bool rivals_step(sqlite3_stmt *stmt, int *errors) {
  int rc = sqlite3_step(stmt);

  while (rc == SQLITE_ROW) rc = sqlite3_step(stmt);
  if (sqlite3_reset(stmt) == SQLITE_OK && rc == SQLITE_DONE) return true;
  ++*errors;
  return false;
}

static void rivals_work(const Settings *settings, const char *path, Board *board, int me) {
  Subject s;

  bench_open(&s, &bench_tm, settings->so, path, false);
  while (!board->may_go) usleep(100);
  for (;;) {
    sqlite3_stmt *claim = s.stmts[STMT_CLAIM];
    sqlite3_int64 id = 0;
    sqlite3_int64 token = 0;
    if (sqlite3_step(claim) == SQLITE_ROW && sqlite3_column_type(claim, 0) == SQLITE_TEXT) {
      sscanf((const char *)sqlite3_column_text(claim, 0), "{\"id\":%lld,\"token\":%lld", &id,
             &token);
    }
    if (sqlite3_reset(claim) != SQLITE_OK) {
      board->errors[me]++;
      continue;
    }
    if (id == 0) break;
    sqlite3_bind_int64(s.stmts[STMT_COMPLETE], 1, id);
    sqlite3_bind_int64(s.stmts[STMT_COMPLETE], 2, token);
    if (rivals_step(s.stmts[STMT_COMPLETE], &board->errors[me])) board->done[me]++;
  }
  board->ended_us[me] = bench_now_us();
  bench_close(&s);
}

static void rivals_fill(const Settings *settings, const char *path) {
  Subject s;

  bench_open(&s, &bench_tm, settings->so, path, true);
  for (int i = 0; i < TASKS / BENCH_BULK; i++) s.kind->bulk(&s);
  bench_close(&s);
}

/* Tasks that were not handed out exactly once, as the database saw it. */
static int rivals_wrong(const Settings *settings, const char *path) {
  Subject s;

  bench_open(&s, &bench_tm, settings->so, path, false);
  sqlite3_int64 wrong =
      bench_number(s.db, "SELECT count(*) FROM tm_task WHERE state <> 'completed' OR token <> 1");
  sqlite3_int64 lost = TASKS - bench_number(s.db, "SELECT count(*) FROM tm_task");
  bench_close(&s);
  return (int)(wrong + lost);
}

static double rivals_run(const Settings *settings, int processes) {
  Board *board =
      mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char *path = bench_path(settings, "rivals");
  char name[64];
  int done = 0, errors = 0, least = TASKS, most = 0;

  if (board == MAP_FAILED) bench_fail("rivals", "no shared memory");
  rivals_fill(settings, path);
  fflush(stdout);
  for (int i = 0; i < processes; i++) {
    if (fork() == 0) {
      rivals_work(settings, path, board, i);
      _exit(0);
    }
  }
  usleep(200000);
  double start = bench_now_us();
  board->may_go = 1;
  for (int i = 0; i < processes; i++) wait(NULL);
  double end = start;
  for (int i = 0; i < processes; i++) {
    done += board->done[i];
    errors += board->errors[i];
    if (board->done[i] < least) least = board->done[i];
    if (board->done[i] > most) most = board->done[i];
    if (board->ended_us[i] > end) end = board->ended_us[i];
  }
  double each_second = TASKS / (end - start) * 1e6;
  int wrong = rivals_wrong(settings, path) + (done > TASKS ? done - TASKS : TASKS - done);
  snprintf(name, sizeof name, "rivals_%d_errors", processes);
  bench_report(name, errors);
  snprintf(name, sizeof name, "rivals_%d_duplicates_or_losses", processes);
  bench_report(name, wrong);
  snprintf(name, sizeof name, "rivals_%d_least_share", processes);
  bench_report(name, (double)least / ((double)TASKS / processes));
  snprintf(name, sizeof name, "rivals_%d_most_share", processes);
  bench_report(name, (double)most / ((double)TASKS / processes));
  munmap(board, sizeof *board);
  sqlite3_free(path);
  return each_second;
}

void bench_rivals(const Settings *settings) {
  static const int counts[] = {1, 2, 4};
  double each_second[3][21];
  char name[64];
  int rounds = settings->rounds < 5 ? settings->rounds : 5;

  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < 3; i++) each_second[i][r] = rivals_run(settings, counts[i]);
  }
  for (int i = 0; i < 3; i++) {
    double ratios[21];
    for (int r = 0; r < rounds; r++) ratios[r] = each_second[i][r] / each_second[0][r];
    snprintf(name, sizeof name, "rivals_%d_throughput_ratio", counts[i]);
    bench_report(name, bench_median(ratios, rounds));
  }
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "rivals_%d_each_second", counts[i]);
    bench_report(name, bench_median(each_second[i], rounds));
  }
}
