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

/* A group that has to end first. */
typedef struct TmGroupNeed {
  TmText name;
  bool takes_final; /* however its tasks end; else all have to complete */
} TmGroupNeed;

/* What the key of a unique task is made of, beside a text. */
enum { TM_UNIQUE_QUEUE = 1, TM_UNIQUE_KIND = 2, TM_UNIQUE_PAYLOAD = 4, TM_UNIQUE_PARTITION = 8 };

/* How long a key is held, and what becomes of an enqueue that finds it held; core/unique.c. */
typedef enum TmUniqueScope {
  TM_UNIQUE_INCOMPLETE, /* until the task is final */
  TM_UNIQUE_QUEUED,     /* until it is claimed */
  TM_UNIQUE_ALL         /* as long as the row exists, or the window lasts */
} TmUniqueScope;

typedef enum TmOnConflict {
  TM_CONFLICT_IGNORE,
  TM_CONFLICT_ERROR,
  TM_CONFLICT_REPLACE,
  TM_CONFLICT_RESCHEDULE
} TmOnConflict;

typedef struct TmUnique {
  TmText key;      /* absent: of the fields alone */
  unsigned fields; /* TM_UNIQUE_ bits */
  TmUniqueScope scope;
  sqlite3_int64 period_ms; /* 0: no window */
  TmOnConflict on_conflict;
} TmUnique;

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
  const TmGroupNeed *group_needs; /* each name once */
  int group_need_count;
  TmText on_failure; /* absent: cancel */
  TmFlowTime expires, deadline;
  sqlite3_int64 timeout_ms; /* 0: none */
  TmUnique unique;          /* where TM_FLOW_UNIQUE */
  TmText group;
  sqlite3_int64 parent_id;
} TmFlow;

/* Write what belongs to a task that was just inserted. In the atomic scope only. */
void tm_flow_born(TmRun *run, const TmFlow *flow, sqlite3_int64 id, TmState state);

/* A waiting task that is replaced gets other times, or none; a row of tm_flow, and the bit with it,
 * where it has none. Returns its bits. */
unsigned tm_flow_set_times(TmRun *run, const TmFlow *flow, sqlite3_int64 id, unsigned bits);

/* Tell of a move that was written; `from` is TM_STATE_COUNT for a birth. */
void tm_flow_moved(TmRun *run, sqlite3_int64 id, unsigned flow, TmState from, TmState to);

#endif
