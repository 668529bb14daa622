/* clock.h - the database's clock: it runs, or it is frozen for tests.
 * Owns:    tm_setting.clock_ms. */
#ifndef TM_CORE_CLOCK_H
#define TM_CORE_CLOCK_H

#include "store/run.h"

/* Freeze the clock at a time; at now plus a duration; let it run. Each returns the
 * time it then is. [out_of_range] beyond the year 9999. */
sqlite3_int64 tm_clock_set(TmRun *run, sqlite3_int64 time_ms);
sqlite3_int64 tm_clock_advance(TmRun *run, sqlite3_int64 duration_ms);
sqlite3_int64 tm_clock_clear(TmRun *run);

/* The clock, also where there is no schema yet: then the machine's. */
sqlite3_int64 tm_clock_now(TmRun *run);

#endif
