/* calendar.c - days and dates of the Gregorian calendar.
 * Owns:    one formula, from a date to a day; the other way is a guess and a step.
 * Promise: no loop longer than a year's months.
 * Why:     counted from March, as in Howard Hinnant's "chrono-compatible low-level date
 *          algorithms", a year ends with its leap day, and months need no table. */
#include "base/calendar.h"

#include <stdbool.h>

/* Days from 0000-03-01, where the formula starts, to 1970-01-01. */
#define CALENDAR_EPOCH_DAY 719468
/* The Gregorian calendar repeats after 400 years. */
#define CALENDAR_CYCLE_YEARS 400
#define CALENDAR_CYCLE_DAYS  146097

static bool calendar_is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

sqlite3_int64 tm_calendar_days(int year, int month, int day) {
  sqlite3_int64 from_march = (month + 9) % 12;
  sqlite3_int64 march_year = month <= 2 ? year - 1 : year;
  /* March, May, July, August and so on have 31 days: 153 in each five months. */
  sqlite3_int64 before_month = (153 * from_march + 2) / 5;
  sqlite3_int64 leap_days = march_year / 4 - march_year / 100 + march_year / 400;

  return march_year * 365 + leap_days + before_month + (day - 1) - CALENDAR_EPOCH_DAY;
}

int tm_calendar_month_days(int year, int month) {
  if (month == 2) return calendar_is_leap(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

TmDate tm_calendar_date(sqlite3_int64 days) {
  /* At most one year off, either way. */
  TmDate date = {(int)(1970 + days * CALENDAR_CYCLE_YEARS / CALENDAR_CYCLE_DAYS), 1, 1};

  if (tm_calendar_days(date.year, 1, 1) > days) date.year--;
  if (tm_calendar_days(date.year + 1, 1, 1) <= days) date.year++;
  date.day = (int)(days - tm_calendar_days(date.year, 1, 1)) + 1;
  while (date.day > tm_calendar_month_days(date.year, date.month)) {
    date.day -= tm_calendar_month_days(date.year, date.month);
    date.month++;
  }
  return date;
}

int tm_calendar_weekday(sqlite3_int64 days) {
  int weekday = (int)((days + 4) % 7); /* 1970-01-01 was a Thursday */

  return weekday < 0 ? weekday + 7 : weekday;
}
