/* functions.c - every verb as a SQL function.
 * Owns:    the one C function behind all of them.
 * Promise: results and errors are the call's, nothing is decided here.
 * Why:     near-equal closures by the hundred are how such a file grows out of hand. */
#include "face/functions.h"

#include "face/verbs.h"

typedef struct Binding {
  TmContext *context;
  const TmVerb *verb;
} Binding;

static void functions_free(void *pointer) {
  Binding *binding = pointer;
  tm_context_release(binding->context);
  sqlite3_free(binding);
}

static void functions_error(sqlite3_context *out, const TmError *error) {
  if (error->rc == SQLITE_NOMEM) {
    sqlite3_result_error_nomem(out);
    return;
  }
  if (error->message) sqlite3_result_error(out, error->message, -1);
  sqlite3_result_error_code(out, error->rc);
}

static void functions_result(sqlite3_context *out, TmCall *call) {
  switch (call->type) {
  case TM_RESULT_INT: sqlite3_result_int64(out, call->i); break;
  case TM_RESULT_TEXT:
    sqlite3_result_text(out, call->text, -1, call->is_static ? SQLITE_STATIC : sqlite3_free);
    call->text = NULL;
    if (call->verb->flags & TM_VERB_IS_JSON) sqlite3_result_subtype(out, 'J');
    break;
  default: sqlite3_result_null(out);
  }
}

static void functions_call(sqlite3_context *out, int argc, sqlite3_value **argv) {
  const Binding *binding = sqlite3_user_data(out);
  TmCall call;
  tm_call_init(&call, binding->context, binding->verb, argc, argv);
  tm_call_execute(&call);
  if (tm_run_failed(&call.run)) {
    functions_error(out, &call.run.error);
  } else {
    functions_result(out, &call);
  }
  tm_call_clear(&call);
}

static int functions_flags(const TmVerb *verb) {
  int flags = SQLITE_UTF8;
  if (verb->flags & TM_VERB_IS_INNOCUOUS) flags |= SQLITE_INNOCUOUS;
  if (verb->flags & TM_VERB_IS_DIRECT_ONLY) flags |= SQLITE_DIRECTONLY;
  if (verb->flags & TM_VERB_IS_JSON) flags |= SQLITE_RESULT_SUBTYPE;
  return flags;
}

int tm_functions_register(sqlite3 *db, TmContext *context) {
  int done = 0;
  for (int i = 0; i < tm_verb_count; i++) {
    const TmVerb *verb = &tm_verbs[i];
    for (int n = verb->min_args; n <= verb->max_args; n++) {
      if (done++ < context->functions) continue;
      Binding *binding = sqlite3_malloc64(sizeof *binding);
      if (!binding) return SQLITE_NOMEM;
      binding->context = tm_context_hold(context);
      binding->verb = verb;
      /* On failure SQLite calls the destructor itself. */
      int rc = sqlite3_create_function_v2(db, verb->full, n, functions_flags(verb), binding,
                                          functions_call, NULL, NULL, functions_free);
      if (rc != SQLITE_OK) return rc;
      context->functions = done;
    }
  }
  return SQLITE_OK;
}
