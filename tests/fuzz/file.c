/* file.c - the target `file`: a database file with bytes replaced, and everything called on it.
 * Owns:    the form of its inputs: a byte whose lowest two bits choose which third of the calls run
 *          (3: all of them, and migrations where the lowest four are 3), and patches, each a place
 *          (three bytes, the lowest first, counted from the beginning of the file and round its
 *          end), a length less one (a byte, 15 at most) and as many bytes.
 * Promise: every call answers with a value or an error, and leaves nothing behind.
 * Why:     what it answers is not looked at, nor is the doctor believed: it is no file of ours. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* From here on they take longer than all others together, and run seldom. */
#define FILE_MIGRATES "SELECT tm_migrate(10)"

const char *const fuzz_file_calls[] = {
    "SELECT count(*) FROM tm_doctor",
    "SELECT count(*) FROM tm_stats",
    "SELECT count(*) FROM tm_select('{\"all\":true}')",
    "SELECT count(*) FROM tm_task, tm_explain(tm_task.id)",
    "SELECT count(*) FROM tm_task, tm_history(tm_task.id)",
    "SELECT count(*) FROM tm_task, tm_graph(tm_task.id)",
    "SELECT count(tm_get(id)), count(tm_inputs(id)) FROM tm_task",
    "SELECT tm_version(), tm_now(), tm_was_duplicate(), tm_cron_next('@daily', 0)",
    "SELECT tm_wait('q', 0)",
    "BEGIN IMMEDIATE",
    "SELECT tm_enqueue('q', 'x', "
    "'{\"unique\":\"u\",\"partition\":\"a\",\"group\":\"h\",\"parent\":1,\"after\":[2,4],"
    "\"expires\":60}')",
    "SELECT tm_claim('q', 'w', '{\"count\":3}')",
    "SELECT tm_claim('f', 'w')",
    "SELECT tm_heartbeat(1, 1, '{\"progress\":0.5,\"note\":\"half\"}')",
    "SELECT tm_fail(1, 1, 'broken')",
    "SELECT tm_complete(10, 1, 'late')",
    "SELECT tm_release(1, 1)",
    "SELECT tm_snooze(8, 2, 5)",
    "SELECT tm_cancel(2, 'why', '{\"children\":true}')",
    "SELECT tm_retry(11), tm_retry(3)",
    "SELECT tm_hold(12), tm_unhold(4)",
    "SELECT tm_reschedule(6, 0)",
    "SELECT tm_depend(5, 4), tm_seal('g')",
    "SELECT tm_delete(3)",
    "INSERT INTO tm_inbox (queue, payload) VALUES ('q', 'in')",
    "COMMIT",
    "ROLLBACK",
    "SELECT tm_pause('q'), tm_resume('q')",
    "SELECT tm_clock_set(1700000001000)",
    "SELECT tm_clock_advance('2h')",
    "SELECT tm_tick()",
    "SELECT tm_reconcile()",
    "SELECT tm_prune()",
    "SELECT tm_pause_schedule('t'), tm_resume_schedule('t')",
    "SELECT tm_schedule('s', '@daily', 'q', 2), tm_unschedule('t')",
    "SELECT tm_hold_where('{\"all\":true}'), tm_reschedule_where('{\"all\":true}', 5)",
    "SELECT tm_unhold_where('{\"all\":true}')",
    "SELECT tm_cancel_where('{\"all\":true}'), tm_retry_where('{\"all\":true}')",
    "SELECT tm_delete_where('{\"all\":true}')",
    "SELECT tm_repair()",
    "SELECT tm_init()",
    "SELECT count(*) FROM tm_doctor",
    "SELECT tm_clock_clear()",
    FILE_MIGRATES,
    "SELECT tm_migrate()",
    NULL,
};

static void file_patch(uint8_t *image, size_t image_size, const uint8_t *data, size_t size) {
  while (size >= 5) {
    size_t place = (size_t)(data[0] | data[1] << 8 | data[2] << 16);
    size_t length = (size_t)(data[3] & 15) + 1;
    data += 4;
    size -= 4;
    for (size_t i = 0; i < length && size > 0; i++) {
      image[(place + i) % image_size] = *data++;
      size--;
    }
  }
}

void fuzz_file(const uint8_t *data, size_t size) {
  size_t image_size;
  const uint8_t *image = fuzz_image(&image_size);
  uint8_t *copy = malloc(image_size);
  if (!copy) return;
  memcpy(copy, image, image_size);
  size_t third = size > 0 ? data[0] & 3 : 3;
  bool migrates = size == 0 || (data[0] & 15) == 3;
  if (size > 0) file_patch(copy, image_size, data + 1, size - 1);
  sqlite3 *db = fuzz_open(copy, image_size);
  for (size_t i = 0; fuzz_file_calls[i]; i++) {
    if (!migrates && strcmp(fuzz_file_calls[i], FILE_MIGRATES) == 0) break;
    if (third == 3 || i % 3 == third) fuzz_run(db, fuzz_file_calls[i], NULL, 0);
  }
  fuzz_close(db);
  free(copy);
}
