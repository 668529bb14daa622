/* subject.c - the databases under measurement.
 * Owns:    the SQL of the extension's users, and of those who write the same by hand.
 * Promise: both do one transaction an operation, keep their statements, take the write lock first
 *          where they read before they write, and read back what a worker needs.
 * Why:     a baseline that does less than a careful developer would makes a ratio worth nothing,
 *          and so does one that does more. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char bench_payload[] = "{\"user\":12345,\"what\":\"mail\"}";

/* ---- the ring of held tasks -------------------------------------------- */

static void held_add(Subject *s, sqlite3_int64 id, sqlite3_int64 token) {
  if (s->held_count == BENCH_HELD) bench_fail("claim", "too many tasks are held");
  int at = (s->held_first + s->held_count++) % BENCH_HELD;
  s->ids[at] = id;
  s->tokens[at] = token;
}

static int held_take(Subject *s) {
  if (s->held_count == 0) bench_fail("complete", "no task is held");
  int at = s->held_first;
  s->held_first = (s->held_first + 1) % BENCH_HELD;
  s->held_count--;
  return at;
}

/* ---- the extension ----------------------------------------------------- */

static const char *const tm_sql[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ENQUEUE] = "SELECT tm_enqueue('q', ?1)",
    [STMT_CLAIM] = "SELECT tm_claim('q', 'worker-1')",
    [STMT_COMPLETE] = "SELECT tm_complete(?1, ?2)",
    [STMT_HEARTBEAT] = "SELECT tm_heartbeat(?1, ?2)",
    [STMT_FAIL] = "SELECT tm_fail(?1, ?2, 'mail server is down')",
    [STMT_SNOOZE] = "SELECT tm_snooze(?1, ?2, 3600)",
    [STMT_BULK] = "INSERT INTO tm_command (verb, arg1, arg2) "
                  "SELECT 'enqueue', 'q', value FROM json_each(?1)",
    [STMT_CLAIM_MANY] = "SELECT id, token, payload FROM tm_claim('q', 'worker-1', ?1)",
    [STMT_COMPLETE_MANY] = "INSERT INTO tm_command (verb, arg1, arg2) "
                           "SELECT 'complete', value ->> 0, value ->> 1 FROM json_each(?1)",
};

static void tm_open(Subject *s) {
  char *error = NULL;

  sqlite3_enable_load_extension(s->db, 1);
  if (sqlite3_load_extension(s->db, s->so, NULL, &error) != SQLITE_OK) bench_fail(s->so, error);
  bench_exec(s->db, "SELECT tm_init()");
  bench_exec(s->db, "INSERT OR IGNORE INTO tm_queue (name) VALUES ('q')");
  for (int i = 0; i < STMT_COUNT; i++) {
    if (tm_sql[i]) s->stmts[i] = bench_prepare(s->db, tm_sql[i]);
  }
}

void bench_enqueue_payload(Subject *s, const char *payload) {
  sqlite3_bind_text(s->stmts[STMT_ENQUEUE], 1, payload, -1, SQLITE_STATIC);
  bench_step(s->db, s->stmts[STMT_ENQUEUE]);
}

char *bench_payload_of(int bytes) {
  char *payload = sqlite3_malloc(bytes + 1);

  if (!payload) bench_fail("payload", "out of memory");
  memset(payload, 'x', (size_t)bytes);
  payload[bytes] = 0;
  return payload;
}

static void tm_enqueue(Subject *s) {
  bench_enqueue_payload(s, bench_payload);
}

static sqlite3_int64 tm_number_after(const char *json, const char *key) {
  const char *at = strstr(json, key);

  return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

static bool tm_claim(Subject *s) {
  sqlite3_stmt *stmt = s->stmts[STMT_CLAIM];
  const char *json = NULL;

  if (sqlite3_step(stmt) == SQLITE_ROW) json = (const char *)sqlite3_column_text(stmt, 0);
  bool is_one = json != NULL;
  if (is_one) held_add(s, tm_number_after(json, "\"id\":"), tm_number_after(json, "\"token\":"));
  bench_step(s->db, stmt);
  return is_one;
}

static void tm_by_lease(Subject *s, int which) {
  int at = held_take(s);

  sqlite3_bind_int64(s->stmts[which], 1, s->ids[at]);
  sqlite3_bind_int64(s->stmts[which], 2, s->tokens[at]);
  bench_step(s->db, s->stmts[which]);
}

static void tm_complete(Subject *s) {
  tm_by_lease(s, STMT_COMPLETE);
}

static void tm_fail(Subject *s) {
  tm_by_lease(s, STMT_FAIL);
}

static void tm_snooze(Subject *s) {
  tm_by_lease(s, STMT_SNOOZE);
}

static void tm_heartbeat(Subject *s) {
  int at = s->held_first;

  tm_by_lease(s, STMT_HEARTBEAT);
  held_add(s, s->ids[at], s->tokens[at]);
}

static void tm_bulk(Subject *s) {
  sqlite3_bind_text(s->stmts[STMT_BULK], 1, s->bulk_json, -1, SQLITE_STATIC);
  bench_step(s->db, s->stmts[STMT_BULK]);
}

static void tm_claim_many(Subject *s) {
  sqlite3_stmt *stmt = s->stmts[STMT_CLAIM_MANY];

  bench_step(s->db, s->stmts[STMT_BEGIN]);
  sqlite3_bind_int(stmt, 1, BENCH_MANY);
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    held_add(s, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1));
  }
  if (sqlite3_reset(stmt) != SQLITE_OK) bench_fail("claim 32", sqlite3_errmsg(s->db));
  bench_step(s->db, s->stmts[STMT_COMMIT]);
}

static void tm_complete_many(Subject *s) {
  char json[BENCH_MANY * 48] = "";
  int n = 0;

  for (int i = 0; i < BENCH_MANY; i++) {
    int at = held_take(s);
    n += snprintf(json + n, sizeof json - (size_t)n, "%c[%lld,%lld]", i ? ',' : '[', s->ids[at],
                  s->tokens[at]);
  }
  json[n] = ']';
  json[n + 1] = 0;
  sqlite3_bind_text(s->stmts[STMT_COMPLETE_MANY], 1, json, -1, SQLITE_TRANSIENT);
  bench_step(s->db, s->stmts[STMT_COMPLETE_MANY]);
}

static void tm_probe(Subject *s) {
  if (tm_claim(s)) bench_fail("probe", "the queue should be empty");
}

static void tm_swap(Subject *s) {
  bench_step(s->db, s->stmts[STMT_BEGIN]);
  tm_complete(s);
  tm_claim(s);
  bench_step(s->db, s->stmts[STMT_COMMIT]);
}

const Kind bench_tm = {
    .name = "tm",
    .open = tm_open,
    .enqueue = tm_enqueue,
    .enqueue_inside = tm_enqueue,
    .claim = tm_claim,
    .complete = tm_complete,
    .heartbeat = tm_heartbeat,
    .fail = tm_fail,
    .snooze = tm_snooze,
    .bulk = tm_bulk,
    .claim_many = tm_claim_many,
    .complete_many = tm_complete_many,
    .probe = tm_probe,
    .swap = tm_swap,
};

/* ---- by hand ----------------------------------------------------------- */

#define TASK_COLUMNS(queue_rule, check)                                                            \
  "CREATE TABLE task (id INTEGER PRIMARY KEY, queue TEXT NOT NULL" queue_rule                      \
  ", state TEXT NOT NULL, priority INTEGER NOT NULL DEFAULT 0, run_at_ms INTEGER NOT NULL,"        \
  " created_ms INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,"                              \
  " max_attempts INTEGER NOT NULL DEFAULT 20, token INTEGER NOT NULL DEFAULT 0,"                   \
  " lease_until_ms INTEGER, started_ms INTEGER, finished_ms INTEGER, progress REAL, worker TEXT,"  \
  " kind TEXT, tags TEXT, metadata TEXT, error TEXT, result ANY, payload ANY" check ") STRICT;"

#define FULL_INDEXES                                                                               \
  "CREATE INDEX task_available ON task (queue, priority DESC, run_at_ms)"                          \
  " WHERE state = 'available';"                                                                    \
  "CREATE INDEX task_delayed ON task (queue, run_at_ms)"                                           \
  " WHERE state = 'scheduled' OR state = 'retryable';"                                             \
  "CREATE INDEX task_leased ON task (queue, lease_until_ms) WHERE state = 'running';"

#define QUEUE_TABLE                                                                                \
  "CREATE TABLE queue (name TEXT PRIMARY KEY, paused INTEGER NOT NULL DEFAULT 0,"                  \
  " lease_ms INTEGER NOT NULL DEFAULT 60000) STRICT, WITHOUT ROWID;"                               \
  "INSERT INTO queue (name) VALUES ('q');"

#define HISTORY_TABLE(rules)                                                                       \
  "CREATE TABLE event (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, from_state TEXT, "        \
  " to_state TEXT NOT NULL, at_ms INTEGER NOT NULL, attempt INTEGER NOT NULL, actor TEXT,"         \
  " reason TEXT" rules ") STRICT;"                                                                 \
  "CREATE TABLE failure (task_id INTEGER NOT NULL, attempt INTEGER NOT NULL, failed_ms INTEGER,"   \
  " error TEXT, PRIMARY KEY (task_id, attempt)) STRICT, WITHOUT ROWID;"

#define CHECKS                                                                                     \
  ", CHECK (state <> 'running' OR (worker IS NOT NULL AND lease_until_ms IS NOT NULL))"            \
  ", CHECK (priority BETWEEN -32768 AND 32767), CHECK (attempt >= 0), CHECK (token >= 0)"          \
  ", CHECK (run_at_ms BETWEEN 0 AND 253402300799999), CHECK (max_attempts BETWEEN 1 AND 1000000)"  \
  ", CHECK (lease_until_ms BETWEEN 0 AND 253402300799999), CHECK (progress BETWEEN 0 AND 1)"       \
  ", CHECK (length(worker) BETWEEN 1 AND 255), CHECK (length(kind) BETWEEN 1 AND 255)"             \
  ", FOREIGN KEY (state) REFERENCES state (name)"

#define STATE_TABLES                                                                               \
  "CREATE TABLE state (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"                              \
  "CREATE TABLE move (from_state TEXT NOT NULL, to_state TEXT NOT NULL,"                           \
  " PRIMARY KEY (from_state, to_state)) STRICT, WITHOUT ROWID;"                                    \
  "INSERT INTO state VALUES ('available'), ('running'), ('completed'), ('scheduled'),"             \
  " ('retryable');"                                                                                \
  "INSERT INTO move VALUES ('available', 'running'), ('running', 'completed'),"                    \
  " ('running', 'retryable'), ('running', 'scheduled'), ('retryable', 'available'),"               \
  " ('scheduled', 'available');"

static const char full_schema[] = QUEUE_TABLE TASK_COLUMNS("", "") FULL_INDEXES HISTORY_TABLE("");

static const char kept_schema[] =
    QUEUE_TABLE STATE_TABLES TASK_COLUMNS(" REFERENCES queue (name)", CHECKS)
FULL_INDEXES HISTORY_TABLE(", FOREIGN KEY (from_state, to_state) REFERENCES move");

static const char bare_schema[] = QUEUE_TABLE TASK_COLUMNS(
    "", "") "CREATE INDEX task_available ON task (queue, priority DESC, run_at_ms)"
            " WHERE state = 'available';" HISTORY_TABLE("");

static const char *const hand_sql[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ENQUEUE] = "INSERT INTO task (queue, state, run_at_ms, created_ms, payload) "
                     "VALUES ('q', 'available', ?1, ?1, ?2)",
    [STMT_CHOOSE] = "SELECT t.id, t.token, t.attempt, t.max_attempts, t.priority, t.run_at_ms, "
                    "t.created_ms, t.kind, t.tags, t.metadata, t.error, t.payload, q.lease_ms "
                    "FROM queue AS q JOIN task AS t INDEXED BY task_available "
                    "ON t.queue = q.name AND t.state = 'available' "
                    "WHERE q.name = 'q' AND q.paused = 0 "
                    "ORDER BY t.priority DESC, t.run_at_ms, t.id LIMIT 1",
    [STMT_CLAIM] = "UPDATE task SET state = 'running', attempt = attempt + 1, token = token + 1, "
                   "worker = 'worker-1', lease_until_ms = ?2, started_ms = ?3, progress = NULL "
                   "WHERE id = ?1",
    [STMT_COMPLETE] = "UPDATE task SET state = 'completed', lease_until_ms = NULL, "
                      "finished_ms = ?3, result = NULL "
                      "WHERE id = ?1 AND token = ?2 AND state = 'running'",
    [STMT_HEARTBEAT] = "UPDATE task SET lease_until_ms = ?3 "
                       "WHERE id = ?1 AND token = ?2 AND state = 'running'",
    [STMT_FAIL] = "UPDATE task SET state = 'retryable', lease_until_ms = NULL, run_at_ms = ?3, "
                  "error = 'mail server is down' "
                  "WHERE id = ?1 AND token = ?2 AND state = 'running'",
    [STMT_SNOOZE] = "UPDATE task SET state = 'scheduled', lease_until_ms = NULL, run_at_ms = ?3, "
                    "attempt = attempt - 1 WHERE id = ?1 AND token = ?2 AND state = 'running'",
    [STMT_HISTORY] = "INSERT INTO event (task_id, from_state, to_state, at_ms, attempt, actor) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, 'worker-1')",
    [STMT_ERROR] = "INSERT INTO failure (task_id, attempt, failed_ms, error) "
                   "VALUES (?1, ?2, ?3, 'mail server is down')",
};

static void hand_open_with(Subject *s, const char *schema) {
  if (bench_number(s->db, "SELECT count(*) FROM sqlite_schema") == 0) bench_exec(s->db, schema);
  for (int i = 0; i < STMT_COUNT; i++) {
    if (hand_sql[i]) s->stmts[i] = bench_prepare(s->db, hand_sql[i]);
  }
}

static void full_open(Subject *s) {
  hand_open_with(s, full_schema);
}

static void kept_open(Subject *s) {
  bench_exec(s->db, "PRAGMA foreign_keys = ON");
  hand_open_with(s, kept_schema);
}

static bool hand_has_birth(const Subject *s) {
  return s->kind == &bench_full;
}

static void bare_open(Subject *s) {
  hand_open_with(s, bare_schema);
}

static void hand_begin(Subject *s) {
  bench_step(s->db, s->stmts[STMT_BEGIN]);
}

static void hand_commit(Subject *s) {
  bench_step(s->db, s->stmts[STMT_COMMIT]);
}

static void hand_history(Subject *s, sqlite3_int64 id, const char *from, const char *to,
                         sqlite3_int64 now_ms) {
  sqlite3_stmt *stmt = s->stmts[STMT_HISTORY];

  if (s->kind == &bench_bare) return;
  sqlite3_bind_int64(stmt, 1, id);
  sqlite3_bind_text(stmt, 2, from, -1, SQLITE_STATIC);
  sqlite3_bind_text(stmt, 3, to, -1, SQLITE_STATIC);
  sqlite3_bind_int64(stmt, 4, now_ms);
  sqlite3_bind_int64(stmt, 5, 1);
  bench_step(s->db, stmt);
}

static void hand_enqueue_inside(Subject *s) {
  sqlite3_int64 now_ms = bench_wall_ms();

  sqlite3_bind_int64(s->stmts[STMT_ENQUEUE], 1, now_ms);
  sqlite3_bind_text(s->stmts[STMT_ENQUEUE], 2, bench_payload, -1, SQLITE_STATIC);
  bench_step(s->db, s->stmts[STMT_ENQUEUE]);
  if (hand_has_birth(s)) {
    hand_history(s, sqlite3_last_insert_rowid(s->db), NULL, "available", now_ms);
  }
}

/* One statement is a transaction by itself. */
static void hand_enqueue(Subject *s) {
  bool is_one = !hand_has_birth(s);

  if (!is_one) hand_begin(s);
  hand_enqueue_inside(s);
  if (!is_one) hand_commit(s);
}

/* What a worker is given is read column by column, as its language's driver does. */
static sqlite3_int64 hand_choose(Subject *s, sqlite3_int64 *token, sqlite3_int64 *lease_ms) {
  sqlite3_stmt *stmt = s->stmts[STMT_CHOOSE];
  sqlite3_int64 id = 0;

  if (sqlite3_step(stmt) == SQLITE_ROW) {
    id = sqlite3_column_int64(stmt, 0);
    *token = sqlite3_column_int64(stmt, 1) + 1;
    for (int i = 2; i < 12; i++) {
      if (sqlite3_column_type(stmt, i) != SQLITE_NULL) sqlite3_column_text(stmt, i);
    }
    *lease_ms = sqlite3_column_int64(stmt, 12);
  }
  sqlite3_reset(stmt);
  return id;
}

static bool hand_claim_inside(Subject *s) {
  sqlite3_stmt *stmt = s->stmts[STMT_CLAIM];
  sqlite3_int64 token = 0;
  sqlite3_int64 lease_ms = 0;
  sqlite3_int64 now_ms = bench_wall_ms();
  sqlite3_int64 id = hand_choose(s, &token, &lease_ms);

  if (id == 0) return false;
  sqlite3_bind_int64(stmt, 1, id);
  sqlite3_bind_int64(stmt, 2, now_ms + lease_ms);
  sqlite3_bind_int64(stmt, 3, now_ms);
  bench_step(s->db, stmt);
  hand_history(s, id, "available", "running", now_ms);
  held_add(s, id, token);
  return true;
}

static bool hand_claim(Subject *s) {
  hand_begin(s);
  bool is_one = hand_claim_inside(s);
  hand_commit(s);
  return is_one;
}

/* The checked write: the token and the state must still be the holder's. */
static sqlite3_int64 hand_write(Subject *s, int which, sqlite3_int64 time_ms) {
  sqlite3_stmt *stmt = s->stmts[which];
  int at = held_take(s);

  sqlite3_bind_int64(stmt, 1, s->ids[at]);
  sqlite3_bind_int64(stmt, 2, s->tokens[at]);
  sqlite3_bind_int64(stmt, 3, time_ms);
  bench_step(s->db, stmt);
  if (sqlite3_changes(s->db) != 1) bench_fail(sqlite3_sql(stmt), "the lease is lost");
  return s->ids[at];
}

static void hand_complete_inside(Subject *s) {
  sqlite3_int64 now_ms = bench_wall_ms();
  sqlite3_int64 id = hand_write(s, STMT_COMPLETE, now_ms);

  hand_history(s, id, "running", "completed", now_ms);
}

static void hand_complete(Subject *s) {
  hand_begin(s);
  hand_complete_inside(s);
  hand_commit(s);
}

static void hand_heartbeat(Subject *s) {
  int at = s->held_first;

  hand_begin(s);
  hand_write(s, STMT_HEARTBEAT, bench_wall_ms() + 60000);
  hand_commit(s);
  held_add(s, s->ids[at], s->tokens[at]);
}

static void hand_fail(Subject *s) {
  sqlite3_int64 now_ms = bench_wall_ms();

  hand_begin(s);
  sqlite3_int64 id = hand_write(s, STMT_FAIL, now_ms + 3600000);
  hand_history(s, id, "running", "retryable", now_ms);
  if (s->kind != &bench_bare) {
    sqlite3_bind_int64(s->stmts[STMT_ERROR], 1, id);
    sqlite3_bind_int64(s->stmts[STMT_ERROR], 2, 1);
    sqlite3_bind_int64(s->stmts[STMT_ERROR], 3, now_ms);
    bench_step(s->db, s->stmts[STMT_ERROR]);
  }
  hand_commit(s);
}

static void hand_snooze(Subject *s) {
  sqlite3_int64 now_ms = bench_wall_ms();

  hand_begin(s);
  sqlite3_int64 id = hand_write(s, STMT_SNOOZE, now_ms + 3600000);
  hand_history(s, id, "running", "scheduled", now_ms);
  hand_commit(s);
}

/* What those who have no such command do: prepared statements in one transaction. */
static void hand_bulk(Subject *s) {
  hand_begin(s);
  for (int i = 0; i < BENCH_BULK; i++) hand_enqueue_inside(s);
  hand_commit(s);
}

static void hand_probe(Subject *s) {
  sqlite3_int64 token = 0;
  sqlite3_int64 lease_ms = 0;

  if (hand_choose(s, &token, &lease_ms) != 0) bench_fail("probe", "the queue should be empty");
}

static void hand_claim_many(Subject *s) {
  hand_begin(s);
  for (int i = 0; i < BENCH_MANY; i++) hand_claim_inside(s);
  hand_commit(s);
}

static void hand_complete_many(Subject *s) {
  hand_begin(s);
  for (int i = 0; i < BENCH_MANY; i++) hand_complete_inside(s);
  hand_commit(s);
}

static void hand_swap(Subject *s) {
  hand_begin(s);
  hand_complete_inside(s);
  hand_claim_inside(s);
  hand_commit(s);
}

#define HAND(its_name, its_open)                                                                   \
  {                                                                                                \
    .name = its_name, .open = its_open, .enqueue = hand_enqueue,                                   \
    .enqueue_inside = hand_enqueue_inside, .probe = hand_probe, .claim = hand_claim,               \
    .complete = hand_complete, .heartbeat = hand_heartbeat, .fail = hand_fail,                     \
    .snooze = hand_snooze, .bulk = hand_bulk, .claim_many = hand_claim_many,                       \
    .complete_many = hand_complete_many, .swap = hand_swap,                                        \
  }

const Kind bench_full = HAND("full", full_open);
const Kind bench_lean = HAND("lean", full_open);
const Kind bench_kept = HAND("kept", kept_open);
const Kind bench_bare = HAND("bare", bare_open);

/* ---- opening and closing ----------------------------------------------- */

static void subject_remove(const char *path) {
  static const char *const ends[] = {"", "-wal", "-shm"};

  for (int i = 0; i < 3; i++) {
    char *name = sqlite3_mprintf("%s%s", path, ends[i]);
    remove(name);
    sqlite3_free(name);
  }
}

static char *subject_bulk(void) {
  sqlite3_str *json = sqlite3_str_new(NULL);

  for (int i = 0; i < BENCH_BULK; i++) {
    sqlite3_str_appendf(json, "%s{\"user\":%d,\"what\":\"mail\"}", i ? "," : "[", 10000 + i);
  }
  sqlite3_str_appendchar(json, 1, ']');
  return sqlite3_str_finish(json);
}

void bench_open(Subject *s, const Kind *kind, const char *so, const char *path, bool is_new) {
  memset(s, 0, sizeof *s);
  s->kind = kind;
  s->so = so;
  s->bulk_json = subject_bulk();
  if (is_new) subject_remove(path);
  if (sqlite3_open(path, &s->db) != SQLITE_OK) bench_fail(path, sqlite3_errmsg(s->db));
  sqlite3_busy_timeout(s->db, 20000);
  bench_exec(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  kind->open(s);
}

void bench_close(Subject *s) {
  for (int i = 0; i < STMT_COUNT; i++) sqlite3_finalize(s->stmts[i]);
  sqlite3_free(s->bulk_json);
  if (sqlite3_close(s->db) != SQLITE_OK) bench_fail("close", sqlite3_errmsg(s->db));
}
