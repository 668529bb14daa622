/* group.c - tasks that belong together.
 * Owns:    tm_group as far as verbs touch it: what is checked before and after its triggers count.
 * Promise: a count that was not written is an error; a group that is sealed takes no more.
 * Why:     triggers count, so that moves by hand and clients without the extension count too; but
 *          a trigger of others or an authorizer can make their write vanish, so a verb looks. */
#include "core/group.h"

#include "base/suggest.h"
#include "core/await.h"
#include "core/depend.h"
#include "core/flow.h"

/* What a verb reads of a group; `is_there` is false where none has the name. */
typedef struct GroupRow {
  bool is_there, is_sealed, has_ended;
  bool has_sealed_ms;
  sqlite3_int64 tasks, open, removed, revision;
} GroupRow;

/* The two statements that read one have the same columns. */
_Static_assert(TM_C_GROUP_ROW_NAME == TM_C_GROUP_OF_TASK_NAME &&
                   TM_C_GROUP_ROW_REVISION == TM_C_GROUP_OF_TASK_REVISION,
               "both statements have the same columns");

/* Take the row that the statement is at; the caller closes it. */
static GroupRow group_take(TmStmt *s) {
  GroupRow row = {0};
  row.is_there = tm_stmt_row(s);
  if (row.is_there) {
    row.is_sealed = tm_stmt_int(s, TM_C_GROUP_ROW_IS_SEALED) != 0;
    row.tasks = tm_stmt_int(s, TM_C_GROUP_ROW_TASKS);
    row.open = tm_stmt_int(s, TM_C_GROUP_ROW_OPEN);
    row.removed = tm_stmt_int(s, TM_C_GROUP_ROW_REMOVED);
    row.has_sealed_ms = !tm_stmt_is_null(s, TM_C_GROUP_ROW_SEALED_MS);
    row.has_ended = !tm_stmt_is_null(s, TM_C_GROUP_ROW_FINISHED_MS);
    row.revision = tm_stmt_int(s, TM_C_GROUP_ROW_REVISION);
  }
  return row;
}

static GroupRow group_read(TmRun *run, TmText name) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_ROW, &s);
  tm_stmt_bind_text(&s, TM_P_GROUP_ROW_NAME, name);
  GroupRow row = group_take(&s);
  tm_stmt_close(&s);
  return row;
}

/* The name too, where it is asked for. */
static GroupRow group_of_task(TmRun *run, sqlite3_int64 task_id, TmGroupName *name) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_OF_TASK, &s);
  tm_stmt_bind_int(&s, TM_P_GROUP_OF_TASK_TASK_ID, task_id);
  GroupRow row = group_take(&s);
  if (name) {
    TmText text = row.is_there ? tm_stmt_text(&s, TM_C_GROUP_OF_TASK_NAME) : TM_NO_TEXT;
    name->n = text.z && text.n <= TM_NAME_MAX_BYTES ? text.n : 0;
    if (name->n) memcpy(name->z, text.z, (size_t)name->n);
  }
  tm_stmt_close(&s);
  return row;
}

static TmText group_text(const TmGroupName *name) {
  return (TmText){name->z, name->n};
}

/* ---- tasks come, move and go ------------------------------------------- */

void tm_group_need_open(TmRun *run, TmText name) {
  GroupRow row = group_read(run, name);
  if (tm_run_failed(run) || !row.is_sealed) return;
  tm_error_set(&run->error, TM_WRONG_STATE, "group '%.*s' is sealed, give another", name.n, name.z);
}

static bool group_is_final(TmState state) {
  return state == TM_COMPLETED || state == TM_CANCELLED || state == TM_DISCARDED;
}

void tm_group_count_begin(TmRun *run, sqlite3_int64 task_id, unsigned flow, TmState from,
                          TmState to, TmGroupCount *count) {
  bool is_birth = from == TM_STATE_COUNT;
  count->is_counted =
      (flow & TM_FLOW_GROUP) && (is_birth || group_is_final(from) || group_is_final(to));
  if (!count->is_counted) return;
  GroupRow before = group_of_task(run, task_id, NULL);
  count->revision = before.revision;
  count->had_ended = before.has_ended;
}

void tm_group_count_end(TmRun *run, sqlite3_int64 task_id, const TmGroupCount *count) {
  if (!count->is_counted) return;
  TmGroupName name;
  GroupRow after = group_of_task(run, task_id, &name);
  bool is_right =
      after.revision > count->revision && after.has_ended == (after.is_sealed && after.open == 0);
  if (!is_right) tm_run_dropped(run, "tm_group");
  if (after.has_ended && !count->had_ended) tm_depend_group_ended(run, group_text(&name));
}

void tm_group_exit_begin(TmRun *run, const TmTask *task, TmGroupExit *leaving) {
  leaving->is_in_group = (task->flow & TM_FLOW_GROUP) && !tm_run_failed(run);
  leaving->is_last = false;
  if (!leaving->is_in_group) return;
  GroupRow row = group_of_task(run, task->id, &leaving->name);
  leaving->removed = row.removed;
  leaving->is_last = row.is_sealed && row.removed + 1 == row.tasks;
  if (leaving->is_last) tm_await_need_reads(run, group_text(&leaving->name));
}

void tm_group_exit_end(TmRun *run, const TmGroupExit *leaving) {
  if (!leaving->is_in_group || tm_run_failed(run)) return;
  GroupRow after = group_read(run, group_text(&leaving->name));
  bool is_right = after.is_there ? after.removed > leaving->removed : leaving->is_last;
  if (!is_right) tm_run_dropped(run, "tm_group");
}

/* ---- its end ----------------------------------------------------------- */

static void group_unknown(TmRun *run, TmText name) {
  TmSuggest suggest;
  tm_suggest_init(&suggest, name.z, name.n);
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_NAMES, &s);
  while (tm_stmt_row(&s)) {
    TmText known = tm_stmt_text(&s, TM_C_GROUP_NAMES_NAME);
    if (known.z) tm_suggest_offer(&suggest, known.z, known.n);
  }
  tm_stmt_close(&s);
  if (tm_run_failed(run)) return;
  const char *best = tm_suggest_best(&suggest);
  if (best) {
    tm_error_set(&run->error, TM_NO_SUCH_GROUP, "no group '%.*s', did you mean '%s'?", name.n,
                 name.z, best);
  } else {
    tm_error_set(&run->error, TM_NO_SUCH_GROUP, "no group '%.*s', see tm_group for those there are",
                 name.n, name.z);
  }
}

void tm_group_seal(TmRun *run, TmText name) {
  tm_run_begin(run);
  GroupRow before = group_read(run, name);
  run->task_id = 0;
  if (tm_run_failed(run) || before.is_sealed) return;
  if (!before.is_there) {
    group_unknown(run, name);
    return;
  }
  tm_await_need_reads(run, name);
  TmStmt s;
  tm_stmt_open(run, TM_Q_GROUP_SEAL, &s);
  tm_stmt_bind_text(&s, TM_P_GROUP_SEAL_NAME, name);
  tm_stmt_write(&s, "tm_group");
  if (tm_run_failed(run)) return;
  GroupRow after = group_read(run, name);
  bool is_sealed = after.is_sealed && after.has_sealed_ms && after.has_ended == (after.open == 0);
  bool is_right = after.is_there ? is_sealed : before.tasks == before.removed;
  if (!is_right) tm_run_dropped(run, "tm_group");
  if (after.has_ended) tm_depend_group_ended(run, name);
}
