/* profile.c - bursts in functions of their own, for callgrind to count.
 * Owns:    the names profile_*, which tools/bench looks for.
 * Promise: the same work on every machine: instructions are counted, not time. */
#include "bench.h"

#define PROFILE_COUNT 200
/* Not inlined, so that each is a line of the profile. */
#define PROFILED __attribute__((noinline)) void

PROFILED profile_enqueue(Subject *s);
PROFILED profile_claim(Subject *s);
PROFILED profile_complete(Subject *s);
PROFILED profile_batch_calls(Subject *s);
PROFILED profile_batch_command(Subject *s);
PROFILED profile_empty_claim(Subject *s);

PROFILED profile_enqueue(Subject *s) {
  for (int i = 0; i < PROFILE_COUNT; i++) s->kind->enqueue(s);
}

PROFILED profile_claim(Subject *s) {
  for (int i = 0; i < PROFILE_COUNT; i++) s->kind->claim(s);
}

PROFILED profile_complete(Subject *s) {
  for (int i = 0; i < PROFILE_COUNT; i++) s->kind->complete(s);
}

PROFILED profile_empty_claim(Subject *s) {
  for (int i = 0; i < PROFILE_COUNT; i++) s->kind->probe(s);
}

PROFILED profile_batch_calls(Subject *s) {
  bench_step(s->db, s->stmts[STMT_BEGIN]);
  for (int i = 0; i < BENCH_BULK; i++) s->kind->enqueue_inside(s);
  bench_step(s->db, s->stmts[STMT_COMMIT]);
}

PROFILED profile_batch_command(Subject *s) {
  s->kind->bulk(s);
}

static void profile_kind(const Settings *settings, const Kind *kind) {
  Subject subject;
  char *path = bench_path(settings, kind->name);

  bench_open(&subject, kind, settings->so, path, true);
  sqlite3_free(path);
  for (int i = 0; i < 50; i++) {
    kind->enqueue(&subject);
    kind->claim(&subject);
    kind->complete(&subject);
  }
  kind->claim(&subject);
  profile_enqueue(&subject);
  profile_claim(&subject);
  profile_complete(&subject);
  kind->claim(&subject);
  profile_empty_claim(&subject);
  profile_batch_calls(&subject);
  profile_batch_command(&subject);
  bench_close(&subject);
}

void bench_profile(const Settings *settings) {
  profile_kind(settings, settings->rounds == 0 ? &bench_lean : &bench_tm);
}
