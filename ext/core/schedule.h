/* schedule.h - schedules: made, changed, paused, removed.
 * Owns:    tm_schedule as far as people change it, and how its row is read.
 * Promise: next_ms is always the first slot that is not decided yet. What is wrong with a spec
 *          or a zone is said here, and not when a slot is due. */
#ifndef TM_CORE_SCHEDULE_H
#define TM_CORE_SCHEDULE_H

#include "base/cron.h"
#include "core/enqueue.h"

#define TM_SPEC_MAX_BYTES 1000

typedef enum TmCatchUp { TM_CATCH_UP_NONE, TM_CATCH_UP_ONE, TM_CATCH_UP_ALL } TmCatchUp;
typedef enum TmOverlap { TM_OVERLAP_ALLOW, TM_OVERLAP_SKIP, TM_OVERLAP_QUEUE } TmOverlap;

/* Their names in the columns and options, in the order of the enums; three each. */
extern const char *const tm_catch_up_names[];
extern const char *const tm_overlap_names[];

/* What people say of a schedule. Times are TM_NO_TIME and max_runs 0 where there is none. */
#define TM_NO_TIME (-1)
typedef struct TmSchedule {
  TmText name;
  TmText spec;
  TmText zone; /* absent: UTC */
  TmCatchUp catch_up;
  TmOverlap overlap;
  sqlite3_int64 start_ms, end_ms; /* slots from and up to these, both included */
  sqlite3_int64 max_runs;
  sqlite3_int64 jitter_ms;
  TmEnqueue task; /* with its queue and payload; run_at_ms is the slot's */
} TmSchedule;

/* The same as its row has it, and where it stands. Texts live as long as the statement. */
typedef struct TmScheduleRow {
  TmSchedule schedule;
  bool is_paused;
  sqlite3_int64 next_ms;    /* TM_NO_TIME: it has ended */
  sqlite3_int64 due_ms;     /* TM_NO_TIME with it */
  sqlite3_int64 resumed_ms; /* TM_NO_TIME: never */
  sqlite3_int64 runs;
  sqlite3_int64 revision;
  TmStmt stmt;
} TmScheduleRow;

/* Read a row; false where there is none. Close it with tm_stmt_close(&row->stmt) on every path. */
bool tm_schedule_load(TmRun *run, TmText name, TmScheduleRow *row);

/* Run a write of the row. [write_dropped] where it is not as it should be afterwards. */
void tm_schedule_write(TmStmt *stmt, TmText name, sqlite3_int64 revision, sqlite3_int64 next_ms,
                       bool is_paused);

/* When its slots are: an error for what is no spec or no zone. The zone is good until the next zone
 * is asked for, so before anything of somebody else's may run. */
typedef struct TmRhythm {
  TmCron cron;
  const TmZone *zone;
} TmRhythm;
bool tm_schedule_rhythm(TmRun *run, const TmSchedule *schedule, TmRhythm *rhythm);

/* Make it, or change it where it is there. The queue is made where it is missing, unless queues
 * are strict. Returns the next slot, TM_NO_TIME where there is none. */
sqlite3_int64 tm_schedule_put(TmRun *run, const TmSchedule *schedule);

/* [no_such_schedule] with the nearest name where there is none. */
void tm_schedule_set_paused(TmRun *run, TmText name, bool is_paused);
void tm_schedule_remove(TmRun *run, TmText name);

/* What the doctor asks: of those that are not paused and have not ended. */
typedef struct TmScheduleHealth {
  sqlite3_int64 count;
  sqlite3_int64 overdue;   /* due for more than a minute, and nobody came */
  sqlite3_int64 oldest_ms; /* the longest of that */
  sqlite3_int64 broken;    /* cannot fire as things are */
  char *what;              /* of the first broken one, or NULL; freed by the caller */
} TmScheduleHealth;
void tm_schedule_health(TmRun *run, TmScheduleHealth *health);

#endif
