/* libfuzzer.c - the way in for clang's fuzzer. The environment names the target (FUZZ_TARGET) and
 * the folder of base.sql (FUZZ_FOLDER). */
#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FuzzTarget *the_target;

int LLVMFuzzerInitialize(int *count, char ***words) {
  (void)count;
  (void)words;
  const char *name = getenv("FUZZ_TARGET");
  const char *folder = getenv("FUZZ_FOLDER");
  the_target = fuzz_target(name ? name : "");
  if (!the_target || !folder) fuzz_fail("no such target", name);
  fuzz_begin(folder);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  the_target->run(data, size);
  return 0;
}
