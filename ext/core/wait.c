/* wait.c - block until something may be claimable.
 * Owns:    the only call that sleeps.
 * Promise: between two looks no lock, no statement and no snapshot is held, so that
 *          others write and checkpoints truncate the WAL; an interrupt ends it at once.
 * Why:     a look costs some microseconds, so waiting longer and longer between looks, up to
 *          a bound, wakes soon and idles cheaply. */
#include "core/wait.h"

#include "base/os.h"
#include "core/claim.h"

#define WAIT_FIRST_MS 1
#define WAIT_MOST_MS  20

/* How long to sleep: the step, cut where a task becomes due or the time is over sooner. */
static sqlite3_int64 wait_nap(sqlite3_int64 step_ms, sqlite3_int64 left_ms,
                              sqlite3_int64 due_in_ms) {
  sqlite3_int64 nap_ms = step_ms < left_ms ? step_ms : left_ms;
  if (due_in_ms > 0 && due_in_ms < nap_ms) nap_ms = due_in_ms;
  return nap_ms;
}

/* Look at all queues; *due_in_ms is the time to the next that becomes due, 0 for none. */
static bool wait_look(TmRun *run, const TmText *queues, int count, sqlite3_int64 *due_in_ms) {
  *due_in_ms = 0;
  for (int i = 0; i < count && !tm_run_failed(run); i++) {
    TmProbe probe;
    tm_claim_probe(run, queues[i], &probe);
    if (!probe.exists || probe.is_paused) continue;
    if (tm_claim_probe_finds(&probe)) return true;
    sqlite3_int64 next_ms = tm_claim_probe_next_ms(&probe);
    sqlite3_int64 in_ms = next_ms - probe.now_ms;
    if (next_ms && (*due_in_ms == 0 || in_ms < *due_in_ms)) *due_in_ms = in_ms;
  }
  return false;
}

bool tm_wait_run(TmRun *run, const TmText *queues, int count, sqlite3_int64 timeout_ms) {
  sqlite3 *db = run->context->db;
  if (!sqlite3_get_autocommit(db) || sqlite3_txn_state(db, "main") != SQLITE_TXN_NONE) {
    tm_error_set(&run->error, TM_IN_TRANSACTION,
                 "inside a transaction nothing new can be seen, call it on its own");
    return false;
  }
  sqlite3_int64 until_ms = tm_os_monotonic_ms() + timeout_ms;
  sqlite3_int64 step_ms = WAIT_FIRST_MS;
  sqlite3_int64 due_in_ms = 0;
  while (!wait_look(run, queues, count, &due_in_ms)) {
    sqlite3_int64 left_ms = until_ms - tm_os_monotonic_ms();
    if (tm_run_failed(run) || left_ms <= 0) return false;
    /* A frozen clock does not bring anything due by itself. */
    tm_os_sleep_ms((int)wait_nap(step_ms, left_ms, run->is_frozen ? 0 : due_in_ms));
    step_ms = step_ms * 2 < WAIT_MOST_MS ? step_ms * 2 : WAIT_MOST_MS;
  }
  return !tm_run_failed(run);
}
