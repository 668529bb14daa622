/* vfs.c - a VFS called dqlite-test that is the default one under another name.
 * Owns:    the registration, once a process.
 * Promise: files are what they would be anyway; only the name differs.
 * Why:     a replicated engine is known by the name of its VFS, and the guard against it is
 *          tested without the engine. Any connection loads it; then open with vfs=dqlite-test. */
#include <stddef.h>

#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

static sqlite3_vfs guard_vfs;

int sqlite3_vfs_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

int sqlite3_vfs_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  (void)db;
  (void)message;
  SQLITE_EXTENSION_INIT2(api);
  if (sqlite3_vfs_find("dqlite-test")) return SQLITE_OK_LOAD_PERMANENTLY;
  guard_vfs = *sqlite3_vfs_find(NULL);
  guard_vfs.zName = "dqlite-test";
  guard_vfs.pNext = NULL;
  int rc = sqlite3_vfs_register(&guard_vfs, 0);
  return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}
