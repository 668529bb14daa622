/* auto.c - the extension for every connection of the process, build/tm-auto.so.
 * Owns:    the registration with SQLite when the library comes into a process: by LD_PRELOAD, by
 *          dlopen() (one line of ctypes), or loaded as an extension into one connection.
 * Promise: every connection that the process opens afterwards has the extension, as tm.so gives
 *          it; where tm.so is loaded as well, nothing is there twice. The library stays: linked
 *          with -z nodelete, since SQLite keeps a pointer into it.
 * Why:     hosts without a call that loads extensions. It has its own copy of the extension,
 *          linked with SQLite itself: a SQLite built without loading has no table of routines. */
#include "sqlite3ext.h"

#include "tm.h"

#ifdef _WIN32
#define TM_EXPORT __declspec(dllexport)
#else
#define TM_EXPORT __attribute__((visibility("default")))
#endif

static int auto_register(void) {
  return sqlite3_auto_extension((void (*)(void))sqlite3_tm_init);
}

/* There is nobody to tell of an error here; sqlite3_tmauto_init() tells it, and so does the first
 * call of a function that is not there. */
__attribute__((constructor)) static void auto_begin(void) {
  (void)auto_register();
}

/* Loaded as an extension, it also serves the connection that loads it.
 * Returns SQLITE_OK_LOAD_PERMANENTLY, or SQLITE_ERROR with *message, freed with sqlite3_free() of
 * the host, where the host's SQLite is another than the one this library is linked with: such a
 * host has a SQLite inside of it, which only tm.so can reach. */
TM_EXPORT int sqlite3_tmauto_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

TM_EXPORT int sqlite3_tmauto_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  /* Two copies of one version differ in where this text lies. */
  if (api->sourceid() != sqlite3_sourceid()) {
    *message = api->mprintf("tm-auto: this program has a SQLite of its own, load tm.so instead");
    return SQLITE_ERROR;
  }
  int rc = auto_register();
  if (rc == SQLITE_OK) rc = sqlite3_tm_init(db, message, api);
  return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}
