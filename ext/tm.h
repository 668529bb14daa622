/* tm.h - sqlite-tm, linked into a program.
 *
 * 1. Compile with -DSQLITE_CORE, or link with libtm.a, which was.
 * 2. sqlite3_auto_extension((void (*)(void))sqlite3_tm_init) for every connection
 *    opened from then on, or sqlite3_tm_init(db, &message, NULL) for one.
 * 3. SELECT tm_init() on a database, once.
 *
 * A connection may be closed at any time; nothing has to be cleaned up.
 */
#ifndef TM_H
#define TM_H

#include "sqlite3.h"

#define TM_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* Registers the functions and virtual tables on `db`, and turns its foreign keys on.
 * Returns SQLITE_OK, also where it was loaded before, which changes nothing.
 * *message, where set, is freed with sqlite3_free(). `api` is ignored under SQLITE_CORE. */
int sqlite3_tm_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
