/* bench.h - what the parts of the benchmark share.
 *
 *   report.c    `name value` lines on stdout, and the end of the program on an error
 *   clock.c     time, medians, random numbers
 *   subject.c   the database under measurement: the extension, or the same by hand
 *   verbs.c     the extension against the same by hand, in turns
 *   growth.c    the same operation in queues of other sizes
 *   counts.c    what is exact: frames, statements prepared, bytes on disk, memory
 *   flow.c      what a place among others costs
 *   rivals.c    several processes on one file
 *   main.c      picks the section
 *
 * tools/bench runs the sections and makes the table of what they print. */
#ifndef TM_BENCH_H
#define TM_BENCH_H

#include <sqlite3.h>
#include <stdbool.h>

/* ---- report.c ---------------------------------------------------------- */

/* Every failure ends the program: a benchmark that goes on measures nothing. */
void bench_fail(const char *what, const char *why);
void bench_report(const char *name, double value);
void bench_exec(sqlite3 *db, const char *sql);
sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql);
/* Runs to the end and resets. */
void bench_step(sqlite3 *db, sqlite3_stmt *stmt);
sqlite3_int64 bench_number(sqlite3 *db, const char *sql);

/* ---- clock.c ----------------------------------------------------------- */

double bench_now_us(void);
sqlite3_int64 bench_wall_ms(void);
/* Sorts the values. */
double bench_median(double *values, int count);
double bench_percentile(double *values, int count, double share);

/* ---- subject.c --------------------------------------------------------- */

typedef struct Subject Subject;

/* One way of keeping tasks. By hand:
 *
 *   full   the facts that the extension keeps: three disjoint partial indexes (available, delayed,
 *          leased), and one row of history a transition, the birth being one
 *   lean   without the row of the birth, which the extension does not write either
 *   kept   lean, with the foreign keys and checks of the extension
 *   bare   one table with one index and no history
 *
 * Every operation is a transaction of its own, but for enqueue_inside, in the caller's. */
typedef struct Kind {
  const char *name;
  void (*open)(Subject *subject);
  void (*enqueue)(Subject *subject);
  void (*enqueue_inside)(Subject *subject);
  bool (*claim)(Subject *subject);
  void (*complete)(Subject *subject);
  void (*heartbeat)(Subject *subject);
  void (*fail)(Subject *subject);
  void (*snooze)(Subject *subject);
  void (*bulk)(Subject *subject);       /* 1,000 tasks by one statement */
  void (*claim_many)(Subject *subject); /* 32 in one transaction */
  void (*complete_many)(Subject *subject);
  void (*probe)(Subject *subject); /* one look at an empty queue, as an idle worker takes it */
  void (*swap)(Subject *subject);  /* complete one and claim the next in one transaction */
} Kind;

#define BENCH_BULK 1000
#define BENCH_MANY 32
#define BENCH_HELD 4096

enum {
  STMT_BEGIN,
  STMT_COMMIT,
  STMT_ENQUEUE,
  STMT_CHOOSE,
  STMT_CLAIM,
  STMT_COMPLETE,
  STMT_HEARTBEAT,
  STMT_FAIL,
  STMT_SNOOZE,
  STMT_HISTORY,
  STMT_ERROR,
  STMT_BULK,
  STMT_CLAIM_MANY,
  STMT_COMPLETE_MANY,
  STMT_COUNT
};

/* The tasks that were claimed and not yet let go stand in `held`, a ring. */
struct Subject {
  const Kind *kind;
  const char *so;
  sqlite3 *db;
  sqlite3_stmt *stmts[STMT_COUNT];
  sqlite3_int64 ids[BENCH_HELD];
  sqlite3_int64 tokens[BENCH_HELD];
  int held_first;
  int held_count;
  char *bulk_json;
};

extern const Kind bench_tm;
extern const Kind bench_full;
extern const Kind bench_lean;
extern const Kind bench_kept;
extern const Kind bench_bare;

/* A new database at the path, or, where it is `kept`, the one that is there. */
void bench_open(Subject *subject, const Kind *kind, const char *so, const char *path, bool is_new);
void bench_close(Subject *subject);

/* ---- sections ---------------------------------------------------------- */

typedef struct Settings {
  const char *so;
  const char *folder; /* for the databases, which are left there */
  int rounds;
  int size; /* of the large queues of growth */
} Settings;

/* Free it with sqlite3_free(). */
char *bench_path(const Settings *settings, const char *name);
/* `count` runs, in microseconds each: the whole time shared out, checkpoints and all, or the
 * median of them. */
double bench_burst(Subject *subject, void (*run)(Subject *), int count);
double bench_typical(Subject *subject, void (*run)(Subject *), int count);

/* The payload of all tasks, or one of so many bytes; free it with sqlite3_free(). */
extern const char bench_payload[];
char *bench_payload_of(int bytes);
void bench_enqueue_payload(Subject *subject, const char *payload);

void bench_verbs(const Settings *settings);
void bench_growth(const Settings *settings);
void bench_counts(const Settings *settings);
void bench_flow(const Settings *settings);
void bench_rivals(const Settings *settings);
/* A burst of each operation in functions of their own, for callgrind. */
void bench_profile(const Settings *settings);

#endif
