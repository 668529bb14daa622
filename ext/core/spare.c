/* spare.c - the row of a task with a large payload keeps its size.
 * Owns:    tm_task.spare, empty space before the payload.
 * Promise: as long as the space lasts, a row is as long after a write as before it, and
 *          the payload stands where it stood. Where it does not last, the row is written anew
 *          with fresh space: slower, and right.
 * Why:     SQLite leaves the pages of a long row alone when a row of the same size takes its
 *          place and they hold the same (btreeOverwriteCell); a claim of a task of 100 KB would
 *          write 25 pages more otherwise. Sizes are those of the record format: a serial
 *          type in the header, a body (sqlite.org/fileformat2.html, 2.1). */
#include "core/spare.h"

/* A serial type is a varint, of two bytes from 128 on; longer ones do not occur here. */
static sqlite3_int64 spare_bytes_of_data(sqlite3_int64 n) {
  return n + (2 * n + 13 > 127 ? 2 : 1);
}

static sqlite3_int64 spare_bytes_of_int(sqlite3_int64 value) {
  sqlite3_int64 size = value < 0 ? ~value : value;
  if (value == 0 || value == 1) return 1;
  if (size <= 0x7f) return 2;
  if (size <= 0x7fff) return 3;
  if (size <= 0x7fffff) return 4;
  if (size <= 0x7fffffff) return 5;
  if (size <= 0x7fffffffffffLL) return 7;
  return 9;
}

static sqlite3_int64 spare_bytes_of_column(const TmStmt *row, int column) {
  switch (sqlite3_column_type(row->stmt, column)) {
  case SQLITE_NULL: return 1;
  case SQLITE_INTEGER: return spare_bytes_of_int(tm_stmt_int(row, column));
  case SQLITE_FLOAT: return 9;
  default: return spare_bytes_of_data(sqlite3_column_bytes(row->stmt, column));
  }
}

void tm_spare_open(TmRun *run, const TmTask *task, TmSpare *spare) {
  memset(spare, 0, sizeof *spare);
  if (!task->has_spare || tm_run_failed(run)) return;
  TmStmt s;
  tm_stmt_open(run, TM_Q_TASK_SIZES, &s);
  tm_stmt_bind_int(&s, TM_P_TASK_SIZES_ID, task->id);
  if (tm_stmt_row(&s)) {
    spare->is_kept = true;
    spare->total_bytes = spare_bytes_of_data(tm_stmt_int(&s, TM_C_TASK_SIZES_SPARE_BYTES));
    for (int i = 0; i < TM_SPARE_COLUMNS; i++) {
      spare->bytes[i] = spare_bytes_of_column(&s, TM_C_TASK_SIZES_STATE + i);
      spare->total_bytes += spare->bytes[i];
    }
  }
  tm_stmt_close(&s);
}

void tm_spare_int(TmSpare *spare, TmSpareColumn column, sqlite3_int64 value) {
  spare->bytes[column] = spare_bytes_of_int(value);
}

void tm_spare_text(TmSpare *spare, TmSpareColumn column, TmText text) {
  spare->bytes[column] = text.z ? spare_bytes_of_data(text.n) : 1;
}

void tm_spare_value(TmSpare *spare, TmSpareColumn column, const TmValue *value) {
  switch (value->type) {
  case SQLITE_NULL: spare->bytes[column] = 1; break;
  case SQLITE_INTEGER: spare->bytes[column] = spare_bytes_of_int(value->i); break;
  case SQLITE_FLOAT: spare->bytes[column] = 9; break;
  default: spare->bytes[column] = spare_bytes_of_data(value->n);
  }
}

void tm_spare_bind(const TmSpare *spare, TmStmt *stmt, int param) {
  sqlite3_int64 left = spare->total_bytes;
  for (int i = 0; i < TM_SPARE_COLUMNS; i++) left -= spare->bytes[i];
  /* One total of all cannot be met, because the header grows by a byte at 58. */
  for (sqlite3_int64 n = left - 2; n >= 0 && n < left; n++) {
    if (spare_bytes_of_data(n) != left) continue;
    tm_stmt_bind_zeros(stmt, param, (int)n);
    return;
  }
  tm_stmt_bind_zeros(stmt, param, TM_SPARE_BYTES);
}
