/* zone_rule.c - the yearly rule of a time zone, as POSIX's TZ writes it.
 * Owns:    the grammar of POSIX.1-2017, 8.3, with the hours -167..167 of RFC 8536, 3.3.1.
 * Promise: reads no byte behind the text; every number is bounded before it is used.
 * Why:     changes are made for the years around a moment and put in order, so that northern
 *          and southern zones, and saving that is negative or never ends, are one case. */
#include "base/zone_rule.h"

#include "base/calendar.h"

/* ---- reading ----------------------------------------------------------------------------- */

typedef struct RuleReader {
  const char *at;
  const char *end;
  bool is_bad;
} RuleReader;

static bool rule_is_letter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool rule_is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

static bool rule_take(RuleReader *reader, char byte) {
  if (reader->is_bad || reader->at == reader->end || *reader->at != byte) return false;
  reader->at++;
  return true;
}

static void rule_expect(RuleReader *reader, char byte) {
  if (!rule_take(reader, byte)) reader->is_bad = true;
}

static int rule_number(RuleReader *reader, int min, int max) {
  const char *first = reader->at;
  int number = 0;

  while (reader->at < reader->end && rule_is_digit(*reader->at) && number <= max) {
    number = number * 10 + (*reader->at++ - '0');
  }
  if (reader->at == first || number < min || number > max) {
    reader->is_bad = true;
    return min;
  }
  return number;
}

/* Three letters or more, or as many letters, digits and signs between < and >. */
static void rule_skip_name(RuleReader *reader) {
  bool is_quoted = rule_take(reader, '<');
  const char *first = reader->at;

  while (reader->at < reader->end) {
    char byte = *reader->at;
    bool is_sign = is_quoted && (rule_is_digit(byte) || byte == '+' || byte == '-');
    if (!rule_is_letter(byte) && !is_sign) break;
    reader->at++;
  }
  if (reader->at - first < 3) reader->is_bad = true;
  if (is_quoted) rule_expect(reader, '>');
}

/* [+-] hours [:minutes [:seconds]] */
static int rule_time(RuleReader *reader, int max_hours) {
  bool is_negative = rule_take(reader, '-');
  int seconds;

  if (!is_negative) rule_take(reader, '+');
  seconds = rule_number(reader, 0, max_hours) * 3600;
  if (rule_take(reader, ':')) {
    seconds += rule_number(reader, 0, 59) * 60;
    if (rule_take(reader, ':')) seconds += rule_number(reader, 0, 59);
  }
  return is_negative ? -seconds : seconds;
}

static void rule_change(RuleReader *reader, TmZoneChange *change) {
  rule_expect(reader, ',');
  if (rule_take(reader, 'M')) {
    change->kind = TM_ZONE_DAY_OF_WEEK;
    change->month = rule_number(reader, 1, 12);
    rule_expect(reader, '.');
    change->week = rule_number(reader, 1, 5);
    rule_expect(reader, '.');
    change->day = rule_number(reader, 0, 6);
  } else if (rule_take(reader, 'J')) {
    change->kind = TM_ZONE_DAY_JULIAN;
    change->day = rule_number(reader, 1, 365);
  } else {
    change->kind = TM_ZONE_DAY_OF_YEAR;
    change->day = rule_number(reader, 0, 365);
  }
  change->time_s = rule_take(reader, '/') ? rule_time(reader, 167) : 2 * 3600;
}

bool tm_zone_rule_parse(const char *text, int n, TmZoneRule *out) {
  RuleReader reader = {text, text + n, false};

  *out = (TmZoneRule){0};
  rule_skip_name(&reader);
  /* TZ counts westwards, against the rest of the world. */
  out->standard_s = -rule_time(&reader, 24);
  out->saving_s = out->standard_s + 3600;
  if (!reader.is_bad && reader.at < reader.end) {
    out->has_saving = true;
    rule_skip_name(&reader);
    if (reader.at < reader.end && *reader.at != ',') out->saving_s = -rule_time(&reader, 24);
    rule_change(&reader, &out->start);
    rule_change(&reader, &out->end);
  }
  return !reader.is_bad && reader.at == reader.end;
}

/* ---- years ------------------------------------------------------------------------------- */

static sqlite3_int64 rule_day(const TmZoneChange *change, int year) {
  sqlite3_int64 first = tm_calendar_days(year, change->month > 0 ? change->month : 1, 1);
  int day;

  switch (change->kind) {
  case TM_ZONE_DAY_JULIAN:
    /* From March 1 on, a leap year's February 29 is stepped over. */
    day =
        change->day >= 60 && tm_calendar_month_days(year, 2) == 29 ? change->day + 1 : change->day;
    return first + day - 1;
  case TM_ZONE_DAY_OF_YEAR: return first + change->day;
  default:
    day = (change->day - tm_calendar_weekday(first) + 7) % 7 + 7 * (change->week - 1);
    return day < tm_calendar_month_days(year, change->month) ? first + day : first + day - 7;
  }
}

void tm_zone_rule_span(const TmZoneRule *rule, sqlite3_int64 utc_s, TmZoneSpan *out) {
  sqlite3_int64 days = tm_calendar_day_of(utc_s + rule->standard_s);
  int year = tm_calendar_date(days).year;

  *out = (TmZoneSpan){TM_ZONE_BEGINNING, TM_ZONE_END, rule->standard_s};
  if (!rule->has_saving) return;
  /* A change is at most 8 days outside its year. Of two at the same moment the start is taken
   * last and wins: saving that ends where the next year's begins never ends. */
  for (int y = year - 2; y <= year + 2; y++) {
    const TmZoneChange *changes[2] = {&rule->end, &rule->start};
    int before_s[2] = {rule->saving_s, rule->standard_s};
    for (int i = 0; i < 2; i++) {
      sqlite3_int64 at = rule_day(changes[i], y) * TM_DAY_S + changes[i]->time_s - before_s[i];
      if (at > utc_s && at < out->end_s) out->end_s = at;
      if (at > utc_s || at < out->begin_s) continue;
      if (at == out->begin_s && i == 0) continue;
      out->begin_s = at;
      out->offset_s = i == 0 ? rule->standard_s : rule->saving_s;
    }
  }
}
