/* enqueue.c - the birth of a task.
 * Owns:    the insert into tm_task.
 * Promise: one INSERT of one row, which SQLite keeps whole in every context without
 *          a statement journal; into a queue that is not there yet or has partitions, and with
 *          flow, the slower way through the atomic scope is taken.
 * Why:     it is the verb called most, and two statements would be two transactions
 *          in autocommit. Clock and defaults come from what the connection knows; the insert
 *          itself fails where that no longer holds. */
#include "core/enqueue.h"

#include "core/depend.h"
#include "core/queue.h"
#include "core/spare.h"
#include "core/state.h"
#include "core/unique.h"

TmBirth tm_enqueue_birth(TmRun *run, const TmEnqueue *task, const TmQueueRow *queue) {
  TmBirth birth;
  birth.priority = task->has_priority ? task->priority : queue->priority;
  birth.max_attempts = task->has_max_attempts ? task->max_attempts : queue->max_attempts;
  birth.run_at_ms =
      task->has_run_at ? task->run_at_ms : tm_task_time_after(run, "delay", task->delay_ms);
  birth.state = birth.run_at_ms > run->now_ms ? TM_SCHEDULED : TM_AVAILABLE;
  return birth;
}

static void enqueue_bind(TmStmt *s, const TmEnqueue *task, const TmBirth *birth) {
  const TmSettings *settings = &s->run->context->settings;
  tm_stmt_bind_floor(s, TM_P_ENQUEUE_INSERT_FLOOR, settings->task_floor);
  tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_QUEUE, task->queue);
  TmText state = tm_text_of(tm_state_name(birth->state));
  tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_STATE,
                    task->is_held ? tm_text_of(tm_state_name(TM_HELD)) : state);
  if (task->is_held) tm_stmt_bind_text(s, TM_P_ENQUEUE_INSERT_HELD_FROM, state);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_PRIORITY, birth->priority);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_RUN_AT_MS, birth->run_at_ms);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_NOW_MS, s->run->now_ms);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_STAMP, settings->stamp);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_MAX_ATTEMPTS, birth->max_attempts);
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
  if (task->payload.n + task->metadata.n >= TM_SPARE_FROM_BYTES) {
    tm_stmt_bind_zeros(s, TM_P_ENQUEUE_INSERT_SPARE, TM_SPARE_BYTES);
  }
  tm_stmt_bind_value(s, TM_P_ENQUEUE_INSERT_PAYLOAD, &task->payload);
  tm_stmt_bind_int(s, TM_P_ENQUEUE_INSERT_FLOW, task->flow.bits);
}

typedef enum Outcome { DONE, QUEUE_MISSING, STALE, TOO_MUCH } Outcome;

/* True where the INSERT failed as it does when the settings or the queue are others by now. What
 * breaks a NOT NULL of an application's own, in a trigger, does not; a foreign key does not tell
 * whose it is, but that of the queue cannot fail where the queue was read under the lock. */
static bool enqueue_is_refused(const TmError *error, bool is_fresh) {
  if (error->rc == SQLITE_CONSTRAINT_NOTNULL) return error->symbol == TM_RULE_BROKEN;
  return error->rc == SQLITE_CONSTRAINT_FOREIGNKEY && !is_fresh;
}

/* One try. STALE: the settings were changed since they were read, TOO_MUCH: it takes the scope; in
 * both nothing was written. is_fresh: they were read in the scope. */
static Outcome enqueue_try(TmRun *run, const TmEnqueue *task, const TmUniqueKey *key,
                           bool is_in_scope, bool is_fresh) {
  tm_run_begin_unread(run);
  const TmQueueRow *queue = tm_queue_find(run, task->queue);
  if (!queue) return tm_run_failed(run) ? DONE : QUEUE_MISSING;
  if (queue->is_partitioned && !is_in_scope) return TOO_MUCH;
  TmFlow flow = task->flow;
  if (queue->is_partitioned) flow.bits |= TM_FLOW_LIMITED;
  TmBirth birth = tm_enqueue_birth(run, task, queue);
  if ((flow.bits & TM_FLOW_NEEDS) && tm_depend_blocks(run, &flow)) birth.state = TM_BLOCKED;
  sqlite3_int64 before = sqlite3_total_changes64(run->context->db);
  TmStmt s;
  tm_stmt_open(run, TM_Q_ENQUEUE_INSERT, &s);
  enqueue_bind(&s, task, &birth);
  tm_stmt_exec(&s);
  bool is_untouched = sqlite3_total_changes64(run->context->db) == before;
  if (is_untouched && enqueue_is_refused(&run->error, is_fresh)) {
    tm_error_clear(&run->error);
    tm_run_begin_stale(run);
    return STALE;
  }
  if (tm_run_failed(run)) return DONE;
  if (is_untouched || sqlite3_changes(run->context->db) != 1) tm_run_dropped(run, "tm_task");
  run->task_id = sqlite3_last_insert_rowid(run->context->db);
  if (flow.bits & TM_FLOW_UNIQUE) tm_unique_take(run, &flow.unique, key);
  if (flow.bits) tm_flow_born(run, &flow, run->task_id, task->is_held ? TM_HELD : birth.state);
  return DONE;
}

static bool enqueue_insert(TmRun *run, const TmEnqueue *task, const TmUniqueKey *key,
                           bool is_in_scope) {
  if (is_in_scope) tm_queue_need(run, task->queue);
  Outcome outcome = enqueue_try(run, task, key, is_in_scope, false);
  if (outcome == STALE || (outcome == QUEUE_MISSING && !is_in_scope)) {
    /* What the connection knew did not hold, or may not: read it, and try once more. */
    tm_run_begin_stale(run);
    tm_run_begin(run);
    outcome = enqueue_try(run, task, key, is_in_scope, is_in_scope);
  }
  if (outcome == DONE) return true;
  if (is_in_scope) tm_run_dropped(run, "tm_queue or tm_setting");
  return is_in_scope;
}

bool tm_enqueue_run(TmRun *run, const TmEnqueue *task, bool is_in_scope) {
  if (task->flow.bits == 0) return enqueue_insert(run, task, NULL, is_in_scope);
  if (!is_in_scope) return false;
  TmUniqueKey key = {0};
  bool is_unique = (task->flow.bits & TM_FLOW_UNIQUE) != 0;
  if (!is_unique || !tm_unique_find(run, task, &key)) enqueue_insert(run, task, &key, true);
  sqlite3_free(key.text);
  return true;
}
