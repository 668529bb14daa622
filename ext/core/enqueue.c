/* enqueue.c - the birth of a task.
 * Owns:    the insert into tm_task.
 * Promise: one INSERT of one row, which SQLite keeps whole in every context without
 *          a statement journal; clock, defaults and id are read inside it.
 * Why:     it is the verb called most, and two statements would be two transactions
 *          in autocommit. A queue that is missing shows as a NULL default, and
 *          only then the slower way through the atomic scope is taken. */
#include "core/enqueue.h"

#include "base/os.h"
#include "core/queue.h"
#include "store/schema.h"

static void enqueue_bind(TmStmt *s, const TmEnqueue *task) {
  tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_QUEUE, task->queue);
  tm_stmt_bind_value(s, TM_P_ENQUEUE_INSERT_PAYLOAD, &task->payload);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_WALL_MS, tm_os_wall_us() / 1000);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_SCHEMA, tm_schema_newest());
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_DELAY_MS, task->delay_ms);
  if (task->has_run_at) tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_RUN_AT_MS, task->run_at_ms);
  if (task->is_held) tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_HELD, 1);
  if (task->has_priority) tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_PRIORITY, task->priority);
  if (task->has_max_attempts) {
    tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_MAX_ATTEMPTS, task->max_attempts);
  }
  if (task->has_lease) tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_LEASE_MS, task->lease_ms);
  if (task->has_base) {
    tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_BACKOFF_BASE_MS, task->backoff_base_ms);
  }
  if (task->has_max) {
    tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_BACKOFF_MAX_MS, task->backoff_max_ms);
  }
  if (task->has_jitter) {
    tm_stmt_bind_real(s, TM_P_ENQUEUE_INSERT_BACKOFF_JITTER, task->backoff_jitter);
  }
  if (task->backoff_kind.z) {
    tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_BACKOFF_KIND, task->backoff_kind);
  }
  if (task->kind.z) tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_KIND, task->kind);
  if (task->tags.z) tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_TAGS, task->tags);
  if (task->metadata.z) tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_METADATA, task->metadata);
}

/* The clock is read inside the statement, so that a delay goes beyond it shows only there. */
static void enqueue_explain(TmRun *run, const TmEnqueue *task) {
  TmError plain = run->error;
  tm_error_init(&run->error, plain.subject);
  tm_run_begin(run);
  if (!tm_run_failed(run) && !task->has_run_at && task->delay_ms > TM_TIME_MAX_MS - run->now_ms) {
    tm_error_set(&run->error, TM_OUT_OF_RANGE, "delay %lld ms reaches beyond the year 9999",
                 task->delay_ms);
  }
  if (tm_run_failed(run)) {
    tm_error_clear(&plain);
  } else {
    run->error = plain;
  }
}

bool tm_enqueue_run(TmRun *run, const TmEnqueue *task, bool may_make_queue) {
  if (may_make_queue) tm_queue_need(run, task->queue);
  sqlite3_int64 before = sqlite3_total_changes64(run->context->db);
  TmStmt s;
  tm_stmt_open(run, TM_Q_ENQUEUE_INSERT, &s);
  enqueue_bind(&s, task);
  tm_stmt_exec(&s);
  bool is_untouched = sqlite3_total_changes64(run->context->db) == before;
  if (!may_make_queue && run->error.rc == SQLITE_CONSTRAINT_NOTNULL && is_untouched) {
    /* A default was NULL: no such queue, or a schema of another version. */
    const char *subject = run->error.subject;
    tm_error_clear(&run->error);
    tm_error_init(&run->error, subject);
    return false;
  }
  if (run->error.rc == SQLITE_CONSTRAINT_CHECK) enqueue_explain(run, task);
  if (tm_run_failed(run)) return true;
  if (is_untouched) {
    tm_run_dropped(run, "tm_task");
    return true;
  }
  run->task_id = sqlite3_last_insert_rowid(run->context->db);
  return true;
}
