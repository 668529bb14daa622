/* zone_rule.h - the yearly rule of a time zone, as POSIX's TZ writes it.
 * Owns:    the footer of a zone file: `CET-1CEST,M3.5.0,M10.5.0/3`.
 * Promise: any text is a rule or is refused; a span is found in constant time for any year.
 * Why:     a zone file lists the changes of the past; those to come follow from this. */
#ifndef TM_BASE_ZONE_RULE_H
#define TM_BASE_ZONE_RULE_H

#include "base/sqlite.h"

#include <stdbool.h>

/* Clocks of any zone are less than that far from UTC, either way: 26 hours, as in RFC 8536. */
#define TM_ZONE_OFFSET_MAX_S 93600

/* A stretch of time in which clocks show UTC + offset_s. */
typedef struct TmZoneSpan {
  sqlite3_int64 begin_s; /* TM_ZONE_BEGINNING where it always was so */
  sqlite3_int64 end_s;   /* its first second no more; TM_ZONE_END where it stays so */
  int offset_s;
} TmZoneSpan;

#define TM_ZONE_BEGINNING (-TM_ZONE_END)
#define TM_ZONE_END       ((sqlite3_int64)0x7fffffffffffffff)

typedef enum TmZoneDayKind {
  TM_ZONE_DAY_JULIAN,  /* Jn: day 1..365, February 29 never counted */
  TM_ZONE_DAY_OF_YEAR, /* n: day 0..365, February 29 counted */
  TM_ZONE_DAY_OF_WEEK  /* Mm.w.d: the w-th (5: last) weekday d of month m */
} TmZoneDayKind;

typedef struct TmZoneChange {
  TmZoneDayKind kind;
  int month, week;
  int day;    /* of the week for TM_ZONE_DAY_OF_WEEK */
  int time_s; /* behind that day's midnight, by the clocks before the change; may be negative */
} TmZoneChange;

typedef struct TmZoneRule {
  int standard_s;
  int saving_s;
  bool has_saving;
  /* In southern zones the start comes later in the year than the end. */
  TmZoneChange start, end;
} TmZoneRule;

/* std offset [dst [offset] , start [/time] , end [/time]]; names in letters or <...>. A rule with
 * daylight saving names its days: what POSIX leaves to the system is refused. */
bool tm_zone_rule_parse(const char *text, int n, TmZoneRule *out);

/* The span of this second, in the years 1000 to 29000. */
void tm_zone_rule_span(const TmZoneRule *rule, sqlite3_int64 utc_s, TmZoneSpan *out);

#endif
