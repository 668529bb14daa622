/* functions.h - every verb as a SQL function.
 * Owns:    the registration of functions. */
#ifndef TM_FACE_FUNCTIONS_H
#define TM_FACE_FUNCTIONS_H

#include "store/context.h"

/* Register those that the context does not count yet. SQLite replaces no function while a statement
 * runs, such as the one that loads us: so a load that failed midway is gone on with. */
int tm_functions_register(sqlite3 *db, TmContext *context);

#endif
