/* zone.c - time zones: what the clocks of a place show, and when.
 * Owns:    the format TZif, the search for files, and the two ways between UTC and clocks.
 * Promise: every count in a file is checked against its size before anything is read by it.
 * Why:     an object holds its changes and the rule of the years after them, and nothing
 *          else: the names and flags of a file mean nothing to a schedule. */
#include "base/zone.h"

#include "base/suggest.h"

#include <stdio.h>

typedef struct ZoneChange {
  sqlite3_int64 at_s;
  int offset_s; /* from then on */
} ZoneChange;

struct TmZone {
  int first_offset_s; /* before the first change */
  bool has_rule;
  TmZoneRule rule; /* after the last one */
  int count;
  ZoneChange changes[]; /* rising */
};

static const char *const zone_folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                           "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};

/* ---- the format ---------------------------------------------------------------------------
 *
 *   header  "TZif", version, 15 bytes unused, six counts of four bytes, big-endian
 *   data    times, a type for each, types (offset, is_dst, name), names, leap seconds, flags
 *   header, data, footer "\n" TZ "\n"      from version 2 on: the same in eight bytes a time */

enum { COUNT_ISUT, COUNT_ISSTD, COUNT_LEAP, COUNT_TIME, COUNT_TYPE, COUNT_CHAR, COUNT_OF };

#define ZONE_HEADER_BYTES 44
#define ZONE_TYPE_BYTES   6

typedef struct ZoneBlock {
  char version;
  int time_bytes;
  sqlite3_int64 counts[COUNT_OF];
  const unsigned char *data;
  const unsigned char *end; /* of the data */
} ZoneBlock;

static sqlite3_int64 zone_be32(const unsigned char *at) {
  return (sqlite3_int64)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static sqlite3_int64 zone_be32_signed(const unsigned char *at) {
  sqlite3_int64 value = zone_be32(at);

  return value > 0x7fffffff ? value - 0x100000000 : value;
}

static sqlite3_int64 zone_be64(const unsigned char *at) {
  return zone_be32_signed(at) * 0x100000000 + zone_be32(at + 4);
}

/* A header and the extent of its data; false where the bytes do not hold them. */
static bool zone_read_block(const unsigned char *at, const unsigned char *end, int time_bytes,
                            ZoneBlock *out) {
  sqlite3_int64 bytes = 0;

  if (end - at < ZONE_HEADER_BYTES || memcmp(at, "TZif", 4) != 0) return false;
  out->version = (char)at[4];
  out->time_bytes = time_bytes;
  for (int i = 0; i < COUNT_OF; i++) out->counts[i] = zone_be32(at + 20 + 4 * i);
  out->data = at + ZONE_HEADER_BYTES;
  bytes += out->counts[COUNT_TIME] * (time_bytes + 1);
  bytes += out->counts[COUNT_TYPE] * ZONE_TYPE_BYTES + out->counts[COUNT_CHAR];
  bytes += out->counts[COUNT_LEAP] * (time_bytes + 4);
  bytes += out->counts[COUNT_ISSTD] + out->counts[COUNT_ISUT];
  if (bytes > end - out->data) return false;
  out->end = out->data + bytes;
  return true;
}

/* What is wrong with the block, or NULL. */
static const char *zone_block_fault(const ZoneBlock *block) {
  sqlite3_int64 types = block->counts[COUNT_TYPE];

  if (types < 1 || types > 256) return "its types are not 1 to 256";
  if (block->counts[COUNT_LEAP] > 0)
    return "it counts leap seconds, give the name without 'right/'";
  return NULL;
}

/* The offset of a type, or one that no zone has. */
static int zone_type_offset(const ZoneBlock *block, sqlite3_int64 type) {
  sqlite3_int64 times = block->counts[COUNT_TIME];
  sqlite3_int64 offset_s;

  if (type >= block->counts[COUNT_TYPE]) return TM_ZONE_OFFSET_MAX_S + 1;
  offset_s =
      zone_be32_signed(block->data + times * (block->time_bytes + 1) + type * ZONE_TYPE_BYTES);
  if (offset_s < -TM_ZONE_OFFSET_MAX_S || offset_s > TM_ZONE_OFFSET_MAX_S) {
    return TM_ZONE_OFFSET_MAX_S + 1;
  }
  return (int)offset_s;
}

static const char *zone_read_changes(const ZoneBlock *block, TmZone *zone) {
  int count = (int)block->counts[COUNT_TIME];
  const unsigned char *types = block->data + count * block->time_bytes;

  zone->first_offset_s = zone_type_offset(block, 0);
  if (zone->first_offset_s > TM_ZONE_OFFSET_MAX_S) return "an offset is out of bounds";
  for (int i = 0; i < count; i++) {
    const unsigned char *at = block->data + i * block->time_bytes;
    ZoneChange *change = &zone->changes[i];
    change->at_s = block->time_bytes == 8 ? zone_be64(at) : zone_be32_signed(at);
    change->offset_s = zone_type_offset(block, types[i]);
    if (change->offset_s > TM_ZONE_OFFSET_MAX_S) return "an offset is out of bounds";
    if (i > 0 && change->at_s <= change[-1].at_s) return "its times do not rise";
  }
  zone->count = count;
  return NULL;
}

/* What lies between two newlines behind the data; empty where no rule is known. */
static const char *zone_read_footer(const unsigned char *at, const unsigned char *end,
                                    TmZone *zone) {
  const unsigned char *last;

  if (at == end || *at != '\n') return "its footer is missing";
  at++;
  last = memchr(at, '\n', (size_t)(end - at));
  if (last == NULL) return "its footer is missing";
  if (last == at) return NULL;
  zone->has_rule = tm_zone_rule_parse((const char *)at, (int)(last - at), &zone->rule);
  return zone->has_rule ? NULL : "its footer is no rule";
}

/* A zone, or NULL and the fault; NULL without a fault is out of memory. */
static TmZone *zone_parse(const unsigned char *bytes, int n, const char **fault) {
  const unsigned char *end = bytes + n;
  ZoneBlock block;
  TmZone *zone;

  *fault = "it is not of the format TZif";
  if (!zone_read_block(bytes, end, 4, &block)) return NULL;
  if (block.version != '\0' && !zone_read_block(block.end, end, 8, &block)) return NULL;
  *fault = zone_block_fault(&block);
  if (*fault != NULL) return NULL;
  zone = sqlite3_malloc64(sizeof *zone +
                          sizeof zone->changes[0] * (sqlite3_uint64)block.counts[COUNT_TIME]);
  if (zone == NULL) return NULL;
  *zone = (TmZone){0};
  *fault = zone_read_changes(&block, zone);
  if (*fault == NULL && block.time_bytes == 8) *fault = zone_read_footer(block.end, end, zone);
  if (*fault == NULL) return zone;
  sqlite3_free(zone);
  return NULL;
}

TmZone *tm_zone_read(const unsigned char *bytes, int n, TmText name, TmError *error) {
  const char *fault = NULL;
  TmZone *zone;

  if (error->rc != SQLITE_OK) return NULL;
  zone = zone_parse(bytes, n, &fault);
  if (zone != NULL) return zone;
  if (fault != NULL) {
    tm_error_set(error, TM_BAD_ARGUMENT, "the file of zone '%.*s' is of no use: %s", name.n, name.z,
                 fault);
  } else {
    tm_error_nomem(error);
  }
  return NULL;
}

void tm_zone_free(TmZone *zone) {
  sqlite3_free(zone);
}

/* ---- files -------------------------------------------------------------------------------- */

/* Letters, digits, _ + - and, between parts, one slash: no dot, so no way out of the folder. */
static bool zone_is_name(TmText name) {
  char before = '/';

  if (name.n < 1 || name.n > TM_ZONE_NAME_MAX_BYTES) return false;
  for (int i = 0; i < name.n; i++) {
    char byte = name.z[i];
    bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    bool is_other = (byte >= '0' && byte <= '9') || byte == '_' || byte == '+' || byte == '-';
    if (!is_letter && !is_other && byte != '/') return false;
    if (byte == '/' && before == '/') return false;
    before = byte;
  }
  return before != '/';
}

static FILE *zone_open(const char *folder, TmText name) {
  char path[512];

  sqlite3_snprintf((int)sizeof path, path, "%s/%.*s", folder, name.n, name.z);
  return fopen(path, "rb");
}

/* The bytes of the file, at most one over the limit; -1 where it cannot be read, as a folder. */
static int zone_read_file(const char *folder, TmText name, unsigned char *bytes) {
  FILE *file = zone_open(folder, name);
  size_t n;
  bool is_broken;

  if (file == NULL) return -1;
  n = fread(bytes, 1, TM_ZONE_FILE_MAX_BYTES + 1, file);
  is_broken = ferror(file) != 0;
  fclose(file);
  return is_broken ? -1 : (int)n;
}

/* Offer the names in tzdata.zi, the list of all zones: "Z name …" and "L of name". */
static void zone_offer_names(FILE *list, TmSuggest *suggest) {
  char line[256];

  while (fgets(line, (int)sizeof line, list) != NULL) {
    const char *name = line + 2;
    if (line[1] != ' ' || (line[0] != 'Z' && line[0] != 'L')) continue;
    if (line[0] == 'L') {
      name = strchr(name, ' ');
      if (name == NULL) continue;
      name++;
    }
    tm_suggest_offer(suggest, name, (int)strcspn(name, " \r\n"));
  }
}

static void zone_fail_unknown(const char *const *folders, int count, TmText name, TmError *error) {
  static const TmText list_name = {"tzdata.zi", 9};
  static const TmText utc_name = {"UTC", 3};
  bool has_zones = false;
  TmSuggest suggest;

  tm_suggest_init(&suggest, name.z, name.n);
  tm_suggest_offer(&suggest, utc_name.z, utc_name.n);
  for (int i = 0; i < count && !has_zones; i++) {
    FILE *list = zone_open(folders[i], list_name);
    FILE *utc = zone_open(folders[i], utc_name);
    has_zones = utc != NULL;
    if (list != NULL) zone_offer_names(list, &suggest);
    if (list != NULL) fclose(list);
    if (utc != NULL) fclose(utc);
  }
  if (!has_zones) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "no zone '%.*s': this system has no zone files, install the package tzdata",
                 name.n, name.z);
  } else if (tm_suggest_best(&suggest) != NULL) {
    tm_error_set(error, TM_BAD_ARGUMENT, "no zone '%.*s', did you mean '%s'?", name.n, name.z,
                 tm_suggest_best(&suggest));
  } else {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "no zone '%.*s', give an IANA name such as 'Europe/Berlin'", name.n, name.z);
  }
}

TmZone *tm_zone_load_from(const char *const *folders, int count, TmText name, TmError *error) {
  TmZone *zone = NULL;
  unsigned char *bytes;
  int n = -1;

  if (error->rc != SQLITE_OK) return NULL;
  if (!zone_is_name(name)) {
    tm_error_set(error, TM_BAD_ARGUMENT,
                 "zone '%.*s' is no name of a zone, give an IANA name such as 'Europe/Berlin'",
                 name.n < TM_ZONE_NAME_MAX_BYTES ? name.n : TM_ZONE_NAME_MAX_BYTES, name.z);
    return NULL;
  }
  if (name.n == 3 && memcmp(name.z, "UTC", 3) == 0) {
    zone = sqlite3_malloc64(sizeof *zone);
    if (zone == NULL) {
      tm_error_nomem(error);
    } else {
      *zone = (TmZone){0};
    }
    return zone;
  }
  bytes = sqlite3_malloc64(TM_ZONE_FILE_MAX_BYTES + 1);
  if (bytes == NULL) {
    tm_error_nomem(error);
    return NULL;
  }
  for (int i = 0; i < count && n < 0; i++) n = zone_read_file(folders[i], name, bytes);
  if (n > TM_ZONE_FILE_MAX_BYTES) {
    tm_error_set(error, TM_BAD_ARGUMENT, "the file of zone '%.*s' is of no use: over %d bytes",
                 name.n, name.z, TM_ZONE_FILE_MAX_BYTES);
  } else if (n >= 0) {
    zone = tm_zone_read(bytes, n, name, error);
  } else {
    zone_fail_unknown(folders, count, name, error);
  }
  sqlite3_free(bytes);
  return zone;
}

TmZone *tm_zone_load(TmText name, TmError *error) {
  return tm_zone_load_from(zone_folders, (int)(sizeof zone_folders / sizeof zone_folders[0]), name,
                           error);
}

/* ---- clocks ------------------------------------------------------------------------------- */

/* How many changes have happened by this second. */
static int zone_changes_until(const TmZone *zone, sqlite3_int64 utc_s) {
  int low = 0;
  int high = zone->count;

  while (low < high) {
    int middle = low + (high - low) / 2;
    if (zone->changes[middle].at_s <= utc_s) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void tm_zone_span(const TmZone *zone, sqlite3_int64 utc_s, TmZoneSpan *out) {
  int passed;

  *out = (TmZoneSpan){TM_ZONE_BEGINNING, TM_ZONE_END, 0};
  if (zone == NULL) return;
  passed = zone_changes_until(zone, utc_s);
  if (passed == zone->count && zone->has_rule) {
    tm_zone_rule_span(&zone->rule, utc_s, out);
    if (passed > 0 && out->begin_s < zone->changes[passed - 1].at_s) {
      out->begin_s = zone->changes[passed - 1].at_s;
    }
    return;
  }
  out->offset_s = passed > 0 ? zone->changes[passed - 1].offset_s : zone->first_offset_s;
  if (passed > 0) out->begin_s = zone->changes[passed - 1].at_s;
  if (passed < zone->count) out->end_s = zone->changes[passed].at_s;
}

/* Earlier spans count as far back as clocks of the highest offset could still be ahead. */
sqlite3_int64 tm_zone_latest(const TmZone *zone, sqlite3_int64 utc_s) {
  TmZoneSpan span;
  sqlite3_int64 latest;

  tm_zone_span(zone, utc_s, &span);
  latest = utc_s + span.offset_s;
  while (span.begin_s > utc_s - 2 * TM_ZONE_OFFSET_MAX_S) {
    sqlite3_int64 last_s = span.begin_s - 1;
    tm_zone_span(zone, last_s, &span);
    if (last_s + span.offset_s > latest) latest = last_s + span.offset_s;
  }
  return latest;
}

/* Before `at_s` no clock of any zone can show the time. */
sqlite3_int64 tm_zone_moment(const TmZone *zone, sqlite3_int64 local_s) {
  sqlite3_int64 at_s = local_s - TM_ZONE_OFFSET_MAX_S;
  TmZoneSpan span;

  for (;;) {
    tm_zone_span(zone, at_s, &span);
    if (local_s - span.offset_s > at_s) at_s = local_s - span.offset_s;
    if (at_s < span.end_s) return at_s;
    at_s = span.end_s;
  }
}
