/* column.h - columns that others add to our tables.
 * Owns:    the question whether a table is ours but for such columns.
 * Promise: looks at texts alone; of a text that it cannot follow it says no. */
#ifndef TM_STORE_COLUMN_H
#define TM_STORE_COLUMN_H

#include "base/value.h"

#include <stdbool.h>

/* True where ALTER TABLE ADD COLUMN may have made `sql` of `ours`. */
bool tm_column_are_added(TmText ours, TmText sql);

#endif
