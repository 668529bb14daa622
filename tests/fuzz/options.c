/* options.c - the target `options`: one text as the options of every call that takes some. */
#include "fuzz.h"

#include <string.h>

const char *const fuzz_options_calls[] = {
    "SELECT tm_enqueue('q', 1, ?1)",
    "SELECT tm_enqueue('f', 1, ?1)",
    "SELECT tm_claim('q', 'w', ?1)",
    "SELECT tm_claim(?1, 'w')",
    "SELECT tm_heartbeat(1, 1, ?1)",
    "SELECT tm_cancel(2, 'why', ?1)",
    "SELECT tm_reschedule(6, ?1)",
    "SELECT tm_depend(5, 4, ?1)",
    "SELECT tm_schedule('u', '@daily', 'q', 1, ?1)",
    "SELECT tm_schedule('s', '@hourly', 'q', 1, ?1)",
    "SELECT tm_fail(1, 1, 'broken', ?1)",
    "SELECT tm_retry(9, ?1)",
    "SELECT count(*) FROM tm_select(?1)",
    "SELECT tm_cancel_where(?1, 'why', '{\"children\":true}')",
    "SELECT tm_cancel_where('{\"queue\":\"f\"}', NULL, ?1)",
    "SELECT tm_retry_where(?1)",
    "SELECT tm_hold_where(?1)",
    "SELECT tm_unhold_where(?1)",
    "SELECT tm_reschedule_where(?1, 60)",
    "SELECT tm_delete_where(?1)",
    "SELECT tm_tick(?1)",
    "SELECT tm_prune(?1)",
    "SELECT tm_schedule('v', '@every 90s', 'q', ?1, ?1)",
    NULL,
};

/* A text that we take for JSON is one for SQLite, too. */
static void options_agree(sqlite3 *db, const FuzzValue *text) {
  char *is_valid, *got;
  fuzz_ask(db, "SELECT json_valid(?1)", text, 1, &is_valid);
  int rc = fuzz_ask(db, "SELECT tm_tick(?1)", text, 1, &got);
  if (rc == SQLITE_OK && is_valid && strcmp(is_valid, "0") == 0)
    fuzz_fail("options", "no JSON, but taken");
  sqlite3_free(is_valid);
  sqlite3_free(got);
}

void fuzz_options(const uint8_t *data, size_t size) {
  FuzzValue text = fuzz_text(data, size);
  sqlite3 *db = fuzz_take(data, size);
  for (size_t i = 0; fuzz_options_calls[i]; i++) fuzz_run(db, fuzz_options_calls[i], &text, 1);
  fuzz_run(db, "INSERT INTO tm_command (verb, arg1, arg2, arg3) SELECT 'enqueue', 'z', 1, ?1",
           &text, 1);
  if (size > 0) options_agree(db, &text);
  fuzz_sound(db);
  fuzz_give(db);
}
