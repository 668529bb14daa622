/* await.c - tasks that wait for groups.
 * Owns:    tm_group_wait as far as verbs touch it.
 * Promise: a wait that was not counted is an error; whoever waits for a group is told of its end in
 *          the statement that ended it.
 * Why:     a trigger notes those who wait, whoever ended the group; a verb looks that it did, and
 *          core/depend.c goes on with the notes. */
#include "core/await.h"

enum { AWAIT_WAITS = 0, AWAIT_MET = 1, AWAIT_FAILED = 2, AWAIT_OVERRULED = 3 };

/* ---- one wait ---------------------------------------------------------- */

typedef struct Wait {
  bool is_there;
  int status;
  sqlite3_int64 unmet; /* how many the task waits for */
  unsigned flow;
} Wait;

static Wait await_read(TmRun *run, sqlite3_int64 id, TmText group) {
  Wait wait = {0};
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_WAIT_ROW, &s);
  tm_stmt_bind_int(&s, TM_P_GROUP_WAIT_ROW_TASK_ID, id);
  tm_stmt_bind_text(&s, TM_P_GROUP_WAIT_ROW_GROUP_NAME, group);
  wait.is_there = tm_stmt_row(&s);
  if (wait.is_there) {
    wait.status = (int)tm_stmt_int(&s, TM_C_GROUP_WAIT_ROW_STATUS);
    wait.unmet = tm_stmt_int(&s, TM_C_GROUP_WAIT_ROW_UNMET);
    wait.flow = (unsigned)tm_stmt_int(&s, TM_C_GROUP_WAIT_ROW_FLOW);
  }
  tm_stmt_close(&s);
  return wait;
}

/* The counter and the bit are written by triggers: see that they were. */
static void await_prove(TmRun *run, sqlite3_int64 id, TmText group, int status,
                        sqlite3_int64 unmet) {
  Wait after = await_read(run, id, group);
  if (tm_run_failed(run)) return;
  if (!after.is_there || after.status != status) tm_run_dropped(run, "tm_group_wait");
  if (after.unmet != unmet) tm_run_dropped(run, "tm_flow");
  if (!(after.flow & TM_FLOW_NEEDS)) tm_run_dropped(run, "tm_task");
}

static void await_set(TmRun *run, sqlite3_int64 id, TmText group, int status) {
  Wait before = await_read(run, id, group);
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_WAIT_UPDATE, &s);
  tm_stmt_bind_int(&s, TM_P_GROUP_WAIT_UPDATE_STATUS, status);
  tm_stmt_bind_int(&s, TM_P_GROUP_WAIT_UPDATE_TASK_ID, id);
  tm_stmt_bind_text(&s, TM_P_GROUP_WAIT_UPDATE_GROUP_NAME, group);
  tm_stmt_write(&s, "tm_group_wait");
  await_prove(run, id, group, status,
              before.unmet - (before.status == AWAIT_WAITS) + (status == AWAIT_WAITS));
}

bool tm_await_has(TmRun *run, sqlite3_int64 id, TmText group) {
  return await_read(run, id, group).is_there;
}

/* ---- at birth ---------------------------------------------------------- */

/* What a wait for the group is worth now; one that is not there yet has its tasks to come. */
static int await_status(TmRun *run, const TmGroupNeed *need) {
  int status = AWAIT_WAITS;
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_STATE, &s);
  tm_stmt_bind_text(&s, TM_P_GROUP_STATE_NAME, need->name);
  if (tm_stmt_row(&s) && !tm_stmt_is_null(&s, TM_C_GROUP_STATE_FINISHED_MS)) {
    bool is_met = need->takes_final || tm_stmt_int(&s, TM_C_GROUP_STATE_FAILURES) == 0;
    status = is_met ? AWAIT_MET : AWAIT_FAILED;
  }
  tm_stmt_close(&s);
  return status;
}

static bool await_has_waiters(TmRun *run, TmText group) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_HAS_WAITERS, &s);
  tm_stmt_bind_text(&s, TM_P_GROUP_HAS_WAITERS_GROUP_NAME, group);
  bool has_waiters = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return has_waiters;
}

void tm_await_need_reads(TmRun *run, TmText group) {
  await_has_waiters(run, group);
}

/* Whether the task, or one of the other group, waits for the group, by however many between. */
static bool await_closes_cycle(TmRun *run, TmText group, sqlite3_int64 needs_id,
                               TmText needs_group) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_CYCLE, &s);
  tm_stmt_bind_text(&s, TM_P_GROUP_CYCLE_GROUP_NAME, group);
  tm_stmt_bind_int(&s, TM_P_GROUP_CYCLE_NEEDS_ID, needs_id);
  if (needs_group.z) tm_stmt_bind_text(&s, TM_P_GROUP_CYCLE_NEEDS_GROUP, needs_group);
  bool is_found = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return is_found;
}

static void await_refuse(TmRun *run, TmText group, const char *what) {
  if (tm_run_failed(run)) return;
  tm_error_set(&run->error, TM_CYCLE, "a task of group '%.*s' would wait for itself in the end: %s",
               group.n, group.z, what);
}

/* A new task nobody waits for yet, but those who wait for its group. */
static void await_need_no_cycle(TmRun *run, const TmFlow *flow) {
  if (!flow->group.z) return;
  for (int i = 0; i < flow->group_need_count; i++) {
    if (tm_text_is_same(flow->group_needs[i].name, flow->group)) {
      await_refuse(run, flow->group, "it needs its own group");
    }
  }
  if (tm_run_failed(run) || !await_has_waiters(run, flow->group)) return;
  for (int i = 0; i < flow->need_count && !tm_run_failed(run); i++) {
    if (await_closes_cycle(run, flow->group, flow->needs[i].id, TM_NO_TEXT)) {
      await_refuse(run, flow->group, "a task that it needs waits for the group");
    }
  }
  for (int i = 0; i < flow->group_need_count && !tm_run_failed(run); i++) {
    if (await_closes_cycle(run, flow->group, 0, flow->group_needs[i].name)) {
      await_refuse(run, flow->group, "a group that it needs has a task that waits for the group");
    }
  }
}

bool tm_await_blocks(TmRun *run, const TmFlow *flow) {
  await_need_no_cycle(run, flow);
  bool ignores = flow->on_failure.z && strcmp(flow->on_failure.z, "ignore") == 0;
  bool blocks = false;
  for (int i = 0; i < flow->group_need_count && !tm_run_failed(run); i++) {
    int status = await_status(run, &flow->group_needs[i]);
    if (status == AWAIT_WAITS || (status == AWAIT_FAILED && !ignores)) blocks = true;
  }
  return blocks;
}

static sqlite3_int64 await_unmet(TmRun *run, sqlite3_int64 id) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_DEPEND_UNMET, &s);
  tm_stmt_bind_int(&s, TM_P_DEPEND_UNMET_TASK_ID, id);
  sqlite3_int64 unmet = tm_stmt_row(&s) ? tm_stmt_int(&s, TM_C_DEPEND_UNMET_UNMET) : 0;
  tm_stmt_close(&s);
  return unmet;
}

bool tm_await_born(TmRun *run, const TmFlow *flow, sqlite3_int64 id) {
  bool has_failed = false;
  sqlite3_int64 unmet = flow->group_need_count ? await_unmet(run, id) : 0;
  for (int i = 0; i < flow->group_need_count && !tm_run_failed(run); i++) {
    const TmGroupNeed *need = &flow->group_needs[i];
    int status = await_status(run, need);
    TmStmt s;
    tm_stmt_open(run, TM_Q_GROUP_WAIT_INSERT, &s);
    tm_stmt_bind_text(&s, TM_P_GROUP_WAIT_INSERT_GROUP_NAME, need->name);
    tm_stmt_bind_int(&s, TM_P_GROUP_WAIT_INSERT_TASK_ID, id);
    tm_stmt_bind_text(&s, TM_P_GROUP_WAIT_INSERT_NEEDS,
                      tm_text_of(need->takes_final ? "final" : "completed"));
    tm_stmt_bind_int(&s, TM_P_GROUP_WAIT_INSERT_STATUS, status);
    tm_stmt_write(&s, "tm_group_wait");
    unmet += status == AWAIT_WAITS;
    await_prove(run, id, need->name, status, unmet);
    has_failed = has_failed || status == AWAIT_FAILED;
  }
  return has_failed;
}

/* ---- a group has ended ------------------------------------------------- */

bool tm_await_ended(TmRun *run, sqlite3_int64 id, TmAwaited *awaited) {
  *awaited = (TmAwaited){0};
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_WAIT_ENDED, &s);
  tm_stmt_bind_int(&s, TM_P_GROUP_WAIT_ENDED_TASK_ID, id);
  bool is_there = tm_stmt_row(&s);
  if (is_there) {
    TmText name = tm_stmt_text(&s, TM_C_GROUP_WAIT_ENDED_GROUP_NAME);
    TmText on_failure = tm_stmt_text(&s, TM_C_GROUP_WAIT_ENDED_ON_FAILURE);
    awaited->is_failure = tm_stmt_int(&s, TM_C_GROUP_WAIT_ENDED_STATUS) == AWAIT_FAILED;
    if (name.z && name.n <= TM_NAME_MAX_BYTES) {
      awaited->name_bytes = name.n;
      memcpy(awaited->name, name.z, (size_t)name.n);
    }
    if (on_failure.z && on_failure.n < (int)sizeof awaited->on_failure) {
      awaited->on_failure_bytes = on_failure.n;
      memcpy(awaited->on_failure, on_failure.z, (size_t)on_failure.n);
    }
  }
  tm_stmt_close(&s);
  return is_there;
}

void tm_await_overrule(TmRun *run, sqlite3_int64 id, const TmAwaited *awaited) {
  await_set(run, id, (TmText){awaited->name, awaited->name_bytes}, AWAIT_OVERRULED);
}

void tm_await_prove_end(TmRun *run, TmText group) {
  if (tm_run_failed(run)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_WAIT_FORGOTTEN, &s);
  tm_stmt_bind_text(&s, TM_P_GROUP_WAIT_FORGOTTEN_GROUP_NAME, group);
  bool is_forgotten = tm_stmt_row(&s);
  tm_stmt_close(&s);
  if (is_forgotten) tm_run_dropped(run, "tm_group_wait or tm_settle");
}

/* ---- later ------------------------------------------------------------- */

/* One after the other: each may be what the next would be a cycle with. */
void tm_await_rearm(TmRun *run, sqlite3_int64 id) {
  for (int i = 0; i < TM_GROUP_NEEDS_MAX && !tm_run_failed(run); i++) {
    char name[TM_NAME_MAX_BYTES];
    TmText group = {name, 0};
    int status = 0;
    TmStmt s;
    tm_stmt_open(run, TM_Q_GROUP_WAIT_OTHER, &s);
    tm_stmt_bind_int(&s, TM_P_GROUP_WAIT_OTHER_TASK_ID, id);
    if (tm_stmt_row(&s)) {
      TmText found = tm_stmt_text(&s, TM_C_GROUP_WAIT_OTHER_GROUP_NAME);
      status = (int)tm_stmt_int(&s, TM_C_GROUP_WAIT_OTHER_STATUS);
      if (found.z && found.n <= TM_NAME_MAX_BYTES) {
        group.n = found.n;
        memcpy(name, found.z, (size_t)found.n);
      }
    }
    tm_stmt_close(&s);
    if (!group.n) return;
    await_set(run, id, group, status);
  }
}
