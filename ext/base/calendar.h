/* calendar.h - days and dates of the Gregorian calendar.
 * Owns:    the count of days since 1970-01-01, both ways, and the days of the week.
 * Promise: right for the years 0 to 30000; no state, no tables of the C library.
 * Why:     gmtime() and mktime() differ between systems, and read the environment. */
#ifndef TM_BASE_CALENDAR_H
#define TM_BASE_CALENDAR_H

#include "base/sqlite.h"

#define TM_DAY_S ((sqlite3_int64)86400)

typedef struct TmDate {
  int year;
  int month; /* 1..12 */
  int day;   /* 1..31 */
} TmDate;

/* Days since 1970-01-01. The day may lie outside its month: January 32 is February 1. */
sqlite3_int64 tm_calendar_days(int year, int month, int day);

/* The date so many days after 1970-01-01. */
TmDate tm_calendar_date(sqlite3_int64 days);

/* 28..31. */
int tm_calendar_month_days(int year, int month);

/* 0 (Sunday) .. 6 */
int tm_calendar_weekday(sqlite3_int64 days);

/* The day of a second, also before 1970. */
static inline sqlite3_int64 tm_calendar_day_of(sqlite3_int64 seconds) {
  return seconds / TM_DAY_S - (seconds % TM_DAY_S < 0 ? 1 : 0);
}

#endif
