/* prune.c - finished tasks go when their queue does not keep them any longer.
 * Owns:    which of the notes in tm_finished are due, and what becomes of a task that cannot go.
 * Promise: bounded; the oldest first; each task found by a seek. A task that somebody's
 *          foreign key or trigger keeps stays whole, is set aside, and stops no other.
 * Why:     deletes go in a step of their own, because a failed one may have written something
 *          (RAISE(FAIL) keeps what came before it), or fail only at COMMIT (a deferred foreign
 * key): SQLite undoes the step, and the round goes on. */
#include "core/prune.h"

#include "core/queue.h"
#include "core/steer.h"
#include "core/unique.h"

#define PRUNE_BLOCK    64
#define PRUNE_RETRY_MS 3600000LL
#define PRUNE_IN_USE   "in_use"
#define FOR_EVER       0x7fffffffffffffffLL

/* A round that walks over tm_task looks at so many rows for each task that it may delete: most
 * of them are read and left alone. */
#define WALK_TASKS_FOR_EACH 10

typedef struct PruneNote {
  sqlite3_int64 task_id, at_ms;
  TmState phase; /* TM_STATE_COUNT: in use */
  bool is_current;
} PruneNote;

typedef struct PruneBlock {
  int count;
  PruneNote notes[PRUNE_BLOCK];
} PruneBlock;

typedef struct PruneQueue {
  TmText name;
  bool exists;
  sqlite3_int64 keep_ms[TM_STATE_COUNT]; /* of the final states; -1: for ever */
  sqlite3_int64 tasks;                   /* as tm_finished_count has it */
  sqlite3_int64 excess;                  /* tasks more than keep_count */
  bool has_count;
} PruneQueue;

typedef struct PruneRound {
  sqlite3_int64 left; /* tasks that may still be looked at */
  sqlite3_int64 pruned;
  bool tries_all;
} PruneRound;

static const TmState final_states[] = {TM_COMPLETED, TM_CANCELLED, TM_DISCARDED};
#define FINAL_STATES (int)(sizeof final_states / sizeof final_states[0])

/* ---- notes ------------------------------------------------------------ */

static TmText prune_phase(const PruneNote *note) {
  return tm_text_of(note->phase == TM_STATE_COUNT ? PRUNE_IN_USE : tm_state_name(note->phase));
}

static void prune_forget(TmRun *run, const PruneQueue *queue, const PruneNote *note) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_FORGET, &s);
  tm_stmt_bind_text(&s, TM_P_PRUNE_FORGET_QUEUE, queue->name);
  tm_stmt_bind_text(&s, TM_P_PRUNE_FORGET_PHASE, prune_phase(note));
  tm_stmt_bind_int(&s, TM_P_PRUNE_FORGET_AT_MS, note->at_ms);
  tm_stmt_bind_int(&s, TM_P_PRUNE_FORGET_TASK_ID, note->task_id);
  tm_stmt_write(&s, "tm_finished");
}

static void prune_note(TmRun *run, TmText queue, const PruneNote *note) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_NOTE, &s);
  tm_stmt_bind_text(&s, TM_P_PRUNE_NOTE_QUEUE, queue);
  tm_stmt_bind_text(&s, TM_P_PRUNE_NOTE_PHASE, prune_phase(note));
  tm_stmt_bind_int(&s, TM_P_PRUNE_NOTE_AT_MS, note->at_ms);
  tm_stmt_bind_int(&s, TM_P_PRUNE_NOTE_TASK_ID, note->task_id);
  tm_stmt_write(&s, "tm_finished");
}

static void prune_set_aside(TmRun *run, const PruneQueue *queue, const PruneNote *note) {
  PruneNote aside = {.task_id = note->task_id, .phase = TM_STATE_COUNT};
  aside.at_ms = run->now_ms + PRUNE_RETRY_MS;
  prune_note(run, queue->name, &aside);
  prune_forget(run, queue, note);
}

/* Back in order, where it is still to be judged with the others. */
static void prune_take_back(TmRun *run, const PruneQueue *queue, const PruneNote *aside) {
  PruneNote note = {.task_id = aside->task_id};
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_ASIDE, &s);
  tm_stmt_bind_text(&s, TM_P_PRUNE_ASIDE_QUEUE, queue->name);
  tm_stmt_bind_int(&s, TM_P_PRUNE_ASIDE_TASK_ID, aside->task_id);
  bool is_wanted = tm_stmt_row(&s) && tm_stmt_int(&s, TM_C_PRUNE_ASIDE_IS_WANTED) != 0;
  if (is_wanted) {
    note.phase = tm_state_of(tm_stmt_text(&s, TM_C_PRUNE_ASIDE_STATE));
    note.at_ms = tm_stmt_int(&s, TM_C_PRUNE_ASIDE_AT_MS);
  }
  tm_stmt_close(&s);
  if (is_wanted) prune_note(run, queue->name, &note);
  prune_forget(run, queue, aside);
}

/* The statements that read notes have the same columns, TM_C_PRUNE_DUE_*. */
static void prune_read_rows(TmStmt *s, PruneBlock *block) {
  block->count = 0;
  while (block->count < PRUNE_BLOCK && tm_stmt_row(s)) {
    PruneNote *note = &block->notes[block->count++];
    note->phase = tm_state_of(tm_stmt_text(s, TM_C_PRUNE_DUE_PHASE));
    note->at_ms = tm_stmt_int(s, TM_C_PRUNE_DUE_AT_MS);
    note->task_id = tm_stmt_int(s, TM_C_PRUNE_DUE_TASK_ID);
    note->is_current = tm_stmt_int(s, TM_C_PRUNE_DUE_IS_CURRENT) != 0;
  }
  tm_stmt_close(s);
}

static sqlite3_int64 prune_least(sqlite3_int64 a, sqlite3_int64 b) {
  return a < b ? a : b;
}

static void prune_read_due(TmRun *run, const PruneQueue *queue, const char *phase,
                           sqlite3_int64 until_ms, sqlite3_int64 limit, PruneBlock *block) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_DUE, &s);
  tm_stmt_bind_text(&s, TM_P_PRUNE_DUE_QUEUE, queue->name);
  tm_stmt_bind_text(&s, TM_P_PRUNE_DUE_PHASE, tm_text_of(phase));
  tm_stmt_bind_int(&s, TM_P_PRUNE_DUE_UNTIL_MS, until_ms);
  tm_stmt_bind_int(&s, TM_P_PRUNE_DUE_LIMIT, prune_least(limit, PRUNE_BLOCK));
  prune_read_rows(&s, block);
}

static void prune_read_oldest(TmRun *run, const PruneQueue *queue, sqlite3_int64 limit,
                              PruneBlock *block) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_OLDEST, &s);
  tm_stmt_bind_text(&s, TM_P_PRUNE_OLDEST_QUEUE, queue->name);
  tm_stmt_bind_int(&s, TM_P_PRUNE_OLDEST_LIMIT, prune_least(limit, PRUNE_BLOCK));
  prune_read_rows(&s, block);
}

/* ---- deleting --------------------------------------------------------- */

static bool prune_has_deferred(const TmRun *run) {
  int is_pending = 0;
  int unused = 0;
  sqlite3_db_status(run->context->db, SQLITE_DBSTATUS_DEFERRED_FKS, &is_pending, &unused, 0);
  return is_pending != 0;
}

static void prune_delete_body(TmRun *run, void *arg) {
  const PruneBlock *block = arg;
  for (int i = 0; i < block->count && !tm_run_failed(run); i++) {
    tm_steer_one(run, block->notes[i].task_id,
                 &(TmSteer){.verb = TM_STEER_DELETE, .if_needed = TM_NEEDED_IS_TRIED});
  }
  if (!tm_run_failed(run) && prune_has_deferred(run)) {
    tm_error_sqlite(&run->error, NULL, SQLITE_CONSTRAINT_FOREIGNKEY);
  }
}

/* Delete them all, or none: false where a constraint keeps one of them. Other failures stay. */
static bool prune_delete(TmRun *run, const PruneBlock *block) {
  tm_run_step(run, prune_delete_body, (void *)(size_t)block);
  bool is_kept = (run->error.rc & 0xff) == SQLITE_CONSTRAINT;
  /* RAISE(ROLLBACK) has ended the transaction: then nothing may go on. */
  if (!is_kept || sqlite3_txn_state(run->context->db, "main") != SQLITE_TXN_WRITE) return true;
  tm_error_clear(&run->error);
  return false;
}

static void prune_block(TmRun *run, const PruneQueue *queue, const PruneBlock *block,
                        PruneRound *round) {
  PruneBlock goes = {.count = 0};
  for (int i = 0; i < block->count && !tm_run_failed(run); i++) {
    if (block->notes[i].is_current) {
      goes.notes[goes.count++] = block->notes[i];
    } else {
      prune_forget(run, queue, &block->notes[i]);
    }
  }
  round->left -= block->count;
  if (tm_run_failed(run) || goes.count == 0) return;
  if (prune_delete(run, &goes)) {
    round->pruned += goes.count;
    return;
  }
  for (int i = 0; i < goes.count && !tm_run_failed(run); i++) {
    PruneBlock one = {.count = 1, .notes = {goes.notes[i]}};
    if (prune_delete(run, &one)) {
      round->pruned++;
    } else {
      prune_set_aside(run, queue, &goes.notes[i]);
    }
  }
}

/* ---- one queue -------------------------------------------------------- */

static sqlite3_int64 prune_int_or(const TmStmt *s, int column, sqlite3_int64 otherwise) {
  return tm_stmt_is_null(s, column) ? otherwise : tm_stmt_int(s, column);
}

static void prune_settings(TmRun *run, PruneQueue *queue) {
  for (int i = 0; i < TM_STATE_COUNT; i++) queue->keep_ms[i] = -1;
  queue->excess = 0;
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_SETTINGS, &s);
  tm_stmt_bind_text(&s, TM_P_PRUNE_SETTINGS_QUEUE, queue->name);
  queue->exists = tm_stmt_row(&s);
  queue->has_count = queue->exists && !tm_stmt_is_null(&s, TM_C_PRUNE_SETTINGS_KEEP_COUNT);
  if (queue->exists) {
    queue->keep_ms[TM_COMPLETED] = prune_int_or(&s, TM_C_PRUNE_SETTINGS_KEEP_COMPLETED_MS, -1);
    queue->keep_ms[TM_CANCELLED] = prune_int_or(&s, TM_C_PRUNE_SETTINGS_KEEP_CANCELLED_MS, -1);
    queue->keep_ms[TM_DISCARDED] = prune_int_or(&s, TM_C_PRUNE_SETTINGS_KEEP_DISCARDED_MS, -1);
    sqlite3_int64 keep = prune_int_or(&s, TM_C_PRUNE_SETTINGS_KEEP_COUNT, FOR_EVER);
    queue->tasks = tm_stmt_int(&s, TM_C_PRUNE_SETTINGS_TASKS);
    if (queue->tasks > keep) queue->excess = queue->tasks - keep;
  }
  tm_stmt_close(&s);
}

/* Those that could not go are put back in order, to be judged with the others. */
static void prune_return(TmRun *run, const PruneQueue *queue, const PruneRound *round) {
  sqlite3_int64 until_ms = round->tries_all ? FOR_EVER : run->now_ms;
  sqlite3_int64 left = round->left;
  PruneBlock block;
  do {
    prune_read_due(run, queue, PRUNE_IN_USE, until_ms, left, &block);
    for (int i = 0; i < block.count && !tm_run_failed(run); i++) {
      prune_take_back(run, queue, &block.notes[i]);
    }
    left -= block.count;
  } while (block.count > 0 && left > 0 && !tm_run_failed(run));
}

/* Where the queue has no limit for this state any more, the notes go instead of the tasks. */
static void prune_phase_notes(TmRun *run, const PruneQueue *queue, const char *phase,
                              PruneRound *round) {
  PruneBlock block;
  do {
    prune_read_due(run, queue, phase, FOR_EVER, round->left, &block);
    for (int i = 0; i < block.count; i++) prune_forget(run, queue, &block.notes[i]);
    round->left -= block.count;
  } while (block.count > 0 && round->left > 0 && !tm_run_failed(run));
}

static void prune_phase_tasks(TmRun *run, const PruneQueue *queue, TmState state,
                              PruneRound *round) {
  PruneBlock block;
  do {
    prune_read_due(run, queue, tm_state_name(state), run->now_ms - queue->keep_ms[state],
                   round->left, &block);
    prune_block(run, queue, &block, round);
  } while (block.count > 0 && round->left > 0 && !tm_run_failed(run));
}

static void prune_excess(TmRun *run, PruneQueue *queue, PruneRound *round) {
  prune_settings(run, queue);
  while (queue->excess > 0 && round->left > 0 && !tm_run_failed(run)) {
    PruneBlock block;
    prune_read_oldest(run, queue, prune_least(queue->excess, round->left), &block);
    if (block.count == 0) return;
    sqlite3_int64 tasks = queue->tasks;
    prune_block(run, queue, &block, round);
    prune_settings(run, queue);
    /* Every note of the block is gone: a count that stays would take the others with it. */
    if (queue->tasks > tasks - block.count) tm_run_dropped(run, "tm_finished_count");
  }
}

static void prune_queue(TmRun *run, TmText name, PruneRound *round) {
  PruneQueue queue = {.name = name};
  prune_settings(run, &queue);
  if (!queue.exists) prune_phase_notes(run, &queue, PRUNE_IN_USE, round);
  prune_return(run, &queue, round);
  for (int i = 0; i < FINAL_STATES && round->left > 0 && !tm_run_failed(run); i++) {
    if (queue.keep_ms[final_states[i]] >= 0) {
      prune_phase_tasks(run, &queue, final_states[i], round);
    } else if (!queue.has_count) {
      prune_phase_notes(run, &queue, tm_state_name(final_states[i]), round);
    }
  }
  if (queue.has_count && round->left > 0) prune_excess(run, &queue, round);
}

/* ---- tasks that finished before their queue had a limit --------------------- */

typedef struct PruneFound {
  PruneNote note;
  int queue_bytes;
  char queue[TM_NAME_MAX_BYTES];
} PruneFound;

/* Note one block of them; returns the last id looked at, `end_id` where there is no more. */
static sqlite3_int64 prune_walk_block(TmRun *run, sqlite3_int64 after_id, sqlite3_int64 end_id) {
  PruneFound found[PRUNE_BLOCK];
  int count = 0;
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_WALK_FINDS, &s);
  tm_stmt_bind_int(&s, TM_P_PRUNE_WALK_FINDS_AFTER_ID, after_id);
  tm_stmt_bind_int(&s, TM_P_PRUNE_WALK_FINDS_END_ID, end_id);
  tm_stmt_bind_int(&s, TM_P_PRUNE_WALK_FINDS_LIMIT, PRUNE_BLOCK);
  while (count < PRUNE_BLOCK && tm_stmt_row(&s)) {
    TmText queue = tm_stmt_text(&s, TM_C_PRUNE_WALK_FINDS_QUEUE);
    PruneFound *next = &found[count++];
    next->note.task_id = tm_stmt_int(&s, TM_C_PRUNE_WALK_FINDS_TASK_ID);
    next->note.phase = tm_state_of(tm_stmt_text(&s, TM_C_PRUNE_WALK_FINDS_PHASE));
    next->note.at_ms = tm_stmt_int(&s, TM_C_PRUNE_WALK_FINDS_AT_MS);
    next->queue_bytes = queue.n > TM_NAME_MAX_BYTES ? TM_NAME_MAX_BYTES : queue.n;
    if (queue.z) memcpy(next->queue, queue.z, (size_t)next->queue_bytes);
  }
  tm_stmt_close(&s);
  for (int i = 0; i < count && !tm_run_failed(run); i++) {
    prune_note(run, (TmText){found[i].queue, found[i].queue_bytes}, &found[i].note);
  }
  return count < PRUNE_BLOCK ? end_id : found[count - 1].note.task_id;
}

static void prune_walk(TmRun *run, sqlite3_int64 tasks) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_WALK, &s);
  tm_stmt_bind_int(&s, TM_P_PRUNE_WALK_TASKS, tasks);
  bool is_due = tm_stmt_row(&s);
  sqlite3_int64 after_id = is_due ? tm_stmt_int(&s, TM_C_PRUNE_WALK_AFTER_ID) : 0;
  sqlite3_int64 end_id = is_due ? tm_stmt_int(&s, TM_C_PRUNE_WALK_END_ID) : 0;
  bool is_last = is_due && (tm_stmt_is_null(&s, TM_C_PRUNE_WALK_END_ID) ||
                            tm_stmt_int(&s, TM_C_PRUNE_WALK_END_ID) >=
                                tm_stmt_int(&s, TM_C_PRUNE_WALK_LAST_ID));
  tm_stmt_close(&s);
  if (!is_due) return;
  while (after_id < end_id && !tm_run_failed(run)) {
    after_id = prune_walk_block(run, after_id, end_id);
  }
  tm_stmt_open(run, is_last ? TM_Q_PRUNE_WALK_END : TM_Q_PRUNE_WALK_ON, &s);
  if (!is_last) tm_stmt_bind_int(&s, TM_P_PRUNE_WALK_ON_AFTER_ID, end_id);
  tm_stmt_write(&s, "tm_finished_walk");
}

/* ---- a round ---------------------------------------------------------- */

static bool prune_next(TmRun *run, char *name, int *n) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_PRUNE_NEXT, &s);
  tm_stmt_bind_text(&s, TM_P_PRUNE_NEXT_AFTER, (TmText){name, *n});
  bool is_there = tm_stmt_row(&s);
  if (is_there)
    is_there = tm_queue_keep_name(run, tm_stmt_text(&s, TM_C_PRUNE_NEXT_QUEUE), name, n);
  tm_stmt_close(&s);
  return is_there;
}

sqlite3_int64 tm_prune_run(TmRun *run, TmText queue, sqlite3_int64 limit, bool tries_all) {
  tm_run_begin(run);
  PruneRound round = {.left = limit, .tries_all = tries_all};
  /* What the caller has left unresolved hides what a delete would break. */
  if (tm_run_failed(run) || prune_has_deferred(run)) return 0;
  prune_walk(run, limit * WALK_TASKS_FOR_EACH);
  tm_unique_forget(run, limit);
  if (queue.z) {
    prune_queue(run, queue, &round);
  } else {
    char name[TM_NAME_MAX_BYTES + 1] = "";
    int n = 0;
    while (round.left > 0 && !tm_run_failed(run) && prune_next(run, name, &n)) {
      prune_queue(run, (TmText){name, n}, &round);
    }
  }
  run->task_id = 0;
  return round.pruned;
}
