/* wakeup.c - how soon tm_wait wakes, and what it costs while nothing happens.
 * Owns:    two processes on one database: one enqueues and pauses, the other waits and claims.
 * Promise: prints `key value` lines; the folder that it makes is gone afterwards.
 * Why:     such times depend on the machine, so they are measured here and fail no test.
 *
 *   wakeup EXTENSION [WAKE-UPS]      build/tm.so, and 2,000 where nothing is said
 *
 *   wakeup_*         WAL, synchronous NORMAL: from COMMIT, called, to the claim, returned, for
 *                    tasks that came while the other process waited; _late counts the rest
 *   wakeup_full_*    the same with synchronous FULL, so that each commit waits for the disk
 *   wakeup_delete_*  with a rollback journal
 *   wakeup_poll_*    WAL over a VFS that the extension does not know, so that it polls
 *   idle_*           the CPU of a waiter to whom nothing happens, in percent of a core
 *   busy_*           the same while another process commits to another queue without a pause
 *   interrupt_*      from sqlite3_interrupt() in another thread to the end of the call
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define INTERRUPTS   100
#define MOST_WAKEUPS 100000
#define CPU_SECONDS  5
#define OTHER_VFS    "bench-other"
#define PAUSE_MIN_US 1000
#define PAUSE_MAX_US 5000

typedef struct Bench {
  const char *extension;
  int count;
  char folder[200];
  char path[240];
} Bench;

typedef struct Setting {
  const char *name;
  const char *vfs; /* NULL: the default one */
  const char *pragmas;
  int share; /* a `share`th of the wake-ups */
} Setting;

/* What the two processes tell each other. */
typedef struct Shared {
  double cpu_percent;
  long claimed;
  long woken; /* by the task, which was not there before the wait */
  long timed_out;
  double commit_us[MOST_WAKEUPS]; /* when the task with this number was committed */
  double latency_us[MOST_WAKEUPS];
} Shared;

static void die(const char *what, const char *why) {
  fprintf(stderr, "wakeup: %s: %s\n", what, why);
  exit(1);
}

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double cpu_us(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* ---- SQLite ---------------------------------------------------------- */

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) die(sql, sqlite3_errmsg(db));
}

static sqlite3 *open_database(const Bench *bench, const Setting *setting) {
  sqlite3 *db = NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (sqlite3_open_v2(bench->path, &db, flags, setting->vfs) != SQLITE_OK) {
    die("open", sqlite3_errmsg(db));
  }
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
  char *message = NULL;
  if (sqlite3_load_extension(db, bench->extension, NULL, &message) != SQLITE_OK) {
    die(bench->extension, message);
  }
  sqlite3_busy_timeout(db, 20000);
  run(db, setting->pragmas);
  return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) die(sql, sqlite3_errmsg(db));
  return stmt;
}

/* The first column of the only row, and 0 for NULL. */
static double ask(sqlite3_stmt *stmt) {
  if (sqlite3_step(stmt) != SQLITE_ROW) {
    die(sqlite3_sql(stmt), sqlite3_errmsg(sqlite3_db_handle(stmt)));
  }
  double value = sqlite3_column_double(stmt, 0);
  sqlite3_reset(stmt);
  return value;
}

static void make_database(const Bench *bench, const Setting *setting) {
  char path[260];
  unlink(bench->path);
  static const char *const endings[] = {"-wal", "-shm", "-journal"};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s%s", bench->path, endings[i]);
    unlink(path);
  }
  sqlite3 *db = open_database(bench, setting);
  run(db, "SELECT tm_init()");
  run(db, setting->pragmas); /* tm_init() turned WAL on */
  run(db, "INSERT INTO tm_queue (name) VALUES ('wake'), ('other'), ('never')");
  sqlite3_close(db);
}

/* ---- two processes --------------------------------------------------- */

static Shared *share(void) {
  void *memory =
      mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("mmap", "failed");
  return memory;
}

static void await(pid_t child) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) die("fork", "failed");
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void consume(const Bench *bench, const Setting *setting, int count, Shared *shared) {
  sqlite3 *db = open_database(bench, setting);
  sqlite3_stmt *wait = prepare(db, "SELECT tm_wait('wake', 20)");
  sqlite3_stmt *claim = prepare(db, "SELECT tm_claim('wake', 'w') ->> '$.payload'");
  sqlite3_stmt *complete =
      prepare(db, "SELECT tm_complete(id, token) FROM (SELECT max(id) AS id, 1 AS token "
                  "FROM tm_task WHERE queue = 'wake' AND state = 'running')");
  sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE");
  sqlite3_stmt *commit = prepare(db, "COMMIT");
  while (shared->claimed < count) {
    double waits_us = now_us();
    if (ask(wait) == 0) {
      if (++shared->timed_out > 3) die("tm_wait", "timed out");
      continue;
    }
    int number = (int)ask(claim);
    double claimed_us = now_us();
    if (number == 0) continue;
    shared->claimed++;
    double commit_us = shared->commit_us[number];
    if (commit_us > waits_us) shared->latency_us[shared->woken++] = claimed_us - commit_us;
    sqlite3_step(begin);
    sqlite3_reset(begin);
    ask(complete);
    sqlite3_step(commit);
    sqlite3_reset(commit);
  }
  exit(0);
}

static void produce(const Bench *bench, const Setting *setting, int count, Shared *shared) {
  sqlite3 *db = open_database(bench, setting);
  sqlite3_stmt *enqueue = prepare(db, "SELECT tm_enqueue('wake', ?)");
  unsigned seed = 1;
  usleep(200000);
  for (int number = 1; number <= count; number++) {
    usleep((unsigned)(PAUSE_MIN_US + rand_r(&seed) % (PAUSE_MAX_US - PAUSE_MIN_US)));
    run(db, "BEGIN IMMEDIATE");
    sqlite3_bind_int(enqueue, 1, number);
    ask(enqueue);
    shared->commit_us[number] = now_us();
    run(db, "COMMIT");
  }
  sqlite3_finalize(enqueue);
  sqlite3_close(db);
}

static void measure_wakeup(const Bench *bench, const Setting *setting) {
  int count = bench->count / setting->share;
  Shared *shared = share();
  make_database(bench, setting);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) consume(bench, setting, count, shared);
  produce(bench, setting, count, shared);
  await(child);
  long woken = shared->woken;
  if (woken == 0) die(setting->name, "nothing was waited for");
  qsort(shared->latency_us, (size_t)woken, sizeof(double), by_value);
  printf("%s_count %ld\n", setting->name, woken);
  printf("%s_late %ld\n", setting->name, count - woken);
  printf("%s_p50_us %.0f\n", setting->name, shared->latency_us[woken / 2]);
  printf("%s_p99_us %.0f\n", setting->name, shared->latency_us[woken * 99 / 100]);
  printf("%s_max_us %.0f\n", setting->name, shared->latency_us[woken - 1]);
  printf("%s_timed_out %ld\n", setting->name, shared->timed_out);
}

/* ---- CPU ------------------------------------------------------------- */

static void keep_committing(const Bench *bench, const Setting *setting) {
  sqlite3 *db = open_database(bench, setting);
  sqlite3_stmt *enqueue = prepare(db, "SELECT tm_enqueue('other', 'x')");
  long commits = 0;
  double until_us = now_us() + CPU_SECONDS * 1e6;
  while (now_us() < until_us) {
    ask(enqueue);
    commits++;
  }
  printf("busy_commits_per_s %.0f\n", (double)commits / CPU_SECONDS);
  sqlite3_finalize(enqueue);
  sqlite3_close(db);
}

/* Waiting `CPU_SECONDS` for nothing; the other process is idle, or commits all the time. */
static void measure_cpu(const Bench *bench, const Setting *setting, bool is_busy) {
  Shared *shared = share();
  make_database(bench, setting);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    sqlite3 *db = open_database(bench, setting);
    sqlite3_stmt *warm = prepare(db, "SELECT tm_wait('never', '1ms')");
    char text[80];
    snprintf(text, sizeof text, "SELECT tm_wait('never', %d)", CPU_SECONDS);
    sqlite3_stmt *wait = prepare(db, text);
    ask(warm);
    double began_us = cpu_us();
    ask(wait);
    shared->cpu_percent = (cpu_us() - began_us) / (CPU_SECONDS * 1e6) * 100;
    exit(0);
  }
  if (is_busy) keep_committing(bench, setting);
  await(child);
  printf("%s_cpu_percent %.3f\n", setting->name, shared->cpu_percent);
}

/* ---- interrupts ------------------------------------------------------ */

typedef struct Interruption {
  sqlite3 *db;
  unsigned after_us;
  double at_us;
} Interruption;

static void *interrupt(void *arg) {
  Interruption *it = arg;
  usleep(it->after_us);
  it->at_us = now_us();
  sqlite3_interrupt(it->db);
  return NULL;
}

static void measure_interrupt(const Bench *bench, const Setting *setting) {
  double late_us[INTERRUPTS];
  unsigned seed = 2;
  make_database(bench, setting);
  Interruption it = {.db = open_database(bench, setting)};
  sqlite3_stmt *wait = prepare(it.db, "SELECT tm_wait('never', 20)");
  for (int i = 0; i < INTERRUPTS; i++) {
    pthread_t thread;
    it.after_us = 20000 + (unsigned)rand_r(&seed) % 20000;
    pthread_create(&thread, NULL, interrupt, &it);
    int rc = sqlite3_step(wait);
    double ended_us = now_us();
    pthread_join(thread, NULL);
    if (rc != SQLITE_INTERRUPT) die("interrupt", sqlite3_errmsg(it.db));
    late_us[i] = ended_us - it.at_us;
    sqlite3_reset(wait);
  }
  sqlite3_finalize(wait);
  sqlite3_close(it.db);
  qsort(late_us, INTERRUPTS, sizeof(double), by_value);
  printf("%s_p50_us %.0f\n", setting->name, late_us[INTERRUPTS / 2]);
  printf("%s_max_us %.0f\n", setting->name, late_us[INTERRUPTS - 1]);
}

/* ---- the program ----------------------------------------------------- */

static void register_other_vfs(void) {
  static sqlite3_vfs other;
  other = *sqlite3_vfs_find(NULL);
  other.zName = OTHER_VFS;
  other.pNext = NULL;
  sqlite3_vfs_register(&other, 0);
}

int main(int argc, char **argv) {
  static const char normal[] = "PRAGMA synchronous = NORMAL";
  static const Setting settings[] = {
      {"wakeup", NULL, normal, 1},
      {"wakeup_full", NULL, "PRAGMA synchronous = FULL", 2},
      {"wakeup_delete", NULL, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = NORMAL", 4},
      {"wakeup_poll", OTHER_VFS, normal, 4},
  };
  Bench bench = {.extension = argc > 1 ? argv[1] : NULL, .count = argc > 2 ? atoi(argv[2]) : 2000};
  if (!bench.extension || bench.count < 100 || bench.count >= MOST_WAKEUPS) {
    fprintf(stderr, "usage: wakeup EXTENSION [WAKE-UPS]\n");
    return 2;
  }
  const char *tmp = getenv("TMPDIR");
  snprintf(bench.folder, sizeof bench.folder, "%s/wakeup.XXXXXX", tmp ? tmp : "/tmp");
  if (!mkdtemp(bench.folder)) die(bench.folder, "cannot be made");
  snprintf(bench.path, sizeof bench.path, "%s/test.db", bench.folder);
  register_other_vfs();
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    measure_wakeup(&bench, &settings[i]);
  }
  measure_cpu(&bench, &(Setting){"idle", NULL, normal, 1}, false);
  measure_cpu(&bench, &(Setting){"idle_poll", OTHER_VFS, normal, 1}, false);
  measure_cpu(&bench, &(Setting){"busy", NULL, normal, 1}, true);
  measure_interrupt(&bench, &(Setting){"interrupt", NULL, normal, 1});
  char command[260];
  snprintf(command, sizeof command, "rm -r '%s'", bench.folder);
  return system(command) == 0 ? 0 : 1;
}
