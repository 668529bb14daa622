/* json_row.h - a row of a statement as a JSON object.
 * Owns:    how SQL values look in JSON results.
 * Promise: a TEXT payload or result that is a JSON object or array appears as that JSON,
 *          other TEXT as a string, numbers as numbers, a BLOB as `<name>_hex`. */
#ifndef TM_FACE_JSON_ROW_H
#define TM_FACE_JSON_ROW_H

#include "store/run.h"

/* How a column is written. */
typedef enum TmJsonAs {
  TM_JSON_AS_PLAIN, /* number, string or null */
  TM_JSON_AS_VALUE, /* a payload or result: any SQL value */
  TM_JSON_AS_RAW    /* is JSON already */
} TmJsonAs;

typedef struct TmJsonColumn {
  const char *name; /* NULL ends the list */
  int column;
  TmJsonAs as;
} TmJsonColumn;

/* Appends {"name":value,...}, open at the end where `is_open` (no closing brace). */
void tm_json_row_write(sqlite3_str *out, const TmStmt *row, const TmJsonColumn *columns,
                       bool is_open);

/* Appends more to an object that was left open: ,"name":value,... */
void tm_json_row_add(sqlite3_str *out, const TmStmt *row, const TmJsonColumn *columns);

#endif
