/* command.c - tm_command: every verb as an INSERT, and the atomic scope itself.
 * Owns:    the way from a row to a verb.
 * Promise: a row whose verb is the pointer of a call under way is the scope of that call;
 *          the pointer of a step is that step's scope; any other row is a new call, which
 *          opens a scope of its own.
 * Why:     a user's one-row VALUES keeps no statement journal, so it too is run inside a
 *          nested INSERT ... SELECT. */
#include "face/command.h"

#include "base/suggest.h"
#include "face/args.h"
#include "face/verbs.h"

static int command_finish(const TmRun *run, sqlite3_int64 *rowid, char **message) {
  int rc = run->error.rc;
  *rowid = run->task_id;
  if (rc != SQLITE_OK && run->error.message) {
    *message = sqlite3_mprintf("%s", run->error.message);
    if (!*message) rc = SQLITE_NOMEM;
  }
  return rc;
}

static const TmVerb *command_verb(TmCall *call, sqlite3_value **argv) {
  call->argv = argv;
  call->argc = 1;
  TmText name = tm_args_name(call, 0, "verb");
  const TmVerb *verb = name.z ? tm_verbs_find(name) : NULL;
  if (verb || tm_run_failed(&call->run)) return verb;
  TmSuggest suggest;
  tm_suggest_init(&suggest, name.z, name.n);
  for (int i = 0; i < tm_verb_count; i++) {
    tm_suggest_offer(&suggest, tm_verbs[i].name, (int)strlen(tm_verbs[i].name));
  }
  const char *best = tm_suggest_best(&suggest);
  if (best) {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT, "no verb '%.40s', did you mean '%s'?", name.z,
                 best);
  } else {
    tm_error_set(&call->run.error, TM_BAD_ARGUMENT,
                 "no verb '%.40s', a verb is a function's name without tm_", name.z);
  }
  return NULL;
}

int tm_command_insert(TmContext *context, int argc, sqlite3_value **argv, sqlite3_int64 *rowid,
                      char **message) {
  TmCall *outer = sqlite3_value_pointer(argv[0], TM_CALL_POINTER);
  if (outer) {
    tm_call_enter(outer);
    return command_finish(&outer->run, rowid, message);
  }
  TmStep *step = sqlite3_value_pointer(argv[0], TM_STEP_POINTER);
  if (step) {
    tm_run_enter_step(step);
    return command_finish(step->run, rowid, message);
  }
  static const TmVerb nothing = {.name = "command", .full = "tm_command"};
  TmCall call;
  tm_call_init(&call, context, &nothing, 0, NULL);
  const TmVerb *verb = command_verb(&call, argv);
  if (verb) {
    tm_call_clear(&call);
    tm_call_init(&call, context, verb, argc - 1, argv + 1);
    call.is_command = true;
    if (call.argc > verb->max_args) {
      tm_error_set(&call.run.error, TM_BAD_ARGUMENT, "%d arguments are too many, give %s",
                   call.argc, verb->max_args ? verb->arguments : "none");
    } else {
      tm_call_execute(&call);
    }
  }
  int rc = command_finish(&call.run, rowid, message);
  tm_call_clear(&call);
  return rc;
}
