/* fn_depend.h - the options by which a task waits for others.
 * Owns:    how `after` and `on_failure` are read.
 * Promise: what they allocate is freed with the options. */
#ifndef TM_FACE_FN_DEPEND_H
#define TM_FACE_FN_DEPEND_H

#include "core/flow.h"
#include "face/args.h"

void tm_depend_options(TmOptions *options, int after, int on_failure, TmFlow *flow);

/* What a task waits, or waited, for: appends ,"after":[...] where there is anything. */
void tm_depend_show(TmCall *call, sqlite3_int64 id, sqlite3_str *json);

#endif
