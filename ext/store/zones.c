/* zones.c - the time zones that a connection has read lately.
 * Owns:    when a zone is read, and when it is read again.
 * Promise: what failed is not remembered: a zone installed later is found.
 * Why:     a ring, because so few names are compared faster than they are put in order. */
#include "store/zones.h"

#include "base/os.h"

static bool zones_has_name(const char *kept, TmText name) {
  return strncmp(kept, name.z, (size_t)name.n) == 0 && kept[name.n] == '\0';
}

const TmZone *tm_zones_get(TmZones *zones, TmText name, TmError *error) {
  sqlite3_int64 now_ms = tm_os_monotonic_us() / 1000;
  int place = zones->oldest;

  for (int i = 0; i < TM_ZONES_KEPT && name.n <= TM_ZONE_NAME_MAX_BYTES; i++) {
    if (!zones->kept[i].zone || !zones_has_name(zones->kept[i].name, name)) continue;
    if (now_ms - zones->kept[i].read_ms < TM_ZONES_FRESH_MS) return zones->kept[i].zone;
    place = i;
  }
  TmZone *zone = tm_zone_load(name, error);
  if (!zone) return NULL;
  tm_zone_free(zones->kept[place].zone);
  zones->kept[place].zone = zone;
  zones->kept[place].read_ms = now_ms;
  memcpy(zones->kept[place].name, name.z, (size_t)name.n);
  zones->kept[place].name[name.n] = '\0';
  if (place == zones->oldest) zones->oldest = (place + 1) % TM_ZONES_KEPT;
  return zone;
}

void tm_zones_clear(TmZones *zones) {
  for (int i = 0; i < TM_ZONES_KEPT; i++) tm_zone_free(zones->kept[i].zone);
  *zones = (TmZones){.oldest = 0};
}
