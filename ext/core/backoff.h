/* backoff.h - how long a failed task waits before its next attempt.
 * Owns:    the three curves and the jitter. */
#ifndef TM_CORE_BACKOFF_H
#define TM_CORE_BACKOFF_H

#include "base/sqlite.h"

/* The delay in ms after attempt number `attempt` (1 is the first) failed.
 *   fixed        base
 *   linear       base * attempt
 *   exponential  base * 2^(attempt-1)
 * held to `max_ms`, then moved by a random part of up to `jitter` (0..1) of itself, up or
 * down, so that tasks that failed together do not come back together (the reason is the
 * one in Metcalfe and Boggs, Ethernet, 1976). `kind` is the first letter of its name. */
sqlite3_int64 tm_backoff_delay_ms(int kind, sqlite3_int64 base_ms, sqlite3_int64 max_ms,
                                  double jitter, sqlite3_int64 attempt);

#endif
