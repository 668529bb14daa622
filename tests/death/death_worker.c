/* death_worker.c - one worker, and the ledger of what it was told.
 * Owns:    a connection to each database, and its ledger.
 * Promise: a line says what is about to be done before it is done, another what came of it after
 *          the commit returned. Nothing it knows outlives it, but its name.
 * Why:     what was acknowledged is what an application would have acted on. */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "death.h"
#include "tm.h"

#define LEASE_MS      60
#define LONG_LEASE_MS 2000 /* longer than a dead worker needs to be there again */
#define LONG_ONE_IN   3
#define HELD_MAX      8
#define BUSY_MS       15000
#define OTHER_TASKS   50

#define LIMITED_QUEUE                                                                              \
  "INSERT INTO tm_queue (name, max_running, max_running_per_partition, fair) VALUES ('few', 4, "   \
  "2, 1)"

typedef struct Held {
  sqlite3_int64 id;
  sqlite3_int64 token;
  int lease_ms;
} Held;

typedef struct Worker {
  const Plan *plan;
  sqlite3 *db;
  sqlite3 *other; /* migrates up and down */
  int ledger;
  int seq;
  char name[16];
  char line[4096];
  size_t length;
  Held held[HELD_MAX];
  int held_count;
  sqlite3_int64 newest; /* the highest id it has seen */
} Worker;

static volatile sig_atomic_t is_asked_to_stop;

static void ask_to_stop(int unused) {
  (void)unused;
  is_asked_to_stop = 1;
}

/* ---- the ledger ------------------------------------------------------- */

static void say(Worker *w, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(w->line + w->length, sizeof w->line - w->length, format, args);
  va_end(args);
  if (n > 0) w->length += (size_t)n;
  if (w->length > sizeof w->line - 2) w->length = sizeof w->line - 2;
}

/* A line is made of words; kind and time are put before them when it is written. */
static void begin_line(Worker *w) {
  w->length = 0;
  w->line[0] = 0;
}

static void end_line(Worker *w, char kind) {
  struct timespec mono;
  struct timespec wall;
  char line[sizeof w->line + 100];
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &wall);
  int n = snprintf(line, sizeof line, "%c %d %lld %lld%s\n", kind, w->seq,
                   mono.tv_sec * 1000000LL + mono.tv_nsec / 1000,
                   wall.tv_sec * 1000LL + wall.tv_nsec / 1000000, w->line);
  if (write(w->ledger, line, (size_t)n) != n) _exit(1);
  if (kind == 'A') ++*w->plan->acknowledged;
}

static void intend(Worker *w, const char *format, ...) {
  w->seq++;
  begin_line(w);
  say(w, " ");
  va_list args;
  va_start(args, format);
  vsnprintf(w->line + w->length, sizeof w->line - w->length, format, args);
  va_end(args);
  end_line(w, 'I');
  begin_line(w);
}

/* What came of it: the symbol in the brackets, or SQLite's message. */
static bool failed(Worker *w, sqlite3 *db) {
  const char *message = sqlite3_errmsg(db);
  const char *symbol = strrchr(message, '[');
  begin_line(w);
  say(w, " %s (%d)", symbol ? symbol : message, sqlite3_extended_errcode(db));
  end_line(w, 'E');
  return false;
}

/* ---- SQL -------------------------------------------------------------- */

/* Run one statement with integers bound to ?1, ?2 …, and a text to ?9; each row is said to the
 * ledger's line. */
static bool run(Worker *w, sqlite3 *db, const char *sql, const char *text, int count, ...) {
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
  va_list args;
  va_start(args, count);
  for (int i = 1; i <= count && rc == SQLITE_OK; i++) {
    rc = sqlite3_bind_int64(stmt, i, va_arg(args, sqlite3_int64));
  }
  va_end(args);
  if (rc == SQLITE_OK && text) rc = sqlite3_bind_text(stmt, 9, text, -1, SQLITE_STATIC);
  if (rc == SQLITE_OK) {
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
      for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        const char *value = (const char *)sqlite3_column_text(stmt, i);
        say(w, " %s", value ? value : "-");
      }
    }
  }
  bool is_done = rc == SQLITE_DONE;
  /* Before the statement goes, so that the message is still its own. */
  if (!is_done) failed(w, db);
  sqlite3_finalize(stmt);
  return is_done;
}

static void quietly(sqlite3 *db, const char *sql) {
  sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* One statement, its rows acknowledged when it has returned, and so is committed. */
#define ACKNOWLEDGE(w, ...)                                                                        \
  do {                                                                                             \
    if (run(w, (w)->db, __VA_ARGS__)) end_line(w, 'A');                                            \
  } while (0)

static sqlite3 *open_database(const Plan *plan, const char *name) {
  char path[1024];
  sqlite3 *db = NULL;
  snprintf(path, sizeof path, "%s/%s", plan->folder, name);
  if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_tm_init(db, NULL, NULL) != SQLITE_OK) {
    printf("cannot open %s: %s\n", path, sqlite3_errmsg(db));
    fflush(stdout);
    _exit(1);
  }
  sqlite3_busy_timeout(db, BUSY_MS);
  quietly(db, "PRAGMA synchronous = NORMAL");
  return db;
}

/* ---- enqueue ---------------------------------------------------------- */

static void know(Worker *w, sqlite3_int64 id) {
  if (id > w->newest) w->newest = id;
}

/* What is in the payload nobody else writes. */
static void write_key(Worker *w, char *key, size_t size) {
  snprintf(key, size, "k%d.%d", w->plan->life, w->seq + 1);
}

static void enqueue_function(Worker *w) {
  char key[64];
  write_key(w, key, sizeof key);
  intend(w, "enqueue %s", key);
  ACKNOWLEDGE(w, "SELECT tm_enqueue('q', ?9, '{\"max_attempts\":4}')", key, 0);
  know(w, sqlite3_last_insert_rowid(w->db));
}

static void enqueue_command(Worker *w) {
  char key[64];
  write_key(w, key, sizeof key);
  intend(w, "enqueue %s", key);
  if (!run(w, w->db, "INSERT INTO tm_command (verb, arg1, arg2) VALUES ('enqueue', 'q', ?9)", key,
           0)) {
    return;
  }
  say(w, " %lld", sqlite3_last_insert_rowid(w->db));
  end_line(w, 'A');
}

static void enqueue_inbox(Worker *w) {
  char key[64];
  write_key(w, key, sizeof key);
  intend(w, "inbox %s", key);
  ACKNOWLEDGE(w, "INSERT INTO tm_inbox (queue, payload, max_attempts) VALUES ('kept', ?9, 3)", key,
              0);
}

/* Several in one transaction, whose ids count when the COMMIT has returned. */
static void enqueue_batch(Worker *w) {
  char key[64];
  int count = 2 + rand() % 4;
  write_key(w, key, sizeof key);
  intend(w, "batch %s %d", key, count);
  if (!run(w, w->db, "BEGIN IMMEDIATE", NULL, 0)) return;
  bool is_good = true;
  for (int i = 0; i < count && is_good; i++) {
    is_good = run(w, w->db, "SELECT tm_enqueue('kept', ?9 || '.' || ?1)", key, 1, (sqlite3_int64)i);
  }
  if (is_good && run(w, w->db, "COMMIT", NULL, 0)) end_line(w, 'A');
  if (!sqlite3_get_autocommit(w->db)) quietly(w->db, "ROLLBACK");
}

/* One of a group, and waiting for one that may be gone; in a queue that has limits. */
static void enqueue_flow(Worker *w) {
  char key[64];
  sqlite3_int64 after = w->newest - rand() % 8;
  write_key(w, key, sizeof key);
  intend(w, "enqueue %s", key);
  ACKNOWLEDGE(w,
              "SELECT tm_enqueue('few', ?9, json_object('group', 'g' || (?1 / 16), 'partition', "
              "'p' || (?1 % 5), 'after', ?1, 'on_failure', 'ignore', 'max_attempts', 4))",
              key, 1, after < 1 ? (sqlite3_int64)1 : after);
}

/* ---- claims ----------------------------------------------------------- */

/* Read the claimed tasks back from the line: triples of id, token and the end of the lease. */
static void hold(Worker *w, const char *triples, int lease_ms) {
  long long id;
  long long token;
  long long until;
  int n;
  while (sscanf(triples, "%lld %lld %lld%n", &id, &token, &until, &n) == 3) {
    triples += n;
    know(w, id);
    if (w->held_count < HELD_MAX) w->held[w->held_count++] = (Held){id, token, lease_ms};
  }
}

static void claim_rows(Worker *w, int lease_ms) {
  intend(w, "claim");
  if (!run(w, w->db, "BEGIN IMMEDIATE", NULL, 0)) return;
  bool is_good = run(w, w->db,
                     "SELECT id, token, lease_until_ms "
                     "FROM tm_claim('[\"few\",\"kept\",\"q\"]', ?9, 3, ?1 || 'ms')",
                     w->name, 1, (sqlite3_int64)lease_ms);
  if (is_good && run(w, w->db, "COMMIT", NULL, 0)) {
    end_line(w, 'A');
    hold(w, w->line, lease_ms);
  }
  if (!sqlite3_get_autocommit(w->db)) quietly(w->db, "ROLLBACK");
}

/* As an application without tm_claim would: look first, then write what was seen. */
static void claim_lawless(Worker *w) {
  intend(w, "claim");
  if (!run(w, w->db,
           "SELECT id, token + 1, CAST(unixepoch('now') AS INTEGER) * 1000 + 60 FROM tm_task "
           "WHERE state = 'available' ORDER BY id LIMIT 1",
           NULL, 0)) {
    return;
  }
  long long id = 0;
  long long token = 0;
  if (sscanf(w->line, "%lld %lld", &id, &token) == 2) {
    usleep(300);
    if (!run(
            w, w->db,
            "UPDATE tm_task SET state = 'running', worker = ?9, token = ?2, attempt = attempt + 1, "
            "lease_until_ms = CAST(unixepoch('now') AS INTEGER) * 1000 + 60 WHERE id = ?1",
            w->name, 2, (sqlite3_int64)id, (sqlite3_int64)token)) {
      return;
    }
  }
  end_line(w, 'A');
  hold(w, w->line, LEASE_MS);
}

static void claim_function(Worker *w, int lease_ms) {
  intend(w, "claim");
  /* Materialized: a flattened subquery would call it once for each column. */
  if (!run(w, w->db,
           "WITH c (task) AS MATERIALIZED (SELECT tm_claim('[\"few\",\"kept\",\"q\"]', ?9, "
           "json_object('lease', ?1 || 'ms'))) "
           "SELECT task ->> '$.id', task ->> '$.token', task ->> '$.lease_until_ms' FROM c "
           "WHERE task IS NOT NULL",
           w->name, 1, (sqlite3_int64)lease_ms)) {
    return;
  }
  end_line(w, 'A');
  hold(w, w->line, lease_ms);
}

static void claim(Worker *w) {
  int lease_ms = rand() % LONG_ONE_IN ? LEASE_MS : LONG_LEASE_MS;
  if (w->plan->is_lawless) {
    claim_lawless(w);
  } else if (rand() % 2) {
    claim_rows(w, lease_ms);
  } else {
    claim_function(w, lease_ms);
  }
}

/* ---- what a holder does ----------------------------------------------- */

/* The effect and the end of the task in one transaction: both, or neither. */
static void complete_with_effect(Worker *w, Held task) {
  intend(w, "complete %lld %lld effect", task.id, task.token);
  if (!run(w, w->db, "BEGIN IMMEDIATE", NULL, 0)) return;
  bool is_good =
      run(w, w->db, "INSERT INTO effect (task_id, token) VALUES (?1, ?2)", NULL, 2, task.id,
          task.token) &&
      run(w, w->db, "SELECT tm_complete(?1, ?2, 'effect')", NULL, 2, task.id, task.token);
  if (is_good && run(w, w->db, "COMMIT", NULL, 0)) end_line(w, 'A');
  if (!sqlite3_get_autocommit(w->db)) quietly(w->db, "ROLLBACK");
}

static void let_go(Worker *w, Held task) {
  switch (rand() % 8) {
  case 0:
    intend(w, "fail %lld %lld", task.id, task.token);
    ACKNOWLEDGE(w, "SELECT tm_fail(?1, ?2, 'broke', '{\"delay\":\"20ms\"}')", NULL, 2, task.id,
                task.token);
    break;
  case 1:
    intend(w, "release %lld %lld", task.id, task.token);
    ACKNOWLEDGE(w, "SELECT tm_release(?1, ?2)", NULL, 2, task.id, task.token);
    break;
  case 2:
    intend(w, "snooze %lld %lld", task.id, task.token);
    ACKNOWLEDGE(w, "SELECT tm_snooze(?1, ?2, '10ms')", NULL, 2, task.id, task.token);
    break;
  case 3:
    intend(w, "complete %lld %lld", task.id, task.token);
    ACKNOWLEDGE(w, "INSERT INTO tm_command (verb, arg1, arg2) VALUES ('complete', ?1, ?2)", NULL, 2,
                task.id, task.token);
    break;
  default: complete_with_effect(w, task);
  }
}

static void finish_one(Worker *w) {
  if (w->held_count == 0) {
    claim(w);
    return;
  }
  int i = rand() % w->held_count;
  Held task = w->held[i];
  if (rand() % 4 == 0) {
    intend(w, "heartbeat %lld %lld %d", task.id, task.token, task.lease_ms);
    ACKNOWLEDGE(w, "SELECT tm_heartbeat(?1, ?2, json_object('lease', ?3 || 'ms'))", NULL, 3,
                task.id, task.token, (sqlite3_int64)task.lease_ms);
    return;
  }
  w->held[i] = w->held[--w->held_count];
  let_go(w, task);
}

/* ---- what others do ---------------------------------------------------- */

/* One of the newest `span` tasks that are so, or 0. */
static sqlite3_int64 choose(Worker *w, const char *condition, int span) {
  char sql[400];
  snprintf(sql, sizeof sql,
           "SELECT id FROM tm_task WHERE id > (SELECT max(id) FROM tm_task) - %d AND %s "
           "ORDER BY random() LIMIT 1",
           span, condition);
  begin_line(w);
  return run(w, w->db, sql, NULL, 0) ? strtoll(w->line, NULL, 10) : 0;
}

/* Together with the event by which the task is in the state that the verb says. */
static void steer(Worker *w, const char *verb, const char *sql, sqlite3_int64 id) {
  if (id == 0) return;
  intend(w, "%s %lld", verb, id);
  if (!run(w, w->db, "BEGIN IMMEDIATE", NULL, 0)) return;
  bool is_good = run(w, w->db, sql, NULL, 1, id) &&
                 run(w, w->db, "SELECT event_id FROM tm_task WHERE id = ?1", NULL, 1, id);
  if (is_good && run(w, w->db, "COMMIT", NULL, 0)) end_line(w, 'A');
  if (!sqlite3_get_autocommit(w->db)) quietly(w->db, "ROLLBACK");
}

/* Of the very newest, most of which are alive, some running. */
static void cancel_one(Worker *w) {
  steer(w, "cancel", "SELECT tm_cancel(?1, 'no more')", choose(w, "true", 40));
}

static void retry_one(Worker *w) {
  steer(w, "retry", "SELECT tm_retry(?1)",
        choose(w, "state IN ('discarded', 'cancelled', 'retryable', 'scheduled')", 200));
}

/* What is in queue `kept` is not, so that it can be counted. A task's queue stays the same. */
static void delete_one(Worker *w) {
  sqlite3_int64 id =
      choose(w, "queue <> 'kept' AND state IN ('completed', 'cancelled', 'discarded')", 200);
  if (id == 0) return;
  intend(w, "delete %lld", id);
  ACKNOWLEDGE(w, "SELECT tm_delete(?1)", NULL, 1, id);
}

static void steer_one(Worker *w) {
  switch (rand() % 4) {
  case 0: cancel_one(w); break;
  case 1: delete_one(w); break;
  default: retry_one(w);
  }
}

static void init(Worker *w) {
  intend(w, "init");
  ACKNOWLEDGE(w, "SELECT tm_migrate()", NULL, 0);
}

static void checkpoint(Worker *w) {
  bool is_passive = rand() % 2;
  intend(w, is_passive ? "checkpoint passive" : "checkpoint truncate");
  ACKNOWLEDGE(w, is_passive ? "PRAGMA wal_checkpoint(PASSIVE)" : "PRAGMA wal_checkpoint(TRUNCATE)",
              NULL, 0);
}

static void tick(Worker *w) {
  intend(w, "tick");
  ACKNOWLEDGE(w, "SELECT tm_tick()", NULL, 0);
}

static void upkeep(Worker *w) {
  switch (rand() % 8) {
  case 0: init(w); break;
  case 1:
  case 2: checkpoint(w); break;
  default: tick(w);
  }
}

/* Another database goes a step down and up again, with tasks in it. */
static void migrate_other(Worker *w, bool is_up) {
  if (!w->other) w->other = open_database(w->plan, "other.db");
  if (is_up) {
    intend(w, "migrate up");
    if (run(w, w->other, "SELECT tm_migrate()", NULL, 0)) end_line(w, 'A');
  } else {
    intend(w, "migrate down");
    if (run(w, w->other, "SELECT tm_migrate(?1)", NULL, 1, w->plan->version - 1)) end_line(w, 'A');
  }
}

/* What is seldom done begins a life, one after the other: so each is done often, however few steps
 * a slow machine leaves to a life. */
static void begin_life(Worker *w) {
  switch (w->plan->life % 8) {
  case 0: cancel_one(w); break;
  case 1: delete_one(w); break;
  case 2: retry_one(w); break;
  case 3: init(w); break;
  case 4: checkpoint(w); break;
  case 5: tick(w); break;
  case 6: migrate_other(w, false); break;
  default: migrate_other(w, true);
  }
}

static void step(Worker *w) {
  int at = rand() % 100;
  if (at < 8) {
    enqueue_function(w);
  } else if (at < 14) {
    enqueue_command(w);
  } else if (at < 18) {
    enqueue_inbox(w);
  } else if (at < 21) {
    enqueue_batch(w);
  } else if (at < 24) {
    enqueue_flow(w);
  } else if (at < 50) {
    if (w->held_count < HELD_MAX - 3) claim(w);
  } else if (at < 90) {
    finish_one(w);
  } else if (at < 95) {
    steer_one(w);
  } else if (at < 99) {
    upkeep(w);
  } else {
    migrate_other(w, rand() % 2);
  }
}

void death_work(const Plan *plan) {
  static Worker w; /* large, and alone in its process */
  char path[1024];
  w.plan = plan;
  signal(SIGTERM, ask_to_stop);
  srand(plan->seed * 7919U + (unsigned)plan->life);
  snprintf(w.name, sizeof w.name, "w%d", plan->slot);
  snprintf(path, sizeof path, "%s/ledger/%d.%s", plan->folder, plan->life, w.name);
  w.ledger = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (w.ledger < 0) _exit(1);
  w.db = open_database(plan, "work.db");
  if (rand() % 4) {
    intend(&w, "reconcile %s", w.name);
    ACKNOWLEDGE(&w, "SELECT tm_reconcile(?9)", w.name, 0);
  }
  begin_life(&w);
  while (!is_asked_to_stop) step(&w);
  if (sqlite3_close(w.db) != SQLITE_OK || sqlite3_close(w.other) != SQLITE_OK) {
    printf("a connection could not be closed\n");
    fflush(stdout);
    _exit(1);
  }
}

void death_set_up(const Plan *plan) {
  const char *names[] = {"work.db", "other.db"};
  for (int i = 0; i < 2; i++) {
    sqlite3 *db = open_database(plan, names[i]);
    char *message = NULL;
    sqlite3_exec(
        db, plan->is_wal ? "SELECT tm_init()" : "INSERT INTO tm_command (verb) VALUES ('init')",
        NULL, NULL, &message);
    if (!message) {
      sqlite3_exec(db, "CREATE TABLE effect (task_id INTEGER NOT NULL, token INTEGER NOT NULL)",
                   NULL, NULL, &message);
    }
    if (!message) sqlite3_exec(db, LIMITED_QUEUE, NULL, NULL, &message);
    for (int k = 0; k < OTHER_TASKS && i == 1 && !message; k++) {
      sqlite3_exec(db, "SELECT tm_enqueue('q', 'stays')", NULL, NULL, &message);
    }
    if (message) {
      printf("set-up of %s: %s\n", names[i], message);
      fflush(stdout);
      _exit(1);
    }
    sqlite3_close(db);
  }
}
