# ruined.tcl - a migration that has no memory for any statement that would end it.
# Owns:    what the caller may do then: commit it, roll back to a savepoint of his, close.
# Promise: never half a migration, and nothing is refused that has nothing to do with it.
# Why:     a walk ends each call in one way only.

namespace eval ::ruined {}

# Memory is short after the n-th statement of a migration in the caller's transaction; then the script.
proc ::ruined::trial {n script} {
  foreach subject $::calls::subjects {
    if {[dict get $subject name] eq "migrate_anew.select"} break
  }
  set subject [dict replace $subject begin "PRAGMA foreign_keys = OFF; BEGIN; INSERT INTO mine VALUES (1); SAVEPOINT a"]
  ::inject::fresh $subject wal
  ::inject::connect $subject
  ::inject::start oom-ended $n
  catch { ::inject::call $subject }
  ::inject::stop oom-ended
  set got [uplevel 1 $script]
  catch { db close }
  sqlite3 watcher test.db
  lappend got [watcher eval {SELECT max(version), (SELECT count(*) FROM mine) FROM tm_migration}]
  watcher close
  return $got
}

proc ::ruined::commit {} {
  if {[sqlite3_get_autocommit db]} { return gone }
  if {![catch { db eval COMMIT } why]} { return committed }
  expr {[string match {tm_migrate: it failed for want of memory, *\[wrong_state\]} $why] ? "refused" : "failed"}
}

proc ::ruined::run_all {} {
  set rows [lindex [trial 1000000 { db eval ROLLBACK; list }] 0 1]
  set places {}
  set wrong {}
  for {set n 220} {$n <= 250} {incr n} {
    set got [trial $n commit]
    if {[lindex $got 0] eq "refused"} { lappend places $n }
    if {[lindex $got end 0] ne 1} { lappend wrong "after statement $n: version [lindex $got end 0]" }
  }
  if {$places eq {}} { lappend wrong "it was never so" }
  ::inject::tell "a migration that nothing could end is never committed" $wrong
  set wrong {}
  foreach n $places {
    set got [trial $n { db eval {ROLLBACK TO a; RELEASE a}; list [commit] }]
    if {$got ne [list committed [list 1 [expr {$rows + 1}]]]} { lappend wrong "after statement $n: $got" }
  }
  ::inject::tell "who rolls back to a savepoint before it may commit the rest" $wrong
  set wrong {}
  foreach n $places {
    set got [trial $n {
      set statement [sqlite3_prepare_v2 db {SELECT 1} -1 rest]
      set closed [sqlite3_close [sqlite3_connection_pointer db]]
      set ended [commit]
      sqlite3_finalize $statement
      list $closed [expr {$ended eq "committed"}]
    }]
    if {$got ne [list SQLITE_BUSY 0 [list 1 $rows]]} { lappend wrong "after statement $n: $got" }
  }
  ::inject::tell "a close that answers SQLITE_BUSY does not let it be committed either" $wrong
}
