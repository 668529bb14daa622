/* flow.c - a task's place among others.
 * Owns:    the row of tm_flow, and the word to tm_task_moved.
 * Promise: what follows from a move follows from it whoever makes it: a verb tells the view, the
 *          trigger for moves by hand tells it too, and the rules are triggers on the view.
 * Why:     two copies of a rule, one in C and one in SQL, would part. */
#include "core/flow.h"

#include "core/children.h"
#include "core/depend.h"
#include "core/group.h"
#include "core/await.h"
#include "core/limit.h"
#include "core/times.h"

/* An INSERT into a view changes no row that could be counted, so an authorizer that ignores it is
 * seen in another way: a row that says nothing is refused by a trigger, if triggers run at all. */
static void flow_prove(TmRun *run, const TmProof *proof) {
  if (tm_run_failed(run)) return;
  TmStmt s;
  tm_stmt_open(run, proof->query, &s);
  tm_stmt_exec(&s);
  if (!tm_run_failed(run)) {
    tm_run_dropped(run, "tm_task_moved");
  } else if (run->error.rc == SQLITE_CONSTRAINT_TRIGGER) {
    tm_error_clear(&run->error);
  }
}

/* Two statements of one text, because what has to be proven of a queue with limits is more. */
static TmQuery flow_query(unsigned flow) {
  return flow & TM_FLOW_LIMITED ? TM_Q_FLOW_MOVED_LIMITED : TM_Q_FLOW_MOVED;
}

static void flow_tell(TmRun *run, sqlite3_int64 id, unsigned flow, TmState from, TmState to) {
  TmGroupCount count;
  tm_group_count_begin(run, id, flow, from, to, &count);
  if (tm_run_failed(run)) return;
  TmStmt s;
  tm_stmt_open(run, flow_query(flow), &s);
  tm_stmt_bind_int(&s, TM_P_FLOW_MOVED_ID, id);
  tm_stmt_bind_int(&s, TM_P_FLOW_MOVED_FLOW, flow);
  if (from != TM_STATE_COUNT) {
    tm_stmt_bind_text(&s, TM_P_FLOW_MOVED_FROM_STATE, tm_text_of(tm_state_name(from)));
  }
  tm_stmt_bind_text(&s, TM_P_FLOW_MOVED_TO_STATE, tm_text_of(tm_state_name(to)));
  tm_stmt_row(&s);
  TmProof proof = tm_stmt_proof(&s);
  tm_stmt_close(&s);
  if (!proof.is_proven) {
    flow_prove(run, &proof);
    if (flow & TM_FLOW_LIMITED) {
      tm_limit_prove(run, id, &proof);
    } else {
      tm_run_proven(run, &proof);
    }
  }
  if (flow & TM_FLOW_TIMES) tm_times_prove(run, id);
  tm_group_count_end(run, id, &count);
}

/* Who waits for a task is told in C, because it moves others: the triggers are spared the bit. */
void tm_flow_moved(TmRun *run, sqlite3_int64 id, unsigned flow, TmState from, TmState to) {
  unsigned told = flow & ~(unsigned)TM_FLOW_NEEDED;
  if (told) flow_tell(run, id, told, from, to);
  if (told != flow && tm_state_kind(to) == TM_KIND_FINAL) tm_depend_ended(run, id);
}

static void flow_bind_time(TmStmt *s, int param, const char *name, const TmFlowTime *time) {
  if (!time->is_given) return;
  tm_stmt_bind_int(s, param, time->is_at ? time->ms : tm_task_time_after(s->run, name, time->ms));
}

static void flow_insert(TmRun *run, const TmFlow *flow, sqlite3_int64 id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_FLOW_INSERT, &s);
  tm_stmt_bind_int(&s, TM_P_FLOW_INSERT_TASK_ID, id);
  if (flow->partition.z) tm_stmt_bind_text(&s, TM_P_FLOW_INSERT_PARTITION, flow->partition);
  if (flow->on_failure.z) tm_stmt_bind_text(&s, TM_P_FLOW_INSERT_ON_FAILURE, flow->on_failure);
  flow_bind_time(&s, TM_P_FLOW_INSERT_EXPIRES_MS, "expires", &flow->expires);
  flow_bind_time(&s, TM_P_FLOW_INSERT_DEADLINE_MS, "deadline", &flow->deadline);
  if (flow->timeout_ms) tm_stmt_bind_int(&s, TM_P_FLOW_INSERT_TIMEOUT_MS, flow->timeout_ms);
  if (flow->group.z) tm_stmt_bind_text(&s, TM_P_FLOW_INSERT_IN_GROUP, flow->group);
  if (flow->parent_id) tm_stmt_bind_int(&s, TM_P_FLOW_INSERT_PARENT_ID, flow->parent_id);
  tm_stmt_write(&s, "tm_flow");
}

/* flow_times and flow_timed have the same parameters, which each numbers in its own way. */
static void flow_open_times(TmRun *run, const TmFlow *flow, sqlite3_int64 id, bool is_proof,
                            TmStmt *s) {
  tm_stmt_open(run, is_proof ? TM_Q_FLOW_TIMED : TM_Q_FLOW_TIMES, s);
  tm_stmt_bind_int(s, is_proof ? TM_P_FLOW_TIMED_TASK_ID : TM_P_FLOW_TIMES_TASK_ID, id);
  flow_bind_time(s, is_proof ? TM_P_FLOW_TIMED_EXPIRES_MS : TM_P_FLOW_TIMES_EXPIRES_MS, "expires",
                 &flow->expires);
  flow_bind_time(s, is_proof ? TM_P_FLOW_TIMED_DEADLINE_MS : TM_P_FLOW_TIMES_DEADLINE_MS,
                 "deadline", &flow->deadline);
  if (flow->timeout_ms) {
    tm_stmt_bind_int(s, is_proof ? TM_P_FLOW_TIMED_TIMEOUT_MS : TM_P_FLOW_TIMES_TIMEOUT_MS,
                     flow->timeout_ms);
  }
}

unsigned tm_flow_set_times(TmRun *run, const TmFlow *flow, sqlite3_int64 id, unsigned bits) {
  if (tm_run_failed(run) || !((flow->bits | bits) & TM_FLOW_TIMES)) return bits;
  TmStmt s;
  if (!(bits & TM_FLOW_ROW)) {
    tm_stmt_open(run, TM_Q_DEPEND_FLOW, &s);
    tm_stmt_bind_int(&s, TM_P_DEPEND_FLOW_TASK_ID, id);
    tm_stmt_write(&s, "tm_flow");
  }
  flow_open_times(run, flow, id, false, &s);
  tm_stmt_write(&s, "tm_flow");
  flow_open_times(run, flow, id, true, &s);
  bool is_written = tm_stmt_row(&s) && tm_stmt_int(&s, TM_C_FLOW_TIMED_IS_TIMED) != 0;
  tm_stmt_close(&s);
  if (!is_written) tm_run_dropped(run, "tm_flow");
  tm_times_prove(run, id);
  return bits | TM_FLOW_TIMES;
}

void tm_flow_born(TmRun *run, const TmFlow *flow, sqlite3_int64 id, TmState state) {
  if (flow->group.z) tm_group_need_open(run, flow->group);
  if (flow->parent_id) tm_children_need_parent(run, flow->parent_id);
  if (flow->bits & TM_FLOW_ROW) flow_insert(run, flow, id);
  if (flow->parent_id) tm_children_prove_parent(run, flow->parent_id);
  sqlite3_int64 failed_id = flow->need_count ? tm_depend_born(run, flow, id) : 0;
  bool has_failed_group = tm_await_born(run, flow, id);
  tm_flow_moved(run, id, flow->bits, TM_STATE_COUNT, state);
  if (failed_id) {
    tm_depend_fail_born(run, id, failed_id);
  } else if (has_failed_group) {
    tm_depend_ended(run, id);
  } else if (flow->bits & TM_FLOW_NEEDS) {
    tm_depend_settle_born(run, id, state);
  }
}
