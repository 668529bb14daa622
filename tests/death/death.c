/* death.c - the supervisor: starts workers, kills them, starts them again.
 * Owns:    who lives. It never opens a database, so that a forked worker inherits none.
 * Promise: SIGKILL comes at random moments; now and then a worker sleeps through its leases instead
 *          (SIGSTOP). At the end those left finish what they do, and so do their ledgers.
 * Why:     a fork is some hundred microseconds, a new program thirty milliseconds: a thousand kills
 *          fit into half a minute.
 *
 *   death FOLDER KILLS SECONDS SEED VERSION wal|delete [lawless]
 *
 * It goes on until there were so many kills and so many seconds have passed. Between two kills some
 * operations are acknowledged, however slow the machine.
 *
 * Prints `kills N`, `pauses N` and, for a worker that ended by itself, `died N`; exit status 1
 * then.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "death.h"

#define WORKERS       8
#define KILL_US       16000 /* on average, where no more time was asked for */
#define PAUSE_ONE_IN  16
#define PAUSE_US      120000 /* longer than a lease */
#define FINISH_SECOND 20
#define LEAST_WORK    5     /* operations acknowledged between two kills */
#define PATIENCE_MS   10000 /* nobody may be able to work */

typedef struct Worker {
  pid_t pid;
  long long wakes_us; /* when it is paused until; 0: it runs */
} Worker;

typedef struct Supervisor {
  Plan plan;
  Worker workers[WORKERS];
  int kills, pauses, died;
  int enough; /* as many acknowledged as the next kill waits for */
} Supervisor;

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static pid_t start(Supervisor *s, int slot, void (*job)(const Plan *)) {
  fflush(stdout);
  s->plan.slot = slot;
  s->plan.life++;
  pid_t pid = fork();
  if (pid < 0) {
    perror("fork");
    exit(1);
  }
  if (pid == 0) {
    job(&s->plan);
    _exit(0);
  }
  return pid;
}

/* One that ended without being asked to. */
static void reap(Supervisor *s, Worker *worker) {
  int status;
  while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM)) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  s->died++;
  printf("died: worker %d of itself, status %d\n", (int)worker->pid, status);
}

static void wake(Supervisor *s, long long at_us) {
  for (int i = 0; i < WORKERS; i++) {
    Worker *worker = &s->workers[i];
    if (worker->wakes_us == 0 || worker->wakes_us > at_us) continue;
    kill(worker->pid, SIGCONT);
    worker->wakes_us = 0;
  }
}

/* On a machine that is slow and busy nothing seldom would be done in the time between two kills. */
static void wait_for_work(Supervisor *s) {
  for (int ms = 0; ms < PATIENCE_MS && *s->plan.acknowledged < s->enough; ms++) {
    usleep(1000);
    wake(s, now_us());
  }
  s->enough = *s->plan.acknowledged + LEAST_WORK;
}

static void run(Supervisor *s) {
  long long until_us = now_us() + (long long)(s->plan.seconds * 1e6);
  int pause_us = (int)(s->plan.seconds * 1e6 / (s->plan.kills + 1));
  if (pause_us < KILL_US) pause_us = KILL_US;
  for (int i = 0; i < WORKERS; i++) s->workers[i].pid = start(s, i, death_work);
  while (s->kills < s->plan.kills || now_us() < until_us) {
    usleep((useconds_t)(pause_us / 4 + rand() % (pause_us * 3 / 2)));
    wake(s, now_us());
    Worker *worker = &s->workers[rand() % WORKERS];
    if (rand() % PAUSE_ONE_IN == 0) {
      if (worker->wakes_us) continue;
      kill(worker->pid, SIGSTOP);
      worker->wakes_us = now_us() + PAUSE_US;
      s->pauses++;
    } else {
      wait_for_work(s);
      kill(worker->pid, SIGKILL);
      reap(s, worker);
      s->kills++;
      worker->wakes_us = 0;
      worker->pid = start(s, (int)(worker - s->workers), death_work);
    }
  }
}

static void finish(Supervisor *s) {
  wake(s, now_us() + PAUSE_US);
  for (int i = 0; i < WORKERS; i++) kill(s->workers[i].pid, SIGTERM);
  alarm(FINISH_SECOND);
  for (int i = 0; i < WORKERS; i++) reap(s, &s->workers[i]);
  alarm(0);
}

int main(int argc, char **argv) {
  if (argc < 7) {
    fprintf(stderr, "usage: death FOLDER KILLS SECONDS SEED VERSION wal|delete [lawless]\n");
    return 2;
  }
  Supervisor s = {.plan = {.folder = argv[1]}};
  s.plan.kills = atoi(argv[2]);
  s.plan.seconds = strtod(argv[3], NULL);
  s.plan.seed = (unsigned)strtoul(argv[4], NULL, 10);
  s.plan.version = strtoll(argv[5], NULL, 10);
  s.plan.is_wal = strcmp(argv[6], "wal") == 0;
  s.plan.is_lawless = argc > 7;
  srand(s.plan.seed);
  s.plan.acknowledged = mmap(NULL, sizeof *s.plan.acknowledged, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (s.plan.acknowledged == MAP_FAILED) {
    perror("mmap");
    return 1;
  }

  Worker setter = {start(&s, 0, death_set_up), 0};
  reap(&s, &setter);
  if (s.died == 0) {
    run(&s);
    finish(&s);
  }
  printf("kills %d\npauses %d\ndied %d\n", s.kills, s.pauses, s.died);
  return s.died > 0;
}
