/* fn_claim.h - what the two faces of tm_claim share.
 * Owns:    the bound on one claim.
 * Promise: function, tm_command and virtual table claim alike. */
#ifndef TM_FACE_FN_CLAIM_H
#define TM_FACE_FN_CLAIM_H

#include "store/run.h"

/* At most so many tasks in one claim. */
#define TM_CLAIM_COUNT_MAX 1000

/* A TmClaimRow that appends the task to the sqlite3_str `arg`. */
void tm_claim_write_json(void *arg, TmStmt *row);

#endif
