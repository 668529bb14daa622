/* call.h - one call of a verb, whichever skin it came through.
 * Owns:    TmVerb, the registration; TmCall, its arguments and result; the guards, and
 *          the atomic scope in which a verb that writes runs.
 * Promise: a function and `INSERT INTO tm_command` differ in nothing but where the
 *          arguments come from and where the result goes.
 * Why:     one nested INSERT ... SELECT into a virtual table is a form that SQLite
 *          keeps whole in every calling context. */
#ifndef TM_FACE_CALL_H
#define TM_FACE_CALL_H

#include "store/run.h"

typedef struct TmCall TmCall;

enum {
  TM_VERB_READS = 1 << 0,       /* writes nothing: no guards, no scope */
  TM_VERB_TRIES_FIRST = 1 << 1, /* runs outside the scope first, and may ask for it */
  TM_VERB_SETS_UP = 1 << 2,     /* works on a database without the schema */
  TM_VERB_SETS_ROWID = 1 << 3,  /* leaves last_insert_rowid() at the task's id */
  TM_VERB_IS_INNOCUOUS = 1 << 4,
  TM_VERB_IS_DIRECT_ONLY = 1 << 5,
  TM_VERB_IS_JSON = 1 << 6,      /* the result carries the JSON subtype */
  TM_VERB_SETS_JOURNAL = 1 << 7, /* looks for itself, after that, whether there is one */
};

typedef struct TmVerb {
  const char *name; /* the function's, without tm_ */
  const char *full; /* the function's, for messages */
  int min_args, max_args;
  unsigned flags;
  void (*run)(TmCall *call);
  bool (*is_idle)(TmCall *call); /* NULL, or: reading alone shows that there is nothing to do */
  const char *arguments, *result, *doc; /* for the reference; see verbs.c */
} TmVerb;

typedef enum TmResultType { TM_RESULT_NULL, TM_RESULT_INT, TM_RESULT_TEXT } TmResultType;

struct TmCall {
  TmContext *context;
  const TmVerb *verb;
  int argc; /* trailing NULLs are not counted */
  sqlite3_value **argv;
  bool is_command;           /* came as INSERT INTO tm_command */
  bool is_in_scope;          /* the atomic scope is open */
  bool wants_scope;          /* set by a verb that tries first */
  bool only_reads_arguments; /* the first run of one that tries first, before the schema was seen */
  bool was_run;
  TmRun run;
  TmResultType type;
  sqlite3_int64 i;
  char *text; /* sqlite3_malloc'ed, or static where is_static */
  bool is_static;
  void *arg; /* of the virtual table that makes the call */
};

void tm_call_init(TmCall *call, TmContext *context, const TmVerb *verb, int argc,
                  sqlite3_value **argv);
void tm_call_clear(TmCall *call);

/* Guards, then the verb, in the atomic scope where it writes. Errors are in call->run.error. */
void tm_call_execute(TmCall *call);

/* Run the verb inside the scope; called by the virtual table that is the scope. */
void tm_call_enter(TmCall *call);

void tm_call_result_int(TmCall *call, sqlite3_int64 value);
void tm_call_result_static(TmCall *call, const char *text);
void tm_call_result_json(TmCall *call, sqlite3_str *json); /* finishes the string */

/* The name by which a TmCall travels through sqlite3_bind_pointer(). */
#define TM_CALL_POINTER "tm_call"

#endif
