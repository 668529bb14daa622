/* zone.h - time zones: what the clocks of a place show, and when.
 * Owns:    IANA zones from the system's files (TZif, RFC 8536, versions 1 to 4).
 * Promise: never localtime() nor the environment: TZ and TZDIR belong to the process, are
 *          written by other threads, and must not change what a database answers.
 *          A name can reach no file outside the zone folders; a damaged file is an error.
 * Why:     one rule serves gaps and overlaps: a time of the clocks stands for the first
 *          moment at which they show it or a later one. */
#ifndef TM_BASE_ZONE_H
#define TM_BASE_ZONE_H

#include "base/error.h"
#include "base/value.h"
#include "base/zone_rule.h"

#define TM_ZONE_NAME_MAX_BYTES 64
#define TM_ZONE_FILE_MAX_BYTES 65536

/* Freed by tm_zone_free(). A NULL zone is UTC in all functions below. */
typedef struct TmZone TmZone;

/* The zone of this name; 'UTC' needs no file. NULL and an error [bad_argument] for a name that is
 * none, an unknown zone (with the nearest name), a system without zone files, a damaged file. */
TmZone *tm_zone_load(TmText name, TmError *error);

/* The same from folders of the caller's choice, in which it is looked for in turn. */
TmZone *tm_zone_load_from(const char *const *folders, int count, TmText name, TmError *error);

/* The zone in the bytes of a file; `name` is for the error. */
TmZone *tm_zone_read(const unsigned char *bytes, int n, TmText name, TmError *error);

void tm_zone_free(TmZone *zone);

/* The span of this second, in the years 1000 to 29000 as all times here. Local times are what the
 * clocks show, as seconds since their own 1970-01-01T00:00:00. */
void tm_zone_span(const TmZone *zone, sqlite3_int64 utc_s, TmZoneSpan *out);

/* The latest time that the clocks have shown up to this second. In the hour that is repeated this
 * is the last one before clocks went back. */
sqlite3_int64 tm_zone_latest(const TmZone *zone, sqlite3_int64 utc_s);

/* The first second at which the clocks show this time or a later one. A time that they show twice
 * is the first of the two, one that they skip is the moment at which they skip it. */
sqlite3_int64 tm_zone_moment(const TmZone *zone, sqlite3_int64 local_s);

#endif
