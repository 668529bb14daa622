/* cron_parse.c - the grammar of a schedule.
 * Owns:    fields, items and the words behind an '@'; their form is in cron.h.
 * Promise: an error names the field, the value and the bounds; reads no byte behind the text.
 * Why:     what one cron takes for an odd but legal spec (a step beyond its field, a day
 *          that no month has) is nearly always a slip: it is refused, and says why. */
#include "base/cron.h"
#include "base/duration.h"
#include "base/suggest.h"

enum { FIELD_SECOND, FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, FIELD_OF };

typedef struct CronField {
  const char *name;
  int min;
  int max;
  int top;           /* of '*' and of `value/step`: Sunday counts once */
  const char *words; /* names of three letters, from `min` on; NULL: numbers only */
  const char *hint;  /* what a value of the field looks like */
} CronField;

static const CronField cron_fields[FIELD_OF] = {
    {"second", 0, 59, 59, NULL, "0..59"},
    {"minute", 0, 59, 59, NULL, "0..59"},
    {"hour", 0, 23, 23, NULL, "0..23"},
    {"day", 1, 31, 31, NULL, "1..31, L, L-3, 15W or LW"},
    {"month", 1, 12, 12, "janfebmaraprmayjunjulaugsepoctnovdec", "1..12 or jan..dec"},
    {"weekday", 0, 7, 6, "sunmontuewedthufrisat", "0..7, sun..sat, 5L or 5#3"},
};

static const struct {
  const char *word;
  const char *spec;
} cron_words[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

#define CRON_WORDS ((int)(sizeof cron_words / sizeof cron_words[0]))

/* One field under way. */
typedef struct CronReader {
  const CronField *field;
  TmText item; /* for the error */
  const char *at;
  const char *end; /* of the item */
  TmError *error;
} CronReader;

static bool cron_failed(const CronReader *reader) {
  return reader->error->rc != SQLITE_OK;
}

/* ---- characters --------------------------------------------------------------------------- */

static char cron_lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? (char)(letter + ('a' - 'A')) : letter;
}

static bool cron_is_blank(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool cron_is_digit(const CronReader *reader) {
  return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

/* The word is in lower case. */
static bool cron_is_same(const char *text, const char *word, int n) {
  for (int i = 0; i < n; i++) {
    if (cron_lower(text[i]) != word[i]) return false;
  }
  return true;
}

static bool cron_is_word(TmText text, const char *word) {
  return text.n == (int)strlen(word) && cron_is_same(text.z, word, text.n);
}

static bool cron_take(CronReader *reader, char byte) {
  if (reader->at == reader->end || cron_lower(*reader->at) != byte) return false;
  reader->at++;
  return true;
}

/* No more of an error's value than fits on a line. */
static int cron_shown(int n) {
  return n < 40 ? n : 40;
}

static void cron_fail_form(CronReader *reader) {
  tm_error_set(reader->error, TM_BAD_ARGUMENT,
               "%s '%.*s' is not understood, give *, %s, ranges such as 1-5, steps such as */2, or "
               "a list of these",
               reader->field->name, cron_shown(reader->item.n), reader->item.z,
               reader->field->hint);
}

/* ---- values ------------------------------------------------------------------------------- */

/* Digits as a number between the bounds; `what` stands behind the field's name in the error. */
static int cron_number(CronReader *reader, const char *what, int min, int max) {
  const char *first = reader->at;
  int number = 0;

  while (cron_is_digit(reader)) {
    if (number < 100000) number = number * 10 + (*reader->at - '0');
    reader->at++;
  }
  if (reader->at == first) {
    cron_fail_form(reader);
    return min;
  }
  if (number < min || number > max) {
    tm_error_set(reader->error, TM_OUT_OF_RANGE, "%s%s%.*s is outside %d..%d", reader->field->name,
                 what, cron_shown((int)(reader->at - first)), first, min, max);
    return min;
  }
  return number;
}

/* A number or a name of the field. */
static int cron_value(CronReader *reader) {
  const CronField *field = reader->field;

  if (field->words != NULL && reader->end - reader->at >= 3) {
    for (int i = 0; field->words[3 * i] != '\0'; i++) {
      if (!cron_is_same(reader->at, field->words + 3 * i, 3)) continue;
      reader->at += 3;
      return field->min + i;
    }
  }
  return cron_number(reader, " ", field->min, field->max);
}

static uint64_t cron_bit(int n) {
  return (uint64_t)1 << n;
}

/* first, first + step, … up to last; where last comes before first, over the field's end. */
static uint64_t cron_span(const CronField *field, int first, int last, int step) {
  int length = field->top - field->min + 1;
  uint64_t values = 0;

  if (last < first) last += length;
  for (int value = first; value <= last; value += step) {
    values |= cron_bit(value > field->top ? value - length : value);
  }
  return values;
}

/* [ '/' step ]; 0 where there is none. */
static int cron_step(CronReader *reader) {
  if (!cron_take(reader, '/')) return 0;
  return cron_number(reader, " step ", 1, reader->field->max);
}

/* ---- items -------------------------------------------------------------------------------- */

/* ( '*' | '?' | value | value '-' value ) [ '/' step ], from behind the first value. */
static uint64_t cron_range(CronReader *reader, int first) {
  int last = first;
  bool is_range = cron_take(reader, '-');
  int step;

  if (is_range) last = cron_value(reader);
  step = cron_step(reader);
  if (step > 0 && !is_range) last = reader->field->top;
  /* Sunday as 7 ends a range; what starts there starts with 0. */
  if (first > reader->field->top) {
    first = reader->field->min;
    if (last > reader->field->top) last = first;
  }
  return cron_span(reader->field, first, last, step > 0 ? step : 1);
}

/* 'L' [ 'W' | '-' n ] */
static void cron_last_day(CronReader *reader, TmCron *out) {
  if (cron_take(reader, 'w')) {
    out->days_near |= 1;
  } else if (cron_take(reader, '-')) {
    out->days_to_last |= (uint32_t)cron_bit(cron_number(reader, " L-", 1, 30));
  } else {
    out->days_to_last |= 1;
  }
}

static uint64_t cron_item(CronReader *reader, TmCron *out) {
  const CronField *field = reader->field;
  bool is_day = field == &cron_fields[FIELD_DAY];
  bool is_weekday = field == &cron_fields[FIELD_WEEKDAY];
  int value;

  if (cron_take(reader, '*') || cron_take(reader, '?')) {
    int step = cron_step(reader);
    return cron_span(field, field->min, field->top, step > 0 ? step : 1);
  }
  if (is_day && cron_take(reader, 'l')) {
    cron_last_day(reader, out);
    return 0;
  }
  value = cron_value(reader);
  if (cron_failed(reader)) return 0;
  if (is_day && cron_take(reader, 'w')) {
    out->days_near |= (uint32_t)cron_bit(value);
  } else if (is_weekday && cron_take(reader, 'l')) {
    out->weekdays_last |= (uint8_t)cron_bit(value % 7);
  } else if (is_weekday && cron_take(reader, '#')) {
    int nth = cron_number(reader, " #", 1, 5);
    out->weekdays_nth[nth - 1] |= (uint8_t)cron_bit(value % 7);
  } else {
    return cron_range(reader, value);
  }
  return 0;
}

static uint64_t cron_field(TmText text, int field, TmCron *out, TmError *error) {
  const char *end = text.z + text.n;
  CronReader reader = {.field = &cron_fields[field], .at = text.z, .error = error};
  uint64_t values = 0;

  for (;;) {
    const char *comma = memchr(reader.at, ',', (size_t)(end - reader.at));
    reader.end = comma != NULL ? comma : end;
    reader.item = (TmText){reader.at, (int)(reader.end - reader.at)};
    values |= cron_item(&reader, out);
    if (reader.at != reader.end) cron_fail_form(&reader);
    if (error->rc != SQLITE_OK || comma == NULL) return values;
    reader.at = comma + 1;
  }
}

/* ---- specs -------------------------------------------------------------------------------- */

/* Cuts the text at its blanks: how many parts it has, the first `max` of them in parts[]. */
static int cron_cut(TmText text, TmText *parts, int max) {
  const char *end = text.z + text.n;
  int count = 0;

  for (const char *at = text.z; at < end;) {
    const char *first = at;
    while (at < end && !cron_is_blank(*at)) at++;
    if (at > first) {
      if (count < max) parts[count] = (TmText){first, (int)(at - first)};
      count++;
    }
    while (at < end && cron_is_blank(*at)) at++;
  }
  return count;
}

static bool cron_is_open(TmText field) {
  return field.z[0] == '*' || field.z[0] == '?';
}

static void cron_parse_fields(const TmText *fields, TmCron *out, TmError *error) {
  out->seconds = cron_field(fields[FIELD_SECOND], FIELD_SECOND, out, error);
  out->minutes = cron_field(fields[FIELD_MINUTE], FIELD_MINUTE, out, error);
  out->hours = (uint32_t)cron_field(fields[FIELD_HOUR], FIELD_HOUR, out, error);
  out->days = (uint32_t)cron_field(fields[FIELD_DAY], FIELD_DAY, out, error);
  out->months = (uint32_t)cron_field(fields[FIELD_MONTH], FIELD_MONTH, out, error);
  out->weekdays = (uint8_t)cron_field(fields[FIELD_WEEKDAY], FIELD_WEEKDAY, out, error);
  out->fits_either = !cron_is_open(fields[FIELD_DAY]) && !cron_is_open(fields[FIELD_WEEKDAY]);
  if (error->rc == SQLITE_OK && !tm_cron_can_fire(out)) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "the spec never fires: day '%.*s', weekday '%.*s', month '%.*s' do not meet",
                 cron_shown(fields[FIELD_DAY].n), fields[FIELD_DAY].z,
                 cron_shown(fields[FIELD_WEEKDAY].n), fields[FIELD_WEEKDAY].z,
                 cron_shown(fields[FIELD_MONTH].n), fields[FIELD_MONTH].z);
  }
}

static void cron_parse_every(TmText length, TmCron *out, TmError *error) {
  TmDurationStatus status = tm_duration_parse(length.z, length.n, &out->every_ms);

  if (status == TM_DURATION_BAD) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "@every '%.*s' is no duration, give text such as 90s or 1h30m",
                 cron_shown(length.n), length.z);
  } else if (status == TM_DURATION_RANGE || out->every_ms < TM_CRON_EVERY_MIN_MS) {
    tm_error_set(error, TM_OUT_OF_RANGE, "@every %.*s is outside 1s..36500d", cron_shown(length.n),
                 length.z);
  }
}

static void cron_fail_word(TmText word, TmError *error) {
  TmSuggest suggest;

  if (cron_is_word(word, "@reboot")) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "@reboot is no time, call tm_enqueue() when the application starts");
    return;
  }
  tm_suggest_init(&suggest, word.z, word.n);
  for (int i = 0; i < CRON_WORDS; i++) {
    tm_suggest_offer(&suggest, cron_words[i].word, (int)strlen(cron_words[i].word));
  }
  tm_suggest_offer(&suggest, "@every", 6);
  if (tm_suggest_best(&suggest) != NULL) {
    tm_error_set(error, TM_BAD_ARGUMENT, "no schedule '%.*s', did you mean '%s'?",
                 cron_shown(word.n), word.z, tm_suggest_best(&suggest));
  } else {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "no schedule '%.*s', give cron fields, or @yearly, @monthly, @weekly, @daily, "
                 "@hourly or @every",
                 cron_shown(word.n), word.z);
  }
}

/* parts[0] begins with '@'; `count` of parts may be more than there is room for. */
static void cron_parse_word(const TmText *parts, int count, TmCron *out, TmError *error) {
  bool is_every = cron_is_word(parts[0], "@every");
  const char *spec = NULL;

  for (int i = 0; i < CRON_WORDS; i++) {
    if (cron_is_word(parts[0], cron_words[i].word)) spec = cron_words[i].spec;
  }
  if (spec == NULL && !is_every) {
    cron_fail_word(parts[0], error);
  } else if (count != (is_every ? 2 : 1)) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 is_every ? "@every takes one duration, such as 90s or 1h30m"
                          : "the spec has more behind '%.*s', which stands alone",
                 parts[0].n, parts[0].z);
  } else if (is_every) {
    cron_parse_every(parts[1], out, error);
  } else {
    tm_cron_parse(tm_text_of(spec), out, error);
  }
}

bool tm_cron_parse(TmText text, TmCron *out, TmError *error) {
  /* A spec of five fields is one of six whose seconds are 0. */
  TmText fields[FIELD_OF] = {{"0", 1}};
  TmText parts[FIELD_OF];
  int count;

  *out = (TmCron){0};
  if (error->rc != SQLITE_OK) return false;
  count = cron_cut(text, parts, FIELD_OF);
  if (count > 0 && parts[0].z[0] == '@') {
    cron_parse_word(parts, count, out, error);
  } else if (count == FIELD_OF || count == FIELD_OF - 1) {
    memcpy(fields + (FIELD_OF - count), parts, sizeof *parts * (size_t)count);
    cron_parse_fields(fields, out, error);
  } else {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "spec '%.*s' has %d fields, give 5 (minute hour day month weekday), or 6 with "
                 "seconds first",
                 cron_shown(text.n), text.z, count);
  }
  return error->rc == SQLITE_OK;
}
