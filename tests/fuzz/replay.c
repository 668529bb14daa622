/* replay.c - inputs again, without a fuzzer.
 *
 *   replay FOLDER TARGET FILE...
 *
 * FOLDER holds base.sql. The first input that breaks a rule ends the process, after its name; the
 * last line else is the number of inputs. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static uint8_t *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) fuzz_fail("no file", path);
  long length = ftell(file);
  uint8_t *bytes = malloc(length > 0 ? (size_t)length : 1);
  rewind(file);
  *size = bytes ? fread(bytes, 1, (size_t)length, file) : 0;
  fclose(file);
  return bytes;
}

int main(int count, char **words) {
  const FuzzTarget *target = count > 2 ? fuzz_target(words[2]) : NULL;
  if (!target) {
    fprintf(stderr, "usage: replay FOLDER TARGET FILE...\n");
    return 2;
  }
  fuzz_begin(words[1]);
  for (int i = 3; i < count; i++) {
    size_t size;
    uint8_t *bytes = read_file(words[i], &size);
    fprintf(stderr, "%s\n", words[i]);
    target->run(bytes, size);
    free(bytes);
  }
  printf("%d inputs\n", count - 3);
  return 0;
}
