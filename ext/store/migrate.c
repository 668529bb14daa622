/* migrate.c - the schema's versions, applied up and down.
 * Owns:    tm_migration.
 * Promise: refuses before the first change whatever could not be carried through.
 * Why:     the texts are the files of sql/migrations, embedded; what a plain shell
 *          applied, this continues, and the other way round. */
#include "store/migrate.h"

#include "base/os.h"
#include "store/schema.h"

static const TmMigration *migrate_find(int version) {
  for (int i = 0; i < tm_migration_count; i++) {
    if (tm_migrations[i].version == version) return &tm_migrations[i];
  }
  return NULL;
}

static void migrate_check_applied(TmRun *run) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_APPLIED, &s);
  for (int next = 1; tm_stmt_row(&s); next++) {
    int version = (int)tm_stmt_int(&s, TM_C_SCHEMA_APPLIED_VERSION);
    TmText checksum = tm_stmt_text(&s, TM_C_SCHEMA_APPLIED_CHECKSUM);
    const TmMigration *known = migrate_find(version);
    if (version == next && known && checksum.z && strcmp(known->checksum, checksum.z) == 0)
      continue;
    tm_error_set(&run->error, TM_SCHEMA_CHANGED,
                 "migration %d was applied from another text than this library's, use the version "
                 "of the library that made the database",
                 version);
  }
  tm_stmt_close(&s);
}

/* No object of the database may have a name that the migrations make, or that one of our
 * virtual tables has. */
static void migrate_check_names(TmRun *run, int from, int to) {
  TmStmt s;
  for (int v = from + 1; v <= to && !tm_run_failed(run); v++) {
    const TmMigration *step = migrate_find(v);
    for (int i = 0; step && step->makes[i]; i++) {
      tm_stmt_open(run, TM_Q_SCHEMA_OBJECT, &s);
      tm_stmt_bind_text(&s, TM_P_SCHEMA_OBJECT_NAME, tm_text_of(step->makes[i]));
      if (tm_stmt_row(&s)) {
        tm_error_set(&run->error, TM_NAME_TAKEN,
                     "this database has its own %s named '%s', rename it first",
                     tm_stmt_text(&s, TM_C_SCHEMA_OBJECT_TYPE).z, step->makes[i]);
      }
      tm_stmt_close(&s);
    }
  }
  tm_stmt_open(run, TM_Q_SCHEMA_SHADOWS, &s);
  if (tm_stmt_row(&s)) {
    tm_error_set(&run->error, TM_NAME_TAKEN,
                 "this database has its own table named '%s', rename it first",
                 tm_stmt_text(&s, TM_C_SCHEMA_SHADOWS_NAME).z);
  }
  tm_stmt_close(&s);
}

int tm_migrate_check(TmRun *run, int version) {
  int newest = tm_schema_newest();
  int current = tm_schema_version(run);
  if (tm_run_failed(run)) return current;
  if (current > newest) {
    tm_schema_explain(run);
    return current;
  }
  if (current > 0) migrate_check_applied(run);
  migrate_check_names(run, current, version);
  return current;
}

/* A migration's text is many statements. */
static void migrate_exec(TmRun *run, const char *sql) {
  if (tm_run_failed(run)) return;
  sqlite3 *db = run->context->db;
  tm_error_sqlite(&run->error, db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static void migrate_up(TmRun *run, const TmMigration *step) {
  migrate_exec(run, step->up);
  TmStmt s;
  tm_stmt_open(run, TM_Q_MIGRATION_RECORD, &s);
  tm_stmt_bind_int(&s, TM_P_MIGRATION_RECORD_VERSION, step->version);
  tm_stmt_bind_text(&s, TM_P_MIGRATION_RECORD_NAME, tm_text_of(step->name));
  tm_stmt_bind_text(&s, TM_P_MIGRATION_RECORD_CHECKSUM, tm_text_of(step->checksum));
  tm_stmt_bind_int(&s, TM_P_MIGRATION_RECORD_APPLIED_MS, tm_os_wall_us() / 1000);
  tm_stmt_exec(&s);
}

static void migrate_down(TmRun *run, const TmMigration *step) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_MIGRATION_FORGET, &s);
  tm_stmt_bind_int(&s, TM_P_MIGRATION_FORGET_VERSION, step->version);
  tm_stmt_exec(&s);
  migrate_exec(run, step->down);
}

static bool migrate_exists(TmRun *run, const char *name) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_OBJECT, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEMA_OBJECT_NAME, tm_text_of(name));
  bool exists = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return exists;
}

/* Look that every step did what it says: an authorizer that ignores makes DDL vanish too. */
static void migrate_look(TmRun *run, int to) {
  for (int m = 0; m < tm_migration_count; m++) {
    bool is_wanted = tm_migrations[m].version <= to;
    for (int i = 0; tm_migrations[m].makes[i] && !tm_run_failed(run); i++) {
      const char *name = tm_migrations[m].makes[i];
      if (migrate_exists(run, name) != is_wanted) tm_run_dropped(run, name);
    }
  }
  sqlite3_int64 states = 0;
  sqlite3_int64 moves = 0;
  if (to == tm_schema_newest() && !tm_schema_has_graph(run, &states, &moves)) {
    tm_run_dropped(run, "tm_state, tm_transition or tm_setting");
  }
  if (!tm_run_failed(run) && tm_schema_version(run) != to) tm_run_dropped(run, "tm_migration");
}

void tm_migrate_run(TmRun *run, int from, int to) {
  for (int v = from + 1; v <= to && !tm_run_failed(run); v++) migrate_up(run, migrate_find(v));
  for (int v = from; v > to && !tm_run_failed(run); v--) migrate_down(run, migrate_find(v));
  if (!tm_run_failed(run)) migrate_look(run, to);
}
