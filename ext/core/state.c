/* state.c - the states of a task, as C sees them.
 * Owns:    the tables behind the look-ups, generated from sql/states.txt.
 * Promise: a name that is none of them gives TM_STATE_COUNT.
 * Why:     C names states in errors; which moves are legal the database alone says. */
#include "core/state.h"

#include <string.h>

static const struct {
  const char *name;
  TmStateKind kind;
} state_table[TM_STATE_COUNT] = {
#define TM_STATE_ROW(name, text, kind, meaning) [TM_##name] = {text, kind},
    TM_STATES(TM_STATE_ROW)
#undef TM_STATE_ROW
};

const char *tm_state_name(TmState state) {
  return state < TM_STATE_COUNT ? state_table[state].name : "unknown";
}

TmStateKind tm_state_kind(TmState state) {
  return state < TM_STATE_COUNT ? state_table[state].kind : TM_KIND_FINAL;
}

TmState tm_state_of(TmText name) {
  for (int i = 0; name.z && i < TM_STATE_COUNT; i++) {
    if ((int)strlen(state_table[i].name) == name.n &&
        memcmp(state_table[i].name, name.z, (size_t)name.n) == 0) {
      return (TmState)i;
    }
  }
  return TM_STATE_COUNT;
}
