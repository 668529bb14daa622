/* depend.h - tasks that wait for others.
 * Owns:    tm_dependency and tm_settle, and the moves out of and into blocked.
 * Promise: the last need that is met unblocks in its own statement, once; what a failure does runs
 *          down the whole graph in that statement, in memory that does not grow with it.
 *
 *             what it needs ends as it should                 unmet is 0
 *   waits (0) ---------------------------------> met (1)      -----------> scheduled or available
 *       \     what it needs ends otherwise                    on_failure
 *        \-------------------------------------> failed (2)   -----------> cancelled or held
 *                    <---------------------------------/
 *             tm_retry or tm_unhold, where what it needs has been retried too */
#ifndef TM_CORE_DEPEND_H
#define TM_CORE_DEPEND_H

#include "core/flow.h"
#include "core/task.h"

/* So many needs a task is born with at most. */
#define TM_NEEDS_MAX 10000

/* In order of their ids, each once, the stricter of two kept. Returns how many are left. */
int tm_depend_sort(TmNeed *needs, int count);

/* ---- at birth ---------------------------------------------------------- */

/* True where the task is born blocked: for some that it needs, or by a failure that cancels or
 * holds it. [no_such_task] where one is not there, [cycle] as tm_await_blocks has it. */
bool tm_depend_blocks(TmRun *run, const TmFlow *flow);

/* Write the edges of a task just inserted, with its row of tm_flow. The need that has failed
 * already and is not ignored, if there is one: its id, else 0. */
sqlite3_int64 tm_depend_born(TmRun *run, const TmFlow *flow, sqlite3_int64 id);

/* A task whose birth everybody was told of is cancelled or held for that need. */
void tm_depend_fail_born(TmRun *run, sqlite3_int64 id, sqlite3_int64 needs_id);

/* What a new task needs may have ended, or be under way again, since its state was settled: a
 * trigger of somebody's ran in each write of the birth. */
void tm_depend_settle_born(TmRun *run, sqlite3_int64 id, TmState state);

/* ---- later ------------------------------------------------------------- */

/* One more need. [no_such_task], [wrong_state], [cycle]. An edge that is there already stays as it
 * is. Returns the state. */
TmState tm_depend_add(TmRun *run, sqlite3_int64 id, const TmNeed *need);

/* A task that others wait for has ended: tell them, and those who wait for them, to the end. Called
 * inside itself (by a move that it makes, or a trigger of the user's) it notes the task for the
 * outermost call. One that is blocked has to look again at the groups that it waits for. */
void tm_depend_ended(TmRun *run, sqlite3_int64 id);

/* Go on with those who waited for a group that has ended: its trigger noted them. */
void tm_depend_group_ended(TmRun *run, TmText group);

/* Go on with what moves by hand have noted, over `limit` edges at most; returns how many. Who
 * keeps to settings.has_unsettled asks for it only where there is something. */
sqlite3_int64 tm_depend_settle(TmRun *run, sqlite3_int64 limit);

/* A task that is run again or put back waits again for those of its failed needs that have been
 * retried themselves; one that is completed by now is met, one that has failed is not waited for.
 * Returns how many it waits for. */
sqlite3_int64 tm_depend_rearm(TmRun *run, sqlite3_int64 id);

/* Whether the task waits, or waited, for that one. */
bool tm_depend_has(TmRun *run, sqlite3_int64 id, sqlite3_int64 needs_id);

/* A task that is not finished and needs this one; 0: none. */
sqlite3_int64 tm_depend_dependant(TmRun *run, sqlite3_int64 id, TmState *state);

#endif
