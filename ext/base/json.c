/* json.c - JSON (RFC 8259) read and written, without a tree.
 * Owns:    one scanner of values, which checks and finds ends in the same pass.
 * Promise: each json_skip_ function takes [at, end) and returns the place behind
 *          what it names, or NULL when that is not there; none reads *end.
 * Why:     the iterator runs the same scanner, so there is one grammar here. */
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_EIGHT true, true, true, true, true, true, true, true

/* Bytes that cannot stand for themselves inside a string: 0x00 to 0x1f, the quote, the backslash.
 */
static const bool json_is_special[256] = {JSON_EIGHT, JSON_EIGHT,   JSON_EIGHT,
                                          JSON_EIGHT, ['"'] = true, ['\\'] = true};

static bool json_is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

/* -- Scanning ---------------------------------------------------------------------------------- */

static const char *json_skip_blanks(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
  return at;
}

static const char *json_skip_word(const char *at, const char *end, const char *word) {
  size_t n = strlen(word);

  if ((size_t)(end - at) < n || memcmp(at, word, n) != 0) return NULL;
  return at + n;
}

/* One digit or more. */
static const char *json_skip_digits(const char *at, const char *end) {
  const char *first = at;

  while (at < end && json_is_digit(*at)) at++;
  return at > first ? at : NULL;
}

/* There is a byte at `at`. */
static const char *json_skip_number(const char *at, const char *end) {
  if (*at == '-') at++;
  at = at < end && *at == '0' ? at + 1 : json_skip_digits(at, end);
  if (at != NULL && at < end && *at == '.') at = json_skip_digits(at + 1, end);
  if (at != NULL && at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = json_skip_digits(at, end);
  }
  return at;
}

/* The value of a hexadecimal digit, or -1. */
static int json_hex_digit(char byte) {
  if (json_is_digit(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

/* What follows a backslash. */
static const char *json_skip_escape(const char *at, const char *end) {
  if (at == end) return NULL;
  switch (*at) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't': return at + 1;
  case 'u': break;
  default: return NULL;
  }
  if (end - at < 5) return NULL;
  for (int k = 1; k <= 4; k++) {
    if (json_hex_digit(at[k]) < 0) return NULL;
  }
  return at + 5;
}

static const char *json_skip_string(const char *at, const char *end) {
  if (at == end || *at != '"') return NULL;
  at++;
  for (;;) {
    while (at < end && !json_is_special[(unsigned char)*at]) at++;
    if (at == end) return NULL;
    if (*at == '"') return at + 1;
    if (*at != '\\') return NULL;
    at = json_skip_escape(at + 1, end);
    if (at == NULL) return NULL;
  }
}

/* Blanks, a key and its colon. */
static const char *json_skip_key(const char *at, const char *end) {
  at = json_skip_string(json_skip_blanks(at, end), end);
  if (at == NULL) return NULL;
  at = json_skip_blanks(at, end);
  return at < end && *at == ':' ? at + 1 : NULL;
}

static const char *json_skip_scalar(const char *at, const char *end) {
  switch (*at) {
  case '"': return json_skip_string(at, end);
  case 'n': return json_skip_word(at, end, "null");
  case 't': return json_skip_word(at, end, "true");
  case 'f': return json_skip_word(at, end, "false");
  default: return json_skip_number(at, end);
  }
}

/* Any value, with all that is in it. Two loops take turns:
 *
 *      a value is due --- scalar or empty container ---> a value is over
 *        |  ^   ^                                          |   |  ^   |
 *        +--+   +------------- ',' (and key) --------------+   +--+   +--> depth 0: the end
 *      '[' or '{' and key                                      ']' or '}'
 */
static const char *json_skip_value(const char *at, const char *end) {
  char closing[TM_JSON_MAX_DEPTH]; /* what ends each open container, outermost first */
  int depth = 0;

  for (;;) {
    at = json_skip_blanks(at, end);
    if (at == end) return NULL;
    if (*at == '[' || *at == '{') {
      if (depth == TM_JSON_MAX_DEPTH) return NULL;
      closing[depth] = *at == '[' ? ']' : '}';
      at = json_skip_blanks(at + 1, end);
      if (at == end) return NULL;
      if (*at == closing[depth]) {
        at++;
      } else {
        if (closing[depth] == '}') at = json_skip_key(at, end);
        if (at == NULL) return NULL;
        depth++;
        continue;
      }
    } else {
      at = json_skip_scalar(at, end);
      if (at == NULL) return NULL;
    }
    for (;;) {
      if (depth == 0) return at;
      at = json_skip_blanks(at, end);
      if (at == end) return NULL;
      if (*at == ',') break;
      if (*at != closing[depth - 1]) return NULL;
      depth--;
      at++;
    }
    at++;
    if (closing[depth - 1] == '}') at = json_skip_key(at, end);
    if (at == NULL) return NULL;
  }
}

/* -- Numbers ----------------------------------------------------------------------------------- */

/* A number as an integer; false when it has another form or does not fit. */
static bool json_read_int(const char *at, const char *end, sqlite3_int64 *out) {
  const sqlite3_int64 most = 0x7fffffffffffffff;
  bool is_negative = *at == '-';
  sqlite3_int64 least = is_negative ? -most - 1 : -most;
  sqlite3_int64 below = 0; /* counted downwards, where there is room for one more */

  for (at += is_negative ? 1 : 0; at < end; at++) {
    int digit = *at - '0';
    if (!json_is_digit(*at) || below < (least + digit) / 10) return false;
    below = below * 10 - digit;
  }
  *out = is_negative ? below : -below;
  return true;
}

/* The digits behind an 'e', cut to a size that is far beyond every double but never overflows. */
static sqlite3_int64 json_read_exponent(const char *at, const char *end) {
  bool is_negative = *at == '-';
  sqlite3_int64 exponent = 0;

  if (*at == '-' || *at == '+') at++;
  for (; at < end; at++) {
    if (exponent < 100000000000) exponent = exponent * 10 + (*at - '0');
  }
  return is_negative ? -exponent : exponent;
}

/* strtod does the rounding, but reads the locale's decimal point: so it is given an integer and an
 * exponent. A double's rounding never depends on more than 768 digits, if what follows them is
 * known to be zero or not; that is the last digit's part. */
static double json_read_real(const char *at, const char *end) {
  enum { MOST_DIGITS = 800, MOST_EXPONENT = 99999 };
  char text[MOST_DIGITS + 16];
  int used = 0, digits = 0;
  sqlite3_int64 exponent = 0;
  bool is_past_point = false, is_cut = false;

  if (*at == '-') text[used++] = *at++;
  for (; at < end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      is_past_point = true;
      continue;
    }
    if (is_past_point) exponent--;
    if (digits == 0 && *at == '0') continue;
    if (digits < MOST_DIGITS) {
      text[used++] = *at;
      digits++;
    } else {
      exponent++;
      if (*at != '0') is_cut = true;
    }
  }
  if (is_cut) {
    text[used++] = '1';
    exponent--;
  }
  if (digits == 0) text[used++] = '0';
  if (at < end) exponent += json_read_exponent(at + 1, end);
  if (exponent > MOST_EXPONENT) exponent = MOST_EXPONENT;
  if (exponent < -MOST_EXPONENT) exponent = -MOST_EXPONENT;
  snprintf(text + used, sizeof text - (size_t)used, "e%d", (int)exponent);
  return strtod(text, NULL);
}

/* -- Reading ----------------------------------------------------------------------------------- */

/* Make *value of the checked slice [raw, end). */
static void json_set_value(TmJsonValue *value, const char *raw, const char *end) {
  *value = (TmJsonValue){.type = TM_JSON_NULL, .raw = raw, .raw_bytes = (int)(end - raw)};
  switch (*raw) {
  case 'n': break;
  case 't': value->type = TM_JSON_TRUE; break;
  case 'f': value->type = TM_JSON_FALSE; break;
  case '"': value->type = TM_JSON_TEXT; break;
  case '[': value->type = TM_JSON_ARRAY; break;
  case '{': value->type = TM_JSON_OBJECT; break;
  default:
    if (json_read_int(raw, end, &value->i)) {
      value->type = TM_JSON_INT;
      value->r = (double)value->i;
    } else {
      value->type = TM_JSON_REAL;
      value->r = json_read_real(raw, end);
    }
  }
}

bool tm_json_parse(const char *text, int n, TmJsonValue *out) {
  const char *end, *raw, *raw_end;

  *out = (TmJsonValue){.type = TM_JSON_NULL};
  if (n <= 0) return false;
  end = text + n;
  raw = json_skip_blanks(text, end);
  raw_end = json_skip_value(raw, end);
  if (raw_end == NULL || json_skip_blanks(raw_end, end) != end) return false;
  json_set_value(out, raw, raw_end);
  return true;
}

bool tm_json_is_container(const char *text, int n) {
  TmJsonValue value;

  if (!tm_json_parse(text, n, &value)) return false;
  return value.type == TM_JSON_ARRAY || value.type == TM_JSON_OBJECT;
}

void tm_json_iter(const TmJsonValue *container, TmJsonIter *it) {
  *it = (TmJsonIter){.at = container->raw, .end = container->raw};
  if (container->type != TM_JSON_ARRAY && container->type != TM_JSON_OBJECT) return;
  it->at = container->raw + 1;
  it->end = container->raw + container->raw_bytes - 1;
  it->is_object = container->type == TM_JSON_OBJECT;
}

bool tm_json_next(TmJsonIter *it, TmJsonValue *key, TmJsonValue *value) {
  const char *at = json_skip_blanks(it->at, it->end);
  const char *raw, *raw_end;

  if (at < it->end && *at == ',') at = json_skip_blanks(at + 1, it->end);
  if (at == it->end) return false;
  raw = at;
  if (it->is_object) raw = json_skip_key(at, it->end);
  if (raw == NULL) return false;
  raw = json_skip_blanks(raw, it->end);
  raw_end = json_skip_value(raw, it->end);
  if (raw_end == NULL) return false;
  if (it->is_object && key != NULL) json_set_value(key, at, json_skip_string(at, it->end));
  json_set_value(value, raw, raw_end);
  it->at = raw_end;
  return true;
}

/* -- Escapes ----------------------------------------------------------------------------------- */

static unsigned json_hex4(const char *at) {
  unsigned code = 0;

  for (int k = 0; k < 4; k++) code = code << 4 | (unsigned)json_hex_digit(at[k]);
  return code;
}

/* The code behind a checked `\u`, one or two of them for a pair of surrogates. */
static unsigned json_decode_unicode(const char **at, const char *end) {
  unsigned code = json_hex4(*at);

  *at += 4;
  if (code < 0xd800 || code > 0xdfff) return code;
  if (code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
    unsigned low = json_hex4(*at + 2);
    if (low >= 0xdc00 && low <= 0xdfff) {
      *at += 6;
      return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
  }
  return 0xfffd;
}

static int json_put_utf8(unsigned code, char *out) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 0x3f));
  out[2] = (char)(0x80 | (code >> 6 & 0x3f));
  out[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

/* The one to four bytes for a checked escape; *at is behind its backslash, then behind all of it.
 * Never more bytes than the escape has. */
static int json_decode_escape(const char **at, const char *end, char *out) {
  char letter = *(*at)++;

  switch (letter) {
  case 'b': out[0] = '\b'; return 1;
  case 'f': out[0] = '\f'; return 1;
  case 'n': out[0] = '\n'; return 1;
  case 'r': out[0] = '\r'; return 1;
  case 't': out[0] = '\t'; return 1;
  case 'u': return json_put_utf8(json_decode_unicode(at, end), out);
  default: out[0] = letter; return 1;
  }
}

char *tm_json_text(const TmJsonValue *text, int *out_bytes) {
  const char *at = text->raw + 1;
  const char *end = text->raw + text->raw_bytes - 1;
  char *content;
  int used = 0;

  assert(text->type == TM_JSON_TEXT);
  *out_bytes = 0;
  /* Two quotes fewer, one terminator more. */
  content = sqlite3_malloc64((sqlite3_uint64)text->raw_bytes - 1);
  if (content == NULL) return NULL;
  while (at < end) {
    const char *escape = memchr(at, '\\', (size_t)(end - at));
    int plain_bytes = (int)((escape != NULL ? escape : end) - at);
    memcpy(content + used, at, (size_t)plain_bytes);
    used += plain_bytes;
    at += plain_bytes;
    if (escape == NULL) break;
    at++;
    used += json_decode_escape(&at, end, content + used);
  }
  content[used] = '\0';
  *out_bytes = used;
  return content;
}

bool tm_json_equals(const TmJsonValue *text, const char *word) {
  const char *at, *end;
  char bytes[4];

  if (text->type != TM_JSON_TEXT) return false;
  at = text->raw + 1;
  end = text->raw + text->raw_bytes - 1;
  while (at < end) {
    bytes[0] = *at++;
    if (bytes[0] == '\\' && json_decode_escape(&at, end, bytes) != 1) return false;
    if (*word == '\0' || bytes[0] != *word++) return false;
  }
  return *word == '\0';
}

/* -- Writing ----------------------------------------------------------------------------------- */

/* The length of the well-formed UTF-8 sequence of more than one byte at `at`, of which `left` bytes
 * are there, or 0. */
static int json_utf8_bytes(const unsigned char *at, int left) {
  unsigned char lead = at[0];
  int n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  /* Overlong forms, surrogates and codes over U+10FFFF all show in the second byte. */
  unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

  if (lead < 0xc2 || lead > 0xf4 || left < n) return 0;
  if (at[1] < low || at[1] > high) return 0;
  for (int k = 2; k < n; k++) {
    if ((at[k] & 0xc0) != 0x80) return 0;
  }
  return n;
}

/* What stands for a byte that cannot stand for itself. */
static void json_write_special(sqlite3_str *out, unsigned char byte) {
  switch (byte) {
  case '"': sqlite3_str_append(out, "\\\"", 2); break;
  case '\\': sqlite3_str_append(out, "\\\\", 2); break;
  case '\b': sqlite3_str_append(out, "\\b", 2); break;
  case '\f': sqlite3_str_append(out, "\\f", 2); break;
  case '\n': sqlite3_str_append(out, "\\n", 2); break;
  case '\r': sqlite3_str_append(out, "\\r", 2); break;
  case '\t': sqlite3_str_append(out, "\\t", 2); break;
  default:
    if (byte < 0x20) {
      sqlite3_str_appendf(out, "\\u%04x", (unsigned)byte);
    } else {
      sqlite3_str_append(out, "\xef\xbf\xbd", 3);
    }
  }
}

void tm_json_write_int(sqlite3_str *out, sqlite3_int64 value) {
  char digits[24];
  int at = (int)sizeof digits;
  sqlite3_uint64 left = value < 0 ? 0 - (sqlite3_uint64)value : (sqlite3_uint64)value;

  do {
    digits[--at] = (char)('0' + left % 10);
    left /= 10;
  } while (left);
  if (value < 0) digits[--at] = '-';
  sqlite3_str_append(out, digits + at, (int)sizeof digits - at);
}

void tm_json_write_text(sqlite3_str *out, const char *text, int n) {
  const unsigned char *bytes = (const unsigned char *)text;
  int at = 0;

  sqlite3_str_appendchar(out, 1, '"');
  while (at < n) {
    int plain = at;
    while (at < n && !json_is_special[bytes[at]]) {
      int sequence_bytes = bytes[at] < 0x80 ? 1 : json_utf8_bytes(bytes + at, n - at);
      if (sequence_bytes == 0) break;
      at += sequence_bytes;
    }
    if (at > plain) sqlite3_str_append(out, text + plain, at - plain);
    if (at < n) json_write_special(out, bytes[at++]);
  }
  sqlite3_str_appendchar(out, 1, '"');
}

void tm_json_write_raw(sqlite3_str *out, const char *text, int n) {
  const unsigned char *bytes = (const unsigned char *)text;
  int at = 0;

  while (at < n) {
    int plain = at;
    while (at < n) {
      int sequence_bytes = bytes[at] < 0x80 ? 1 : json_utf8_bytes(bytes + at, n - at);
      if (sequence_bytes == 0) break;
      at += sequence_bytes;
    }
    if (at > plain) sqlite3_str_append(out, text + plain, at - plain);
    if (at < n) json_write_special(out, bytes[at++]);
  }
}

/* Seventeen digits from the C library, which rounds them right where SQLite's own printing, far
 * from 1, is now and then off in the last one. Its decimal point is the locale's, and left out. */
static void json_write_exact(sqlite3_str *out, double real) {
  char text[64];
  const char *at = text;

  snprintf(text, sizeof text, "%.16e", real);
  if (*at == '-') sqlite3_str_appendchar(out, 1, *at++);
  sqlite3_str_appendchar(out, 1, *at++);
  sqlite3_str_appendchar(out, 1, '.');
  while (!json_is_digit(*at)) at++;
  sqlite3_str_appendall(out, at);
}

void tm_json_write_real(sqlite3_str *out, double real) {
  char text[64];

  if (!isfinite(real)) {
    sqlite3_str_append(out, "null", 4);
    return;
  }
  for (int digits = 15; digits <= 17; digits++) {
    sqlite3_snprintf((int)sizeof text, text, "%!.*g", digits, real);
    if (json_read_real(text, text + strlen(text)) == real) {
      sqlite3_str_appendall(out, text);
      return;
    }
  }
  json_write_exact(out, real);
}

void tm_json_write_hex(sqlite3_str *out, const void *bytes, int n) {
  static const char digits[] = "0123456789abcdef";
  const unsigned char *at = bytes;
  char text[128];
  int used = 0;

  sqlite3_str_appendchar(out, 1, '"');
  for (int i = 0; i < n; i++) {
    text[used++] = digits[at[i] >> 4];
    text[used++] = digits[at[i] & 15];
    if (used == (int)sizeof text) {
      sqlite3_str_append(out, text, used);
      used = 0;
    }
  }
  sqlite3_str_append(out, text, used);
  sqlite3_str_appendchar(out, 1, '"');
}
