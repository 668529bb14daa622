/* command.h - tm_command: every verb as an INSERT.
 * Owns:    what an INSERT into the table does. */
#ifndef TM_FACE_COMMAND_H
#define TM_FACE_COMMAND_H

#include "store/context.h"

/* The insert of a TmTable: columns verb, arg1 .. arg5. */
int tm_command_insert(TmContext *context, int argc, sqlite3_value **argv, sqlite3_int64 *rowid,
                      char **message);

#endif
