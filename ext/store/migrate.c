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

static bool migrate_has(const char *const *names, const char *name) {
  for (int i = 0; names && names[i]; i++) {
    if (strcmp(names[i], name) == 0) return true;
  }
  return false;
}

/* What the schema of a version consists of. */
static bool migrate_is_there(int version, const char *name) {
  const TmMigration *step = migrate_find(version);
  return step && migrate_has(step->there, name);
}

/* No object of the database may have a name that the migrations make, or that one of our
 * virtual tables has. */
static void migrate_check_names(TmRun *run, int from, int to) {
  TmStmt s;
  for (int v = from + 1; v <= to && !tm_run_failed(run); v++) {
    const TmMigration *step = migrate_find(v);
    for (int i = 0; step->makes[i]; i++) {
      if (migrate_is_there(from, step->makes[i])) continue;
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
  tm_schema_need_names(run);
}

static int migrate_check(TmRun *run, int version) {
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

/* All looks are of one moment: what another connection migrates between two of them would be taken
 * for somebody else's objects. */
int tm_migrate_check(TmRun *run, int version) {
  TmStmt moment;
  tm_stmt_open(run, TM_Q_SCHEMA_MOMENT, &moment);
  int current = tm_stmt_row(&moment) ? migrate_check(run, version) : 0;
  tm_stmt_close(&moment);
  return current;
}

/* A migration's text is many statements; `after` is called behind each. */
static void migrate_exec(TmRun *run, const char *sql, const TmMigrateHook *hook) {
  sqlite3 *db = run->context->db;
  while (*sql && !tm_run_failed(run)) {
    sqlite3_stmt *stmt = NULL;
    tm_error_sqlite(&run->error, db, sqlite3_prepare_v2(db, sql, -1, &stmt, &sql));
    if (!stmt) continue;
    int rc = SQLITE_ROW;
    while (rc == SQLITE_ROW) rc = sqlite3_step(stmt);
    if (rc != SQLITE_DONE) tm_error_sqlite(&run->error, db, rc);
    sqlite3_finalize(stmt);
    if (hook && !tm_run_failed(run)) hook->after(hook->arg, run);
  }
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
    for (int i = 0; tm_migrations[m].makes[i] && !tm_run_failed(run); i++) {
      const char *name = tm_migrations[m].makes[i];
      if (migrate_exists(run, name) != migrate_is_there(to, name)) tm_run_dropped(run, name);
    }
  }
  TmGraph graph = {.is_there = true};
  if (to == tm_schema_newest()) tm_schema_graph(run, &graph);
  if (!graph.is_there) tm_run_dropped(run, "tm_state, tm_transition or tm_setting");
  if (!tm_run_failed(run) && tm_schema_version(run) != to) tm_run_dropped(run, "tm_migration");
}

/* ---- what others have hung on our tables --------------------------------- */

static bool migrate_is_ours(const char *name) {
  for (int m = 0; m < tm_migration_count; m++) {
    if (migrate_has(tm_migrations[m].makes, name)) return true;
  }
  return false;
}

/* Triggers and indexes of others: names and texts, each with its NUL, one after the other. They
 * go with a table that a step makes anew. */
static char *migrate_note_others(TmRun *run, int *bytes) {
  sqlite3_str *notes = sqlite3_str_new(run->context->db);
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_HANGERS, &s);
  while (tm_stmt_row(&s)) {
    TmText name = tm_stmt_text(&s, TM_C_SCHEMA_HANGERS_NAME);
    TmText sql = tm_stmt_text(&s, TM_C_SCHEMA_HANGERS_SQL);
    if (!name.z || !sql.z || migrate_is_ours(name.z)) continue;
    sqlite3_str_append(notes, name.z, name.n + 1);
    sqlite3_str_append(notes, sql.z, sql.n + 1);
  }
  tm_stmt_close(&s);
  *bytes = sqlite3_str_length(notes);
  if (sqlite3_str_errcode(notes) != SQLITE_OK) tm_error_nomem(&run->error);
  return sqlite3_str_finish(notes);
}

static void migrate_restore_others(TmRun *run, const char *notes, int bytes,
                                   const TmMigrateHook *hook) {
  for (int at = 0; at < bytes && !tm_run_failed(run);) {
    const char *name = notes + at;
    const char *sql = name + strlen(name) + 1;
    if (!migrate_exists(run, name)) migrate_exec(run, sql, hook);
    at = (int)(sql - notes) + (int)strlen(sql) + 1;
  }
}

/* ---- the steps ----------------------------------------------------------- */

static void migrate_record(TmRun *run, const TmMigration *step) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_MIGRATION_RECORD, &s);
  tm_stmt_bind_int(&s, TM_P_MIGRATION_RECORD_VERSION, step->version);
  tm_stmt_bind_text(&s, TM_P_MIGRATION_RECORD_NAME, tm_text_of(step->name));
  tm_stmt_bind_text(&s, TM_P_MIGRATION_RECORD_CHECKSUM, tm_text_of(step->checksum));
  tm_stmt_bind_int(&s, TM_P_MIGRATION_RECORD_APPLIED_MS, tm_os_wall_us() / 1000);
  tm_stmt_exec(&s);
}

static void migrate_up(TmRun *run, const TmMigration *step, const TmMigrateHook *hook) {
  migrate_exec(run, step->up, hook);
  migrate_record(run, step);
}

static void migrate_down(TmRun *run, const TmMigration *step, const TmMigrateHook *hook) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_MIGRATION_FORGET, &s);
  tm_stmt_bind_int(&s, TM_P_MIGRATION_FORGET_VERSION, step->version);
  tm_stmt_exec(&s);
  migrate_exec(run, step->down, hook);
}

/* Up or down in one go, where the whole schema comes or goes. */
static bool migrate_is_whole(int from, int to) {
  return (from == 0 && to == tm_schema_newest()) || (from == tm_schema_newest() && to == 0);
}

bool tm_migrate_drops(int from, int to) {
  if (from > to) return true;
  if (migrate_is_whole(from, to)) return false;
  for (int v = from + 1; v <= to; v++) {
    if (strstr(migrate_find(v)->up, "\nDROP TABLE ")) return true;
  }
  return false;
}

/* Such a step says so by a constraint of its own. */
bool tm_migrate_makes_anew(int from, int to) {
  if (migrate_is_whole(from, to)) return false;
  int low = from < to ? from : to;
  int high = from < to ? to : from;
  for (int v = low + 1; v <= high; v++) {
    if (strstr(migrate_find(v)->up, "foreign_keys_are_off")) return true;
  }
  return false;
}

/* What must be as many after the steps as before: a write that an authorizer ignores is no error.
 */
static sqlite3_int64 migrate_count(TmRun *run, int version) {
  sqlite3_int64 rows = 0;
  if (version == 0) return 0;
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_ROWS, &s);
  if (tm_stmt_row(&s)) rows = tm_stmt_int(&s, TM_C_SCHEMA_ROWS_COUNT);
  tm_stmt_close(&s);
  return rows;
}

static void migrate_steps(TmRun *run, int from, int to, const TmMigrateHook *hook) {
  int bytes = 0;
  char *others = migrate_note_others(run, &bytes);
  sqlite3_int64 rows = migrate_count(run, from);
  for (int v = from + 1; v <= to && !tm_run_failed(run); v++)
    migrate_up(run, migrate_find(v), hook);
  for (int v = from; v > to && !tm_run_failed(run); v--) migrate_down(run, migrate_find(v), hook);
  if (to > 0) migrate_restore_others(run, others, bytes, hook);
  sqlite3_free(others);
  if (from > 0 && to > 0 && !tm_run_failed(run) && migrate_count(run, to) != rows) {
    tm_run_dropped(run, "tm_task, tm_event or tm_attempt");
  }
}

void tm_migrate_run(TmRun *run, int from, int to, const TmMigrateHook *hook) {
  if (!migrate_is_whole(from, to)) {
    migrate_steps(run, from, to, hook);
  } else if (to == 0) {
    migrate_exec(run, tm_schema_drop_text, hook);
  } else {
    migrate_exec(run, tm_schema_text, hook);
    for (int i = 0; i < tm_migration_count; i++) migrate_record(run, &tm_migrations[i]);
  }
  run->context->settings.is_known = false;
  if (!tm_run_failed(run)) migrate_look(run, to);
}
