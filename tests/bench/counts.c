/* counts.c - what is exact: pages, statements, bytes.
 * Owns:    the figures that are the same on every machine and in every run.
 * Promise: counted from outside, as SQLite shows them; nothing is built into the extension for it.
 * Why:     a count is a gate, a time is an opinion of the machine. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#define BURST 300

/* ---- frames of the WAL ---------------------------------------------------- */

static int counts_hook(void *total, sqlite3 *db, const char *name, int frames) {
  (void)db;
  (void)name;
  *(int *)total = frames;
  return SQLITE_OK;
}

typedef struct Frames {
  Subject subject;
  int total; /* of the WAL, which is never checkpointed here */
} Frames;

static void frames_open(Frames *f, const Settings *settings, const Kind *kind, bool has_history) {
  char *path = bench_path(settings, "frames");

  memset(f, 0, sizeof *f);
  bench_open(&f->subject, kind, settings->so, path, true);
  sqlite3_free(path);
  if (!has_history) bench_exec(f->subject.db, "UPDATE tm_queue SET history = 0");
  sqlite3_wal_hook(f->subject.db, counts_hook, &f->total);
}

static double frames_of(Frames *f, void (*run)(Subject *)) {
  int before = f->total;

  for (int i = 0; i < BURST; i++) run(&f->subject);
  return (double)(f->total - before) / BURST;
}

static void counts_claim(Subject *s) {
  if (!s->kind->claim(s)) bench_fail(s->kind->name, "nothing to claim");
}

static void counts_cycle(Subject *s) {
  s->kind->enqueue(s);
  counts_claim(s);
  s->kind->complete(s);
}

static void counts_say(const char *prefix, const char *what, const char *kind, double value) {
  char name[96];

  snprintf(name, sizeof name, "%s_%s_%s", prefix, what, kind);
  bench_report(name, value);
}

static void counts_frames(const Settings *settings, const Kind *kind, bool has_history,
                          const char *name) {
  Frames f;

  frames_open(&f, settings, kind, has_history);
  for (int i = 0; i < 2; i++) {
    double enqueue = frames_of(&f, kind->enqueue);
    double claim = frames_of(&f, counts_claim);
    double complete = frames_of(&f, kind->complete);
    if (i == 0) continue; /* the first of each touches pages that are new */
    counts_say("frames", "enqueue", name, enqueue);
    counts_say("frames", "claim", name, claim);
    counts_say("frames", "complete", name, complete);
    counts_say("frames", "cycle", name, enqueue + claim + complete);
  }
  counts_say("frames", "one_at_a_time", name, frames_of(&f, counts_cycle));
  bench_close(&f.subject);
}

/* A change of state of a large task writes as many pages as that of a small one. */
static void counts_large(const Settings *settings, int bytes) {
  Frames f;
  char what[32];
  char *payload = bench_payload_of(bytes);

  frames_open(&f, settings, &bench_tm, true);
  for (int i = 0; i < BURST; i++) bench_enqueue_payload(&f.subject, payload);
  snprintf(what, sizeof what, "claim_%d_bytes", bytes);
  counts_say("frames", what, "tm", frames_of(&f, counts_claim));
  snprintf(what, sizeof what, "complete_%d_bytes", bytes);
  counts_say("frames", what, "tm", frames_of(&f, bench_tm.complete));
  sqlite3_free(payload);
  bench_close(&f.subject);
}

/* ---- statements prepared ---------------------------------------------------- */

/* SQLite asks the authorizer when it compiles, and at no other time. */
static int counts_compiling(void *count, int action, const char *a, const char *b, const char *c,
                            const char *d) {
  (void)action;
  (void)a;
  (void)b;
  (void)c;
  (void)d;
  ++*(int *)count;
  return SQLITE_OK;
}

static void counts_prepared(const Settings *settings) {
  Subject s;
  int asked = 0;
  char *path = bench_path(settings, "prepared");

  bench_open(&s, &bench_tm, settings->so, path, true);
  sqlite3_free(path);
  sqlite3_set_authorizer(s.db, counts_compiling, &asked);
  for (int i = 0; i < 3; i++) {
    asked = 0;
    for (int k = 0; k < BURST; k++) {
      counts_cycle(&s);
      s.kind->enqueue(&s);
      counts_claim(&s);
      s.kind->heartbeat(&s);
      (k % 2 ? s.kind->fail : s.kind->snooze)(&s);
      s.kind->probe(&s);
    }
  }
  bench_report("prepared_in_steady_state", asked);
  bench_close(&s);
}

/* ---- bytes ---------------------------------------------------------------- */

#define DISK_TASKS 20000

static double counts_pages(Subject *s) {
  bench_exec(s->db, "PRAGMA wal_checkpoint(TRUNCATE)");
  return (double)(bench_number(s->db, "PRAGMA page_count") -
                  bench_number(s->db, "PRAGMA freelist_count"));
}

static void counts_disk(const Settings *settings, const Kind *kind) {
  Subject s;
  char *path = bench_path(settings, "disk");

  bench_open(&s, kind, settings->so, path, true);
  sqlite3_free(path);
  double empty = counts_pages(&s);
  for (int i = 0; i < DISK_TASKS; i++) kind->enqueue(&s);
  double waiting = counts_pages(&s);
  for (int i = 0; i < DISK_TASKS; i++) {
    counts_claim(&s);
    kind->complete(&s);
  }
  double finished = counts_pages(&s);
  counts_say("disk", "waiting_bytes", kind->name, (waiting - empty) * 4096 / DISK_TASKS);
  counts_say("disk", "finished_bytes", kind->name, (finished - empty) * 4096 / DISK_TASKS);
  bench_close(&s);
}

/* What a connection holds beyond its page cache: schema, statements, and the extension's own. */
static void counts_memory(const Settings *settings, const Kind *kind) {
  Subject s;
  char *path = bench_path(settings, "memory");
  int cache = 0;
  int high = 0;
  sqlite3_int64 before = sqlite3_memory_used();

  bench_open(&s, kind, settings->so, path, true);
  sqlite3_free(path);
  for (int i = 0; i < BURST; i++) counts_cycle(&s);
  sqlite3_db_status(s.db, SQLITE_DBSTATUS_CACHE_USED, &cache, &high, 0);
  counts_say("memory", "bytes", kind->name, (double)(sqlite3_memory_used() - before - cache));
  bench_close(&s);
}

void bench_counts(const Settings *settings) {
  counts_frames(settings, &bench_tm, true, "tm");
  counts_frames(settings, &bench_tm, false, "tm_without_history");
  counts_frames(settings, &bench_full, true, "full");
  counts_frames(settings, &bench_lean, true, "lean");
  counts_large(settings, 100);
  counts_large(settings, 10 * 1024);
  counts_large(settings, 100 * 1024);
  counts_prepared(settings);
  counts_disk(settings, &bench_tm);
  counts_disk(settings, &bench_full);
  counts_disk(settings, &bench_lean);
  counts_memory(settings, &bench_tm);
  counts_memory(settings, &bench_lean);
}
