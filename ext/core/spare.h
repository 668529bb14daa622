/* spare.h - the row of a task with a large payload keeps its size.
 * Owns:    tm_task.spare, empty space before the payload. */
#ifndef TM_CORE_SPARE_H
#define TM_CORE_SPARE_H

#include "core/task.h"

/* Payload and metadata of so many bytes leave the page; then the row is born with room for what
 * its short columns gain in a life, as far as the part of it that stays on the page holds it. */
#define TM_SPARE_FROM_BYTES 3800
#define TM_SPARE_BYTES      300

/* The columns whose size changes in a life, in the order of the query task_sizes. */
typedef enum TmSpareColumn {
  TM_SPARE_STATE,
  TM_SPARE_ATTEMPT,
  TM_SPARE_TOKEN,
  TM_SPARE_LEASE_UNTIL_MS,
  TM_SPARE_MOVES,
  TM_SPARE_MOVED_MS,
  TM_SPARE_STARTED_MS,
  TM_SPARE_EVENT_ID,
  TM_SPARE_PROGRESS,
  TM_SPARE_WORKER,
  TM_SPARE_HELD_FROM,
  TM_SPARE_RUN_AT_MS,
  TM_SPARE_REASON,
  TM_SPARE_NOTE,
  TM_SPARE_ERROR,
  TM_SPARE_RESULT,
  TM_SPARE_COLUMNS
} TmSpareColumn;

/* One write of one row, under way. Where the task has no spare space nothing is read or done. */
typedef struct TmSpare {
  bool is_kept;
  sqlite3_int64 total_bytes; /* what must stay the same */
  sqlite3_int64 bytes[TM_SPARE_COLUMNS];
} TmSpare;

/* Read the sizes as they are; then say what the write sets; then bind what is left. */
void tm_spare_open(TmRun *run, const TmTask *task, TmSpare *spare);
void tm_spare_int(TmSpare *spare, TmSpareColumn column, sqlite3_int64 value);
void tm_spare_text(TmSpare *spare, TmSpareColumn column, TmText text); /* absent: NULL */
void tm_spare_value(TmSpare *spare, TmSpareColumn column, const TmValue *value);
void tm_spare_bind(const TmSpare *spare, TmStmt *stmt, int param); /* of one that is kept */

#endif
