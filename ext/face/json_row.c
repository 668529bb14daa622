/* json_row.c - a row of a statement as a JSON object.
 * Owns:    how SQL values look in JSON results.
 * Promise: what comes out is valid JSON whatever the value.
 * Why:     a worker should get {"user":5}, not "{\"user\":5}". */
#include "face/json_row.h"

#include "base/json.h"

static void row_write_text(sqlite3_str *out, sqlite3_value *value, TmJsonAs as) {
  const char *text = (const char *)sqlite3_value_text(value);
  int n = sqlite3_value_bytes(value);
  if (!text) {
    sqlite3_str_appendall(out, "null");
  } else if (as == TM_JSON_AS_RAW || (as == TM_JSON_AS_VALUE && tm_json_is_container(text, n))) {
    tm_json_write_raw(out, text, n);
  } else {
    tm_json_write_text(out, text, n);
  }
}

static void row_write_value(sqlite3_str *out, sqlite3_value *value, TmJsonAs as) {
  switch (sqlite3_value_type(value)) {
  case SQLITE_INTEGER: tm_json_write_int(out, sqlite3_value_int64(value)); break;
  case SQLITE_FLOAT: tm_json_write_real(out, sqlite3_value_double(value)); break;
  case SQLITE_TEXT: row_write_text(out, value, as); break;
  case SQLITE_BLOB: {
    const void *bytes = sqlite3_value_blob(value);
    tm_json_write_hex(out, bytes, sqlite3_value_bytes(value));
    break;
  }
  default: sqlite3_str_append(out, "null", 4);
  }
}

static void row_write_members(sqlite3_str *out, const TmStmt *row, const TmJsonColumn *columns,
                              bool is_first) {
  for (int i = 0; columns[i].name; i++) {
    sqlite3_value *value = sqlite3_column_value(row->stmt, columns[i].column);
    bool is_hex = sqlite3_value_type(value) == SQLITE_BLOB;
    sqlite3_str_appendall(out, i || !is_first ? ",\"" : "\"");
    sqlite3_str_appendall(out, columns[i].name);
    if (is_hex) sqlite3_str_append(out, "_hex", 4);
    sqlite3_str_append(out, "\":", 2);
    row_write_value(out, value, columns[i].as);
  }
}

void tm_json_row_write(sqlite3_str *out, const TmStmt *row, const TmJsonColumn *columns,
                       bool is_open) {
  sqlite3_str_appendchar(out, 1, '{');
  row_write_members(out, row, columns, true);
  if (!is_open) sqlite3_str_appendchar(out, 1, '}');
}

void tm_json_row_add(sqlite3_str *out, const TmStmt *row, const TmJsonColumn *columns) {
  row_write_members(out, row, columns, false);
}
