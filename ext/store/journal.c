/* journal.c - what journals a database can have, and whether it has any. See journal.h. */
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

/* The file is that of the WAL, once it is open, or of a journal that is being written. */
static bool journal_is_open(sqlite3 *db) {
  sqlite3_file *file = NULL;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  return file && file->pMethods;
}

bool tm_journal_is_off(TmRun *run) {
  if (tm_run_failed(run) || journal_is_open(run->context->db)) return false;
  TmStmt s;
  tm_stmt_open(run, TM_Q_JOURNAL_MODE, &s);
  bool is_off = false;
  if (tm_stmt_row(&s)) {
    TmText mode = tm_stmt_text(&s, TM_C_JOURNAL_MODE_MODE);
    is_off = mode.z && sqlite3_stricmp(mode.z, "off") == 0;
  }
  tm_stmt_close(&s);
  /* An authorizer may keep us from asking, which is no reason to refuse. */
  if ((run->error.rc & 0xff) == SQLITE_AUTH) tm_error_clear(&run->error);
  return is_off;
}

void tm_journal_need(TmRun *run) {
  if (!tm_journal_is_off(run)) return;
  tm_error_set(&run->error, TM_JOURNAL_OFF,
               "without a journal nothing can be undone, run PRAGMA journal_mode = WAL, or MEMORY "
               "for a database in memory");
}
