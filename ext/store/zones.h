/* zones.h - the time zones that a connection has read lately.
 * Owns:    a few zones; a new one takes the place of the one read longest ago.
 * Promise: a zone is read again after a minute, so that an update of the system's files is
 *          seen by connections that stay open for months.
 * Why:     reading a zone takes some 7 us, finding a next time half of one. */
#ifndef TM_STORE_ZONES_H
#define TM_STORE_ZONES_H

#include "base/zone.h"

#define TM_ZONES_KEPT     4
#define TM_ZONES_FRESH_MS 60000

typedef struct TmZones {
  struct {
    TmZone *zone; /* NULL: the place is free */
    sqlite3_int64 read_ms;
    char name[TM_ZONE_NAME_MAX_BYTES + 1];
  } kept[TM_ZONES_KEPT];
  int oldest;
} TmZones;

/* The zone of this name, good until the next call; NULL and an error where there is none. */
const TmZone *tm_zones_get(TmZones *zones, TmText name, TmError *error);

void tm_zones_clear(TmZones *zones);

#endif
