/* filter.h - the filter of the verbs for many tasks, and of tm_select.
 * Owns:    how one JSON object becomes a TmFilter.
 * Promise: what is wrong with it is said before anything is read or written; a filter that asks
 *          for nothing is an error, so that nobody deletes all by a slip. */
#ifndef TM_FACE_FILTER_H
#define TM_FACE_FILTER_H

#include "core/select.h"
#include "face/call.h"

typedef struct TmFilterArg {
  TmFilter filter;
  sqlite3_int64 *ids; /* owned, as are the texts: nothing points into the argument */
  char *texts[TM_FILTER_KEY_COUNT];
} TmFilterArg;

/* Read the filter in argument `arg`. Free with tm_filter_free on every path. */
void tm_filter_read(TmCall *call, int arg, TmFilterArg *out);
void tm_filter_free(TmFilterArg *filter);

#endif
