/* journal.h - what journals a database can have.
 * Owns:    the question whether there can be a WAL.
 * Promise: reads nothing and opens nothing; asks the VFS alone.
 * Why:     WAL lives in shared memory. Where the VFS has none, asking SQLite for it changes
 * nothing, and waiting for it to change would refuse what works. */
#ifndef TM_STORE_JOURNAL_H
#define TM_STORE_JOURNAL_H

#include "base/sqlite.h"

#include <stdbool.h>
#include <stddef.h>

/* Is `main` a file (not a temporary one, nor in memory)? */
bool tm_journal_is_file(sqlite3 *db);

/* Can connections share a WAL of `main`? False for what is no file, for SQLite's VFS `memdb`, which
 * also keeps what sqlite3_deserialize() read, and for a VFS whose locks are files. Of the last kind
 * a connection with `locking_mode = EXCLUSIVE` has a WAL all the same. */
bool tm_journal_can_share_wal(sqlite3 *db);

#endif
