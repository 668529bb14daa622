/* schema.h - which schema the database has.
 * Owns:    the question "is this database ours, and of which version".
 * Promise: reads only. */
#ifndef TM_STORE_SCHEMA_H
#define TM_STORE_SCHEMA_H

#include "states.h"
#include "store/run.h"

/* The version that this library brings. */
int tm_schema_newest(void);

/* The version that the database has, 0 for none. */
int tm_schema_version(TmRun *run);

/* Set [not_initialized] or [schema_too_new] where the version is not the newest;
 * nothing where it is. */
void tm_schema_explain(TmRun *run);

/* The same for who found no settings: an error in any case. */
void tm_schema_refuse(TmRun *run);

/* How many states and moves the library has, and whether the database has as many; *states and
 * *moves are the database's. */
#define TM_GRAPH_STATES                                 (0 TM_STATES(TM_GRAPH_COUNT_STATE))
#define TM_GRAPH_MOVES                                  (0 TM_MOVES(TM_GRAPH_COUNT_MOVE))
#define TM_GRAPH_COUNT_STATE(name, text, kind, meaning) +1
#define TM_GRAPH_COUNT_MOVE(from, to)                   +1
bool tm_schema_has_graph(TmRun *run, sqlite3_int64 *states, sqlite3_int64 *moves);

#endif
