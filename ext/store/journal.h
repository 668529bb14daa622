/* journal.h - what journals a database can have, and whether it has any.
 * Owns:    the questions whether there can be a WAL, and whether anything can be undone.
 * Promise: changes nothing and opens nothing.
 * Why:     WAL lives in shared memory. Where the VFS has none, asking SQLite for it changes
 *          nothing, and waiting for it to change would refuse what works. Without a journal a
 *          statement that fails in the middle keeps its first half. */
#ifndef TM_STORE_JOURNAL_H
#define TM_STORE_JOURNAL_H

#include "store/run.h"

#include <stdbool.h>
#include <stddef.h>

/* Is `main` a file (not a temporary one, nor in memory)? */
bool tm_journal_is_file(sqlite3 *db);

/* Can connections share a WAL of `main`? False for what is no file, for SQLite's VFS `memdb`, which
 * also keeps what sqlite3_deserialize() read, and for a VFS whose locks are files. Of the last kind
 * a connection with `locking_mode = EXCLUSIVE` has a WAL all the same. */
bool tm_journal_can_share_wal(sqlite3 *db);

/* Is the journal of `main` off? Costs no statement where there is a WAL. */
bool tm_journal_is_off(TmRun *run);

/* [journal_off] where it is. */
void tm_journal_need(TmRun *run);

#endif
