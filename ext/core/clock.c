/* clock.c - the database's clock: it runs, or it is frozen for tests.
 * Owns:    tm_setting.clock_ms.
 * Promise: leases, backoff, schedules and history follow it on every connection.
 * Why:     a test that waits for real seconds is not run often enough. */
#include "core/clock.h"

#include "base/os.h"
#include "store/schema.h"

static sqlite3_int64 clock_write(TmRun *run, bool is_frozen, sqlite3_int64 time_ms) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_CLOCK_SET, &s);
  if (is_frozen) tm_stmt_bind_int(&s, TM_P_CLOCK_SET_CLOCK_MS, time_ms);
  bool is_row = tm_stmt_row(&s);
  bool is_set = is_row && tm_stmt_is_null(&s, TM_C_CLOCK_SET_CLOCK_MS) == !is_frozen &&
                tm_stmt_int(&s, TM_C_CLOCK_SET_CLOCK_MS) == (is_frozen ? time_ms : 0);
  tm_stmt_exec(&s);
  if (!tm_run_failed(run) && !is_set) {
    tm_run_dropped(run, "tm_setting");
  }
  return tm_run_set_clock(run, is_frozen, time_ms);
}

sqlite3_int64 tm_clock_set(TmRun *run, sqlite3_int64 time_ms) {
  tm_run_begin(run);
  return clock_write(run, true, time_ms);
}

sqlite3_int64 tm_clock_advance(TmRun *run, sqlite3_int64 duration_ms) {
  tm_run_begin(run);
  sqlite3_int64 time_ms = run->now_ms + duration_ms;
  if (!tm_run_failed(run) && time_ms > TM_TIME_MAX_MS) {
    tm_error_set(&run->error, TM_OUT_OF_RANGE,
                 "the clock would stand at %lld, beyond %lld in the year 9999", time_ms,
                 TM_TIME_MAX_MS);
  }
  return clock_write(run, true, time_ms);
}

sqlite3_int64 tm_clock_clear(TmRun *run) {
  tm_run_begin(run);
  return clock_write(run, false, 0);
}

sqlite3_int64 tm_clock_now(TmRun *run) {
  if (tm_schema_version(run) == 0) return tm_os_wall_us() / 1000;
  tm_run_begin(run);
  return run->now_ms;
}
