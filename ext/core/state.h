/* state.h - the states of a task, as C sees them.
 * Owns:    the enum, the names and the kinds, all generated from
 *          sql/states.txt; the rows of tm_state and tm_transition are the same list.
 * Promise: pure look-ups. */
#ifndef TM_CORE_STATE_H
#define TM_CORE_STATE_H

#include "base/value.h"
#include "states.h"

#include <stdbool.h>

typedef enum TmStateKind { TM_KIND_WAITS, TM_KIND_LEASED, TM_KIND_FINAL } TmStateKind;

typedef enum TmState {
#define TM_STATE_ENUM(name, text, kind, meaning) TM_##name,
  TM_STATES(TM_STATE_ENUM)
#undef TM_STATE_ENUM
      TM_STATE_COUNT /* also: no state, an unknown one */
} TmState;

/* A set of states as bits, for "this verb takes these". */
typedef unsigned TmStateSet;
#define TM_STATE_BIT(state) (1u << (unsigned)(state))

const char *tm_state_name(TmState state);
TmStateKind tm_state_kind(TmState state);
TmState tm_state_of(TmText name); /* TM_STATE_COUNT for none of them */

static inline bool tm_state_is_leased(TmState state) {
  return tm_state_kind(state) == TM_KIND_LEASED;
}

#endif
