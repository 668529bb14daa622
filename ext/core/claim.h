/* claim.h - give available tasks to a worker.
 * Owns:    the move available -> running, and no other. */
#ifndef TM_CORE_CLAIM_H
#define TM_CORE_CLAIM_H

#include "core/task.h"

/* Called once for each task claimed, in order, with its row as the worker gets it: the columns are
 * TM_C_CLAIM_PROBE_*. What it makes counts only when the claim succeeds. May set run->error. */
typedef void TmClaimRow(void *arg, TmStmt *row);

typedef struct TmClaim {
  const TmText *queues; /* first to last */
  int queue_count;
  TmText worker;
  sqlite3_int64 lease_ms; /* 0: the task's own, or its queue's */
  sqlite3_int64 count;    /* at most so many */
  sqlite3_int64 id;       /* this very task, in one of the queues; 0: the best */
  TmClaimRow *on_row;
  void *arg;
} TmClaim;

/* What a queue has for a claim, now. Times are 0 where there is nothing of the kind. */
typedef struct TmProbe {
  bool exists;
  bool is_paused;
  bool has_available;
  bool has_unsettled;        /* moves by hand whose dependants are still to be told, of any queue */
  sqlite3_int64 next_due_ms; /* the earliest task that waits for a time */
  sqlite3_int64 next_lapse_ms; /* the lease that ends first */
  sqlite3_int64 next_fire_ms;  /* the schedule that is due first */
  sqlite3_int64 next_over_ms;  /* the task whose time is over first, of any queue */
  sqlite3_int64 now_ms;
} TmProbe;

void tm_claim_probe(TmRun *run, TmText queue, TmProbe *probe);

/* Something is there now; and the time at which something will be, 0 for never. */
bool tm_claim_probe_finds(const TmProbe *probe);
sqlite3_int64 tm_claim_probe_next_ms(const TmProbe *probe);

/* False where a claim would find nothing, by reading only: no lock is taken for that. */
bool tm_claim_may_find(TmRun *run, const TmClaim *claim);

/* Claim; returns how many. Fires and promotes what is due and rescues what has lapsed first, in
 * bounded steps. Inside the atomic scope only. */
sqlite3_int64 tm_claim_run(TmRun *run, const TmClaim *claim);

#endif
