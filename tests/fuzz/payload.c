/* payload.c - the target `payload`: bytes as payload, result, error, note and as each name.
 * Promise: what is stored is what was given, byte for byte and type for type, and every JSON that a
 *          verb answers is JSON. */
#include "fuzz.h"

#include <string.h>

/* Each gives 1, or nothing where the value is refused. */
static const char *const payload_truths[] = {
    "WITH new AS MATERIALIZED (SELECT tm_enqueue('q', ?1) AS id) SELECT payload IS ?1 AND "
    "typeof(payload) = typeof(?1) FROM new JOIN tm_task USING (id)",
    "WITH done AS MATERIALIZED (SELECT tm_complete(1, 1, ?1)) SELECT result IS ?1 AND "
    "typeof(result) = typeof(?1) FROM done, tm_task WHERE id = 1",
    "SELECT json_valid(tm_get(1))",
    "SELECT json_valid(tm_inputs(2))",
    "SELECT json_valid(tm_claim('q', ?1))",
    "SELECT json_valid(tm_claim('q', 'w', '{\"count\":9}'))",
    "SELECT tm_fail(8, 2, ?1) IN ('retryable', 'discarded') FROM (SELECT tm_retry(8), "
    "tm_claim('r', 'w', '{\"id\":8}'))",
    "SELECT json_valid(tm_get(8))",
    "SELECT json_valid(tm_reconcile(?1))",
    "SELECT tm_cancel(4, ?1) IN ('cancelled', 'cancelling')",
    "SELECT json_valid(tm_get(tm_enqueue(?1, ?1)))",
    "SELECT json_valid(tm_get(tm_enqueue('q', 1, json_object('kind', ?1, 'tags', json_array(?1, "
    "'x', ?1)))))",
    "SELECT json_valid(tm_get(tm_enqueue('q', 1, json_object('metadata', json_object(?1, ?1)))))",
    "SELECT json_valid(tm_get(tm_enqueue('q', 1, json_object('partition', ?1, 'group', ?1))))",
    "SELECT json_valid(tm_get(tm_enqueue('q', ?1, json_object('unique', ?1))))",
    "SELECT json_valid(tm_get(tm_enqueue('q', ?1, "
    "'{\"unique\":{\"fields\":[\"payload\",\"queue\"]}}')))",
    "SELECT count(*) = count(id) FROM tm_select(json_object('payload', json_object(?1, ?1)))",
    "SELECT count(*) = count(id) FROM tm_select(json_object('error_like', ?1, 'tags', "
    "json_array(?1)))",
    "SELECT tm_schedule(?1, '@hourly', 'q', ?1) > 0",
    "SELECT tm_unschedule(?1)",
    "SELECT tm_seal(?1)",
    "SELECT tm_pause(?1) AND tm_resume(?1)",
};

/* Text without an end inside that is no JSON itself comes back as it was. */
static const char *const payload_json =
    "SELECT json_extract(tm_get(tm_enqueue('q', ?1)), '$.payload') IS ?1";

static bool payload_is_plain(const uint8_t *data, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (data[i] == 0 || data[i] >= 0x80) return false;
  }
  return size > 0 && data[0] != '{' && data[0] != '[' && data[0] > ' ';
}

static void payload_ask(sqlite3 *db, const char *sql, const FuzzValue *value) {
  char *text;
  int rc = fuzz_ask(db, sql, value, 1, &text);
  if (rc == SQLITE_OK && text && strcmp(text, "1") != 0) fuzz_fail("payload", sql);
  sqlite3_free(text);
}

void fuzz_payload(const uint8_t *data, size_t size) {
  FuzzValue values[2] = {fuzz_text(data, size), {.type = FUZZ_BLOB, .bytes = data, .size = size}};
  sqlite3 *db = fuzz_take(data, size);
  for (int i = 0; i < 2; i++) {
    for (size_t j = 0; j < sizeof payload_truths / sizeof *payload_truths; j++) {
      payload_ask(db, payload_truths[j], &values[i]);
    }
    if (i == 0 && payload_is_plain(data, size)) payload_ask(db, payload_json, &values[i]);
  }
  fuzz_sound(db);
  fuzz_give(db);
}
