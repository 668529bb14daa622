/* migrate.h - the schema's versions, applied up and down.
 * Owns:    tm_migration, and the text of every migration (generated).
 * Promise: all of the steps asked for, or none; nothing of anybody else is lost.
 * Why:     the same files serve a plain sqlite3 shell; see tools/migrate. */
#ifndef TM_STORE_MIGRATE_H
#define TM_STORE_MIGRATE_H

#include "store/run.h"

typedef struct TmMigration {
  int version;
  const char *name;
  const char *checksum; /* SHA-256 of the .up.sql file, in hex */
  const char *up;
  const char *down;
  const char *const *makes; /* names of the objects that `up` creates, then NULL */
  const char *const *there; /* names of all that are there after it, then NULL */
} TmMigration;

typedef struct TmInvariant {
  const char *name;
  const char *sql; /* returns one row for each violation: what, as text */
} TmInvariant;

/* The schema after all of them, which a new database is made from: sql/schema.sql. */
extern const char tm_schema_text[];
/* From there to nothing. */
extern const char tm_schema_drop_text[];

/* The rows of its graph, out of sql/states.txt: {"states":[[name, kind, meaning], …],
 * "moves":[[from, to, made_by], …]}. */
extern const char tm_graph_text[];

/* The same as tm_schema_text, one statement each. */
typedef struct TmSchemaPart {
  const char *type; /* "table", "index", "trigger", "view"; "insert" for a row */
  const char *name; /* of the object; of the table for a row */
  const char *drop; /* for what may be made anew because it holds no rows; else NULL */
  const char *sql;
} TmSchemaPart;

extern const TmSchemaPart tm_schema_parts[];
extern const int tm_schema_part_count;

extern const TmMigration tm_migrations[];
extern const int tm_migration_count;
extern const TmInvariant tm_invariants[];
extern const int tm_invariant_count;

/* See that nothing forbids going from what is there to `version`; returns the
 * version that is there, 0 for none. */
int tm_migrate_check(TmRun *run, int version);

/* True where the steps drop a table, which SQLite does not do inside another statement. */
bool tm_migrate_drops(int from, int to);

/* True where foreign keys must be off meanwhile: a step makes a table anew, and dropping the old
 * one would act on the rows of others. To be switched before anything else is prepared: SQLite
 * compiles every statement again afterwards, which it cannot do under an interrupt. */
bool tm_migrate_makes_anew(int from, int to);

/* Called behind every statement of a step; NULL for nobody. */
typedef struct TmMigrateHook {
  void (*after)(void *arg, TmRun *run);
  void *arg;
} TmMigrateHook;

/* Run the steps. The caller sees to it that all of them happen or none. */
void tm_migrate_run(TmRun *run, int from, int to, const TmMigrateHook *hook);

#endif
