/* json.h - JSON (RFC 8259) read and written, without a tree.
 * Owns:    the grammar, escapes, and numbers in both directions.
 * Promise: reads nothing past the given bytes; what the writer makes is valid
 *          JSON in valid UTF-8; nesting is bounded and nothing recurses.
 * Why:     options are small and walked once, payloads are large and only
 *          checked: slices of the source serve both.
 *
 * Reading: 1. tm_json_parse checks the whole text and gives its outermost value.
 *          2. tm_json_iter and tm_json_next walk one level of an array or object,
 *             giving values that may be walked in turn.
 *          3. tm_json_equals and tm_json_text look at a TEXT value's content.
 * Values point into the source text, which has to outlive them. Duplicate keys
 * are given as they come. */
#ifndef TM_BASE_JSON_H
#define TM_BASE_JSON_H

#include <stdbool.h>

#include "base/sqlite.h"

/* Arrays and objects inside each other; one more is not accepted. SQLite's own limit. */
#define TM_JSON_MAX_DEPTH 1000

typedef enum {
  TM_JSON_NULL,
  TM_JSON_TRUE,
  TM_JSON_FALSE,
  TM_JSON_INT,  /* no fraction, no exponent, fits 64 bits */
  TM_JSON_REAL, /* every other number; infinite where a double cannot hold it */
  TM_JSON_TEXT,
  TM_JSON_ARRAY,
  TM_JSON_OBJECT
} TmJsonType;

typedef struct TmJsonValue {
  TmJsonType type;
  const char *raw; /* the exact slice of the source: with quotes, braces and all inside */
  int raw_bytes;
  sqlite3_int64 i; /* of TM_JSON_INT, otherwise 0 */
  double r;        /* of TM_JSON_REAL, and of TM_JSON_INT as near as a double is; otherwise 0 */
} TmJsonValue;

typedef struct TmJsonIter {
  const char *at;  /* behind the last value given, or the opening bracket */
  const char *end; /* the closing bracket */
  bool is_object;
} TmJsonIter;

/* True when the whole text is one valid value, blanks around it allowed; *out is null and empty
 * otherwise. The bytes of strings are taken as they are: UTF-8 is not checked. */
bool tm_json_parse(const char *text, int n, TmJsonValue *out);

/* True when the text is valid JSON, and an array or object. */
bool tm_json_is_container(const char *text, int n);

/* Start at the first element; a value that is neither array nor object has none. */
void tm_json_iter(const TmJsonValue *container, TmJsonIter *it);

/* The next element, or false after the last, which leaves key and value as they were.
 * key is set for objects only, and may be NULL where it does not matter. */
bool tm_json_next(TmJsonIter *it, TmJsonValue *key, TmJsonValue *value);

/* The content of a TM_JSON_TEXT, escapes resolved, lone surrogates as U+FFFD, NUL-terminated
 * (\u0000 puts a NUL inside as well). NULL when out of memory. The caller frees with sqlite3_free.
 */
char *tm_json_text(const TmJsonValue *text, int *out_bytes);

/* True for a TM_JSON_TEXT whose content is this plain ASCII word. */
bool tm_json_equals(const TmJsonValue *text, const char *word);

/* The writers append one value; failures stay in `out`, as SQLite keeps them. */

/* A string. Bytes that are not UTF-8 become U+FFFD, one each. */
void tm_json_write_int(sqlite3_str *out, sqlite3_int64 value);
void tm_json_write_text(sqlite3_str *out, const char *text, int n);

/* Checked JSON as it is. Bytes that are not UTF-8 become U+FFFD, one each. */
void tm_json_write_raw(sqlite3_str *out, const char *text, int n);

/* A number with the fewest digits (15 at least) that read back as the same double, always with a
 * point; null where it is not finite. */
void tm_json_write_real(sqlite3_str *out, double real);

/* A string of lower-case hexadecimal digits. */
void tm_json_write_hex(sqlite3_str *out, const void *bytes, int n);

#endif
