/* await.h - tasks that wait for groups.
 * Owns:    tm_group_wait as far as verbs touch it.
 * Promise: a wait that was not counted is an error; whoever waits for a group is told of its end in
 *          the statement that ended it.
 *
 *   waits (0) --> met (1)      the sealed group has no open task, and none that failed, or any
 *            \--> failed (2)   some failed, and on_failure is still to be done
 *   failed --> overruled (3)   done, or somebody let the task run: what it waits for is no matter
 *   overruled --> waits, met   tm_retry or tm_unhold, as core/depend.h has it */
#ifndef TM_CORE_AWAIT_H
#define TM_CORE_AWAIT_H

#include "core/flow.h"
#include "core/task.h"

/* So many groups a task waits for at most. */
#define TM_GROUP_NEEDS_MAX 16

/* True where a task that waits for these groups is born blocked. [cycle] where a group waits for
 * the task that is to be one of it. */
bool tm_await_blocks(TmRun *run, const TmFlow *flow);

/* Write the waits of a task just inserted, with its row of tm_flow. True where one has failed
 * already: what follows is for tm_depend_look_again. */
bool tm_await_born(TmRun *run, const TmFlow *flow, sqlite3_int64 id);

/* The group that ended last; `is_failure`: its failures are still to be acted upon. False: none. */
typedef struct TmAwaited {
  bool is_failure;
  int name_bytes;
  char name[TM_NAME_MAX_BYTES];
  int on_failure_bytes;
  char on_failure[8];
} TmAwaited;
bool tm_await_ended(TmRun *run, sqlite3_int64 id, TmAwaited *awaited);

/* What failed is acted upon. */
void tm_await_overrule(TmRun *run, sqlite3_int64 id, const TmAwaited *awaited);

/* As tm_depend_rearm, of groups. */
void tm_await_rearm(TmRun *run, sqlite3_int64 id);

/* Whether the task waits, or waited, for the group. */
bool tm_await_has(TmRun *run, sqlite3_int64 id, TmText group);

/* An error where an authorizer hides from the triggers too who waits. */
void tm_await_need_reads(TmRun *run, TmText group);

/* A group has ended, and its trigger has noted who waits: see that it did. */
void tm_await_prove_end(TmRun *run, TmText group);

#endif
