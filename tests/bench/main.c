/* main.c - picks the section of the benchmark.
 * Owns:    the command line: bench SECTION EXTENSION FOLDER [ROUNDS [SIZE]].
 * Promise: prints `name value` lines and nothing else. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static const struct Section {
  const char *name;
  void (*run)(const Settings *settings);
} sections[] = {
    {"verbs", bench_verbs}, {"growth", bench_growth}, {"counts", bench_counts},
    {"flow", bench_flow},   {"rivals", bench_rivals}, {"profile", bench_profile},
};

char *bench_path(const Settings *settings, const char *name) {
  char *path = sqlite3_mprintf("%s/%s.db", settings->folder, name);

  if (!path) bench_fail(name, "out of memory");
  return path;
}

int main(int argc, char **argv) {
  if (argc < 4) bench_fail("usage", "bench SECTION EXTENSION FOLDER [ROUNDS [SIZE]]");
  Settings settings = {
      .so = argv[2],
      .folder = argv[3],
      .rounds = argc > 4 ? atoi(argv[4]) : 7,
      .size = argc > 5 ? atoi(argv[5]) : 1000000,
  };
  for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
    if (strcmp(argv[1], sections[i].name) == 0) {
      sections[i].run(&settings);
      return 0;
    }
  }
  bench_fail(argv[1], "no such section");
  return 1;
}
