/* schema.c - which schema the database has.
 * Owns:    the question "is this database ours, and of which version".
 * Promise: reads only; leaves an error that is set already as it is.
 * Why:     a verb on a strange schema must say what to do, not "no such table". */
#include "store/schema.h"

#include "store/column.h"
#include "store/migrate.h"

#include <string.h>

int tm_schema_newest(void) {
  return tm_migrations[tm_migration_count - 1].version;
}

/* The look at whether there is a table of migrations stays at its row while that is read, so that
 * nobody drops it in between. */
int tm_schema_version(TmRun *run) {
  int version = 0;
  TmStmt exists;
  tm_stmt_open(run, TM_Q_SCHEMA_EXISTS, &exists);
  if (tm_stmt_row(&exists)) {
    TmStmt last;
    tm_stmt_open(run, TM_Q_SCHEMA_VERSION, &last);
    if (tm_stmt_row(&last)) version = (int)tm_stmt_int(&last, TM_C_SCHEMA_VERSION_VERSION);
    tm_stmt_close(&last);
  }
  tm_stmt_close(&exists);
  return version;
}

void tm_schema_explain(TmRun *run) {
  if (tm_run_failed(run)) return;
  int version = tm_schema_version(run);
  int newest = tm_schema_newest();
  if (tm_run_failed(run) || version == newest) return;
  if (version == 0) {
    tm_error_set(&run->error, TM_NOT_INITIALIZED,
                 "this database has no task tables, run SELECT tm_init()");
  } else if (version < newest) {
    tm_error_set(&run->error, TM_NOT_INITIALIZED,
                 "the schema is at version %d and the library needs %d, run SELECT tm_init()",
                 version, newest);
  } else {
    tm_error_set(&run->error, TM_SCHEMA_TOO_NEW,
                 "the schema is at version %d and this library knows %d, update the library",
                 version, newest);
  }
}

void tm_schema_refuse(TmRun *run) {
  tm_schema_explain(run);
  if (tm_run_failed(run)) return;
  tm_error_set(&run->error, TM_NOT_INITIALIZED,
               "the row of tm_setting is not there or may not be read, see tm_doctor");
}

void tm_schema_need_names(TmRun *run) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_SHADOWS, &s);
  if (tm_stmt_row(&s)) {
    tm_error_set(&run->error, TM_NAME_TAKEN,
                 "this database has its own table named '%s', rename it first",
                 tm_stmt_text(&s, TM_C_SCHEMA_SHADOWS_NAME).z);
  }
  tm_stmt_close(&s);
}

/* ---- its objects ------------------------------------------------------ */

/* SQLite keeps the text without the name of the database, and without the semicolon. */
bool tm_schema_is_part(const TmSchemaPart *part, const char *type, TmText sql) {
  const char *name = strstr(part->sql, "main.");
  int before = (int)(name - part->sql);
  if (!type || !sql.z || strcmp(type, part->type) != 0 || sql.n < before) return false;
  if (memcmp(sql.z, part->sql, (size_t)before) != 0) return false;
  TmText ours = tm_text_of(name + strlen("main."));
  while (strchr("; \n", ours.z[ours.n - 1])) ours.n--;
  sql.z += before;
  sql.n -= before;
  if (ours.n == sql.n && memcmp(ours.z, sql.z, (size_t)sql.n) == 0) return true;
  return strcmp(type, "table") == 0 && tm_column_are_added(ours, sql);
}

static bool schema_is_object(const TmSchemaPart *part) {
  return strcmp(part->type, "insert") != 0;
}

/* The part of this name, looked for from where the last one was: they come in nearly one order. */
static int schema_find(const char *name, int from) {
  for (int i = 0; i < tm_schema_part_count; i++) {
    int at = (from + i) % tm_schema_part_count;
    const TmSchemaPart *part = &tm_schema_parts[at];
    if (schema_is_object(part) && sqlite3_stricmp(part->name, name) == 0) return at;
  }
  return -1;
}

static const char *schema_compare(TmRun *run, char *is_seen, bool *is_there) {
  const char *altered = NULL;
  int at = 0;
  TmStmt s;
  tm_stmt_open(run, TM_Q_SCHEMA_TEXTS, &s);
  while (!altered && tm_stmt_row(&s)) {
    TmText name = tm_stmt_text(&s, TM_C_SCHEMA_TEXTS_NAME);
    if (!name.z || sqlite3_strnicmp(name.z, "tm_", 3) != 0) continue;
    int found = schema_find(name.z, at);
    if (found < 0) continue;
    at = found;
    is_seen[at] = 1;
    TmText type = tm_stmt_text(&s, TM_C_SCHEMA_TEXTS_TYPE);
    TmText sql = tm_stmt_text(&s, TM_C_SCHEMA_TEXTS_SQL);
    if (!tm_schema_is_part(&tm_schema_parts[at], type.z, sql)) altered = tm_schema_parts[at].name;
  }
  tm_stmt_close(&s);
  *is_there = altered != NULL;
  for (int i = 0; i < tm_schema_part_count && !altered; i++) {
    if (schema_is_object(&tm_schema_parts[i]) && !is_seen[i]) altered = tm_schema_parts[i].name;
  }
  return tm_run_failed(run) ? NULL : altered;
}

const char *tm_schema_altered(TmRun *run, bool *is_there) {
  *is_there = false;
  char *is_seen = sqlite3_malloc64((sqlite3_uint64)tm_schema_part_count);
  if (!is_seen) {
    tm_error_nomem(&run->error);
    return NULL;
  }
  memset(is_seen, 0, (size_t)tm_schema_part_count);
  const char *altered = schema_compare(run, is_seen, is_there);
  sqlite3_free(is_seen);
  return altered;
}

void tm_schema_inspect(TmRun *run) {
  if (tm_run_failed(run)) return;
  bool is_there = false;
  const char *altered = tm_schema_altered(run, &is_there);
  if (altered) {
    tm_error_set(&run->error, TM_SCHEMA_CHANGED,
                 "%s is %s: SELECT tm_repair('schema_objects') brings back what is no table, a "
                 "table comes from a backup",
                 altered, is_there ? "not as the library makes it" : "missing");
  }
  run->context->is_inspected = !tm_run_failed(run);
}

/* ---- its rules --------------------------------------------------------- */

/* A CHECK of ours has a name that no constraint of an application's has. */
static bool schema_has_check(const char *name) {
  char *text = sqlite3_mprintf("CONSTRAINT %s CHECK", name);
  bool is_ours = false;
  for (int i = 0; i < tm_schema_part_count && text && !is_ours; i++) {
    is_ours = strstr(tm_schema_parts[i].sql, text) != NULL;
  }
  sqlite3_free(text);
  return is_ours;
}

/* `place` is table.column. */
static bool schema_has_table(const char *place) {
  const char *end = strchr(place, '.');
  if (!end) return false;
  for (int i = 0; i < tm_schema_part_count; i++) {
    const TmSchemaPart *part = &tm_schema_parts[i];
    bool is_same = (size_t)(end - place) == strlen(part->name) &&
                   memcmp(part->name, place, (size_t)(end - place)) == 0;
    if (is_same) return true;
  }
  return false;
}

/* What stands behind these words, where the message begins with `from` and has them. */
static const char *schema_after(const char *message, const char *from, const char *words) {
  if (strncmp(message, from, strlen(from)) != 0) return NULL;
  const char *found = strstr(message, words);
  return found ? found + strlen(words) : NULL;
}

/* A foreign key does not say which it is, and a unique index may be an application's. */
static bool schema_is_rule(int rc, const char *message) {
  const char *name = NULL;
  switch (rc) {
  case SQLITE_CONSTRAINT_CHECK:
    name = schema_after(message, "CHECK", "failed: ");
    return name && schema_has_check(name);
  case SQLITE_CONSTRAINT_NOTNULL: name = schema_after(message, "NOT NULL", "failed: "); break;
  case SQLITE_CONSTRAINT_PRIMARYKEY:
  case SQLITE_CONSTRAINT_ROWID: name = schema_after(message, "UNIQUE", "failed: "); break;
  case SQLITE_CONSTRAINT_DATATYPE: name = schema_after(message, "cannot store", " column "); break;
  default: break;
  }
  return name && schema_has_table(name);
}

void tm_schema_blame(TmRun *run) {
  TmError *error = &run->error;
  if (error->symbol >= 0 || !error->message) return;
  if (!schema_is_rule(error->rc, error->message)) return;
  tm_error_explain(error, TM_RULE_BROKEN,
                   "a rule of our tables refuses the write (%s), see tm_doctor for a row that "
                   "somebody wrote around the rules",
                   error->message);
}

void tm_schema_graph(TmRun *run, TmGraph *graph) {
  TmStmt s;
  *graph = (TmGraph){0};
  tm_stmt_open(run, TM_Q_SCHEMA_GRAPH, &s);
  tm_stmt_bind_text(&s, TM_P_SCHEMA_GRAPH_GRAPH, tm_text_of(tm_graph_text));
  if (tm_stmt_row(&s)) {
    graph->states = tm_stmt_int(&s, TM_C_SCHEMA_GRAPH_STATES);
    graph->moves = tm_stmt_int(&s, TM_C_SCHEMA_GRAPH_MOVES);
    graph->is_there = tm_stmt_int(&s, TM_C_SCHEMA_GRAPH_MISSING) == 0 &&
                      tm_stmt_int(&s, TM_C_SCHEMA_GRAPH_SETTINGS) == 1;
    TmText wrong = tm_stmt_text(&s, TM_C_SCHEMA_GRAPH_WRONG);
    if (wrong.z) sqlite3_snprintf(sizeof graph->wrong, graph->wrong, "%s", wrong.z);
  }
  tm_stmt_close(&s);
}
