/* fn_cron.h - the look-ups of schedules, as function and as rows.
 * Owns:    the bound on one look-up.
 * Promise: both faces answer alike. */
#ifndef TM_FACE_FN_CRON_H
#define TM_FACE_FN_CRON_H

#include "face/table.h"

/* At most so many rows of tm_cron at once. */
#define TM_CRON_COUNT_MAX 10000

/* The rows of tm_cron(spec, from_ms, count [, zone]). */
void tm_cron_fill(TmRows *rows, int argc, sqlite3_value **argv);

#endif
