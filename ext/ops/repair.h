/* repair.h - mend what the doctor names and a cure is known for.
 * Owns:    the cures; the checks are the doctor's. */
#ifndef TM_OPS_REPAIR_H
#define TM_OPS_REPAIR_H

#include "store/run.h"

/* One row of what was done. `did` is NULL where nothing was: then `cure` says what a person may
 * do, and is NULL where all is well. The texts live until the call returns. */
typedef void TmRepairRow(void *arg, const char *check, const char *did, const char *cure,
                         sqlite3_int64 rows);

/* True where a cure is known for the check. */
bool tm_repair_knows(const char *check);

/* Mend every check that is not ok, or this one; [bad_argument] with the nearest name for one
 * that there is not. */
void tm_repair_run(TmRun *run, TmText name, TmRepairRow *row, void *arg);

#endif
