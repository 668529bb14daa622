/* json_test.c - JSON: what is accepted, what is read, and what is written.
 * Promise: every text is read from a block of its exact size, mutilated ones too. */
#include "base_test.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* -- grammar ----------------------------------------------------------------------------------- */

static bool json_accepts(const char *text, int n) {
  TmJsonValue value;
  char *copy = exact_copy(text, n);
  bool is_valid = tm_json_parse(copy, n, &value);

  if (!is_valid && (value.type != TM_JSON_NULL || value.raw != NULL)) abort();
  free(copy);
  return is_valid;
}

static const char *const json_valid[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "12",
    "-1",
    "1.5",
    "1e5",
    "1E+5",
    "1.25e-3",
    "0.0",
    "\"\"",
    "\"a\"",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    " [1 , 2]\n",
    "\t{\"a\" : 1 ,\r\"b\":[{}]}",
    "[[],{}]",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
    "\"\\ud800\"",
    "\"\xff\x7f\"",
    "{\"\":0}",
    "{\"a\":1,\"a\":2}",
    "1e999",
    "123456789012345678901234567890",
    "[1,[2,[3,[4]]],{\"x\":{}}]",
};

static const char *const json_invalid[] = {
    "",           " ",
    "nul",        "nulll",
    "nulL",       "nope",
    "trux",       "fals0",
    "True",       "NaN",
    "Infinity",   "+1",
    "01",         "-",
    "-01",        "1.",
    ".5",         "1e",
    "1e+",        "1.e5",
    "0x10",       "1 2",
    "\"",         "\"a",
    "\"\\\"",     "\"\\x\"",
    "\"\\u12\"",  "\"\\u123g\"",
    "\"\\",       "\"\n\"",
    "\"\x01\"",   "'a'",
    "[",          "]",
    "[1",         "[1,",
    "[1,]",       "[,1]",
    "[1 2]",      "[1}",
    "{",          "}",
    "{]",         "{1:2}",
    "{\"a\"}",    "{\"a\":}",
    "{\"a\":1,}", "{\"a\" 1}",
    "{,}",        "{\"a\":1 \"b\":2}",
    "[1]]",       "{}{}",
    "[1]x",       "// c\n1",
    "[1,/**/2]",  "\xef\xbb\xbf[]",
    "\f[]",       "{a:1}",
    "[\"a\":1]",  "\xc2\xa0[]",
};

static void test_json_grammar(Tally *tally) {
  char sentence[128];

  for (size_t i = 0; i < sizeof json_valid / sizeof json_valid[0]; i++) {
    snprintf(sentence, sizeof sentence, "valid JSON %d is accepted: %s", (int)i, json_valid[i]);
    for (char *at = sentence; *at != '\0'; at++) *at = *at >= ' ' ? *at : '?';
    check(tally, json_accepts(json_valid[i], (int)strlen(json_valid[i])), sentence);
  }
  for (size_t i = 0; i < sizeof json_invalid / sizeof json_invalid[0]; i++) {
    snprintf(sentence, sizeof sentence, "invalid JSON %d is refused: %s", (int)i, json_invalid[i]);
    for (char *at = sentence; *at != '\0'; at++) *at = *at >= ' ' ? *at : '?';
    check(tally, !json_accepts(json_invalid[i], (int)strlen(json_invalid[i])), sentence);
  }
  check(tally, !json_accepts("[1]\0", 4), "a NUL behind the value is refused");
  check(tally, !json_accepts("\"a\0b\"", 5), "a NUL in a string is refused");
}

static void test_json_prefixes(Tally *tally) {
  static const char sample[] =
      "{\"kind\":\"fixed\",\"n\":-12.5e+3,\"list\":[true,false,null,{\"x\":"
      "\"\\u00e9\\ud83d\\ude00\\n"
      "\"},[ ]],\"deep\":{\"a\":{\"b\":[1,2,3]}}, \"last\" : \"\xc3\xa9\"}";
  int n = (int)sizeof sample - 1;
  bool all_refused = true;

  for (int k = 0; k < n; k++) all_refused = all_refused && !json_accepts(sample, k);
  check(tally, all_refused, "every shorter prefix of an object is refused");
  check(tally, json_accepts(sample, n), "the whole object is accepted");
}

/* Any byte in any place: nothing to assert but that no sanitizer speaks, and that what is accepted
 * can be walked to its end. */
static void test_json_mutations(Tally *tally) {
  static const char sample[] = "{\"a\":[1.5e3,\"\\u00e9\\n\",{}],\"b\":{\"c\":null}}";
  int n = (int)sizeof sample - 1;
  bool is_whole = true;

  for (int k = 0; k < n; k++) {
    for (int byte = 0; byte < 256; byte++) {
      char *copy = exact_copy(sample, n);
      TmJsonValue outer, key, value;
      TmJsonIter it;
      int count = 0;

      copy[k] = (char)byte;
      if (tm_json_parse(copy, n, &outer)) {
        tm_json_iter(&outer, &it);
        while (tm_json_next(&it, &key, &value)) count++;
        is_whole = is_whole && it.at == it.end && count > 0 && count <= 3;
      }
      free(copy);
    }
  }
  check(tally, is_whole, "what is accepted of any one-byte change can be walked");
}

static void test_json_depth(Tally *tally) {
  char text[2 * 100000];
  const int deepest = TM_JSON_MAX_DEPTH;

  memset(text, '[', (size_t)deepest);
  memset(text + deepest, ']', (size_t)deepest);
  check(tally, json_accepts(text, 2 * deepest), "1000 arrays in each other are accepted");
  memset(text, '[', (size_t)deepest + 1);
  memset(text + deepest + 1, ']', (size_t)deepest + 1);
  check(tally, !json_accepts(text, 2 * deepest + 2), "1001 are not");
  memset(text, '[', sizeof text / 2);
  memset(text + sizeof text / 2, ']', sizeof text / 2);
  check(tally, !json_accepts(text, (int)sizeof text), "a hundred thousand are refused at once");
  for (int k = 0; k < 1000; k++) memcpy(text + 1 + k * 3, "[],", 3);
  text[1 + 1000 * 3 - 1] = ']';
  check(tally, json_accepts(text, 1 + 1000 * 3), "a thousand side by side are not deep");
}

/* -- values ------------------------------------------------------------------------------------ */

/* True when `out` holds this; ends it. */
static bool wrote(sqlite3_str *out, const char *expected) {
  char *text = sqlite3_str_finish(out);
  bool is_equal = text != NULL && strcmp(text, expected) == 0;

  sqlite3_free(text);
  return is_equal;
}

static TmJsonValue parsed(const char *text) {
  TmJsonValue value;

  if (!tm_json_parse(text, (int)strlen(text), &value)) abort();
  return value;
}

static bool int_reads(const char *text, sqlite3_int64 expected) {
  TmJsonValue value = parsed(text);

  return value.type == TM_JSON_INT && value.i == expected && value.r == (double)expected;
}

static bool real_reads(const char *text, double expected) {
  TmJsonValue value = parsed(text);

  return value.type == TM_JSON_REAL && value.r == expected && value.i == 0;
}

static void test_json_numbers(Tally *tally) {
  char text[3000];

  check(tally, int_reads("0", 0) && int_reads("-0", 0) && int_reads(" 42 ", 42),
        "small integers are integers");
  check(tally,
        int_reads("9223372036854775807", 9223372036854775807) &&
            int_reads("-9223372036854775808", -9223372036854775807 - 1),
        "the largest and the smallest integer are integers");
  check(tally,
        real_reads("9223372036854775808", 9223372036854775808.0) &&
            real_reads("-9223372036854775809", -9223372036854775808.0) &&
            real_reads("92233720368547758070", 92233720368547758070.0),
        "integers beyond are reals");
  check(tally, real_reads("1.0", 1) && real_reads("1e2", 100) && real_reads("-2.5E-1", -0.25),
        "a point or an exponent makes a real");
  check(tally,
        real_reads("0.1", 0.1) && real_reads("2.2250738585072011e-308", 2.2250738585072011e-308) &&
            real_reads("5e-324", 5e-324) &&
            real_reads("1.7976931348623157e308", 1.7976931348623157e308),
        "reals are rounded to the nearest double");
  check(tally, real_reads("1e999", INFINITY) && real_reads("-1e99999999999999999999", -INFINITY),
        "a real too large is infinite");
  check(tally,
        real_reads("1e-999", 0) && real_reads("0e99999999999999999999", 0) &&
            real_reads("0.001e-99999999999999999999", 0) && real_reads("0.000e5", 0),
        "a real too small is zero");

  memset(text, '0', sizeof text);
  memcpy(text, "0.", 2);
  strcpy(text + 2000, "1e1999");
  check(tally, real_reads(text, 1), "leading zeros and a large exponent cancel out");
  memset(text, '0', sizeof text);
  text[0] = '1';
  strcpy(text + 2000, "e-2000");
  check(tally, real_reads(text, 0.1), "so do a long integer and a small exponent");
  /* 1 + 2^-53 lies half way; a digit far behind decides. */
  memset(text, '0', sizeof text);
  memcpy(text, "1.00000000000000011102230246251565404236316680908203125", 55);
  text[2500] = '\0';
  check(tally, real_reads(text, 1.0), "half way goes to even");
  text[2499] = '1';
  check(tally, real_reads(text, 1.0000000000000002), "the 2,500th digit breaks a tie");
}

static void test_json_locale(Tally *tally) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
  bool is_set = false;

  for (size_t i = 0; i < sizeof names / sizeof names[0] && !is_set; i++) {
    is_set = setlocale(LC_NUMERIC, names[i]) != NULL;
  }
  check(tally, real_reads("1.5", 1.5),
        is_set ? "a decimal comma of the locale is not read" : "the C locale reads points");
  /* Some versions of SQLite do not print this one exactly, and the C library has to. */
  tm_json_write_real(out, -1.0783972713012537e+226);
  check(tally, wrote(out, "-1.0783972713012537e+226"),
        is_set ? "nor written" : "the C locale writes points");
  setlocale(LC_NUMERIC, "C");
}

static bool raw_is(const TmJsonValue *value, TmJsonType type, const char *raw) {
  return value->type == type && value->raw_bytes == (int)strlen(raw) &&
         memcmp(value->raw, raw, strlen(raw)) == 0;
}

static void test_json_object(Tally *tally) {
  TmJsonValue outer = parsed(" { \"a\" : [1, {\"x\":2}] ,\"b\":null, \"a\":\"s\\\"}\" } ");
  TmJsonValue key, value;
  TmJsonIter it;

  check(tally,
        outer.type == TM_JSON_OBJECT && outer.raw[0] == '{' &&
            outer.raw[outer.raw_bytes - 1] == '}',
        "an object's slice is without the blanks around it");
  tm_json_iter(&outer, &it);
  check(tally,
        tm_json_next(&it, &key, &value) && raw_is(&key, TM_JSON_TEXT, "\"a\"") &&
            raw_is(&value, TM_JSON_ARRAY, "[1, {\"x\":2}]"),
        "the first member is a key and its exact slice");
  check(tally, tm_json_next(&it, NULL, &value) && raw_is(&value, TM_JSON_NULL, "null"),
        "a key that is not wanted is left out");
  check(tally,
        tm_json_next(&it, &key, &value) && tm_json_equals(&key, "a") &&
            raw_is(&value, TM_JSON_TEXT, "\"s\\\"}\""),
        "a key may come twice, and strings may hold brackets");
  check(tally, !tm_json_next(&it, &key, &value) && !tm_json_next(&it, &key, &value),
        "after the last member there is none, twice");
}

static void test_json_array(Tally *tally) {
  TmJsonValue outer = parsed("[true,false ,\t\"x\",-1.5,{},[]]");
  TmJsonValue key = {.type = TM_JSON_REAL, .i = 77};
  TmJsonValue value[6];
  TmJsonIter it;
  int count = 0;

  tm_json_iter(&outer, &it);
  while (count < 6 && tm_json_next(&it, &key, &value[count])) count++;
  check(tally, count == 6 && !tm_json_next(&it, &key, &value[0]), "an array gives each element");
  check(tally,
        raw_is(&value[0], TM_JSON_TRUE, "true") && raw_is(&value[1], TM_JSON_FALSE, "false") &&
            raw_is(&value[2], TM_JSON_TEXT, "\"x\"") && raw_is(&value[3], TM_JSON_REAL, "-1.5") &&
            raw_is(&value[4], TM_JSON_OBJECT, "{}") && raw_is(&value[5], TM_JSON_ARRAY, "[]"),
        "each with its type and slice");
  check(tally, key.type == TM_JSON_REAL && key.i == 77, "an array leaves the key untouched");
  tm_json_iter(&value[4], &it);
  check(tally, !tm_json_next(&it, &key, &value[0]), "an empty object has no member");
  outer = parsed("[ ]");
  tm_json_iter(&outer, &it);
  check(tally, !tm_json_next(&it, &key, &value[0]), "an empty array has no element");
  outer = parsed("\"[1]\"");
  tm_json_iter(&outer, &it);
  check(tally, !tm_json_next(&it, &key, &value[0]), "a text has no element");
}

static bool text_decodes(const char *json, const char *expected, int expected_bytes) {
  char *copy = exact_copy(json, (int)strlen(json));
  TmJsonValue value;
  bool is_equal = false;

  if (tm_json_parse(copy, (int)strlen(json), &value)) {
    int n = -1;
    char *text = tm_json_text(&value, &n);
    is_equal = text != NULL && n == expected_bytes &&
               memcmp(text, expected, (size_t)expected_bytes) == 0 && text[n] == '\0';
    sqlite3_free(text);
  }
  free(copy);
  return is_equal;
}

static void test_json_text(Tally *tally) {
  TmJsonValue value;

  check(tally, text_decodes("\"\"", "", 0), "an empty string decodes to nothing");
  check(tally, text_decodes("\"h\xc3\xa9llo\"", "h\xc3\xa9llo", 6), "plain bytes stay");
  check(tally, text_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8),
        "each short escape is one byte");
  check(tally, text_decodes("\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", 6),
        "escapes become one to three bytes");
  check(tally, text_decodes("\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!", 5),
        "a pair of surrogates becomes four");
  check(tally,
        text_decodes("\"\\ud800\"", "\xef\xbf\xbd", 3) &&
            text_decodes("\"\\udc00\\ud800\"", "\xef\xbf\xbd\xef\xbf\xbd", 6) &&
            text_decodes("\"\\ud800\\n\"", "\xef\xbf\xbd\n", 4) &&
            text_decodes("\"\\ud800\\n12345\"", "\xef\xbf\xbd\n12345", 9) &&
            text_decodes("\"\\ud800nobody\"", "\xef\xbf\xbdnobody", 9) &&
            text_decodes("\"\\ud83d\\u00e9\"", "\xef\xbf\xbd\xc3\xa9", 5) &&
            text_decodes("\"\\ud83d\\ue000\"", "\xef\xbf\xbd\xee\x80\x80", 6) &&
            text_decodes("\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7),
        "a lone surrogate becomes U+FFFD");
  check(tally, text_decodes("\"a\\u0000b\"", "a\0b", 3), "a NUL is kept and counted");

  value = parsed("\"la\\u0062el\"");
  check(tally, tm_json_equals(&value, "label"), "a word equals its escaped form");
  check(tally,
        !tm_json_equals(&value, "labe") && !tm_json_equals(&value, "labels") &&
            !tm_json_equals(&value, "") && !tm_json_equals(&value, "Label"),
        "a shorter, longer or different word does not");
  value = parsed("\"a\\u0000\"");
  check(tally, !tm_json_equals(&value, "a"), "a NUL does not end a comparison");
  value = parsed("\"\\u00e9\"");
  check(tally, !tm_json_equals(&value, "e"), "a longer character equals no ASCII one");
  value = parsed("\"\"");
  check(tally, tm_json_equals(&value, ""), "nothing equals nothing");
  value = parsed("12");
  check(tally, !tm_json_equals(&value, "12"), "a number is not a word");
}

static void test_json_container(Tally *tally) {
  check(tally,
        tm_json_is_container("{}", 2) && tm_json_is_container(" [1] ", 5) &&
            !tm_json_is_container("1", 1) && !tm_json_is_container("\"{}\"", 4) &&
            !tm_json_is_container("{", 1) && !tm_json_is_container(NULL, 0),
        "valid objects and arrays are containers, and nothing else");
}

/* -- writing ----------------------------------------------------------------------------------- */

static bool text_writes(const char *text, int n, const char *expected) {
  sqlite3_str *out = sqlite3_str_new(NULL);
  char *copy = exact_copy(text, n);

  tm_json_write_text(out, copy, n);
  free(copy);
  return wrote(out, expected);
}

static bool real_writes(double real, const char *expected) {
  sqlite3_str *out = sqlite3_str_new(NULL);

  tm_json_write_real(out, real);
  return wrote(out, expected);
}

#define FFFD "\xef\xbf\xbd"

static void test_json_write_text(Tally *tally) {
  check(tally, text_writes("", 0, "\"\""), "no bytes make an empty string");
  check(tally,
        text_writes("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80/\x7f", 14,
                    "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80/\x7f\""),
        "characters of every length stay as they are");
  check(tally, text_writes("\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\""),
        "short escapes are used where they exist");
  check(tally, text_writes("a\0\x1f", 3, "\"a\\u0000\\u001f\""), "other controls are \\u00XX");
  check(tally,
        text_writes("\x80"
                    "a\xff",
                    3, "\"" FFFD "a" FFFD "\""),
        "a byte that begins nothing becomes U+FFFD");
  check(tally,
        text_writes("\xc3", 1, "\"" FFFD "\"") && text_writes("\xe2\x82", 2, "\"" FFFD FFFD "\"") &&
            text_writes("\xf0\x9f\x98", 3, "\"" FFFD FFFD FFFD "\"") &&
            text_writes("\xe2\"", 2, "\"" FFFD "\\\"\"") &&
            text_writes("\xe2\x82y", 3, "\"" FFFD FFFD "y\""),
        "so does each byte of a cut sequence");
  check(tally,
        text_writes("\xc0\xaf", 2, "\"" FFFD FFFD "\"") &&
            text_writes("\xe0\x80\xaf", 3, "\"" FFFD FFFD FFFD "\"") &&
            text_writes("\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\"") &&
            text_writes("\xf4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\"") &&
            text_writes("\xf0\x8f\xbf\xbf", 4, "\"" FFFD FFFD FFFD FFFD "\""),
        "overlong forms, surrogates and codes over U+10FFFF are not UTF-8");
  check(tally,
        text_writes("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 10,
                    "\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\""),
        "the codes next to them are");
}

static void test_json_write_reads_back(Tally *tally) {
  char bytes[256];
  char *json;
  TmJsonValue value;
  sqlite3_str *out = sqlite3_str_new(NULL);
  int n = 0;

  for (int k = 0; k < 256; k++) bytes[k] = (char)k;
  tm_json_write_text(out, bytes, 256);
  n = sqlite3_str_length(out);
  json = sqlite3_str_finish(out);
  check(tally, json != NULL && tm_json_parse(json, n, &value) && value.type == TM_JSON_TEXT,
        "all 256 bytes make a valid string");
  if (json != NULL) {
    char *text = tm_json_text(&value, &n);
    check(tally, text != NULL && n == 128 + 128 * 3 && memcmp(text, bytes, 128) == 0,
          "whose ASCII half reads back as it was");
    sqlite3_free(text);
  }
  sqlite3_free(json);
}

static void test_json_write_real(Tally *tally) {
  sqlite3_uint64 seed = 88172645463325252u;
  int lost = 0;

  check(tally, real_writes(0.1, "0.1") && real_writes(-2.5, "-2.5"), "short reals stay short");
  check(tally, real_writes(1, "1.0") && real_writes(0, "0.0") && real_writes(100000, "100000.0"),
        "whole reals have a point");
  check(tally, real_writes(1e300, "1.0e+300"), "large reals have an exponent");
  check(tally, real_writes(0.1 + 0.2, "0.30000000000000004"), "17 digits where they are needed");
  check(tally,
        real_writes(INFINITY, "null") && real_writes(-INFINITY, "null") && real_writes(NAN, "null"),
        "what is not finite is null");
  for (int k = 0; k < 200000; k++) {
    sqlite3_str *out = sqlite3_str_new(NULL);
    TmJsonValue value;
    double real;
    char *text;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    memcpy(&real, &seed, sizeof real);
    if (!isfinite(real)) real = (double)k / 7;
    tm_json_write_real(out, real);
    text = sqlite3_str_finish(out);
    if (text == NULL || !tm_json_parse(text, (int)strlen(text), &value) ||
        value.type != TM_JSON_REAL || value.r != real) {
      lost++;
    }
    sqlite3_free(text);
  }
  check(tally, lost == 0, "200,000 doubles of any size read back the same");
}

static void test_json_write_hex(Tally *tally) {
  unsigned char bytes[200];
  sqlite3_str *out = sqlite3_str_new(NULL);
  char *text;

  tm_json_write_hex(out, "\x00\x7f\xff\xa5", 4);
  check(tally, wrote(out, "\"007fffa5\""), "bytes are written as lower-case hexadecimal");
  out = sqlite3_str_new(NULL);
  tm_json_write_hex(out, NULL, 0);
  check(tally, wrote(out, "\"\""), "no bytes are an empty string");
  memset(bytes, 0xab, sizeof bytes);
  out = sqlite3_str_new(NULL);
  tm_json_write_hex(out, bytes, (int)sizeof bytes);
  text = sqlite3_str_finish(out);
  check(tally, text != NULL && strlen(text) == 402 && strspn(text + 1, "ab") == 400,
        "many bytes are all there");
  sqlite3_free(text);
}

void test_json(Tally *tally) {
  test_json_grammar(tally);
  test_json_prefixes(tally);
  test_json_mutations(tally);
  test_json_depth(tally);
  test_json_numbers(tally);
  test_json_locale(tally);
  test_json_object(tally);
  test_json_array(tally);
  test_json_text(tally);
  test_json_container(tally);
  test_json_write_text(tally);
  test_json_write_reads_back(tally);
  test_json_write_real(tally);
  test_json_write_hex(tally);
}
