/* queue.c - queues: rows with settings, made by their first task.
 * Owns:    tm_queue as far as verbs touch it, and what the connection keeps of its rows.
 * Promise: a name that does not exist is answered with the nearest that does.
 * Why:     a misspelt queue is the commonest reason for a task that never runs. */
#include "core/queue.h"

#include "base/suggest.h"

/* ---- what is known ----------------------------------------------------- */

#define QUEUES_KEPT 16

/* Rows read under one stamp; the oldest makes place for a new one. */
typedef struct TmQueueCache {
  sqlite3_int64 stamp;
  int count;
  int next;
  TmQueueRow rows[QUEUES_KEPT];
} TmQueueCache;

/* The cache of the connection, emptied where it was filled under another stamp. */
static TmQueueCache *queue_cache(TmRun *run) {
  TmContext *context = run->context;
  if (!context->queues) {
    context->queues = sqlite3_malloc64(sizeof *context->queues);
    if (!context->queues) {
      tm_error_nomem(&run->error);
      return NULL;
    }
    context->queues->count = 0;
    context->queues->next = 0;
    context->queues->stamp = 0;
  }
  if (context->queues->stamp != context->settings.stamp) {
    context->queues->stamp = context->settings.stamp;
    context->queues->count = 0;
    context->queues->next = 0;
  }
  return context->queues;
}

static TmQueueRow *queue_kept(TmQueueCache *cache, TmText name) {
  for (int i = 0; i < cache->count; i++) {
    TmQueueRow *row = &cache->rows[i];
    if (row->name_bytes == name.n && memcmp(row->name, name.z, (size_t)name.n) == 0) return row;
  }
  return NULL;
}

static void queue_fill(TmQueueRow *row, TmText name, const TmStmt *s) {
  row->name_bytes = name.n;
  memcpy(row->name, name.z, (size_t)name.n);
  row->is_paused = tm_stmt_int(s, TM_C_QUEUE_ROW_PAUSED) != 0;
  row->has_history = tm_stmt_int(s, TM_C_QUEUE_ROW_HISTORY) != 0;
  row->has_schedules = !tm_stmt_is_null(s, TM_C_QUEUE_ROW_SCHEDULE);
  row->is_limited = tm_stmt_int(s, TM_C_QUEUE_ROW_IS_LIMITED) != 0;
  row->is_partitioned = tm_stmt_int(s, TM_C_QUEUE_ROW_IS_PARTITIONED) != 0;
  row->priority = tm_stmt_int(s, TM_C_QUEUE_ROW_PRIORITY);
  row->max_attempts = tm_stmt_int(s, TM_C_QUEUE_ROW_MAX_ATTEMPTS);
  row->lease_ms = tm_stmt_int(s, TM_C_QUEUE_ROW_LEASE_MS);
  TmText kind = tm_stmt_text(s, TM_C_QUEUE_ROW_BACKOFF_KIND);
  row->backoff_kind = kind.n > 0 ? kind.z[0] : 'e';
  row->backoff_base_ms = tm_stmt_int(s, TM_C_QUEUE_ROW_BACKOFF_BASE_MS);
  row->backoff_max_ms = tm_stmt_int(s, TM_C_QUEUE_ROW_BACKOFF_MAX_MS);
  row->backoff_jitter = tm_stmt_real(s, TM_C_QUEUE_ROW_BACKOFF_JITTER);
}

const TmQueueRow *tm_queue_find(TmRun *run, TmText name) {
  if (tm_run_failed(run) || !name.z || name.n > TM_NAME_MAX_BYTES) return NULL;
  TmQueueCache *cache = queue_cache(run);
  TmQueueRow *row = cache ? queue_kept(cache, name) : NULL;
  if (!cache || row) return row;
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_ROW, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_ROW_NAME, name);
  bool is_there = tm_stmt_row(&s);
  if (is_there) {
    row = &cache->rows[cache->next];
    cache->next = (cache->next + 1) % QUEUES_KEPT;
    if (cache->count < QUEUES_KEPT) cache->count++;
    queue_fill(row, name, &s);
  }
  tm_stmt_close(&s);
  return row;
}

/* ---- names -------------------------------------------------------------- */

static bool queue_exists(TmRun *run, TmText name) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_EXISTS, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_EXISTS_NAME, name);
  bool exists = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return exists;
}

static void queue_unknown(TmRun *run, TmText name) {
  TmSuggest suggest;
  tm_suggest_init(&suggest, name.z, name.n);
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_NAMES, &s);
  while (tm_stmt_row(&s)) {
    TmText known = tm_stmt_text(&s, TM_C_QUEUE_NAMES_NAME);
    tm_suggest_offer(&suggest, known.z, known.n);
  }
  tm_stmt_close(&s);
  if (tm_run_failed(run)) return;
  const char *best = tm_suggest_best(&suggest);
  if (best) {
    tm_error_set(&run->error, TM_NO_SUCH_QUEUE, "no queue '%.*s', did you mean '%s'?", name.n,
                 name.z, best);
  } else {
    tm_error_set(&run->error, TM_NO_SUCH_QUEUE, "no queue '%.*s', see tm_queue for those there are",
                 name.n, name.z);
  }
}

void tm_queue_must_exist(TmRun *run, TmText name) {
  tm_run_begin(run);
  if (!tm_run_failed(run) && !queue_exists(run, name) && !tm_run_failed(run)) {
    queue_unknown(run, name);
  }
}

void tm_queue_need(TmRun *run, TmText name) {
  tm_run_begin(run);
  if (tm_run_failed(run) || queue_exists(run, name)) return;
  if (run->context->settings.has_strict_queues) {
    queue_unknown(run, name);
    return;
  }
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_CREATE, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_CREATE_NAME, name);
  bool is_made = tm_stmt_row(&s);
  tm_stmt_exec(&s);
  if (!tm_run_failed(run) && !is_made) {
    tm_run_dropped(run, "tm_queue");
  }
  tm_run_begin_stale(run);
  tm_run_begin(run);
}

void tm_queue_set_paused(TmRun *run, TmText name, bool is_paused) {
  tm_run_begin(run);
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_SET_PAUSED, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_SET_PAUSED_NAME, name);
  tm_stmt_bind_int(&s, TM_P_QUEUE_SET_PAUSED_PAUSED, is_paused);
  bool is_row = tm_stmt_row(&s);
  bool is_set = is_row && !tm_stmt_is_null(&s, TM_C_QUEUE_SET_PAUSED_PAUSED) &&
                tm_stmt_int(&s, TM_C_QUEUE_SET_PAUSED_PAUSED) == is_paused;
  tm_stmt_exec(&s);
  if (tm_run_failed(run) || is_set) return;
  if (!is_row && !queue_exists(run, name)) {
    queue_unknown(run, name);
  } else if (!tm_run_failed(run)) {
    tm_run_dropped(run, "tm_queue");
  }
}

/* Cut to fit it would be found again for ever. */
bool tm_queue_keep_name(TmRun *run, TmText next, char *name, int *n) {
  if (next.n > TM_NAME_MAX_BYTES) {
    tm_error_set(&run->error, TM_RULE_BROKEN,
                 "a queue has a name of %d bytes, at most %d are allowed, see tm_doctor for a row "
                 "that somebody wrote around the rules",
                 next.n, TM_NAME_MAX_BYTES);
    return false;
  }
  *n = next.n;
  if (next.z) memcpy(name, next.z, (size_t)next.n);
  return true;
}

bool tm_queue_next(TmRun *run, char *name, int *n) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_QUEUE_NEXT, &s);
  tm_stmt_bind_text(&s, TM_P_QUEUE_NEXT_AFTER, (TmText){name, *n});
  bool is_there = tm_stmt_row(&s);
  if (is_there) is_there = tm_queue_keep_name(run, tm_stmt_text(&s, TM_C_QUEUE_NEXT_NAME), name, n);
  tm_stmt_close(&s);
  return is_there;
}
