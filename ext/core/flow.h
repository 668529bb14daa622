/* flow.h - a task's place among others.
 * Owns:    the bits of tm_task.flow, the row of tm_flow, and who is told of a birth and a move.
 * Promise: a task without flow pays for a look at a number. */
#ifndef TM_CORE_FLOW_H
#define TM_CORE_FLOW_H

#include "core/state.h"
#include "store/run.h"

/* What there is of a task beside its life; the bits are those of sql/migrations/0006_flow. */
enum {
  TM_FLOW_UNIQUE = 1, /* holds, or held, a key */
  TM_FLOW_NEEDS = 2,  /* waits, or waited, for others */
  TM_FLOW_NEEDED = 4, /* others wait, or waited, for it */
  TM_FLOW_GROUP = 8,  /* is one of a group */
  TM_FLOW_TIMES = 16, /* expires, timeout or deadline */
  TM_FLOW_PARTITION = 32,
  TM_FLOW_PARENT = 64,   /* has children */
  TM_FLOW_CHILD = 128,   /* has a parent */
  TM_FLOW_LIMITED = 256, /* never stored: its queue has limits, and counts */
  TM_FLOW_ROW = 186      /* any of those that have a row in tm_flow */
};

/* Another task that has to end first. */
typedef struct TmNeed {
  sqlite3_int64 id;
  bool takes_final; /* however it ends; else it has to complete */
} TmNeed;

/* A time, or so long after the birth. */
typedef struct TmFlowTime {
  bool is_given, is_at;
  sqlite3_int64 ms;
} TmFlowTime;

/* What the options ask for; checked by the face. */
typedef struct TmFlow {
  unsigned bits; /* 0: nothing */
  TmText partition;
  const TmNeed *needs; /* in order of their ids, each once */
  int need_count;
  TmText on_failure; /* absent: cancel */
  TmFlowTime expires, deadline;
  sqlite3_int64 timeout_ms; /* 0: none */
} TmFlow;

/* Write what belongs to a task that was just inserted. In the atomic scope only. */
void tm_flow_born(TmRun *run, const TmFlow *flow, sqlite3_int64 id, TmState state);

/* Tell of a move that was written; `from` is TM_STATE_COUNT for a birth. */
void tm_flow_moved(TmRun *run, sqlite3_int64 id, unsigned flow, TmState from, TmState to);

#endif
