# control.tcl - what a walk of faults must find, or it finds nothing.
# Owns:    one subject or one doctor for each thing that is looked at after a fault.
# Promise: each control passes when the walk complains, in the words that are meant.

namespace eval ::control {}

# A subject of our own, from `tasks`.
proc ::control::subject {name statement {begin {}} {end {}}} {
  dict create name control-$name base tasks fire {} begin $begin statement $statement end $end is_direct 0 is_timeless 0 changes 1
}

# Runs the walk, or the part of it that is named; the complaint must match.
proc ::control::must_find {name subject kind pattern {doctor {}} {from 1} {to 0}} {
  set honest $::inject::counts
  set ::inject::doctor $doctor
  set wrong [::inject::walk $subject $kind wal $from $to]
  set ::inject::doctor {}
  set ::inject::counts $honest
  set is_found 0
  foreach {n problems} $wrong {
    if {[lsearch -glob $problems $pattern] >= 0} { set is_found 1 }
  }
  ::inject::tell "control: $name is found" [expr {$is_found ? {} : [list "of [expr {[llength $wrong] / 2}] complaints none is like $pattern"]}]
}

# Undisturbed it is already not what the subject says that it is.
proc ::control::must_break {name subject pattern} {
  set is_found [expr {[catch {::inject::states $subject wal} message] && [string match $pattern $message]}]
  ::inject::tell "control: $name is found" [expr {$is_found ? {} : [list "it is not like $pattern: $message"]}]
}

proc ::control::run_all {} {
  global so
  lassign [list $::inject::gap $::inject::again] gap again
  lassign {1.3 1} ::inject::gap ::inject::again
  set call {SELECT tm_complete(7, 1)}
  must_find "a transaction that stays open" [subject open "BEGIN; $call; SELECT tm_enqueue('new', 1); COMMIT"] interrupt "a transaction stays open"
  must_find "an operation in two transactions" [subject two "INSERT INTO target VALUES ('half'); $call"] oom-transient TORN*
  must_find "a caller's transaction that was ended" [subject ended "COMMIT; $call; BEGIN" "BEGIN; INSERT INTO mine VALUES (1)" COMMIT] oom-transient TORN*
  must_find "memory that is not given back" [subject memory $call] oom-transient memory* {
    lappend ::control::lost [sqlite3_malloc 64]
  }
  foreach pointer $::control::lost { sqlite3_free $pointer }
  must_find "a statement that runs on" [subject running $call] oom-transient "statements run on*" {
    set ::control::statement [sqlite3_prepare db {SELECT 1 UNION ALL SELECT 2} -1 rest]
    sqlite3_step $::control::statement
    after 0 {}
  }
  must_find "a row that is gone" [subject row $call] oom-transient invariant* {
    db eval {PRAGMA foreign_keys = OFF; DELETE FROM tm_event WHERE id = (SELECT max(id) FROM tm_event)}
  }
  must_find "a call that fails when it is made again" [subject stale $call] oom-transient "once more: it answers*" {
    db eval {CREATE TEMP TRIGGER stale AFTER UPDATE ON main.tm_task BEGIN SELECT RAISE(ABORT, 'stale'); END}
  }
  must_find "a call that does more when it is made again" [subject more $call] oom-transient "once more: it leaves*" {
    db eval {CREATE TEMP TRIGGER more AFTER UPDATE ON main.tm_task BEGIN INSERT INTO mine VALUES ('more'); END}
  }
  must_break "a call that changes nothing" [subject nothing {SELECT tm_get(7)}] "undisturbed, it changes nothing"
  must_break "a look that changes something" [dict replace [subject look $call] changes 0] "undisturbed, it changes what*"
  must_find "an error of something else" [subject other $call] oom-transient "another error*" {
    set failed 1
    set code SQLITE_ERROR
  }
  must_find "a denial that is told as something else" [subject told $call] denied "another error*" {
    if {$failed} { set code "no such task" }
  }
  if {$so ne {}} {
    set so [build torn TM_TEST_TORN]
    set claim {SELECT tm_claim('two', 'w', '{"count":2}')}
    must_find "a torn build by want of memory" [subject torn_begin $claim "BEGIN; INSERT INTO mine VALUES (1)" COMMIT] oom-transient TORN*
    must_find "a torn build by want of memory after a statement" [subject torn_ended $claim "BEGIN; INSERT INTO mine VALUES (1)" COMMIT] oom-ended TORN*
    must_find "a torn build by a denial" [subject torn_denied $claim "BEGIN; INSERT INTO mine VALUES (1)" COMMIT] denied TORN*
    # Inside a transaction SQLite itself takes back all of it where a write is interrupted.
    must_find "a torn build by an interrupt" [subject torn $claim] interrupt TORN*
    set so [build unmended TM_TEST_UNMENDED]
    must_find_again "a leak of claimed rows" claim_rows.rows "memory*"
    set so $::honest_so
  }
  lassign [list $gap $again] ::inject::gap ::inject::again
}

# In its window of findings.tcl a build without the mending has the fault.
proc ::control::must_find_again {name subject pattern} {
  set finding [lsearch -inline -index 0 [::findings::all] $subject]
  lassign $finding - kind - from to
  lassign {1 1000} ::inject::gap ::inject::again
  must_find "$name in its window" [lsearch -inline -index 1 $::calls::subjects $subject] $kind $pattern {} $from $to
}

# The sample holds what it promises, for any number of jobs and over the seeds.
proc ::control::run_sample {} {
  set subjects $::calls::subjects
  set wrong {}
  foreach {contexts seed} {1 1 16 1 16 20000 8 3} {
    set sample [::sample::take $subjects $contexts $seed]
    set left_out [dict remove [::sample::by_call $subjects] {*}[dict keys [::sample::by_call $sample]]]
    if {$left_out ne {}} { lappend wrong "of [dict keys $left_out] there is nothing with one of $contexts contexts" }
    foreach jobs {1 2 3 4 8} {
      set union {}
      for {set i 0} {$i < $jobs} {incr i} { lappend union {*}[::sample::share $sample $i $jobs] }
      if {[lsort $union] ne [lsort $sample]} { lappend wrong "$jobs jobs have something else than all" }
    }
  }
  ::inject::tell "one context of each call at least, whatever the number of jobs" $wrong
  set wrong {}
  foreach {contexts seeds} {1 1 16 16 200 187} {
    set union {}
    for {set seed 5} {$seed < 5 + $seeds} {incr seed} { lappend union {*}[::sample::take $subjects $contexts $seed] }
    set left_out [expr {[llength $subjects] - [llength [lsort -unique $union]]}]
    if {$left_out} { lappend wrong "of one of $contexts contexts $left_out have no turn in $seeds seeds" }
  }
  ::inject::tell "each context has its turn" $wrong
}

# The extension with something wrong; `torn` is what torn.test is about.
proc ::control::build {name macro} {
  global root
  unset -nocomplain ::env(MAKEFLAGS) ::env(MFLAGS)
  exec flock $root/build make -s -C $root BUILD=build/$name CPPFLAGS=-D$macro CFLAGS=-O1 build/$name/tm.so 2>@1
  return $root/build/$name/tm.so
}
