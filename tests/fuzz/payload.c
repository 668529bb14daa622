/* payload.c - the target `payload`: bytes, as text and as a blob, as payload, result, error, note
 * and as each name. Owns:    who takes which bytes: the rules in payload_takes. Promise: what may
 * be given is taken, and stored byte for byte and type for type; every JSON that a verb answers is
 * JSON; what may not be given is refused with one of the symbols for that. Why:     each chain of
 * calls begins anew, for the text and for the blob: after one of them the task of the other would
 * be in no state for it. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_NAME_BYTES 255
#define PAYLOAD_KEY_BYTES  1000

/* What a call takes: any value; any text; text of 1 to so many bytes without NUL, as a name or as a
 * unique key; a filter, where the bytes say themselves whether they make sense; and, of text that
 * is no JSON and of ASCII alone, what JSON gives back. */
typedef enum PayloadRule { ANY, TEXT, NAME, KEY, FILTER, PLAIN } PayloadRule;

/* The call gives a value, ?2 of what must then be true; NULL: its own value must be 1. A rule alone
 * ends a chain: the database is looked at, and goes back. */
typedef struct PayloadTruth {
  PayloadRule rule;
  const char *call;
  const char *truth;
} PayloadTruth;

#define PAYLOAD_NEWEST                                                                             \
  "SELECT id = ?2 AND payload IS ?1 AND typeof(payload) = typeof(?1) AND json_valid(tm_get(?2)) "  \
  "FROM tm_task ORDER BY id DESC LIMIT 1"

static const PayloadTruth payload_truths[] = {
    {ANY, "SELECT tm_enqueue('q', ?1)", PAYLOAD_NEWEST},
    {ANY, "INSERT INTO tm_command (verb, arg1, arg2) VALUES ('enqueue', 'q', ?1)",
     "SELECT payload IS ?1 AND typeof(payload) = typeof(?1) AND id = last_insert_rowid() FROM "
     "tm_task ORDER BY id DESC LIMIT 1"},
    {ANY, "INSERT INTO tm_inbox (queue, payload) VALUES ('q', ?1)",
     "SELECT payload IS ?1 AND typeof(payload) = typeof(?1) FROM tm_task ORDER BY id DESC LIMIT 1"},
    {ANY, "SELECT tm_complete(1, 1, ?1)",
     "SELECT ?2 = 'completed' AND result IS ?1 AND typeof(result) = typeof(?1) AND "
     "json_valid(tm_get(1)) AND json_valid(tm_inputs(2)) FROM tm_task WHERE id = 1"},
    {ANY, "SELECT tm_enqueue('q', ?1, '{\"unique\":{\"fields\":[\"payload\",\"queue\"]}}')",
     "SELECT tm_enqueue('q', ?1, '{\"unique\":{\"fields\":[\"payload\",\"queue\"]}}') = ?2 AND "
     "json_valid(tm_get(?2))"},
    {NAME, "SELECT tm_enqueue(?1, ?1)", PAYLOAD_NEWEST},
    {NAME, "SELECT tm_enqueue(?1, 1)",
     "SELECT id = ?2 AND queue IS ?1 FROM tm_task ORDER BY id DESC LIMIT 1"},
    {NAME, "SELECT tm_pause(?1) AND tm_resume(?1)", NULL},
    {NAME, "SELECT tm_schedule(?1, '@hourly', 'q', ?1)",
     "SELECT next_ms = ?2 AND payload IS ?1 FROM tm_schedule WHERE name = ?1"},
    {NAME, "SELECT tm_pause_schedule(?1) AND tm_resume_schedule(?1) AND tm_unschedule(?1)", NULL},
    {NAME, "SELECT tm_enqueue('q', ?1, json_object('kind', ?1, 'tags', json_array(?1, 'x', ?1)))",
     "SELECT id = ?2 AND kind IS ?1 AND json_valid(tags) AND json_valid(tm_get(?2)) FROM tm_task "
     "ORDER BY id DESC LIMIT 1"},
    {TEXT, "SELECT tm_enqueue('q', ?1, json_object('metadata', json_object(?1, ?1)))",
     "SELECT id = ?2 AND json_valid(metadata) AND json_valid(tm_get(?2)) FROM tm_task ORDER BY id "
     "DESC LIMIT 1"},
    {NAME, "SELECT tm_enqueue('q', 1, json_object('partition', ?1, 'group', ?1))",
     "SELECT partition IS ?1 AND in_group IS ?1 AND json_valid(tm_get(?2)) FROM tm_flow WHERE "
     "task_id = ?2"},
    {NAME, "SELECT tm_seal(?1)", NULL},
    {KEY, "SELECT tm_enqueue('q', 1, json_object('unique', ?1))",
     "SELECT tm_enqueue('q', 2, json_object('unique', ?1)) = ?2 AND json_valid(tm_get(?2))"},
    {TEXT, "SELECT tm_cancel(4, ?1, '{}')",
     "SELECT ?2 = 'cancelled' AND reason IS ?1 AND json_valid(tm_get(4)) FROM tm_task WHERE id = "
     "4"},
    {NAME, "SELECT tm_claim('q', ?1)",
     "SELECT json_valid(?2) AND count(*) FROM tm_task WHERE worker IS ?1 AND state = 'running'"},
    {ANY, "SELECT json_valid(tm_claim('q', 'w', '{\"count\":9}')) AND ?1 IS NOT NULL", NULL},
    {PLAIN, "SELECT json_extract(tm_get(tm_enqueue('q', ?1)), '$.payload') IS ?1", NULL},
    {FILTER,
     "SELECT count(*) = count(id) FROM tm_select(json_object('payload', json_object(?1, ?1)))",
     NULL},
    {FILTER,
     "SELECT count(*) = count(id) FROM tm_select(json_object('error_like', ?1, 'tags', "
     "json_array(?1)))",
     NULL},
    {.rule = ANY},
    {TEXT, "SELECT tm_heartbeat(1, 1, json_object('note', ?1))",
     "SELECT ?2 = 'running' AND note IS ?1 AND json_valid(tm_get(1)) FROM tm_task WHERE id = 1"},
    {TEXT, "SELECT tm_fail(1, 1, ?1)",
     "SELECT ?2 = 'retryable' AND error IS ?1 AND json_valid(tm_get(1)) FROM tm_attempt WHERE "
     "task_id = 1"},
    {NAME, "SELECT json_valid(tm_reconcile(?1))", NULL},
    {.rule = ANY},
};

static bool payload_is_plain(const FuzzValue *value) {
  for (size_t i = 0; i < value->size; i++) {
    if (value->bytes[i] == 0 || value->bytes[i] >= 0x80) return false;
  }
  return value->size > 0 && value->bytes[0] != '{' && value->bytes[0] != '[' &&
         value->bytes[0] > ' ';
}

static bool payload_is_name(const FuzzValue *value, size_t most) {
  return value->size > 0 && value->size <= most && !memchr(value->bytes, 0, value->size);
}

static bool payload_takes(PayloadRule rule, const FuzzValue *value) {
  bool is_text = value->type == FUZZ_TEXT;
  switch (rule) {
  case ANY: return true;
  case TEXT: return is_text;
  case NAME: return is_text && payload_is_name(value, PAYLOAD_NAME_BYTES);
  case KEY: return is_text && payload_is_name(value, PAYLOAD_KEY_BYTES);
  case PLAIN: return is_text && payload_is_plain(value);
  case FILTER: break;
  }
  return false;
}

/* By us, or by SQLite's own JSON functions where the bytes came through them. */
static bool payload_is_refusal(const char *message) {
  return strstr(message, "[bad_argument]") || strstr(message, "[too_large]") ||
         strcmp(message, "JSON cannot hold BLOB values") == 0 ||
         strcmp(message, "json_object() labels must be TEXT") == 0;
}

_Noreturn static void payload_fail(sqlite3 *db, const char *sql, const char *got) {
  fprintf(stderr, "fuzz: %s: got %s, %s\n", sql, got ? got : "NULL", sqlite3_errmsg(db));
  fuzz_fail("payload", sql);
}

/* An id is a number again. */
static FuzzValue payload_result(const char *got) {
  char *end;
  if (!got) return (FuzzValue){.type = FUZZ_NULL};
  sqlite3_int64 integer = strtoll(got, &end, 10);
  return *got && *end == 0 ? fuzz_int(integer) : fuzz_word(got);
}

static void payload_ask(sqlite3 *db, const PayloadTruth *truth, const FuzzValue *value) {
  FuzzValue values[2] = {*value, {.type = FUZZ_NULL}};
  bool is_taken = payload_takes(truth->rule, value);
  char *got, *is_true = NULL;
  if (truth->rule == PLAIN && !is_taken) return;
  int rc = fuzz_ask(db, truth->call, values, 1, &got);
  if (truth->rule != FILTER && (rc == SQLITE_OK) != is_taken) payload_fail(db, truth->call, got);
  if (truth->rule != FILTER && !is_taken && !payload_is_refusal(sqlite3_errmsg(db)))
    payload_fail(db, truth->call, got);
  if (rc == SQLITE_OK && !truth->truth && (!got || strcmp(got, "1") != 0))
    payload_fail(db, truth->call, got);
  if (rc == SQLITE_OK && truth->truth) {
    values[1] = payload_result(got);
    fuzz_ask(db, truth->truth, values, 2, &is_true);
    if (!is_true || strcmp(is_true, "1") != 0) payload_fail(db, truth->truth, is_true);
  }
  sqlite3_free(got);
  sqlite3_free(is_true);
}

void fuzz_payload(const uint8_t *data, size_t size) {
  /* Without a byte there is no place of them, and SQLite would take NULL. */
  if (size == 0) data = (const uint8_t *)"";
  FuzzValue values[2] = {fuzz_text(data, size), {.type = FUZZ_BLOB, .bytes = data, .size = size}};
  sqlite3 *db = fuzz_take(data, size);
  fuzz_run(db, "SAVEPOINT chain", NULL, 0);
  for (int i = 0; i < 2; i++) {
    for (size_t j = 0; j < sizeof payload_truths / sizeof *payload_truths; j++) {
      if (payload_truths[j].call) {
        payload_ask(db, &payload_truths[j], &values[i]);
      } else {
        fuzz_sound(db);
        fuzz_run(db, "ROLLBACK TO chain", NULL, 0);
      }
    }
  }
  fuzz_give(db);
}
