/* depend.c - tasks that wait for others.
 * Owns:    tm_dependency and tm_settle, and the moves out of and into blocked.
 * Promise: the last need that is met unblocks in its own statement, once; what a failure does runs
 *          down the whole graph in that statement, in memory that does not grow with it.
 * Why:     a list to work off and no recursion: neither the C stack nor SQLite's triggers are as
 *          deep as a chain of tasks is long. */
#include "core/depend.h"

#include "core/await.h"

enum { EDGE_WAITS = 0, EDGE_MET = 1, EDGE_FAILED = 2 };

/* Edges are read in blocks, so that no statement is open over the writes. */
#define DEPEND_BLOCK 64
#define DEPEND_ALL   0x7fffffffffffffffLL

static const char on_failure_hold[] = "hold";
static const char on_failure_ignore[] = "ignore";

/* What becomes of a task when one that it needs fails. */
typedef enum OnFailure { FAILURE_CANCELS, FAILURE_HOLDS, FAILURE_IS_IGNORED } OnFailure;

static OnFailure depend_on_failure(TmText name) {
  if (name.z && strcmp(name.z, on_failure_hold) == 0) return FAILURE_HOLDS;
  if (name.z && strcmp(name.z, on_failure_ignore) == 0) return FAILURE_IS_IGNORED;
  return FAILURE_CANCELS;
}

static bool depend_is_final(TmState state) {
  return state != TM_STATE_COUNT && tm_state_kind(state) == TM_KIND_FINAL;
}

/* What an edge is where the needed task is in this state. */
static int depend_status(TmState needed, bool takes_final) {
  if (!depend_is_final(needed)) return EDGE_WAITS;
  return needed == TM_COMPLETED || takes_final ? EDGE_MET : EDGE_FAILED;
}

/* ---- the list of needs ------------------------------------------------- */

static bool depend_is_before(const TmNeed *a, const TmNeed *b) {
  return a->id < b->id || (a->id == b->id && !a->takes_final && b->takes_final);
}

/* Shell's sort: in place, and done at once where they come in order, as they mostly do. */
int tm_depend_sort(TmNeed *needs, int count) {
  static const int gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
  for (int g = 0; g < (int)(sizeof gaps / sizeof gaps[0]); g++) {
    int gap = gaps[g];
    for (int i = gap; i < count; i++) {
      TmNeed need = needs[i];
      int at = i;
      while (at >= gap && depend_is_before(&need, &needs[at - gap])) {
        needs[at] = needs[at - gap];
        at -= gap;
      }
      needs[at] = need;
    }
  }
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (kept == 0 || needs[i].id != needs[kept - 1].id) needs[kept++] = needs[i];
  }
  return kept;
}

/* ---- edges --------------------------------------------------------------- */

typedef struct Edge {
  sqlite3_int64 task_id, needs_id;
  bool is_there;
  int status;
  bool takes_final;
  sqlite3_int64 unmet; /* how many the task waits for */
  OnFailure on_failure;
  unsigned needed_flow;
  TmState needed;
} Edge;

static Edge depend_edge(TmRun *run, sqlite3_int64 task_id, sqlite3_int64 needs_id) {
  Edge edge = {.task_id = task_id, .needs_id = needs_id};
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_EDGE, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_EDGE_TASK_ID, task_id);
  tm_stmt_bind_int(&s, TM_P_DEPEND_EDGE_NEEDS_ID, needs_id);
  edge.is_there = tm_stmt_row(&s);
  if (edge.is_there) {
    TmText needs = tm_stmt_text(&s, TM_C_DEPEND_EDGE_NEEDS);
    edge.status = (int)tm_stmt_int(&s, TM_C_DEPEND_EDGE_STATUS);
    edge.takes_final = needs.z && strcmp(needs.z, "final") == 0;
    edge.unmet = tm_stmt_int(&s, TM_C_DEPEND_EDGE_UNMET);
    edge.on_failure = depend_on_failure(tm_stmt_text(&s, TM_C_DEPEND_EDGE_ON_FAILURE));
    edge.needed_flow = (unsigned)tm_stmt_int(&s, TM_C_DEPEND_EDGE_NEEDED_FLOW);
    edge.needed = tm_state_of(tm_stmt_text(&s, TM_C_DEPEND_EDGE_NEEDED));
  }
  tm_stmt_close(&s);
  return edge;
}

/* The counter and the bit are written by triggers: see that they were. */
static Edge depend_prove(TmRun *run, const Edge *before, int status) {
  Edge after = depend_edge(run, before->task_id, before->needs_id);
  if (tm_run_failed(run)) return after;
  sqlite3_int64 unmet = before->unmet + (status == EDGE_WAITS);
  if (before->is_there && before->status == EDGE_WAITS) unmet--;
  if (!after.is_there || after.status != status) tm_run_dropped(run, "tm_dependency");
  if (after.unmet != unmet) tm_run_dropped(run, "tm_flow");
  if (!(after.needed_flow & TM_FLOW_NEEDED)) tm_run_dropped(run, "tm_task");
  return after;
}

static Edge depend_set(TmRun *run, const Edge *edge, int status) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_UPDATE, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_UPDATE_STATUS, status);
  tm_stmt_bind_int(&s, TM_P_DEPEND_UPDATE_TASK_ID, edge->task_id);
  tm_stmt_bind_int(&s, TM_P_DEPEND_UPDATE_NEEDS_ID, edge->needs_id);
  tm_stmt_write(&s, "tm_dependency");
  return depend_prove(run, edge, status);
}

static sqlite3_int64 depend_unmet(TmRun *run, sqlite3_int64 task_id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_UNMET, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_UNMET_TASK_ID, task_id);
  sqlite3_int64 unmet = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_DEPEND_UNMET_UNMET) : 0;
  tm_stmt_close(&s);
  return unmet;
}

static Edge depend_insert(TmRun *run, sqlite3_int64 task_id, const TmNeed *need, int status,
                          sqlite3_int64 unmet) {
  Edge edge = {.task_id = task_id, .needs_id = need->id, .unmet = unmet};
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_INSERT, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_INSERT_TASK_ID, task_id);
  tm_stmt_bind_int(&s, TM_P_DEPEND_INSERT_NEEDS_ID, need->id);
  tm_stmt_bind_text(&s, TM_P_DEPEND_INSERT_NEEDS,
                    tm_text_of(need->takes_final ? "final" : "completed"));
  tm_stmt_bind_int(&s, TM_P_DEPEND_INSERT_STATUS, status);
  tm_stmt_write(&s, "tm_dependency");
  edge = depend_prove(run, &edge, status);
  /* A trigger of somebody's ended the need before there was an edge by which to tell of it. */
  if (status == EDGE_WAITS && depend_is_final(edge.needed)) tm_task_overtaken(run, need->id);
  return edge;
}

/* The state of a task, TM_STATE_COUNT where there is none. */
static TmState depend_look(TmRun *run, sqlite3_int64 id, unsigned *flow) {
  TmState state = TM_STATE_COUNT;
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_LOOK, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_LOOK_ID, id);
  if (tm_stmt_row(&s)) {
    state = tm_state_of(tm_stmt_text(&s, TM_C_DEPEND_LOOK_STATE));
    *flow = (unsigned)tm_stmt_int(&s, TM_C_DEPEND_LOOK_FLOW);
  }
  tm_stmt_close(&s);
  return state;
}

static TmState depend_need(TmRun *run, const TmNeed *need) {
  unsigned flow;
  TmState state = depend_look(run, need->id, &flow);
  if (state == TM_STATE_COUNT && !tm_run_failed(run)) {
    tm_error_set(&run->error, TM_NO_SUCH_TASK, "no task %lld to wait for, see tm_task", need->id);
  }
  return state;
}

/* ---- what follows for a dependant ------------------------------------------ */

static void depend_move(TmRun *run, TmTask *task, TmState to, const char *format,
                        sqlite3_int64 needs_id, TmState needed) {
  char reason[100];
  const char *name = needed == TM_STATE_COUNT ? "gone" : tm_state_name(needed);
  sqlite3_snprintf(sizeof reason, reason, format, needs_id, name);
  tm_task_move(run, task, to, TM_BY_OTHERS, tm_text_of(reason), TM_NO_TEXT);
}

/* A need has failed that is not ignored. A task that somebody has set aside is cancelled too, for
 * it waited all the same. */
static void depend_fail(TmRun *run, TmTask *task, OnFailure on_failure, sqlite3_int64 needs_id,
                        TmState needed) {
  TmState to = on_failure == FAILURE_HOLDS ? TM_HELD : TM_CANCELLED;
  if (to == task->state) return;
  depend_move(run, task, to, "task %lld, which it needs, is %s", needs_id, needed);
}

static bool depend_is_blocked(const TmTask *task) {
  return task->state == TM_BLOCKED || (task->state == TM_HELD && task->held_from == TM_BLOCKED);
}

static void depend_unblock(TmRun *run, TmTask *task, sqlite3_int64 needs_id, TmState needed) {
  if (task->state != TM_BLOCKED) return;
  /* A group that failed in the same moment is noted, and what follows from that comes next. */
  TmAwaited awaited;
  if (tm_await_ended(run, task->id, &awaited) && awaited.is_failure) return;
  TmState to = task->run_at_ms > run->now_ms ? TM_SCHEDULED : TM_AVAILABLE;
  depend_move(run, task, to, "task %lld, the last that it waited for, is %s", needs_id, needed);
}

/* ---- what follows from an end ------------------------------------------------ */

/* Ends that are still to be told of: a few here, the others in tm_settle. One that is here and was
 * undone is not final, and passed over. */
#define SETTLING_KEEPS 128
typedef struct TmSettling {
  sqlite3_int64 ids[SETTLING_KEEPS];
  int count;
  bool has_notes; /* there may be some in tm_settle */
  sqlite3_int64 left;
} TmSettling;

static bool depend_is_noted(TmRun *run, sqlite3_int64 id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_NOTED, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_NOTED_TASK_ID, id);
  bool is_noted = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return is_noted;
}

static void settle_note(TmRun *run, TmSettling *settling, sqlite3_int64 id) {
  settling->has_notes = true;
  if (depend_is_noted(run, id)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_NOTE, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_NOTE_TASK_ID, id);
  tm_stmt_write(&s, "tm_settle");
}

static void settle_add(TmRun *run, TmSettling *settling, sqlite3_int64 id) {
  if (settling->count < SETTLING_KEEPS) {
    settling->ids[settling->count++] = id;
  } else {
    settle_note(run, settling, id);
  }
}

/* Take notes into the list, which is empty. */
static void settle_read(TmRun *run, TmSettling *settling) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_NOTES, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_NOTES_LIMIT, SETTLING_KEEPS / 2);
  while (tm_stmt_row(&s)) {
    settling->ids[settling->count++] = tm_stmt_int(&s, TM_C_DEPEND_NOTES_TASK_ID);
  }
  tm_stmt_close(&s);
  settling->has_notes = settling->count > 0;
  for (int i = 0; i < settling->count && !tm_run_failed(run); i++) {
    tm_stmt_open(run, TM_Q_DEPEND_FORGET, &s);
    tm_stmt_bind_int(&s, TM_P_DEPEND_FORGET_TASK_ID, settling->ids[i]);
    tm_stmt_write(&s, "tm_settle");
  }
}

/* False where the edge does not wait, or is not there any more. */
static bool settle_edge(TmRun *run, sqlite3_int64 task_id, sqlite3_int64 needs_id, TmState needed) {
  Edge edge = depend_edge(run, task_id, needs_id);
  if (tm_run_failed(run) || !edge.is_there || edge.status != EDGE_WAITS) return false;
  int status = depend_status(needed, edge.takes_final);
  edge = depend_set(run, &edge, status);
  bool is_failure = status == EDGE_FAILED && edge.on_failure != FAILURE_IS_IGNORED;
  if (tm_run_failed(run) || (!is_failure && edge.unmet > 0)) return true;
  TmTask task;
  if (!tm_task_find(run, task_id, &task) || !depend_is_blocked(&task)) return true;
  if (is_failure) {
    depend_fail(run, &task, edge.on_failure, needs_id, needed);
  } else {
    depend_unblock(run, &task, needs_id, needed);
  }
  return true;
}

/* Tell those who wait for a task that has ended; one of them at least, or nobody would remember the
 * task when nothing is left. */
static void settle_end(TmRun *run, TmSettling *settling, sqlite3_int64 id, TmState state) {
  sqlite3_int64 ids[DEPEND_BLOCK];
  int count;
  do {
    count = 0;
    sqlite3_int64 limit = settling->left < DEPEND_BLOCK ? settling->left : DEPEND_BLOCK;
    TmStmt s;
    tm_stmt_open(run, TM_Q_DEPEND_WAITING, &s);
    tm_stmt_bind_int(&s, TM_P_DEPEND_WAITING_ID, id);
    tm_stmt_bind_int(&s, TM_P_DEPEND_WAITING_LIMIT, limit > 0 ? limit : 1);
    while (tm_stmt_row(&s)) ids[count++] = tm_stmt_int(&s, TM_C_DEPEND_WAITING_TASK_ID);
    tm_stmt_close(&s);
    for (int i = 0; i < count && !tm_run_failed(run); i++) {
      /* Nothing came between this look at the first and the one before: it would have no end. */
      if (!settle_edge(run, ids[i], id, state) && i == 0) tm_run_unreadable(run, "tm_dependency");
    }
    settling->left -= count;
  } while (count > 0 && settling->left > 0 && !tm_run_failed(run));
  if (count > 0) settle_add(run, settling, id);
}

/* A group that a task waited for has ended, or somebody took away the last that it waited for. */
static void settle_waiter(TmRun *run, sqlite3_int64 id) {
  TmTask task;
  TmAwaited awaited;
  if (!tm_task_find(run, id, &task) || !depend_is_blocked(&task)) return;
  bool has_group = tm_await_ended(run, id, &awaited);
  char reason[TM_NAME_MAX_BYTES + 60] = "waits for no other";
  while (has_group && awaited.is_failure && !tm_run_failed(run)) {
    OnFailure on_failure =
        depend_on_failure((TmText){awaited.on_failure, awaited.on_failure_bytes});
    tm_await_overrule(run, id, &awaited);
    TmState to = on_failure == FAILURE_HOLDS ? TM_HELD : TM_CANCELLED;
    if (on_failure != FAILURE_IS_IGNORED && to != task.state) {
      sqlite3_snprintf(sizeof reason, reason, "group '%.*s', which it needs, has failures",
                       awaited.name_bytes, awaited.name);
      tm_task_move(run, &task, to, TM_BY_OTHERS, tm_text_of(reason), TM_NO_TEXT);
      return;
    }
    sqlite3_snprintf(sizeof reason, reason, "group '%.*s' has ended, and its failures are ignored",
                     awaited.name_bytes, awaited.name);
    has_group = tm_await_ended(run, id, &awaited);
  }
  if (tm_run_failed(run) || task.state != TM_BLOCKED || depend_unmet(run, id) > 0) return;
  if (has_group) {
    sqlite3_snprintf(sizeof reason, reason, "group '%.*s' has ended, it waits for no other",
                     awaited.name_bytes, awaited.name);
  }
  TmState to = task.run_at_ms > run->now_ms ? TM_SCHEDULED : TM_AVAILABLE;
  tm_task_move(run, &task, to, TM_BY_OTHERS, tm_text_of(reason), TM_NO_TEXT);
}

/* A task that ended, or one that waits for less than before. */
static void settle_task(TmRun *run, TmSettling *settling, sqlite3_int64 id) {
  unsigned flow = 0;
  TmState state = depend_look(run, id, &flow);
  settling->left--;
  if (depend_is_final(state)) {
    settle_end(run, settling, id, state);
  } else if ((state == TM_BLOCKED || state == TM_HELD) && (flow & TM_FLOW_NEEDS)) {
    settle_waiter(run, id);
  }
}

static void settle_run(TmRun *run, TmSettling *settling) {
  TmContext *context = run->context;
  sqlite3_int64 task_id = run->task_id;
  context->settling = settling;
  while (settling->left > 0 && !tm_run_failed(run)) {
    if (settling->count == 0 && settling->has_notes) settle_read(run, settling);
    if (settling->count == 0) break;
    settle_task(run, settling, settling->ids[--settling->count]);
  }
  for (int i = 0; i < settling->count && !tm_run_failed(run); i++) {
    settle_note(run, settling, settling->ids[i]);
  }
  context->settling = NULL;
  run->task_id = task_id;
}

void tm_depend_ended(TmRun *run, sqlite3_int64 id) {
  if (tm_run_failed(run)) return;
  if (run->context->settling) {
    settle_add(run, run->context->settling, id);
    return;
  }
  TmSettling settling = {.count = 1, .left = DEPEND_ALL, .ids = {id}};
  settle_run(run, &settling);
}

void tm_depend_group_ended(TmRun *run, TmText group) {
  tm_await_prove_end(run, group);
  if (tm_run_failed(run)) return;
  if (run->context->settling) {
    run->context->settling->has_notes = true;
  } else {
    tm_depend_settle(run, DEPEND_ALL);
  }
}

sqlite3_int64 tm_depend_settle(TmRun *run, sqlite3_int64 limit) {
  if (tm_run_failed(run) || run->context->settling) return 0;
  TmSettling settling = {.left = limit, .has_notes = true};
  settle_run(run, &settling);
  if (!settling.has_notes && settling.left < limit && !tm_run_failed(run)) {
    TmStmt s;
    tm_stmt_open(run, TM_Q_DEPEND_SETTLED, &s);
    tm_stmt_write(&s, "tm_setting");
  }
  return limit - settling.left;
}

/* ---- at birth ------------------------------------------------------------------- */

bool tm_depend_blocks(TmRun *run, const TmFlow *flow) {
  bool ignores = depend_on_failure(flow->on_failure) == FAILURE_IS_IGNORED;
  bool blocks = false;
  for (int i = 0; i < flow->need_count && !tm_run_failed(run); i++) {
    int status = depend_status(depend_need(run, &flow->needs[i]), flow->needs[i].takes_final);
    if (status == EDGE_WAITS || (status == EDGE_FAILED && !ignores)) blocks = true;
  }
  if (tm_await_blocks(run, flow)) blocks = true;
  return blocks;
}

sqlite3_int64 tm_depend_born(TmRun *run, const TmFlow *flow, sqlite3_int64 id) {
  bool ignores = depend_on_failure(flow->on_failure) == FAILURE_IS_IGNORED;
  sqlite3_int64 failed_id = 0;
  sqlite3_int64 unmet = 0;
  for (int i = 0; i < flow->need_count && !tm_run_failed(run); i++) {
    const TmNeed *need = &flow->needs[i];
    int status = depend_status(depend_need(run, need), need->takes_final);
    unmet = depend_insert(run, id, need, status, unmet).unmet;
    if (status == EDGE_FAILED && !ignores && !failed_id) failed_id = need->id;
  }
  return failed_id;
}

void tm_depend_fail_born(TmRun *run, sqlite3_int64 id, sqlite3_int64 needs_id) {
  Edge edge = depend_edge(run, id, needs_id);
  unsigned flow;
  TmState needed = depend_look(run, needs_id, &flow);
  TmTask task;
  tm_task_load(run, id, &task);
  if (!tm_run_failed(run)) depend_fail(run, &task, edge.on_failure, needs_id, needed);
}

void tm_depend_settle_born(TmRun *run, sqlite3_int64 id, TmState state) {
  sqlite3_int64 unmet = depend_unmet(run, id);
  if (state == TM_BLOCKED && unmet == 0) {
    tm_depend_ended(run, id);
  } else if (state != TM_BLOCKED && state != TM_HELD && unmet > 0) {
    tm_task_overtaken(run, id);
  }
}

/* ---- later -------------------------------------------------------------------------- */

static bool depend_closes_cycle(TmRun *run, sqlite3_int64 task_id, sqlite3_int64 needs_id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_CYCLE, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_CYCLE_TASK_ID, task_id);
  tm_stmt_bind_int(&s, TM_P_DEPEND_CYCLE_NEEDS_ID, needs_id);
  bool is_found = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return is_found;
}

/* A held task goes back to a state in which it may be blocked. */
static void depend_need_movable(TmRun *run, const TmTask *task) {
  const TmStateSet movable =
      TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_AVAILABLE) | TM_STATE_BIT(TM_BLOCKED);
  tm_task_need_state(run, task, movable | TM_STATE_BIT(TM_HELD));
  if (tm_run_failed(run) || task->state != TM_HELD || task->held_from == TM_STATE_COUNT) return;
  if (movable & TM_STATE_BIT(task->held_from)) return;
  tm_error_set(&run->error, TM_WRONG_STATE,
               "task %lld is held and was %s before, put it back with tm_unhold first", task->id,
               tm_state_name(task->held_from));
}

static void depend_block(TmRun *run, TmTask *task, sqlite3_int64 needs_id, TmState needed) {
  if (depend_is_blocked(task)) return;
  if (task->state != TM_HELD) {
    depend_move(run, task, TM_BLOCKED, "needs task %lld, which is %s", needs_id, needed);
    return;
  }
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_HOLD, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_HOLD_ID, task->id);
  tm_stmt_bind_int(&s, TM_P_DEPEND_HOLD_MOVES, task->moves);
  tm_stmt_write(&s, "tm_task");
}

TmState tm_depend_add(TmRun *run, sqlite3_int64 id, const TmNeed *need) {
  TmTask task;
  tm_task_load(run, id, &task);
  depend_need_movable(run, &task);
  if (tm_run_failed(run)) return task.state;
  TmState needed = depend_need(run, need);
  Edge edge = depend_edge(run, id, need->id);
  if (tm_run_failed(run) || edge.is_there) return task.state;
  int status = depend_status(needed, need->takes_final);
  if (id == need->id || (status == EDGE_WAITS && depend_closes_cycle(run, id, need->id))) {
    tm_error_set(&run->error, TM_CYCLE,
                 id == need->id ? "task %lld would wait for itself"
                                : "task %lld would wait for itself in the end: %lld waits for it",
                 id, need->id);
  }
  if (!(task.flow & TM_FLOW_ROW)) {
    TmStmt s;
    tm_stmt_open(run, TM_Q_DEPEND_FLOW, &s);
    tm_stmt_bind_int(&s, TM_P_DEPEND_FLOW_TASK_ID, id);
    tm_stmt_write(&s, "tm_flow");
  }
  edge = depend_insert(run, id, need, status, depend_unmet(run, id));
  task.flow |= TM_FLOW_NEEDS;
  if (tm_run_failed(run)) return task.state;
  if (status == EDGE_WAITS) {
    depend_block(run, &task, need->id, needed);
  } else if (status == EDGE_FAILED && edge.on_failure != FAILURE_IS_IGNORED) {
    depend_fail(run, &task, edge.on_failure, need->id, needed);
  } else if (edge.unmet == 0) {
    /* Blocked by hand, it waited for nothing; from here on an end lets it go, and this one has. */
    depend_unblock(run, &task, need->id, needed);
  }
  return task.state;
}

typedef struct Failed {
  sqlite3_int64 needs_id;
  int status;
} Failed;

/* Edges that failed, after this one, as they are by now. */
static int depend_read_failed(TmRun *run, sqlite3_int64 id, sqlite3_int64 after_id,
                              Failed *failed) {
  int count = 0;
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_FAILED, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_FAILED_TASK_ID, id);
  tm_stmt_bind_int(&s, TM_P_DEPEND_FAILED_AFTER_ID, after_id);
  tm_stmt_bind_int(&s, TM_P_DEPEND_FAILED_LIMIT, DEPEND_BLOCK);
  while (tm_stmt_row(&s)) {
    TmText needs = tm_stmt_text(&s, TM_C_DEPEND_FAILED_NEEDS);
    failed[count].needs_id = tm_stmt_int(&s, TM_C_DEPEND_FAILED_NEEDS_ID);
    failed[count++].status = depend_status(tm_state_of(tm_stmt_text(&s, TM_C_DEPEND_FAILED_STATE)),
                                           needs.z && strcmp(needs.z, "final") == 0);
  }
  tm_stmt_close(&s);
  return count;
}

sqlite3_int64 tm_depend_rearm(TmRun *run, sqlite3_int64 id) {
  Failed failed[DEPEND_BLOCK];
  sqlite3_int64 after_id = 0;
  int count;
  do {
    count = depend_read_failed(run, id, after_id, failed);
    for (int i = 0; i < count && !tm_run_failed(run); i++) {
      after_id = failed[i].needs_id;
      if (failed[i].status == EDGE_FAILED) continue;
      /* What waits for this task by now cannot be waited for. */
      if (failed[i].status == EDGE_WAITS && depend_closes_cycle(run, id, after_id)) continue;
      Edge edge = depend_edge(run, id, after_id);
      if (!tm_run_failed(run)) depend_set(run, &edge, failed[i].status);
    }
  } while (count == DEPEND_BLOCK && !tm_run_failed(run));
  tm_await_rearm(run, id);
  return depend_unmet(run, id);
}

bool tm_depend_has(TmRun *run, sqlite3_int64 id, sqlite3_int64 needs_id) {
  return depend_edge(run, id, needs_id).is_there;
}

sqlite3_int64 tm_depend_dependant(TmRun *run, sqlite3_int64 id, TmState *state) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_DEPENDANT, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_DEPENDANT_ID, id);
  sqlite3_int64 task_id = 0;
  if (tm_stmt_row(&s)) {
    task_id = tm_stmt_int(&s, TM_C_DEPEND_DEPENDANT_TASK_ID);
    *state = tm_state_of(tm_stmt_text(&s, TM_C_DEPEND_DEPENDANT_STATE));
  }
  tm_stmt_close(&s);
  return task_id;
}
