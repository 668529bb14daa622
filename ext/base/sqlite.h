/* sqlite.h - the one way to SQLite's API.
 * Owns:    the choice between the loadable form, whose calls go through the
 *          routine table that the host passes in, and the static form.
 * Promise: every file includes this and never sqlite3.h itself.
 * Why:     a file that calls the library directly works in one form only. */
#ifndef TM_BASE_SQLITE_H
#define TM_BASE_SQLITE_H

#ifdef SQLITE_CORE
#include "sqlite3.h"
#else
#include "sqlite3ext.h"
/* The table itself is defined once, by SQLITE_EXTENSION_INIT1: in tm.c, or here where all files
 * are one (tools/amalgamate). */
#ifdef TM_AMALGAMATION
static SQLITE_EXTENSION_INIT1
#elif !defined(TM_DEFINES_SQLITE_API)
extern const sqlite3_api_routines *sqlite3_api;
#endif
#endif

/* False where SQLite was built without sqlite3_column_decltype(). */
#ifdef SQLITE_OMIT_DECLTYPE
#define TM_HAS_DECLTYPE false
#undef sqlite3_column_decltype
#define sqlite3_column_decltype(stmt, column) ((const char *)NULL)
#elif defined(SQLITE_CORE)
#define TM_HAS_DECLTYPE true
#else
#define TM_HAS_DECLTYPE (sqlite3_api->column_decltype != NULL)
#endif

/* Added in SQLite 3.45; older versions ignore unknown function flags. */
#ifndef SQLITE_RESULT_SUBTYPE
#define SQLITE_RESULT_SUBTYPE 0x001000000
#endif

#endif
