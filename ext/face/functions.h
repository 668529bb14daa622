/* functions.h - every verb as a SQL function.
 * Owns:    the registration of functions. */
#ifndef TM_FACE_FUNCTIONS_H
#define TM_FACE_FUNCTIONS_H

#include "store/context.h"

/* Register all on the connection. */
int tm_functions_register(sqlite3 *db, TmContext *context);

#endif
