/* journal.c - what journals a database can have. See journal.h. */
#include "store/journal.h"

static sqlite3_file *journal_file(sqlite3 *db) {
  sqlite3_file *file = NULL;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return file && file->pMethods ? file : NULL;
}

bool tm_journal_is_file(sqlite3 *db) {
  const char *name = sqlite3_db_filename(db, "main");
  if (!name || !name[0]) return false;
  sqlite3_vfs *vfs = NULL;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  return !vfs || !vfs->zName || sqlite3_stricmp(vfs->zName, "memdb") != 0;
}

bool tm_journal_can_share_wal(sqlite3 *db) {
  sqlite3_file *file = tm_journal_is_file(db) ? journal_file(db) : NULL;
  return file && file->pMethods->iVersion >= 2 && file->pMethods->xShmMap;
}
