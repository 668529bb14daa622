/* select.c - tasks by what they are like.
 * Owns:    the ways to walk over what a filter asks for.
 * Promise: by id, each task once, and none that is born meanwhile; between two blocks no
 *          statement is open, so that rows may change, and memory does not grow with their number.
 * Why:     a walk by id cannot meet a task again that it moved, as one along an index of
 *          states would. */
#include "core/select.h"

/* So many live tasks are read again for each block rather than all tasks once. */
#define SELECT_LIVE_MAX 16384

/* The states that tm_task_live holds, by phase. */
#define SELECT_PHASES 3
static const TmStateSet select_phases[SELECT_PHASES] = {
    TM_STATE_BIT(TM_AVAILABLE),
    TM_STATE_BIT(TM_SCHEDULED) | TM_STATE_BIT(TM_RETRYABLE) | TM_STATE_BIT(TM_WAITING),
    TM_STATE_BIT(TM_RUNNING) | TM_STATE_BIT(TM_CANCELLING),
};

/* The parameters that two statements have in common. */
typedef struct SelectQuery {
  TmQuery query;
  int after_id, last_id, state, limit;
  int keys[TM_FILTER_KEY_COUNT];
} SelectQuery;

#define SELECT_ID_PARAM(name, key, form)   TM_P_SELECT_BY_ID_##name,
#define SELECT_LIVE_PARAM(name, key, form) TM_P_SELECT_LIVE_##name,

static const SelectQuery select_by_id = {
    TM_Q_SELECT_BY_ID,       TM_P_SELECT_BY_ID_AFTER_ID, TM_P_SELECT_BY_ID_LAST_ID,
    TM_P_SELECT_BY_ID_STATE, TM_P_SELECT_BY_ID_LIMIT,    {TM_FILTER_KEYS(SELECT_ID_PARAM)}};
static const SelectQuery select_live = {
    TM_Q_SELECT_LIVE,       TM_P_SELECT_LIVE_AFTER_ID, TM_P_SELECT_LIVE_LAST_ID,
    TM_P_SELECT_LIVE_STATE, TM_P_SELECT_LIVE_LIMIT,    {TM_FILTER_KEYS(SELECT_LIVE_PARAM)}};

_Static_assert(TM_C_SELECT_BY_ID_ID == TM_C_SELECT_LIVE_ID &&
                   TM_C_SELECT_BY_ID_STATE == TM_C_SELECT_LIVE_STATE &&
                   TM_C_SELECT_BY_ID_FINISHED_MS == TM_C_SELECT_LIVE_FINISHED_MS,
               "both statements have the same columns");

/* ---- which way ------------------------------------------------------- */

/* The stretch of the index that holds these states; false where it does not hold all of them. */
static bool select_range(TmStateSet states, int *first, int *last) {
  *first = SELECT_PHASES;
  *last = -1;
  for (int phase = 0; phase < SELECT_PHASES; phase++) {
    if (!(states & select_phases[phase])) continue;
    if (*first > phase) *first = phase;
    *last = phase;
    states &= ~select_phases[phase];
  }
  return states == 0 && *last >= 0;
}

static bool select_is_short(TmRun *run, const TmFilter *filter, int first, int last) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_SELECT_LIVE_IS_LONG, &s);
  tm_stmt_bind_value(&s, TM_P_SELECT_LIVE_IS_LONG_QUEUE, &filter->is[TM_FILTER_QUEUE]);
  tm_stmt_bind_int(&s, TM_P_SELECT_LIVE_IS_LONG_FIRST_PHASE, first);
  tm_stmt_bind_int(&s, TM_P_SELECT_LIVE_IS_LONG_LAST_PHASE, last);
  tm_stmt_bind_int(&s, TM_P_SELECT_LIVE_IS_LONG_LENGTH, SELECT_LIVE_MAX);
  bool is_long = tm_stmt_row(&s);
  tm_stmt_close(&s);
  return !is_long;
}

static sqlite3_int64 select_newest(TmRun *run) {
  sqlite3_int64 id = 0;
  TmStmt s;
  tm_stmt_open(run, TM_Q_SELECT_NEWEST, &s);
  if (tm_stmt_row(&s)) id = tm_stmt_int(&s, TM_C_SELECT_NEWEST_ID);
  tm_stmt_close(&s);
  return id;
}

static bool select_is_one_group(TmRun *run, const TmFilter *filter) {
  if (filter->is[TM_FILTER_GROUP].type != SQLITE_TEXT) return false;
  TmStmt s;
  tm_stmt_open(run, TM_Q_SELECT_GROUP_COUNT, &s);
  tm_stmt_bind_value(&s, TM_P_SELECT_GROUP_COUNT_GROUP, &filter->is[TM_FILTER_GROUP]);
  bool is_one = tm_stmt_row(&s) && tm_stmt_int(&s, TM_C_SELECT_GROUP_COUNT_GROUPS) == 1;
  tm_stmt_close(&s);
  return is_one;
}

void tm_select_begin(TmRun *run, const TmFilter *filter, TmStateSet states, TmSelect *select) {
  memset(select, 0, sizeof *select);
  select->filter = filter;
  select->states = filter->states & states;
  select->last_id = select_newest(run);
  int first;
  int last;
  if (filter->has_ids) {
    select->by = TM_SELECT_BY_IDS;
    select->ids = filter->ids;
    select->id_count = filter->id_count;
  } else if (select_is_one_group(run, filter)) {
    select->by = TM_SELECT_BY_GROUP;
    select->ids = select->block;
  } else if (filter->is[TM_FILTER_QUEUE].type == SQLITE_TEXT &&
             select_range(select->states, &first, &last) &&
             select_is_short(run, filter, first, last)) {
    select->by = TM_SELECT_BY_LIVE;
  }
}

/* ---- blocks ---------------------------------------------------------- */

/* 11 names of at most 9 letters, with quotes and commas. */
#define SELECT_STATES_BYTES 160

static TmText select_states_json(TmStateSet states, char *json) {
  int n = 0;
  for (int i = 0; i < TM_STATE_COUNT; i++) {
    if (!(states & TM_STATE_BIT(i))) continue;
    sqlite3_snprintf(SELECT_STATES_BYTES - n, json + n, "%c\"%s\"", n ? ',' : '[',
                     tm_state_name((TmState)i));
    n += (int)strlen(json + n);
  }
  sqlite3_snprintf(SELECT_STATES_BYTES - n, json + n, "]");
  return (TmText){json, n + 1};
}

/* One run of a statement. */
static int select_read(TmRun *run, TmSelect *select, sqlite3_int64 last_id, sqlite3_int64 room,
                       TmSelectRow on_row, void *arg) {
  const SelectQuery *query = select->by == TM_SELECT_BY_LIVE ? &select_live : &select_by_id;
  char states[SELECT_STATES_BYTES];
  TmStmt s;
  tm_stmt_open(run, query->query, &s);
  tm_stmt_bind_int(&s, query->after_id, select->after_id);
  tm_stmt_bind_int(&s, query->last_id, last_id);
  tm_stmt_bind_text(&s, query->state, select_states_json(select->states, states));
  tm_stmt_bind_int(&s, query->limit, room);
  for (int i = 0; i < TM_FILTER_KEY_COUNT; i++) {
    tm_stmt_bind_value(&s, query->keys[i], &select->filter->is[i]);
  }
  if (select->by == TM_SELECT_BY_LIVE) {
    int first;
    int last;
    select_range(select->states, &first, &last);
    tm_stmt_bind_int(&s, TM_P_SELECT_LIVE_FIRST_PHASE, first);
    tm_stmt_bind_int(&s, TM_P_SELECT_LIVE_LAST_PHASE, last);
  }
  int count = 0;
  while (tm_stmt_row(&s)) {
    count++;
    select->after_id = tm_stmt_int(&s, TM_C_SELECT_BY_ID_ID);
    on_row(arg, &s);
  }
  tm_stmt_close(&s);
  return count;
}

/* The next ids of the group, behind the last one looked at; false where there are none. */
static bool select_more_of_group(TmRun *run, TmSelect *select) {
  if (select->id_count) select->seen_id = select->block[select->id_count - 1];
  select->id_count = select->next = 0;
  TmStmt s;
  tm_stmt_open(run, TM_Q_SELECT_GROUP, &s);
  tm_stmt_bind_value(&s, TM_P_SELECT_GROUP_GROUP, &select->filter->is[TM_FILTER_GROUP]);
  tm_stmt_bind_int(&s, TM_P_SELECT_GROUP_AFTER_ID, select->seen_id);
  tm_stmt_bind_int(&s, TM_P_SELECT_GROUP_LAST_ID, select->last_id);
  tm_stmt_bind_int(&s, TM_P_SELECT_GROUP_LIMIT, TM_SELECT_BLOCK);
  while (select->id_count < TM_SELECT_BLOCK && tm_stmt_row(&s)) {
    select->block[select->id_count++] = tm_stmt_int(&s, TM_C_SELECT_GROUP_TASK_ID);
  }
  tm_stmt_close(&s);
  return select->id_count > 0;
}

static bool select_has_id(TmRun *run, TmSelect *select) {
  if (tm_run_failed(run)) return false;
  if (select->next < select->id_count) return true;
  return select->by == TM_SELECT_BY_GROUP && select_more_of_group(run, select);
}

int tm_select_next(TmRun *run, TmSelect *select, sqlite3_int64 room, TmSelectRow on_row,
                   void *arg) {
  if (room > TM_SELECT_BLOCK) room = TM_SELECT_BLOCK;
  if (select->states == 0 || tm_run_failed(run)) return 0;
  if (select->by != TM_SELECT_BY_IDS && select->by != TM_SELECT_BY_GROUP) {
    return select_read(run, select, select->last_id, room, on_row, arg);
  }
  int count = 0;
  while (count < room && select_has_id(run, select)) {
    sqlite3_int64 id = select->ids[select->next++];
    if (id > select->last_id) break;
    select->after_id = id - 1;
    count += select_read(run, select, id, 1, on_row, arg);
  }
  return count;
}
