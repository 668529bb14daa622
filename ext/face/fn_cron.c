/* fn_cron.c - when a schedule fires: tm_cron_next, and tm_cron as rows.
 * Owns:    the arguments of both.
 * Promise: reads nothing of the database: both work where there is no schema, in any
 *          transaction or none.
 * Why:     a spec is tried out before it is scheduled. */
#include "face/fn_cron.h"

#include "base/cron.h"
#include "face/args.h"
#include "face/verbs.h"

/* The spec in argument 0 and the zone, NULL for UTC, in argument `zone_arg`. */
static const TmZone *cron_read(TmCall *call, int zone_arg, TmCron *cron) {
  TmError *error = &call->run.error;
  TmText spec = tm_args_text(call, 0, "spec");
  if (!spec.z) {
    tm_error_set(error, TM_BAD_ARGUMENT, "spec is NULL, give cron fields or @daily and the like");
  }
  if (!tm_run_failed(&call->run)) tm_cron_parse(spec, cron, error);
  TmText name = tm_args_text(call, zone_arg, "zone");
  if (tm_run_failed(&call->run) || !name.z) return NULL;
  return tm_zones_get(&call->context->zones, name, error);
}

void fn_cron_next(TmCall *call) {
  TmCron cron = {0};
  const TmZone *zone = cron_read(call, 2, &cron);
  sqlite3_int64 after_ms = tm_args_int(call, 1, "after_ms", 0, TM_TIME_MAX_MS);
  if (tm_run_failed(&call->run)) return;
  sqlite3_int64 at_ms = tm_cron_next(&cron, zone, after_ms);
  if (at_ms != TM_CRON_NEVER) tm_call_result_int(call, at_ms);
}

void tm_cron_fill(TmRows *rows, int argc, sqlite3_value **argv) {
  static const TmVerb nothing = {.full = "tm_cron"};
  TmCall call;
  TmCron cron = {0};
  tm_call_init(&call, rows->run.context, &nothing, argc, argv);
  const TmZone *zone = cron_read(&call, 3, &cron);
  sqlite3_int64 at_ms = tm_args_int(&call, 1, "from_ms", 0, TM_TIME_MAX_MS);
  sqlite3_int64 count = tm_args_int(&call, 2, "count", 0, TM_CRON_COUNT_MAX);
  if (tm_run_failed(&call.run)) count = 0;
  while (count-- > 0 && !tm_run_failed(&rows->run)) {
    at_ms = tm_cron_next(&cron, zone, at_ms);
    if (at_ms == TM_CRON_NEVER) break;
    tm_rows_add_int(rows, at_ms);
  }
  if (tm_run_failed(&call.run)) {
    rows->run.error = call.run.error;
    call.run.error.message = NULL;
  }
  tm_call_clear(&call);
}
