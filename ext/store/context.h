/* context.h - what the extension keeps for one connection.
 * Owns:    the cache of prepared statements, what is known of the settings, the zones, the depth of
 *          nested calls, the watch that tm_wait sleeps on.
 * Promise: freed with the last function or module of ours that the connection has;
 *          sqlite3_close() never finds a statement of ours open; nothing is shared between
 *          connections.
 * Why:     a connected eponymous virtual table, `tm_keeper`, is the one thing that
 *          SQLite takes down before it looks for open statements at close. */
#ifndef TM_STORE_CONTEXT_H
#define TM_STORE_CONTEXT_H

#include "base/watch.h"
#include "queries.h"
#include "store/zones.h"

#include <stdbool.h>

/* What the database says of itself. `stamp` is a random number that changes with all that is kept
 * here and with the rows of tm_queue: whoever reads the same one knows that nothing has. The
 * floors are NO_FLOOR where the next id is simply one more than the newest. */
#define TM_NO_FLOOR (-1)
typedef struct TmSettings {
  bool is_known;
  sqlite3_int64 stamp;
  bool is_frozen;
  sqlite3_int64 clock_ms;
  bool has_strict_queues;
  sqlite3_int64 task_floor;
  sqlite3_int64 event_floor;
  bool has_unsettled; /* there are rows in tm_settle */
  bool has_times;     /* there are, or were, tasks with expires, timeout or deadline */
} TmSettings;

typedef struct TmContext {
  sqlite3 *db;
  int holders; /* functions and modules that lead here, any of which the application may replace */
  TmSettings settings;
  struct TmQueueCache *queues; /* core/queue.c's, one block; NULL until it is wanted */
  struct TmSettling *settling; /* core/depend.c's, while it is under way; else NULL */
  struct TmTask *moving;       /* core/task.c's: tasks whose move is being written */
  int depth;                   /* verbs under way, one inside the other */
  int tables, functions;       /* registered so far; a load that failed goes on from there */
  bool is_loaded;              /* all of them are */
  bool is_inspected;           /* the schema was seen to be as the library makes it */
  bool is_connected;           /* the keeper is, and not somebody's own table of that name */
  bool is_kept;                /* the keeper is connected: statements may stay */
  bool is_closing;             /* the keeper is gone: nothing is cached any more */
  bool is_ending;              /* the savepoint of a migration is: the keeper has a row */
  bool is_ruined;              /* it could be neither undone nor ended: nobody may commit it */
  bool is_firing;              /* slots are being decided: a trigger's call decides none of them */
  bool was_duplicate;          /* the last tm_enqueue found a task that holds its key */
  bool is_busy_queue;          /* the last claim found a task: do not look before the lock */
  TmZones zones;
  TmWatch *watch; /* NULL until a wait needs it; closed with the connection */
  bool is_deaf;   /* the watch missed a change: do not rely on it until it hears one */
  sqlite3_stmt *cached[TM_QUERY_COUNT]; /* NULL: not prepared, or in use */
  int compiled[TM_QUERY_COUNT]; /* how often it had been prepared anew when it was put back */
  int readable[TM_QUERY_COUNT]; /* 1 + how often so when its columns were seen to be there; 0 */
  int proven[TM_QUERY_COUNT];   /* 1 + how often it had been prepared anew when it was proven; 0 */
} TmContext;

/* Make the context, and register the keeper on `db` with the function tm_keeper(P), which returns
 * 1 and sets the TmContext * that the pointer P of type TM_CONTEXT_POINTER leads to: NULL when it
 * is loaded. NULL and *rc set on failure. */
TmContext *tm_context_open(sqlite3 *db, int *rc);

/* The name by which a TmContext ** travels through sqlite3_bind_pointer(). */
#define TM_CONTEXT_POINTER "tm_context"

/* Each function and module that is registered with the context holds it, and lets it go in its
 * destructor: the last one frees it. */
TmContext *tm_context_hold(TmContext *context);
void tm_context_release(void *context);

/* Connect the keeper, once. False where that fails: then nothing may be cached. */
bool tm_context_keep(TmContext *context);

/* Finalize what is cached; what is in use is not. */
void tm_context_forget(TmContext *context);

#endif
