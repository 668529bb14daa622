/* wait.c - block until something may be claimable.
 * Owns:    the only call that sleeps, and when it looks again.
 * Promise: while it sleeps no lock, no statement and no snapshot is held, so that others
 *          write and checkpoints truncate the WAL; no commit is missed; an interrupt
 *          is seen within a slice.
 * Why:     a commit writes to a file before it can be seen, so the file's events say when to
 *          look. The steps grow with the time since the last of them:
 *
 *   event, or the beginning ... look, look,  look,    look,        look ...
 *                               50us  75us   112us    168us        and so on up to the bound
 *
 *          However long a commit takes from its last write to being visible (fdatasync lies
 *          between), it is found at most half of that time later. The bound is long where the
 *          watch is to be trusted, and short else: that is the poll of systems without
 *          inotify, of databases without a file, and of file systems that send no events. */
#include "core/wait.h"

#include "base/os.h"
#include "core/claim.h"

#define WAIT_STEP_US    50      /* the shortest step */
#define WAIT_SLICE_US   20000   /* the longest sleep, for an interrupt wakes nobody */
#define WAIT_POLL_US    40000   /* the longest step without a watch */
#define WAIT_BOUND_US   1000000 /* and with one, in case it misses something */
#define WAIT_SEEN_US    2000    /* the shortest step once the commit was seen */
#define WAIT_CALM_US    20000   /* without an event: what comes then begins a new row */
#define WAIT_EVENTS     16      /* so many events in a row are answered at once, */
#define WAIT_VAIN       4       /* while there were so many commits with nothing for this wait */
#define WAIT_HOLD_US    250     /* the pause after each further event, and for each such commit, */
#define WAIT_HOLDS      8       /* of which so many count */
#define WAIT_UNHEARD_US 500000  /* a commit so long after the last event sent none */

typedef struct Wait {
  TmRun *run;
  const TmText *queues;
  int count;
  const char *wal;      /* NULL: no file that could be watched */
  const char *database; /* watched where there is no WAL: that is where commits write then */
  bool is_watched;
  bool has_looked;
  sqlite3_int64 version;    /* data_version before the last look */
  sqlite3_int64 due_ms;     /* when the next becomes due, by the database's clock; 0: none does */
  sqlite3_int64 stirred_us; /* the last event, or the beginning of watching */
  bool is_seen;             /* a commit, since then */
  int events;               /* in this row */
  int vain;                 /* commits in this row with nothing to claim */
} Wait;

/* ---- looking --------------------------------------------------------- */

/* Look at all queues. Nothing comes due in them by itself where the clock is frozen. */
static bool wait_look(Wait *wait) {
  wait->due_ms = 0;
  for (int i = 0; i < wait->count && !tm_run_failed(wait->run); i++) {
    TmProbe probe;
    tm_claim_probe(wait->run, wait->queues[i], &probe);
    if (tm_run_failed(wait->run) || !probe.exists || probe.is_paused) continue;
    if (tm_claim_probe_finds(&probe)) return true;
    sqlite3_int64 next_ms = tm_claim_probe_next_ms(&probe);
    if (wait->run->is_frozen || next_ms == 0) continue;
    if (wait->due_ms == 0 || next_ms < wait->due_ms) wait->due_ms = next_ms;
  }
  wait->has_looked = !tm_run_failed(wait->run);
  return false;
}

/* False where an authorizer does not let it be read: then each look is a whole one. */
static bool wait_read_version(TmRun *run, sqlite3_int64 *version) {
  TmStmt s;
  tm_stmt_open(run, TM_Q_WAIT_VERSION, &s);
  bool is_known = tm_stmt_row(&s);
  *version = is_known ? tm_stmt_int(&s, TM_C_WAIT_VERSION_VERSION) : 0;
  tm_stmt_close(&s);
  if ((run->error.rc & 0xff) == SQLITE_AUTH) tm_error_clear(&run->error);
  return is_known;
}

static void wait_stir(Wait *wait) {
  wait->stirred_us = tm_os_monotonic_us();
  wait->is_seen = false;
}

/* There was an event. */
static void wait_hear(Wait *wait) {
  bool is_row = tm_os_monotonic_us() - wait->stirred_us < WAIT_CALM_US;
  wait->events = is_row ? wait->events + 1 : 1;
  if (!is_row) wait->vain = 0;
  wait->run->context->is_deaf = false;
  wait_stir(wait);
}

/* Events can be relied on. */
static bool wait_is_told(const Wait *wait) {
  return wait->is_watched && !wait->run->context->is_deaf;
}

/* A commit long after the last event, and still none: this file system may send none. */
static void wait_doubt(Wait *wait) {
  if (!wait->is_watched) return;
  if (tm_os_monotonic_us() - wait->stirred_us < WAIT_UNHEARD_US) return;
  if (tm_watch_sleep(wait->run->context->watch, 0)) {
    wait_hear(wait);
  } else {
    wait->run->context->is_deaf = true;
  }
}

/* Another connection has committed, after a look that found nothing. Where no event says so, that
 * is what the steps are counted from. */
static void wait_see(Wait *wait) {
  wait_doubt(wait);
  if (!wait_is_told(wait)) wait_stir(wait);
  wait->is_seen = true;
  wait->vain++;
}

/* The version is read before the look: what is committed between them is looked at again. */
static bool wait_finds(Wait *wait) {
  sqlite3_int64 version;
  bool is_known = wait_read_version(wait->run, &version);
  if (tm_run_failed(wait->run)) return false;
  bool is_new = version != wait->version;
  bool is_due = wait->due_ms != 0 && tm_os_wall_us() / 1000 >= wait->due_ms;
  if (is_known && wait->has_looked && !is_new && !is_due) return false;
  if (wait->has_looked && is_new) wait_see(wait);
  wait->version = version;
  wait->has_looked = false;
  return wait_look(wait);
}

/* ---- sleeping -------------------------------------------------------- */

/* A file name of SQLite's own VFS is a path; of another one it may be anything. */
static void wait_name_files(Wait *wait) {
  sqlite3 *db = wait->run->context->db;
  sqlite3_vfs *vfs = NULL;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  if (!vfs || !vfs->zName || strncmp(vfs->zName, "unix", 4) != 0) return;
  const char *name = sqlite3_db_filename(db, "main");
  if (!name || !name[0]) return;
  wait->database = name;
  wait->wal = sqlite3_filename_wal(name);
}

/* See that the watch is on the file that commits write to. False where it was not: what was
 * committed before has sent no event. */
static bool wait_is_armed(Wait *wait) {
  TmContext *context = wait->run->context;
  if (!wait->database) return true;
  if (!context->watch) context->watch = tm_watch_open();
  TmWatched watched = tm_watch_follow(context->watch, wait->wal);
  if (watched == TM_WATCH_NONE) watched = tm_watch_follow(context->watch, wait->database);
  wait->is_watched = watched != TM_WATCH_NONE;
  if (watched != TM_WATCH_NEW) return true;
  wait_stir(wait);
  return false;
}

/* How long until the next look, if no event comes. */
static sqlite3_int64 wait_step_us(const Wait *wait, sqlite3_int64 now_us) {
  sqlite3_int64 bound_us = wait_is_told(wait) ? WAIT_BOUND_US : WAIT_POLL_US;
  sqlite3_int64 least_us = wait->is_seen ? WAIT_SEEN_US : WAIT_STEP_US;
  sqlite3_int64 step_us = (now_us - wait->stirred_us) / 2;
  if (step_us < least_us) step_us = least_us;
  if (step_us > bound_us) step_us = bound_us;
  if (wait->due_ms == 0) return step_us;
  sqlite3_int64 due_us = wait->due_ms * 1000 - tm_os_wall_us();
  if (due_us < 0) due_us = 0;
  return due_us < step_us ? due_us : step_us;
}

static bool wait_is_interrupted(Wait *wait) {
  TmStmt s;
  tm_stmt_open(wait->run, TM_Q_WAIT_PULSE, &s);
  tm_stmt_exec(&s);
  return tm_run_failed(wait->run);
}

/* Where others write all the time, and still more where nothing of it is for this wait, it does
 * not listen to each of their writes. */
static void wait_hold(const Wait *wait, sqlite3_int64 until_us) {
  int holds = wait->vain > WAIT_VAIN ? wait->vain - WAIT_VAIN : 0;
  if (wait->events > WAIT_EVENTS) holds++;
  if (holds == 0) return;
  sqlite3_int64 hold_us = WAIT_HOLD_US * (holds < WAIT_HOLDS ? holds : WAIT_HOLDS);
  sqlite3_int64 left_us = until_us - tm_os_monotonic_us();
  tm_os_sleep_us(left_us < hold_us ? left_us : hold_us);
}

/* Sleep until then, an event or an interrupt. */
static void wait_sleep(Wait *wait, sqlite3_int64 until_us) {
  wait_hold(wait, until_us);
  sqlite3_int64 left_us = until_us - tm_os_monotonic_us();
  while (left_us > 0) {
    sqlite3_int64 slice_us = left_us < WAIT_SLICE_US ? left_us : WAIT_SLICE_US;
    if (tm_watch_sleep(wait->run->context->watch, slice_us)) {
      wait_hear(wait);
      return;
    }
    left_us = until_us - tm_os_monotonic_us();
    if (left_us > 0 && wait_is_interrupted(wait)) return;
  }
}

/* ---- the call -------------------------------------------------------- */

/* A look that met a lock has no answer yet, so there will be another. */
static void wait_forgive(TmRun *run) {
  int rc = run->error.rc & 0xff;
  if (rc != SQLITE_BUSY && rc != SQLITE_LOCKED) return;
  tm_error_clear(&run->error);
}

bool tm_wait_run(TmRun *run, const TmText *queues, int count, sqlite3_int64 timeout_ms) {
  sqlite3 *db = run->context->db;
  if (!sqlite3_get_autocommit(db) || sqlite3_txn_state(db, "main") != SQLITE_TXN_NONE) {
    tm_error_set(&run->error, TM_IN_TRANSACTION,
                 "inside a transaction nothing new can be seen, call it on its own");
    return false;
  }
  Wait wait = {.run = run, .queues = queues, .count = count};
  wait_name_files(&wait);
  wait_stir(&wait);
  sqlite3_int64 until_us = wait.stirred_us + timeout_ms * 1000;
  while (!wait_finds(&wait)) {
    sqlite3_int64 now_us = tm_os_monotonic_us();
    if (now_us >= until_us) return false;
    wait_forgive(run);
    if (tm_run_failed(run)) return false;
    if (!wait_is_armed(&wait)) continue;
    sqlite3_int64 next_us = now_us + wait_step_us(&wait, now_us);
    wait_sleep(&wait, next_us < until_us ? next_us : until_us);
  }
  return true;
}
