/* fn_unique.h - the option unique.
 * Owns:    its names.
 * Promise: whatever is wrong with it is said before anything is written. */
#ifndef TM_FACE_FN_UNIQUE_H
#define TM_FACE_FN_UNIQUE_H

#include "core/flow.h"
#include "face/args.h"

#define TM_KEY_MAX_BYTES 1000

/* True where option `i` asks for a unique task; the key lives as long as the options. */
bool tm_unique_options(TmOptions *options, int i, TmUnique *unique);

#endif
