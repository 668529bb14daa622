/* cron.c - when a schedule fires next.
 * Owns:    the days that fit in a month, and the search over months, days and the times of a
 *          day; cron_parse.c reads specs.
 * Promise: at most one pass over the months of 40 years: the rarest day that any spec can
 *          name, a February 29 on one day of the week, comes that often.
 * Why:     clocks go back by one rule (zone.h), so the search knows clocks that never
 *          change, and the zone turns its one answer into a moment. */
#include "base/cron.h"

#include "base/calendar.h"

#define CRON_YEAR_MAX                                                                              \
  10000 /* what clocks ahead of UTC show before the last second of 9999 is over */

/* A month as its pattern of days: that is all that the days of a spec depend on. */
typedef struct CronMonth {
  int length;
  int first; /* the weekday of its first day */
} CronMonth;

static int cron_lowest_bit(uint64_t bits) {
  int n = 0;

  while ((bits >> n & 1) == 0) n++;
  return n;
}

/* The lowest value >= from, or -1. No value of a field, nor one more, reaches 64. */
static int cron_next_value(uint64_t values, int from) {
  uint64_t left = values >> from;

  return left == 0 ? -1 : from + cron_lowest_bit(left);
}

/* The Monday to Friday nearest to a day, in the same month. */
static int cron_nearest(CronMonth month, int day) {
  int weekday = (month.first + day - 1) % 7;

  if (weekday == 6) return day > 1 ? day - 1 : day + 2;
  if (weekday == 0) return day < month.length ? day + 1 : day - 2;
  return day;
}

static uint32_t cron_days_by_date(const TmCron *cron, CronMonth month) {
  uint32_t days = cron->days;

  for (int n = 0; cron->days_to_last >> n != 0 && n < month.length; n++) {
    if (cron->days_to_last >> n & 1) days |= (uint32_t)1 << (month.length - n);
  }
  if (cron->days_near & 1) days |= (uint32_t)1 << cron_nearest(month, month.length);
  for (int day = 1; day <= month.length && cron->days_near >> day != 0; day++) {
    if (cron->days_near >> day & 1) days |= (uint32_t)1 << cron_nearest(month, day);
  }
  return days;
}

static uint32_t cron_days_by_weekday(const TmCron *cron, CronMonth month) {
  const uint32_t weeks = 1u | 1u << 7 | 1u << 14 | 1u << 21 | 1u << 28;
  uint32_t days = 0;

  for (int weekday = 0; weekday < 7; weekday++) {
    int first = 1 + (weekday - month.first + 7) % 7;
    int last = first + (month.length - first) / 7 * 7;
    if (cron->weekdays >> weekday & 1) days |= weeks << first;
    if (cron->weekdays_last >> weekday & 1) days |= (uint32_t)1 << last;
    for (int k = 0; k < 5 && first + 7 * k <= month.length; k++) {
      if (cron->weekdays_nth[k] >> weekday & 1) days |= (uint32_t)1 << (first + 7 * k);
    }
  }
  return days;
}

/* Bit d: day d of such a month fits. */
static uint32_t cron_days(const TmCron *cron, CronMonth month) {
  uint32_t by_date = cron_days_by_date(cron, month);
  uint32_t by_weekday = cron_days_by_weekday(cron, month);
  uint32_t days = cron->fits_either ? by_date | by_weekday : by_date & by_weekday;
  /* Bits 1 to length; there is no shift by 32. */
  uint32_t all = (((uint32_t)1 << (month.length - 1)) - 1) << 2 | 2;

  return days & all;
}

/* Every pattern comes: in 400 years a month of either length begins with each weekday. */
bool tm_cron_can_fire(const TmCron *cron) {
  for (int year = 2000; year <= 2001; year++) {
    for (int month = 1; month <= 12; month++) {
      CronMonth pattern = {tm_calendar_month_days(year, month), 0};
      if ((cron->months >> month & 1) == 0) continue;
      for (pattern.first = 0; pattern.first < 7; pattern.first++) {
        if (cron_days(cron, pattern) != 0) return true;
      }
    }
  }
  return false;
}

/* The first day >= `from` (since 1970) that fits; false where there is none. */
static bool cron_next_day(const TmCron *cron, sqlite3_int64 from, sqlite3_int64 *out) {
  TmDate date = tm_calendar_date(from);

  for (; date.year <= CRON_YEAR_MAX; date.year++, date.month = 1, date.day = 1) {
    for (; date.month <= 12; date.month++, date.day = 1) {
      sqlite3_int64 first;
      CronMonth month;
      int day;
      if ((cron->months >> date.month & 1) == 0) continue;
      first = tm_calendar_days(date.year, date.month, 1);
      month.length = tm_calendar_month_days(date.year, date.month);
      month.first = tm_calendar_weekday(first);
      day = cron_next_value(cron_days(cron, month), date.day);
      if (day < 0) continue;
      *out = first + day - 1;
      return true;
    }
  }
  return false;
}

/* The first time of a day >= `from`, in seconds, or -1. */
static int cron_next_time(const TmCron *cron, int from) {
  int hour = from / 3600;
  int minute = from / 60 % 60;
  int second = cron_next_value(cron->seconds, from % 60);

  if (second < 0) {
    minute++;
    second = cron_lowest_bit(cron->seconds);
  }
  if (minute >= 60 || (cron->hours >> hour & 1) == 0) {
    hour = cron_next_value(cron->hours, hour + 1);
    minute = -1;
  } else {
    int next = cron_next_value(cron->minutes, minute);
    if (next < 0) hour = cron_next_value(cron->hours, hour + 1);
    if (next != minute) second = cron_lowest_bit(cron->seconds);
    minute = next;
  }
  if (hour < 0) return -1;
  if (minute < 0) {
    minute = cron_lowest_bit(cron->minutes);
    second = cron_lowest_bit(cron->seconds);
  }
  return hour * 3600 + minute * 60 + second;
}

/* The first time of the clocks after `local_s` that the spec names; false where there is none. */
static bool cron_next_local(const TmCron *cron, sqlite3_int64 local_s, sqlite3_int64 *out) {
  sqlite3_int64 from = local_s + 1;
  sqlite3_int64 today = tm_calendar_day_of(from);
  sqlite3_int64 day;
  int time = -1;

  if (!cron_next_day(cron, today, &day)) return false;
  if (day == today) time = cron_next_time(cron, (int)(from - today * TM_DAY_S));
  if (time < 0) {
    if (day == today && !cron_next_day(cron, today + 1, &day)) return false;
    time = cron_next_time(cron, 0);
  }
  *out = day * TM_DAY_S + time;
  return true;
}

/* The first start_ms + n * every_ms behind after_ms, n of any sign. */
static sqlite3_int64 cron_next_every(const TmCron *cron, sqlite3_int64 after_ms) {
  sqlite3_int64 since_ms = (after_ms - cron->start_ms) % cron->every_ms;

  if (since_ms < 0) since_ms += cron->every_ms;
  return after_ms - since_ms + cron->every_ms;
}

sqlite3_int64 tm_cron_next(const TmCron *cron, const TmZone *zone, sqlite3_int64 after_ms) {
  sqlite3_int64 at_ms;
  sqlite3_int64 local_s;

  if (cron->every_ms > 0) {
    at_ms = cron_next_every(cron, after_ms);
  } else {
    /* A time of the clocks fires after this second if no clock has shown it or a later one yet. */
    if (!cron_next_local(cron, tm_zone_latest(zone, after_ms / 1000), &local_s)) {
      return TM_CRON_NEVER;
    }
    at_ms = tm_zone_moment(zone, local_s) * 1000;
  }
  return at_ms <= TM_TIME_MAX_MS ? at_ms : TM_CRON_NEVER;
}

/* It fires `count` times after at_ms, up to until_ms. */
static bool cron_fires(const TmCron *cron, const TmZone *zone, sqlite3_int64 at_ms,
                       sqlite3_int64 until_ms, int count) {
  for (int i = 0; i < count; i++) {
    at_ms = tm_cron_next(cron, zone, at_ms);
    if (at_ms == TM_CRON_NEVER || at_ms > until_ms) return false;
  }
  return true;
}

sqlite3_int64 tm_cron_newest(const TmCron *cron, const TmZone *zone, sqlite3_int64 at_ms,
                             sqlite3_int64 until_ms, int count) {
  sqlite3_int64 end_ms = until_ms;

  if (!cron_fires(cron, zone, at_ms, until_ms, count)) return at_ms;
  /* So often it fires after at_ms, and not after end_ms. */
  while (end_ms - at_ms > 1) {
    sqlite3_int64 middle_ms = at_ms + (end_ms - at_ms) / 2;
    if (cron_fires(cron, zone, middle_ms, until_ms, count)) {
      at_ms = middle_ms;
    } else {
      end_ms = middle_ms;
    }
  }
  return end_ms;
}
