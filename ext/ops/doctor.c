/* doctor.c - is everything as it should be?
 * Owns:    the checks of tm_doctor; those of the schema's content are sql/invariants.sql.
 * Promise: reads only; works without the schema, and with one that somebody altered: a check
 *          that cannot run is an error row, not a failure.
 * Why:     the outages that this project answers were switches in the wrong place: foreign
 *          keys off, no WAL, no busy timeout. */
#include "ops/doctor.h"

#include "core/schedule.h"
#include "ops/repair.h"
#include "store/journal.h"
#include "store/migrate.h"
#include "store/schema.h"

typedef struct Doctor {
  TmRun *run;
  TmDoctorRow *row;
  void *arg;
} Doctor;

/* A check without a cure of its own is one for tm_repair, where that knows it. */
static void doctor_say(const Doctor *doctor, const char *name, bool is_good,
                       const char *else_status, const char *detail, const char *cure) {
  char repair[120] = "somebody wrote around the rules: mend the row by hand";
  if (tm_repair_knows(name)) {
    sqlite3_snprintf(sizeof repair, repair, "SELECT tm_repair('%s')", name);
  }
  const char *else_cure = cure ? cure : repair;
  doctor->row(doctor->arg, name, is_good ? "ok" : else_status, detail, is_good ? NULL : else_cure);
}

/* Say with a detail made on the way; frees it. */
static void doctor_say_made(const Doctor *doctor, const char *name, bool is_good,
                            const char *else_status, char *detail, const char *cure) {
  if (!detail) tm_error_nomem(&doctor->run->error);
  doctor_say(doctor, name, is_good, else_status, detail ? detail : "", cure);
  sqlite3_free(detail);
}

/* What is no finding about the database, but about this moment: SQLite may have rolled the caller's
 * transaction back for it, so that what other checks say would be about something else. */
static bool doctor_must_end(int rc) {
  switch (rc & 0xff) {
  case SQLITE_NOMEM:
  case SQLITE_INTERRUPT:
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_IOERR:
  case SQLITE_FULL:
  case SQLITE_CANTOPEN:
  case SQLITE_PROTOCOL: return true;
  default: return false;
  }
}

/* A check that failed itself says so. Returns whether it did; the run has failed where all ends. */
static bool doctor_recover(const Doctor *doctor, const char *name) {
  TmError *error = &doctor->run->error;
  if (error->rc == SQLITE_OK) return false;
  if (doctor_must_end(error->rc)) return true;
  TmError said = *error;
  tm_error_init(error, said.subject);
  doctor_say(doctor, name, false, "error", said.message ? said.message : sqlite3_errstr(said.rc),
             "look at the schema: the check could not run");
  tm_error_clear(&said);
  tm_context_forget(doctor->run->context); /* as tm_run_clear() does after a failure */
  return true;
}

/* What a statement has found, for as long as it takes to say it: no memory for that is no health.
 */
static char *doctor_copy(const Doctor *doctor, const char *text) {
  char *copy = sqlite3_mprintf("%s", text ? text : "a row");
  if (!copy) tm_error_nomem(&doctor->run->error);
  return copy;
}

/* ---- the connection -------------------------------------------------- */

static sqlite3_int64 doctor_int(TmRun *run, TmQuery query) {
  TmStmt s;
  tm_stmt_open(run, query, &s);
  sqlite3_int64 value = tm_stmt_row(&s) ? tm_stmt_int(&s, 0) : 0;
  tm_stmt_close(&s);
  return value;
}

static void doctor_switches(const Doctor *doctor) {
  int is_on = 0;
  sqlite3_db_config(doctor->run->context->db, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &is_on);
  doctor_say(doctor, "foreign_keys", is_on, "error",
             is_on ? "on for this connection" : "off for this connection",
             "PRAGMA foreign_keys = ON");
  sqlite3_db_config(doctor->run->context->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &is_on);
  doctor_say(doctor, "triggers", is_on, "error",
             is_on ? "on for this connection" : "off for this connection",
             "set SQLITE_DBCONFIG_ENABLE_TRIGGER to 1");
  sqlite3_db_config(doctor->run->context->db, SQLITE_DBCONFIG_ENABLE_VIEW, -1, &is_on);
  doctor_say(doctor, "views", is_on, "error",
             is_on ? "on for this connection" : "off for this connection",
             "set SQLITE_DBCONFIG_ENABLE_VIEW to 1");
}

static void doctor_journal(const Doctor *doctor) {
  TmRun *run = doctor->run;
  bool is_file = tm_journal_is_file(run->context->db);
  bool can_share = tm_journal_can_share_wal(run->context->db);
  TmStmt s;
  tm_stmt_open(run, TM_Q_JOURNAL_MODE, &s);
  char *mode =
      tm_stmt_row(&s) ? doctor_copy(doctor, tm_stmt_text(&s, TM_C_JOURNAL_MODE_MODE).z) : NULL;
  tm_stmt_close(&s);
  bool is_wal = mode && sqlite3_stricmp(mode, "wal") == 0;
  bool is_off = mode && sqlite3_stricmp(mode, "off") == 0;
  doctor_say(doctor, "journal_mode", is_wal || (!is_file && !is_off), "error",
             is_off     ? "off: what fails in the middle stays so"
             : !is_file ? "in memory, needs no WAL"
             : mode     ? mode
                        : "unknown",
             can_share  ? "SELECT tm_init()"
             : !is_file ? "PRAGMA journal_mode = MEMORY"
                        : "open the file through a VFS with shared memory");
  sqlite3_free(mode);
}

static void doctor_waiting(const Doctor *doctor) {
  sqlite3_int64 timeout_ms = doctor_int(doctor->run, TM_Q_BUSY_TIMEOUT);
  doctor_say_made(doctor, "busy_timeout", timeout_ms > 0, "warn",
                  sqlite3_mprintf("%lld ms", timeout_ms), "PRAGMA busy_timeout = 5000");
  static const char *const levels[] = {"OFF: a power loss may corrupt the file",
                                       "NORMAL: a power loss may lose the last commits",
                                       "FULL: commits survive a power loss", "EXTRA"};
  sqlite3_int64 level = doctor_int(doctor->run, TM_Q_DOCTOR_SYNCHRONOUS) & 3;
  doctor_say(doctor, "synchronous", level > 0, "warn", levels[level],
             "PRAGMA synchronous = NORMAL");
}

/* ---- the schema ------------------------------------------------------ */

static bool doctor_schema(const Doctor *doctor) {
  int version = tm_schema_version(doctor->run);
  int newest = tm_schema_newest();
  if (doctor_recover(doctor, "schema_version")) return false;
  doctor_say_made(doctor, "schema_version", version == newest, "error",
                  sqlite3_mprintf("%d, the library's is %d", version, newest),
                  version < newest ? "SELECT tm_init()" : "update the library");
  if (version == 0) return false;
  tm_migrate_check(doctor->run, version);
  if (!doctor_recover(doctor, "migration_checksums")) {
    doctor_say(doctor, "migration_checksums", true, "error", "as in the library", NULL);
  }
  return version == newest;
}

static void doctor_objects(const Doctor *doctor) {
  bool is_there = false;
  const char *altered = tm_schema_altered(doctor->run, &is_there);
  if (doctor_recover(doctor, "schema_objects")) return;
  doctor_say_made(doctor, "schema_objects", !altered, "error",
                  !altered   ? sqlite3_mprintf("all there")
                  : is_there ? sqlite3_mprintf("%s is not as the library makes it", altered)
                             : sqlite3_mprintf("%s is missing", altered),
                  NULL);
}

static void doctor_graph(const Doctor *doctor) {
  TmGraph graph;
  tm_schema_graph(doctor->run, &graph);
  if (doctor_recover(doctor, "state_graph")) return;
  doctor_say_made(doctor, "state_graph", !graph.wrong[0], "error",
                  sqlite3_mprintf("%lld states and %lld moves, the library has %d and %d%s%s",
                                  graph.states, graph.moves, TM_GRAPH_STATES, TM_GRAPH_MOVES,
                                  graph.wrong[0] ? ", and not the same " : "", graph.wrong),
                  NULL);
}

/* A check whose statement has a row for what is wrong, and none where all is well. */
static void doctor_asks(const Doctor *doctor, const char *name, TmQuery query, const char *good) {
  TmStmt s;
  tm_stmt_open(doctor->run, query, &s);
  char *broken = NULL;
  if (tm_stmt_row(&s)) broken = doctor_copy(doctor, tm_stmt_text(&s, 0).z);
  tm_stmt_close(&s);
  if (!doctor_recover(doctor, name)) {
    doctor_say(doctor, name, !broken, "error", broken ? broken : good, NULL);
  }
  sqlite3_free(broken);
}

/* SQLite looks at no CHECK for a connection that ignores them. */
static void doctor_constraints(const Doctor *doctor) {
  bool is_ignored = doctor_int(doctor->run, TM_Q_DOCTOR_IGNORES_CHECKS) != 0;
  if (doctor_recover(doctor, "table_constraints")) return;
  if (is_ignored) {
    doctor_say(doctor, "table_constraints", false, "error",
               "this connection ignores CHECK constraints, and cannot look at them",
               "PRAGMA ignore_check_constraints = OFF");
  } else {
    doctor_asks(doctor, "table_constraints", TM_Q_DOCTOR_CONSTRAINTS, "every row keeps them");
  }
}

static void doctor_invariant(const Doctor *doctor, const TmInvariant *invariant) {
  TmRun *run = doctor->run;
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(run->context->db, invariant->sql, -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
  char *broken = NULL;
  if (rc == SQLITE_ROW) {
    broken = doctor_copy(doctor, (const char *)sqlite3_column_text(stmt, 0));
  } else {
    tm_error_sqlite(&run->error, run->context->db, rc);
  }
  sqlite3_finalize(stmt);
  if (!doctor_recover(doctor, invariant->name)) {
    doctor_say(doctor, invariant->name, !broken, "error", broken ? broken : "holds", NULL);
  }
  sqlite3_free(broken);
}

/* ---- the tasks ------------------------------------------------------- */

static void doctor_clock(const Doctor *doctor) {
  TmRun *run = doctor->run;
  tm_run_begin(run);
  if (doctor_recover(doctor, "clock")) return;
  doctor_say(doctor, "clock", !run->is_frozen, "warn", run->is_frozen ? "frozen" : "runs",
             "SELECT tm_clock_clear()");
}

static void doctor_lapsed(const Doctor *doctor) {
  TmRun *run = doctor->run;
  TmStmt s;
  tm_run_begin(run); /* again, where the clock could not be read */
  tm_stmt_open(run, TM_Q_DOCTOR_LAPSED, &s);
  tm_stmt_bind_int(&s, TM_P_DOCTOR_LAPSED_NOW_MS, run->now_ms);
  if (tm_stmt_row(&s)) {
    sqlite3_int64 lapsed = tm_stmt_int(&s, TM_C_DOCTOR_LAPSED_TASKS);
    sqlite3_int64 since_ms =
        lapsed ? run->now_ms - tm_stmt_int(&s, TM_C_DOCTOR_LAPSED_OLDEST_MS) : 0;
    doctor_say_made(doctor, "lapsed_leases", lapsed == 0, "warn",
                    lapsed ? sqlite3_mprintf("%lld, the oldest for %lld ms", lapsed, since_ms)
                           : sqlite3_mprintf("none"),
                    "SELECT tm_tick(), or start a worker");
  }
  tm_stmt_close(&s);
  doctor_recover(doctor, "lapsed_leases");
}

static void doctor_oldest(const Doctor *doctor) {
  TmRun *run = doctor->run;
  TmStmt s;
  tm_run_begin(run);
  tm_stmt_open(run, TM_Q_DOCTOR_OLDEST, &s);
  bool is_row = tm_stmt_row(&s);
  sqlite3_int64 age_ms = is_row ? run->now_ms - tm_stmt_int(&s, TM_C_DOCTOR_OLDEST_SINCE_MS) : 0;
  if (!tm_run_failed(run)) {
    doctor_say_made(doctor, "oldest_waiting_task", age_ms < 3600000, "warn",
                    is_row ? sqlite3_mprintf("task %lld of queue '%s' waits for %lld ms",
                                             tm_stmt_int(&s, TM_C_DOCTOR_OLDEST_ID),
                                             tm_stmt_text(&s, TM_C_DOCTOR_OLDEST_QUEUE).z, age_ms)
                           : sqlite3_mprintf("none"),
                    "start a worker for its queue, or SELECT * FROM tm_explain(id)");
  }
  tm_stmt_close(&s);
  doctor_recover(doctor, "oldest_waiting_task");
}

/* ---- the schedules --------------------------------------------------- */

static void doctor_schedules(const Doctor *doctor) {
  TmScheduleHealth health;
  tm_schedule_health(doctor->run, &health);
  char *what = health.what;
  if (!doctor_recover(doctor, "schedules")) {
    doctor_say_made(
        doctor, "schedules", health.broken == 0, "warn",
        health.broken ? sqlite3_mprintf("%lld of %lld cannot fire, the first is %s", health.broken,
                                        health.count, what)
                      : sqlite3_mprintf("%lld fire", health.count),
        "install the system's zone files (package tzdata), or SELECT tm_schedule() anew");
    doctor_say_made(doctor, "overdue_schedules", health.overdue == 0, "warn",
                    health.overdue ? sqlite3_mprintf("%lld, the oldest for %lld ms", health.overdue,
                                                     health.oldest_ms)
                                   : sqlite3_mprintf("none"),
                    "SELECT tm_tick() now and then, or start a worker for its queue");
  }
  sqlite3_free(what);
}

/* Groups that nobody has sealed, as far as can be told. */
static void doctor_groups(const Doctor *doctor) {
  TmRun *run = doctor->run;
  TmStmt s;
  tm_stmt_open(run, TM_Q_DOCTOR_GROUPS, &s);
  tm_stmt_bind_int(&s, TM_P_DOCTOR_GROUPS_NOW_MS, run->now_ms);
  if (tm_stmt_row(&s)) {
    sqlite3_int64 groups = tm_stmt_int(&s, TM_C_DOCTOR_GROUPS_GROUPS);
    doctor_say_made(doctor, "unsealed_groups", groups == 0, "warn",
                    groups ? sqlite3_mprintf("%lld that tasks wait for are a day old, with no open "
                                             "task and not sealed, the first is '%s'",
                                             groups, tm_stmt_text(&s, TM_C_DOCTOR_GROUPS_FIRST).z)
                           : sqlite3_mprintf("none"),
                    "SELECT tm_seal(name), when no more tasks come");
  }
  tm_stmt_close(&s);
  doctor_recover(doctor, "unsealed_groups");
}

/* Finished tasks that are past their time and cannot be deleted. */
static void doctor_pruning(const Doctor *doctor) {
  TmRun *run = doctor->run;
  TmStmt s;
  tm_stmt_open(run, TM_Q_DOCTOR_IN_USE, &s);
  if (tm_stmt_row(&s)) {
    sqlite3_int64 tasks = tm_stmt_int(&s, TM_C_DOCTOR_IN_USE_TASKS);
    TmText by = tm_stmt_text(&s, TM_C_DOCTOR_IN_USE_BY);
    doctor_say_made(doctor, "pruning", tasks == 0, "warn",
                    tasks ? sqlite3_mprintf("%lld finished tasks cannot go, the first is %lld: a "
                                            "foreign key (%s) or a trigger keeps them",
                                            tasks, tm_stmt_int(&s, TM_C_DOCTOR_IN_USE_FIRST_ID),
                                            by.z ? by.z : "of no table")
                          : sqlite3_mprintf("nothing stands in its way"),
                    "delete the rows that point at them, then SELECT tm_prune()");
  }
  tm_stmt_close(&s);
  doctor_recover(doctor, "pruning");
}

void tm_doctor_run(TmRun *run, TmDoctorRow *row, void *arg) {
  Doctor doctor = {run, row, arg};
  doctor_switches(&doctor);
  doctor_journal(&doctor);
  doctor_waiting(&doctor);
  if (tm_run_failed(run) || !doctor_schema(&doctor) || tm_run_failed(run)) return;
  doctor_objects(&doctor);
  doctor_graph(&doctor);
  doctor_constraints(&doctor);
  doctor_asks(&doctor, "foreign_key_check", TM_Q_DOCTOR_FOREIGN_KEYS, "every reference is there");
  for (int i = 0; i < tm_invariant_count && !tm_run_failed(run); i++) {
    doctor_invariant(&doctor, &tm_invariants[i]);
  }
  if (!tm_run_failed(run)) doctor_clock(&doctor);
  if (!tm_run_failed(run)) doctor_lapsed(&doctor);
  if (!tm_run_failed(run)) doctor_oldest(&doctor);
  if (!tm_run_failed(run)) doctor_schedules(&doctor);
  if (!tm_run_failed(run)) doctor_groups(&doctor);
  if (!tm_run_failed(run)) doctor_pruning(&doctor);
}
