/* death.h - a workload of many processes, killed at any moment.
 * death.c         the supervisor: starts workers, kills them, starts them again
 * death_worker.c  one worker, and the ledger of what it was told
 *
 * A ledger is a file that only one process writes, a line at a time, with O_APPEND:
 *
 *   I seq us ms VERB ARGUMENT...    about to do this
 *   A seq us ms RESULT...           it returned, so it is committed
 *   E seq us ms SYMBOL              it failed
 *
 * us is the monotonic clock, the same for all processes; ms is the wall clock, by which the
 * database keeps its leases. */
#ifndef DEATH_H
#define DEATH_H

#include <stdatomic.h>
#include <stdbool.h>

typedef struct Plan {
  const char *folder; /* holds work.db, other.db and ledger/ */
  unsigned seed;
  int kills;
  double seconds;
  bool is_wal;
  long long version;        /* the newest of the schema */
  bool is_lawless;          /* claims are made by hand, without the lock: the control */
  int life;                 /* how many workers were started before this one */
  int slot;                 /* its place among the workers, and so its name */
  atomic_int *acknowledged; /* how much was, by all of them; in memory that they share */
} Plan;

/* Make the databases; exits. In a process of its own, so that none is open where workers start. */
void death_set_up(const Plan *plan);

/* Work until SIGTERM, then exit; a failure that is nobody's rule ends the process with status 1. */
void death_work(const Plan *plan);

#endif
