/* zone_changes.c - every change of the clocks of some zones, one a line.
 *
 *   zone_changes FROM_S TO_S ZONE...
 *
 * Prints `ZONE AT_S BEFORE_S AFTER_S` for each second in [FROM_S, TO_S) at which the offset from
 * UTC becomes another one. */
#include "base/zone.h"

#include <stdio.h>
#include <stdlib.h>

static bool print_changes(sqlite3_int64 from_s, sqlite3_int64 to_s, const char *name) {
  TmError error;
  TmZone *zone;
  TmZoneSpan before, after;

  tm_error_init(&error, "zone_changes");
  zone = tm_zone_load(tm_text_of(name), &error);
  if (zone == NULL) {
    fprintf(stderr, "%s\n", error.message != NULL ? error.message : "out of memory");
    tm_error_clear(&error);
    return false;
  }
  tm_zone_span(zone, from_s, &before);
  while (before.end_s < to_s) {
    tm_zone_span(zone, before.end_s, &after);
    if (after.offset_s != before.offset_s) {
      printf("%s %lld %d %d\n", name, before.end_s, before.offset_s, after.offset_s);
    }
    before = after;
  }
  tm_zone_free(zone);
  return true;
}

int main(int argc, char **argv) {
  bool is_good = argc > 2;

  for (int i = 3; i < argc && is_good; i++) {
    is_good = print_changes(atoll(argv[1]), atoll(argv[2]), argv[i]);
  }
  return is_good ? 0 : 1;
}
