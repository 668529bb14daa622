/* fn_select.c - tm_select: the tasks that a filter asks for.
 * Owns:    the walk that lives as long as the cursor.
 * Promise: reads only, a block at a time, so that a million rows take the memory of one block.
 * Why:     a filter is tried out before it deletes. */
#include "face/fn_select.h"

#include "face/filter.h"

typedef struct Walk {
  TmFilterArg arg;
  TmSelect select;
  sqlite3_int64 left; /* of the limit */
} Walk;

static void select_row(void *arg, const TmStmt *row) {
  tm_rows_add_row(arg, row);
}

static void select_more(TmRows *rows) {
  Walk *walk = rows->walk;
  walk->left -= tm_select_next(&rows->run, &walk->select, walk->left, select_row, rows);
}

static void select_end(TmRows *rows) {
  Walk *walk = rows->walk;
  tm_filter_free(&walk->arg);
  sqlite3_free(walk);
}

void tm_select_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  static const TmVerb nothing = {.full = "tm_select"};
  Walk *walk = sqlite3_malloc64(sizeof *walk);
  if (!walk) {
    tm_error_nomem(&rows->run.error);
    return;
  }
  TmCall call;
  tm_call_init(&call, rows->run.context, &nothing, argc, argv);
  tm_filter_read(&call, 0, &walk->arg);
  rows->run.error = call.run.error;
  call.run.error.message = NULL;
  tm_call_clear(&call);
  rows->walk = walk;
  rows->more = select_more;
  rows->end = select_end;
  walk->left = walk->arg.filter.limit;
  tm_run_begin(&rows->run);
  tm_select_begin(&rows->run, &walk->arg.filter, walk->arg.filter.states, &walk->select);
  select_more(rows);
}
