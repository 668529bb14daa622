/* fuzz.c - the connection of a fuzz target, and what must hold after each statement. See fuzz.h. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/migrate.h"
#include "store/schema.h"
#include "tm.h"

#define FUZZ_STEPS_MOST 400000 /* of the virtual machine, a statement */
#define FUZZ_RULES_MOST 100
#define FUZZ_USES_MOST  64
#define FUZZ_HEAP_BYTES (256 * 1024 * 1024)
#define FUZZ_KEPT_MOST  256 /* a power of two */
#define FUZZ_KEPT_TRIES 8

/* A statement, and what the authorizer saw while it was prepared. */
typedef struct FuzzKept {
  sqlite3_stmt *stmt;
  bool is_control; /* it opens or closes a transaction */
  bool is_pragma;
} FuzzKept;

static struct {
  sqlite3_mem_methods methods; /* SQLite's own */
  int fail_at;                 /* allocations until one fails; 0: none does */
  int steps_left;              /* in units of the progress handler */
  bool is_failing;             /* the next statement is to fail by one of these */
  uint8_t *image;
  size_t image_size;
  sqlite3_int64 used_bytes; /* between two inputs */
  sqlite3 *shared;          /* the connection that is used again; NULL: a new one is due */
  int uses;                 /* of it */
  sqlite3_stmt *rules[FUZZ_RULES_MOST]; /* its invariants, as prepared */
  FuzzKept kept[FUZZ_KEPT_MOST];        /* its statements, each in the place that its text says */
  bool is_spoilt;                       /* it is not as it was */
  bool is_fresh; /* FUZZ_FRESH is set: each input has a connection of its own */
  struct {
    uint8_t *data;
    size_t size;
  } inputs[FUZZ_USES_MOST]; /* that it has seen */
  bool saw_control;         /* the statement that is prepared opens or closes a transaction */
  bool saw_pragma;          /* or is a pragma */
  bool is_told;             /* every statement and every error is printed: FUZZ_SAY is set */
  bool was_pure;            /* it writes nothing by itself and is no pragma */
} fuzz;

static const FuzzTarget fuzz_targets[] = {
    {"sql", fuzz_sql, "calls of the functions, line by line, and SQL text"},
    {"options", fuzz_options, "a JSON text as the options of every call that takes some"},
    {"times", fuzz_times, "durations, cron specs, zones and timestamps"},
    {"zone", fuzz_zone, "the bytes of a zone file"},
    {"payload", fuzz_payload, "payloads, results, errors, notes and tags"},
    {"file", fuzz_file, "a database file with bytes of it replaced"},
    {"control", fuzz_control, "things left behind on purpose, which must be noticed"},
};

const FuzzTarget *fuzz_target(const char *name) {
  for (size_t i = 0; i < sizeof fuzz_targets / sizeof *fuzz_targets; i++) {
    if (strcmp(fuzz_targets[i].name, name) == 0) return &fuzz_targets[i];
  }
  return NULL;
}

static void fuzz_write_inputs(void);

_Noreturn void fuzz_fail(const char *what, const char *detail) {
  fuzz_write_inputs();
  fprintf(stderr, "fuzz: %s: %s\n", what, detail ? detail : "");
  abort();
}

/* ---- faults ---------------------------------------------------------------------------------- */

static bool fuzz_allocation_fails(void) {
  return fuzz.fail_at > 0 && --fuzz.fail_at == 0;
}

static void *fuzz_malloc(int n) {
  return fuzz_allocation_fails() ? NULL : fuzz.methods.xMalloc(n);
}

static void *fuzz_realloc(void *block, int n) {
  return fuzz_allocation_fails() ? NULL : fuzz.methods.xRealloc(block, n);
}

static int fuzz_progress(void *arg) {
  (void)arg;
  return --fuzz.steps_left <= 0;
}

void fuzz_fault(int allocation, int steps) {
  fuzz.is_failing = allocation > 0 || steps > 0;
  fuzz.fail_at = allocation;
  fuzz.steps_left = steps > 0 ? steps : FUZZ_STEPS_MOST / 100;
}

/* ---- the database that inputs start from ----------------------------------------------------- */

static char *fuzz_read(const char *folder, const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) fuzz_fail("no file", path);
  static char text[65536];
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  return text;
}

static void fuzz_make_image(const char *folder) {
  sqlite3 *db = NULL;
  char *message = NULL;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) fuzz_fail("no connection", "");
  if (sqlite3_exec(db, fuzz_read(folder, "base.sql"), NULL, NULL, &message) != SQLITE_OK) {
    fuzz_fail("base.sql", message);
  }
  fuzz_names_begin(db);
  sqlite3_int64 size = 0;
  unsigned char *image = sqlite3_serialize(db, "main", &size, 0);
  if (!image || sqlite3_close(db) != SQLITE_OK) fuzz_fail("base.sql", "cannot be kept");
  fuzz.image = malloc((size_t)size);
  if (!fuzz.image) fuzz_fail("no memory", "");
  memcpy(fuzz.image, image, (size_t)size);
  fuzz.image_size = (size_t)size;
  sqlite3_free(image);
}

static void fuzz_log(void *arg, int rc, const char *message) {
  (void)arg;
  fprintf(stderr, "log: %d %s\n", rc, message);
}

void fuzz_begin(const char *folder) {
  if (tm_invariant_count >= FUZZ_RULES_MOST) fuzz_fail("too many", "invariants");
  fuzz.is_fresh = getenv("FUZZ_FRESH") != NULL;
  fuzz.is_told = getenv("FUZZ_SAY") != NULL;
  if (fuzz.is_told) sqlite3_config(SQLITE_CONFIG_LOG, fuzz_log, NULL);
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &fuzz.methods);
  sqlite3_mem_methods methods = fuzz.methods;
  methods.xMalloc = fuzz_malloc;
  methods.xRealloc = fuzz_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
  /* Memory of a lookaside or a cache of pages is in no sanitizer's sight. */
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
  /* There is one thread, and a lock is taken at every turn. */
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  if (sqlite3_initialize() != SQLITE_OK) fuzz_fail("no SQLite", "");
  sqlite3_auto_extension((void (*)(void))sqlite3_tm_init);
  sqlite3_hard_heap_limit64(FUZZ_HEAP_BYTES);
  fuzz_fault(0, 0);
  fuzz_make_image(folder);
  /* SQLite keeps some from the first connection on. */
  fuzz_close(fuzz_open(fuzz.image, fuzz.image_size));
  fuzz.used_bytes = sqlite3_memory_used();
}

const uint8_t *fuzz_image(size_t *size) {
  *size = fuzz.image_size;
  return fuzz.image;
}

/* ---- one connection -------------------------------------------------------------------------- */

/* What would leave the process, or change it: files, and limits of the whole. */
static int fuzz_authorize(void *arg, int action, const char *one, const char *two,
                          const char *schema, const char *trigger) {
  static const char *const pragmas[] = {"hard_heap_limit", "soft_heap_limit",
                                        "temp_store_directory", "data_store_directory",
                                        "temp_store"};
  (void)arg;
  (void)schema;
  (void)trigger;
  if (action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT) fuzz.saw_control = true;
  if (action == SQLITE_PRAGMA) fuzz.saw_pragma = true;
  if (action == SQLITE_ATTACH)
    return one && one[0] && strcmp(one, ":memory:") ? SQLITE_DENY : SQLITE_OK;
  if (action == SQLITE_FUNCTION && two && sqlite3_stricmp(two, "load_extension") == 0)
    return SQLITE_DENY;
  if (action != SQLITE_PRAGMA || !one) return SQLITE_OK;
  for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++) {
    if (sqlite3_stricmp(one, pragmas[i]) == 0) return SQLITE_DENY;
  }
  return SQLITE_OK;
}

static void fuzz_limit(sqlite3 *db) {
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 2000000);
  sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, 50000);
  sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100);
  sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
}

sqlite3 *fuzz_open(const uint8_t *image, size_t size) {
  sqlite3 *db = NULL;
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL);
  fuzz_fault(0, 0);
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) fuzz_fail("no connection", sqlite3_errmsg(db));
  unsigned char *copy = sqlite3_malloc64(size);
  if (!copy) fuzz_fail("no memory", "");
  memcpy(copy, image, size);
  sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
                      SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
  fuzz_limit(db);
  sqlite3_set_authorizer(db, fuzz_authorize, NULL);
  sqlite3_progress_handler(db, 100, fuzz_progress, NULL);
  return db;
}

void fuzz_close(sqlite3 *db) {
  fuzz_fault(0, 0);
  if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  fuzz_settled(db, "the end");
  if (sqlite3_close(db) != SQLITE_OK) {
    sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL);
    fuzz_fail("the connection does not close, there is a statement", stmt ? sqlite3_sql(stmt) : "");
  }
  char used[64];
  snprintf(used, sizeof used, "%lld bytes", sqlite3_memory_used() - fuzz.used_bytes);
  if (fuzz.used_bytes && sqlite3_memory_used() != fuzz.used_bytes)
    fuzz_fail("memory was left", used);
}

/* ---- the connection that is used again ------------------------------------------------------- */

static void fuzz_keep_input(const uint8_t *data, size_t size) {
  int i = fuzz.uses % FUZZ_USES_MOST;
  free(fuzz.inputs[i].data);
  fuzz.inputs[i].data = malloc(size ? size : 1);
  fuzz.inputs[i].size = fuzz.inputs[i].data ? size : 0;
  if (size && fuzz.inputs[i].data) memcpy(fuzz.inputs[i].data, data, size);
}

/* For a failure that is of more than one input: all that the connection has seen. */
static void fuzz_write_inputs(void) {
  const char *folder = getenv("FUZZ_FINDINGS");
  for (int i = 0; folder && i < fuzz.uses && i < FUZZ_USES_MOST; i++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/before-%02d", folder, i);
    FILE *file = fopen(path, "wb");
    if (!file) continue;
    fwrite(fuzz.inputs[i].data, 1, fuzz.inputs[i].size, file);
    fclose(file);
  }
}

sqlite3 *fuzz_take(const uint8_t *data, size_t size) {
  if (!fuzz.shared) {
    fuzz.shared = fuzz_open(fuzz.image, fuzz.image_size);
    fuzz.uses = 0;
  }
  fuzz_keep_input(data, size);
  fuzz.uses++;
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL);
  fuzz_fault(0, 0);
  fuzz.is_spoilt = false;
  if (sqlite3_exec(fuzz.shared, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
    fuzz_fail("no transaction", sqlite3_errmsg(fuzz.shared));
  }
  return fuzz.shared;
}

void fuzz_spoil(void) {
  fuzz.is_spoilt = true;
}

void fuzz_give(sqlite3 *db) {
  fuzz_fault(0, 0);
  if (sqlite3_get_autocommit(db)) fuzz.is_spoilt = true;
  if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  fuzz_settled(db, "the end");
  if (!fuzz.is_spoilt && !fuzz.is_fresh && fuzz.uses < FUZZ_USES_MOST) return;
  for (int i = 0; i < FUZZ_RULES_MOST; i++) {
    sqlite3_finalize(fuzz.rules[i]);
    fuzz.rules[i] = NULL;
  }
  for (int i = 0; i < FUZZ_KEPT_MOST; i++) {
    sqlite3_finalize(fuzz.kept[i].stmt);
    fuzz.kept[i].stmt = NULL;
  }
  fuzz.shared = NULL;
  fuzz_close(db);
  fuzz.uses = 0;
}

void fuzz_settled(sqlite3 *db, const char *sql) {
  for (sqlite3_stmt *stmt = NULL; (stmt = sqlite3_next_stmt(db, stmt));) {
    if (!sqlite3_stmt_busy(stmt)) continue;
    fprintf(stderr, "fuzz: after %s\n", sql);
    fuzz_fail("a statement was left running", sqlite3_sql(stmt));
  }
  if (sqlite3_get_autocommit(db) && sqlite3_txn_state(db, "main") != SQLITE_TXN_NONE) {
    fuzz_fail("a transaction was left", sql);
  }
}

/* ---- running --------------------------------------------------------------------------------- */

static void fuzz_bind(sqlite3_stmt *stmt, int i, const FuzzValue *value) {
  switch (value->type) {
  case FUZZ_NULL: sqlite3_bind_null(stmt, i); break;
  case FUZZ_INT: sqlite3_bind_int64(stmt, i, value->integer); break;
  case FUZZ_REAL: sqlite3_bind_double(stmt, i, value->real); break;
  case FUZZ_TEXT:
    sqlite3_bind_text(stmt, i, (const char *)value->bytes, (int)value->size, SQLITE_TRANSIENT);
    break;
  case FUZZ_BLOB:
    sqlite3_bind_blob(stmt, i, value->bytes, (int)value->size, SQLITE_TRANSIENT);
    break;
  }
}

static int fuzz_prepare(sqlite3 *db, const char *sql, FuzzKept *out) {
  fuzz.saw_control = fuzz.saw_pragma = false;
  int rc = sqlite3_prepare_v2(db, sql, -1, &out->stmt, NULL);
  out->is_control = fuzz.saw_control;
  out->is_pragma = fuzz.saw_pragma;
  return rc;
}

/* The place of a statement with this text, prepared: where the text says, or the next one that is
 * free. Where too many are full, the first of them goes. */
static int fuzz_prepare_kept(sqlite3 *db, const char *sql, FuzzKept **out) {
  unsigned hash = 2166136261u;
  for (const char *z = sql; *z; z++) hash = (hash ^ (unsigned char)*z) * 16777619u;
  for (unsigned i = 0; i < FUZZ_KEPT_TRIES; i++) {
    FuzzKept *kept = *out = &fuzz.kept[(hash + i) & (FUZZ_KEPT_MOST - 1)];
    if (!kept->stmt) return fuzz_prepare(db, sql, kept);
    if (strcmp(sqlite3_sql(kept->stmt), sql) == 0) return SQLITE_OK;
  }
  *out = &fuzz.kept[hash & (FUZZ_KEPT_MOST - 1)];
  sqlite3_finalize((*out)->stmt);
  return fuzz_prepare(db, sql, *out);
}

/* All rows; the first value of them in *text. */
static void fuzz_read_rows(sqlite3_stmt *stmt, char **text) {
  bool is_first = true;
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
      const unsigned char *column = sqlite3_column_text(stmt, i);
      if (column && is_first && i == 0) *text = sqlite3_mprintf("%s", column);
    }
    is_first = false;
  }
}

/* What must hold after a statement that came to its end with `rc`. */
static void fuzz_look(sqlite3 *db, const char *sql, int rc, bool is_control, bool was_open) {
  if (fuzz.is_told) fprintf(stderr, "%s: %d %s\n", sql, rc, sqlite3_errmsg(db));
  bool is_open = !sqlite3_get_autocommit(db);
  if (!is_control && is_open && !was_open) fuzz_fail("a transaction was begun", sql);
  if (!is_control && !is_open && was_open && rc == SQLITE_OK)
    fuzz_fail("a transaction was ended", sql);
  if (!is_open) fuzz_spoil();
  fuzz_settled(db, sql);
}

static int fuzz_execute(sqlite3 *db, const char *sql, bool may_keep, const FuzzValue *values,
                        int count, char **text) {
  FuzzKept once = {0}, *place = &once;
  bool was_open = !sqlite3_get_autocommit(db);
  /* One that is to fail is prepared anew, or it would fail elsewhere after other inputs. */
  bool is_kept = may_keep && db == fuzz.shared && !fuzz.is_failing;
  *text = NULL;
  int rc = is_kept ? fuzz_prepare_kept(db, sql, &place) : fuzz_prepare(db, sql, place);
  if (place->is_pragma) fuzz_spoil();
  fuzz.was_pure = place->stmt && sqlite3_stmt_readonly(place->stmt) && !place->is_pragma;
  for (int i = 0; i < count && rc == SQLITE_OK; i++) fuzz_bind(place->stmt, i + 1, &values[i]);
  if (place->stmt && rc == SQLITE_OK) fuzz_read_rows(place->stmt, text);
  int ended = is_kept ? sqlite3_reset(place->stmt) : sqlite3_finalize(place->stmt);
  if (is_kept && place->stmt) sqlite3_clear_bindings(place->stmt);
  if (rc == SQLITE_OK) rc = ended;
  fuzz_fault(0, 0);
  fuzz_look(db, sql, rc, place->is_control, was_open);
  return rc;
}

int fuzz_ask(sqlite3 *db, const char *sql, const FuzzValue *values, int count, char **text) {
  return fuzz_execute(db, sql, true, values, count, text);
}

int fuzz_run(sqlite3 *db, const char *sql, const FuzzValue *values, int count) {
  char *text;
  int rc = fuzz_execute(db, sql, true, values, count, &text);
  sqlite3_free(text);
  return rc;
}

int fuzz_run_once(sqlite3 *db, const char *sql) {
  char *text;
  int rc = fuzz_execute(db, sql, false, NULL, 0, &text);
  sqlite3_free(text);
  return rc;
}

bool fuzz_was_pure(void) {
  return fuzz.was_pure;
}

/* A row of the prepared statement is what is wrong; one that does not run finds nothing. */
static void fuzz_rule(sqlite3 *db, int i, const char *name, const char *sql) {
  if (!fuzz.rules[i]) sqlite3_prepare_v2(db, sql, -1, &fuzz.rules[i], NULL);
  if (fuzz.rules[i] && sqlite3_step(fuzz.rules[i]) == SQLITE_ROW) {
    fprintf(stderr, "fuzz: the rule %s\n", name);
    fuzz_fail("does not hold", (const char *)sqlite3_column_text(fuzz.rules[i], 0));
  }
  sqlite3_reset(fuzz.rules[i]);
}

void fuzz_sound(sqlite3 *db) {
  char *version;
  fuzz_ask(db, "SELECT max(version) FROM tm_migration", NULL, 0, &version);
  bool is_newest = version && atoi(version) == tm_schema_newest();
  sqlite3_free(version);
  if (!is_newest) return; /* an older schema has other rules */
  for (int i = 0; i < tm_invariant_count; i++) {
    fuzz_fault(0, 0);
    fuzz_rule(db, i, tm_invariants[i].name, tm_invariants[i].sql);
  }
  fuzz_rule(db, tm_invariant_count, "foreign keys",
            "SELECT \"table\" || rowid FROM pragma_foreign_key_check");
}

FuzzValue fuzz_text(const uint8_t *bytes, size_t size) {
  return (FuzzValue){.type = FUZZ_TEXT, .bytes = bytes, .size = size};
}

FuzzValue fuzz_int(sqlite3_int64 integer) {
  return (FuzzValue){.type = FUZZ_INT, .integer = integer};
}

FuzzValue fuzz_word(const char *text) {
  return fuzz_text((const uint8_t *)text, strlen(text));
}
