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

/* [name_taken] where a table of the database hides a virtual table of the library. */
void tm_schema_need_names(TmRun *run);

/* Set [schema_changed] where one of our tables, indexes, triggers or views is missing or other than
 * the library makes it. Columns that somebody has added to a table do not matter, nor do indexes,
 * triggers and views of other names. */
void tm_schema_inspect(TmRun *run);

/* The first that is so: its name, and *is_there; NULL for none. */
const char *tm_schema_altered(TmRun *run, bool *is_there);

/* True where a row of sqlite_schema is what the library makes of this part. */
struct TmSchemaPart;
bool tm_schema_is_part(const struct TmSchemaPart *part, const char *type, TmText sql);

/* Make [rule_broken] of an error by which a rule of our tables refused a write of ours; what is an
 * application's own (its constraints, unique indexes, foreign keys) passes on as it is. */
void tm_schema_blame(TmRun *run);

/* How many states and moves the library has. */
#define TM_GRAPH_STATES                                 (0 TM_STATES(TM_GRAPH_COUNT_STATE))
#define TM_GRAPH_MOVES                                  (0 TM_MOVES(TM_GRAPH_COUNT_MOVE))
#define TM_GRAPH_COUNT_STATE(name, text, kind, meaning) +1
#define TM_GRAPH_COUNT_MOVE(from, to)                   +1

/* What the database has of them. */
typedef struct TmGraph {
  sqlite3_int64 states, moves;
  bool is_there;   /* every row of the library, and the one of tm_setting */
  char wrong[128]; /* the first row that one of the two has and the other not, "" for none */
} TmGraph;

void tm_schema_graph(TmRun *run, TmGraph *graph);

#endif
