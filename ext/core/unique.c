/* unique.c - tasks that are unique by a key.
 * Owns:    the rows of tm_unique as far as verbs write them, and what an enqueue does that finds
 *          its key held.
 * Promise: two tasks never hold one key. An enqueue looks who holds it, under the write lock, to
 *          know whom to name; what decides is the index, also where a trigger of somebody's
 *          enqueues the same key between the look and the write.
 * Why:     a rule that is a look and then a write holds for those who look; an index for all. */
#include "core/unique.h"

#include "core/await.h"
#include "core/depend.h"
#include "core/queue.h"
#include "core/spare.h"
#include "core/steer.h"

const char *const tm_unique_scope_names[3] = {"incomplete", "queued", "all"};
const char *const tm_on_conflict_names[4] = {"ignore", "error", "replace", "reschedule"};

/* What waits may still be changed; the others have begun, or are over. */
#define CHANGEABLE_STATES                                                                          \
  (TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_AVAILABLE) | TM_STATE_BIT(TM_RETRYABLE) |          \
   TM_STATE_BIT(TM_BLOCKED) | TM_STATE_BIT(TM_HELD))

/* ---- the key ----------------------------------------------------------- */

static void unique_compose(TmRun *run, const TmEnqueue *task, TmUniqueKey *key) {
  const TmUnique *unique = &task->flow.unique;
  TmStmt s;
  tm_stmt_open(run, TM_Q_UNIQUE_COMPOSE, &s);
  if (unique->key.z) tm_stmt_bind_text(&s, TM_P_UNIQUE_COMPOSE_KEY, unique->key);
  tm_stmt_bind_int(&s, TM_P_UNIQUE_COMPOSE_FIELDS, unique->fields);
  tm_stmt_bind_text(&s, TM_P_UNIQUE_COMPOSE_QUEUE, task->queue);
  if (task->kind.z) tm_stmt_bind_text(&s, TM_P_UNIQUE_COMPOSE_KIND, task->kind);
  tm_stmt_bind_value(&s, TM_P_UNIQUE_COMPOSE_PAYLOAD, &task->payload);
  if (task->flow.partition.z) {
    tm_stmt_bind_text(&s, TM_P_UNIQUE_COMPOSE_PARTITION, task->flow.partition);
  }
  tm_stmt_bind_int(&s, TM_P_UNIQUE_COMPOSE_NOW_MS, run->now_ms);
  if (unique->period_ms) tm_stmt_bind_int(&s, TM_P_UNIQUE_COMPOSE_PERIOD_MS, unique->period_ms);
  TmText text = tm_stmt_row(&s) ? tm_stmt_text(&s, TM_C_UNIQUE_COMPOSE_KEY) : TM_NO_TEXT;
  if (text.z) {
    key->text = sqlite3_malloc64((sqlite3_uint64)text.n + 1);
    key->bytes = text.n;
    if (key->text) memcpy(key->text, text.z, (size_t)text.n);
  }
  tm_stmt_close(&s);
  if (!tm_run_failed(run) && !key->text) tm_error_nomem(&run->error);
  if (unique->period_ms && unique->scope == TM_UNIQUE_ALL) {
    key->until_ms = (run->now_ms / unique->period_ms + 1) * unique->period_ms;
  }
}

/* ---- who holds it ------------------------------------------------------ */

typedef struct Holder {
  sqlite3_int64 task_id; /* 0: nobody */
  sqlite3_int64 until_ms;
  TmState state; /* TM_STATE_COUNT: it was deleted */
  int queue_bytes;
  char queue[TM_NAME_MAX_BYTES];
} Holder;

/* unique_holder and unique_rival have the same columns. */
static void unique_read_holder(TmStmt *s, Holder *holder) {
  memset(holder, 0, sizeof *holder);
  holder->state = TM_STATE_COUNT;
  if (tm_stmt_row(s)) {
    holder->task_id = tm_stmt_int(s, TM_C_UNIQUE_HOLDER_TASK_ID);
    holder->until_ms = tm_stmt_int(s, TM_C_UNIQUE_HOLDER_UNTIL_MS);
    holder->state = tm_state_of(tm_stmt_text(s, TM_C_UNIQUE_HOLDER_STATE));
    TmText queue = tm_stmt_text(s, TM_C_UNIQUE_HOLDER_QUEUE);
    if (queue.n > 0 && queue.n <= TM_NAME_MAX_BYTES) {
      holder->queue_bytes = queue.n;
      memcpy(holder->queue, queue.z, (size_t)queue.n);
    }
  }
  tm_stmt_close(s);
}

static void unique_refuse(TmRun *run, const Holder *holder) {
  if (holder->state == TM_STATE_COUNT) {
    tm_error_set(&run->error, TM_NOT_UNIQUE,
                 "task %lld had the same key and was deleted, the key is taken until %lld",
                 holder->task_id, holder->until_ms);
  } else {
    tm_error_set(&run->error, TM_NOT_UNIQUE,
                 "task %lld holds the same key and is %s, let it finish or cancel it",
                 holder->task_id, tm_state_name(holder->state));
  }
}

/* ---- a waiting task takes what the enqueue brings ---------------------------- */

/* unique_replace and unique_replaced have the same parameters, which each numbers in its own
 * way. */
typedef struct Columns {
  TmQuery query;
  int id, payload, priority, max_attempts, kind, lease_ms, backoff_kind, backoff_base_ms,
      backoff_max_ms, backoff_jitter, tags, metadata;
} Columns;

#define COLUMNS(name)                                                                              \
  {                                                                                                \
    TM_Q_UNIQUE_##name, TM_P_UNIQUE_##name##_ID, TM_P_UNIQUE_##name##_PAYLOAD,                     \
        TM_P_UNIQUE_##name##_PRIORITY, TM_P_UNIQUE_##name##_MAX_ATTEMPTS,                          \
        TM_P_UNIQUE_##name##_KIND, TM_P_UNIQUE_##name##_LEASE_MS,                                  \
        TM_P_UNIQUE_##name##_BACKOFF_KIND, TM_P_UNIQUE_##name##_BACKOFF_BASE_MS,                   \
        TM_P_UNIQUE_##name##_BACKOFF_MAX_MS, TM_P_UNIQUE_##name##_BACKOFF_JITTER,                  \
        TM_P_UNIQUE_##name##_TAGS, TM_P_UNIQUE_##name##_METADATA                                   \
  }
static const Columns columns_written = COLUMNS(REPLACE);
static const Columns columns_read = COLUMNS(REPLACED);

static void unique_open_columns(TmRun *run, const Columns *columns, sqlite3_int64 id,
                                const TmEnqueue *task, const TmBirth *birth, TmStmt *s) {
  tm_stmt_open(run, columns->query, s);
  tm_stmt_bind_int(s, columns->id, id);
  tm_stmt_bind_value(s, columns->payload, &task->payload);
  tm_stmt_bind_int(s, columns->priority, birth->priority);
  tm_stmt_bind_int(s, columns->max_attempts, birth->max_attempts);
  if (task->kind.z) tm_stmt_bind_text(s, columns->kind, task->kind);
  if (task->has_lease) tm_stmt_bind_int(s, columns->lease_ms, task->lease_ms);
  if (task->backoff_kind.z) tm_stmt_bind_text(s, columns->backoff_kind, task->backoff_kind);
  if (task->has_base) tm_stmt_bind_int(s, columns->backoff_base_ms, task->backoff_base_ms);
  if (task->has_max) tm_stmt_bind_int(s, columns->backoff_max_ms, task->backoff_max_ms);
  if (task->has_jitter) tm_stmt_bind_real(s, columns->backoff_jitter, task->backoff_jitter);
  if (task->tags.z) tm_stmt_bind_text(s, columns->tags, task->tags);
  if (task->metadata.z) tm_stmt_bind_text(s, columns->metadata, task->metadata);
}

static void unique_replace(TmRun *run, TmTask *held, const TmEnqueue *task, const TmBirth *birth) {
  TmStmt s;
  unique_open_columns(run, &columns_written, held->id, task, birth, &s);
  held->has_spare = task->payload.n + task->metadata.n >= TM_SPARE_FROM_BYTES;
  if (held->has_spare) tm_stmt_bind_zeros(&s, TM_P_UNIQUE_REPLACE_SPARE, TM_SPARE_BYTES);
  tm_stmt_bind_int(&s, TM_P_UNIQUE_REPLACE_MOVES, held->moves);
  tm_task_need_still(run, held);
  TmProof proof = tm_stmt_write(&s, "tm_task");
  if (proof.is_proven || tm_run_failed(run)) return;
  unique_open_columns(run, &columns_read, held->id, task, birth, &s);
  bool is_written = tm_stmt_row(&s) && tm_stmt_int(&s, TM_C_UNIQUE_REPLACED_IS_REPLACED) != 0;
  tm_stmt_close(&s);
  if (!is_written) tm_run_dropped(run, "tm_task");
  tm_run_proven(run, &proof);
}

/* The task keeps its place among others. What the enqueue waits for and the task does not would be
 * forgotten, and the new payload run too early. */
static void unique_need_place(TmRun *run, const Holder *holder, const TmFlow *flow) {
  for (int i = 0; i < flow->need_count && !tm_run_failed(run); i++) {
    sqlite3_int64 needs_id = flow->needs[i].id;
    if (tm_depend_has(run, holder->task_id, needs_id) || tm_run_failed(run)) continue;
    tm_error_set(&run->error, TM_NOT_UNIQUE,
                 "task %lld holds the same key and does not wait for task %lld, add that with "
                 "tm_depend",
                 holder->task_id, needs_id);
  }
  for (int i = 0; i < flow->group_need_count && !tm_run_failed(run); i++) {
    TmText group = flow->group_needs[i].name;
    if (tm_await_has(run, holder->task_id, group) || tm_run_failed(run)) continue;
    tm_error_set(&run->error, TM_NOT_UNIQUE,
                 "task %lld holds the same key and does not wait for group '%.*s', cancel it first",
                 holder->task_id, group.n, group.z);
  }
}

/* Defaults are those of the queue that the task is in, which it does not leave. */
static void unique_change(TmRun *run, const Holder *holder, const TmEnqueue *task) {
  TmTask held;
  tm_task_load(run, holder->task_id, &held);
  if (tm_run_failed(run) || !(CHANGEABLE_STATES & TM_STATE_BIT(held.state))) return;
  const TmQueueRow *queue = tm_queue_find(run, (TmText){holder->queue, holder->queue_bytes});
  if (!queue) {
    tm_run_unreadable(run, "tm_queue");
    return;
  }
  bool is_replaced = task->flow.unique.on_conflict == TM_CONFLICT_REPLACE;
  if (is_replaced) unique_need_place(run, holder, &task->flow);
  TmBirth birth = tm_enqueue_birth(run, task, queue);
  if (is_replaced) unique_replace(run, &held, task, &birth);
  if (is_replaced) held.flow = tm_flow_set_times(run, &task->flow, held.id, held.flow);
  tm_steer_set_time(run, &held, birth.run_at_ms, is_replaced ? "replaced" : "rescheduled");
}

/* ---- an enqueue -------------------------------------------------------- */

bool tm_unique_find(TmRun *run, const TmEnqueue *task, TmUniqueKey *key) {
  tm_run_begin(run);
  if (run->context->settings.has_strict_queues) tm_queue_must_exist(run, task->queue);
  if (tm_run_failed(run)) return true;
  unique_compose(run, task, key);
  TmStmt s;
  tm_stmt_open(run, TM_Q_UNIQUE_HOLDER, &s);
  tm_stmt_bind_text(&s, TM_P_UNIQUE_HOLDER_KEY, (TmText){key->text, key->bytes});
  Holder holder;
  unique_read_holder(&s, &holder);
  if (tm_run_failed(run)) return true;
  if (!holder.task_id) return false;
  switch (task->flow.unique.on_conflict) {
  case TM_CONFLICT_ERROR: unique_refuse(run, &holder); return true;
  case TM_CONFLICT_REPLACE:
  case TM_CONFLICT_RESCHEDULE:
    if (holder.state != TM_STATE_COUNT) unique_change(run, &holder, task);
    break;
  default: break;
  }
  run->task_id = holder.task_id;
  run->is_duplicate = true;
  return true;
}

void tm_unique_take(TmRun *run, const TmUnique *unique, const TmUniqueKey *key) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_UNIQUE_TAKE, &s);
  tm_stmt_bind_int(&s, TM_P_UNIQUE_TAKE_TASK_ID, run->task_id);
  tm_stmt_bind_text(&s, TM_P_UNIQUE_TAKE_KEY, (TmText){key->text, key->bytes});
  tm_stmt_bind_text(&s, TM_P_UNIQUE_TAKE_SCOPE, tm_text_of(tm_unique_scope_names[unique->scope]));
  if (key->until_ms) tm_stmt_bind_int(&s, TM_P_UNIQUE_TAKE_UNTIL_MS, key->until_ms);
  tm_stmt_write(&s, "tm_unique");
  if (run->error.rc == SQLITE_CONSTRAINT_UNIQUE) {
    tm_error_clear(&run->error);
    tm_error_set(&run->error, TM_NOT_UNIQUE,
                 "a trigger on tm_task has enqueued the same key meanwhile, look at what it does");
  }
}

/* ---- the others -------------------------------------------------------- */

bool tm_unique_is_free(TmRun *run, const TmTask *task, bool is_many) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_UNIQUE_RIVAL, &s);
  tm_stmt_bind_int(&s, TM_P_UNIQUE_RIVAL_TASK_ID, task->id);
  Holder rival;
  unique_read_holder(&s, &rival);
  if (rival.task_id && !tm_run_failed(run) && !is_many) unique_refuse(run, &rival);
  return !rival.task_id && !tm_run_failed(run);
}

/* Whether an authorizer hides it is known when a step has compiled the statement anew. */
void tm_unique_need_reads(TmRun *run, sqlite3_int64 task_id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_UNIQUE_ROW, &s);
  tm_stmt_bind_int(&s, TM_P_UNIQUE_ROW_TASK_ID, task_id);
  tm_stmt_row(&s);
  tm_stmt_close(&s);
}

#define FORGET_BLOCK 64

void tm_unique_forget(TmRun *run, sqlite3_int64 limit) {
  sqlite3_int64 ids[FORGET_BLOCK];
  int count = 0;
  do {
    count = 0;
    TmStmt s;
    tm_stmt_open(run, TM_Q_UNIQUE_OVER, &s);
    tm_stmt_bind_int(&s, TM_P_UNIQUE_OVER_NOW_MS, run->now_ms);
    tm_stmt_bind_int(&s, TM_P_UNIQUE_OVER_LIMIT, limit < FORGET_BLOCK ? limit : FORGET_BLOCK);
    while (tm_stmt_row(&s)) ids[count++] = tm_stmt_int(&s, TM_C_UNIQUE_OVER_TASK_ID);
    tm_stmt_close(&s);
    for (int i = 0; i < count && !tm_run_failed(run); i++) {
      tm_stmt_open(run, TM_Q_UNIQUE_FORGET, &s);
      tm_stmt_bind_int(&s, TM_P_UNIQUE_FORGET_TASK_ID, ids[i]);
      tm_stmt_write(&s, "tm_unique");
    }
    limit -= count;
  } while (count > 0 && limit > 0 && !tm_run_failed(run));
}
