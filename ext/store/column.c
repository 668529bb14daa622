/* column.c - columns that others add to our tables.
 * Owns:    the question whether a table is ours but for such columns.
 * Promise: looks at texts alone; of a text that it cannot follow it says no.
 * Why:     ALTER TABLE ADD COLUMN writes `, column` behind the last column, before the constraints
 * of the table. What stands elsewhere, or is no column, somebody wrote to change a rule.
 *
 *   CREATE TABLE t (
 *     a INTEGER NOT NULL,
 *     b TEXT,
 *     c INTEGER,
 *     CONSTRAINT c_is_small CHECK (c < 9)
 *   ) STRICT
 *
 * A column of theirs is behind `c INTEGER`, and so it is behind `b TEXT` where a migration of ours
 * added c, written after a comma on the same line: they may have been there before it. */
#include "store/column.h"

#include "base/sqlite.h"

#include <string.h>

/* ---- texts --------------------------------------------------------------- */

static int column_find(TmText sql, int from, const char *what) {
  int n = (int)strlen(what);
  for (int at = from; at + n <= sql.n; at++) {
    if (memcmp(sql.z + at, what, (size_t)n) == 0) return at + n;
  }
  return -1;
}

/* What follows the letter, the quoted word or the comment that is here; -1 where that has no end:
 * SQLite takes a comment without one to the end of the text. */
static int column_next(TmText sql, int at) {
  const char *z = sql.z + at;
  bool is_pair = at + 1 < sql.n;
  switch (*z) {
  case 0: return -1;
  case '\'': return column_find(sql, at + 1, "'");
  case '"': return column_find(sql, at + 1, "\"");
  case '`': return column_find(sql, at + 1, "`");
  case '[': return column_find(sql, at + 1, "]");
  case '-': return is_pair && z[1] == '-' ? column_find(sql, at + 2, "\n") : at + 1;
  case '/': return is_pair && z[1] == '*' ? column_find(sql, at + 2, "*/") : at + 1;
  default: return at + 1;
  }
}

static bool column_is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static int column_skip_space(TmText sql, int at) {
  while (at < sql.n && strchr(" \t\n\f\r", sql.z[at]) && sql.z[at]) at++;
  return at;
}

/* Does a constraint of the table begin here? None of these words is the name of a column, but in
 * quotes. */
static bool column_is_constraint(TmText sql, int at) {
  static const char *const words[] = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"};
  int end = at;
  while (end < sql.n && (column_is_letter(sql.z[end]) || strchr("$0123456789", sql.z[end]))) end++;
  for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++) {
    int n = (int)strlen(words[i]);
    if (end - at == n && sqlite3_strnicmp(sql.z + at, words[i], n) == 0) return true;
  }
  return false;
}

/* ---- ours ---------------------------------------------------------------- */

/* The first place behind `from` where a column may have been added; the end of the text behind the
 * last. */
static int column_place(TmText ours, int from) {
  int depth = 0;
  for (int at = 0; at >= 0 && at < ours.n; at = column_next(ours, at)) {
    char c = ours.z[at];
    bool is_last =
        c == ')' || (c == ',' && column_is_constraint(ours, column_skip_space(ours, at + 1)));
    bool is_added = c == ',' && at + 1 < ours.n && ours.z[at + 1] == ' ';
    if (depth == 1 && (is_last || is_added) && at > from) return at;
    if (depth == 1 && is_last) break;
    depth += (c == '(') - (c == ')');
  }
  return ours.n;
}

/* ---- theirs -------------------------------------------------------------- */

/* The end of the definition of a column, at whose comma we are; -1 where there is none. */
static int column_definition(TmText sql, int at) {
  if (at >= sql.n || sql.z[at] != ',') return -1;
  at = column_skip_space(sql, at + 1);
  if (at >= sql.n || column_is_constraint(sql, at)) return -1;
  if (!column_is_letter(sql.z[at]) && !strchr("'\"`[", sql.z[at])) return -1;
  int depth = 0;
  while (at >= 0 && at < sql.n) {
    char c = sql.z[at];
    if (depth == 0 && (c == ',' || c == ')')) return at;
    depth += (c == '(') - (c == ')');
    at = column_next(sql, at);
  }
  return -1;
}

/* Is this part of ours there, and does it end there too? */
static bool column_is_there(TmText ours, int from, int to, TmText sql, int at) {
  int n = to - from;
  if (sql.n - at < n || memcmp(ours.z + from, sql.z + at, (size_t)n) != 0) return false;
  if (to == ours.n) return at + n == sql.n;
  return at + n < sql.n && (sql.z[at + n] == ',' || sql.z[at + n] == ')');
}

bool tm_column_are_added(TmText ours, TmText sql) {
  int from = 0;
  int at = 0;
  while (from < ours.n) {
    int to = column_place(ours, from);
    while (!column_is_there(ours, from, to, sql, at)) {
      at = from > 0 ? column_definition(sql, at) : -1;
      if (at < 0) return false;
    }
    at += to - from;
    from = to;
  }
  return true;
}
