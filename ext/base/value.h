/* value.h - the plain forms in which values travel between the layers.
 * Owns:    a piece of text with its length, and any SQL value.
 * Promise: both only point; whoever made them keeps the bytes alive.
 * Why:     the rules in core/ know no sqlite3_value and no JSON. */
#ifndef TM_BASE_VALUE_H
#define TM_BASE_VALUE_H

#include "base/sqlite.h"

#include <stdbool.h>
#include <string.h>

typedef struct TmText {
  const char *z; /* NULL: absent, SQL's NULL */
  int n;         /* bytes */
} TmText;

typedef struct TmValue {
  int type; /* SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT, SQLITE_BLOB or SQLITE_NULL */
  sqlite3_int64 i;
  double r;
  const void *data;
  int n;
} TmValue;

/* No text at all, and the text of a C string. */
#define TM_NO_TEXT ((TmText){NULL, 0})
static inline TmText tm_text_of(const char *z) {
  return (TmText){z, (int)strlen(z)};
}
/* One of them at least has a byte. */
static inline bool tm_text_is_same(TmText a, TmText b) {
  return a.n == b.n && memcmp(a.z, b.z, (size_t)a.n) == 0;
}

/* Bounds that the schema's constraints hold too. */
#define TM_PRIORITY_MIN     (-32768)
#define TM_PRIORITY_MAX     32767
#define TM_MAX_ATTEMPTS_MAX 1000000
#define TM_TIME_MAX_MS      253402300799999LL
#define TM_NAME_MAX_BYTES   255

#endif
