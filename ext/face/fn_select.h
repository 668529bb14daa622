/* fn_select.h - tm_select: the tasks that a filter asks for.
 * Owns:    what the rows are made from.
 * Promise: reads only, a block at a time; the same tasks, in the same order, that a verb with
 *          this filter would meet. */
#ifndef TM_FACE_FN_SELECT_H
#define TM_FACE_FN_SELECT_H

#include "face/table.h"

/* The rows of tm_select(filter). */
void tm_select_fill(TmRows *rows, int argc, sqlite3_value **argv);

#endif
