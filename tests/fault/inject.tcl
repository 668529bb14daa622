# inject.tcl - one fault after the other into one call, inside SQLite's harness.
# Owns:    the kinds of faults, the walk from the first fault to the last, and what is looked at.
# Promise: after each fault the call has done everything or nothing; its error is the fault's; the
#          transaction is as SQLite's rules say; no statement runs on; the same call, made once more on the
#          connection, does and answers what it does where there was no fault; the connection's memory is
#          given back, and the database keeps every rule.
# Why:     what a fault leaves behind is seen by nobody until it is somebody's money.
#
# The injectors are SQLite's own (malloc_common.tcl), but for the authorizer that denies one thing, and for
# memory that is short right after a statement has ended. A call begins with a connection that is new, so
# that faults meet it while it reads the schema and prepares its statements as well.

namespace eval ::inject {
  variable kinds {
    oom-transient oom-persistent ioerr-transient ioerr-persistent full cantopen-transient
    cantopen-persistent shmerr-transient shmerr-persistent interrupt denied oom-ended
  }
  variable gap 1          ;# the number of a fault is that many times the one before
  variable seed 1
  variable again 1        ;# after one fault of so many the call is made once more
  variable met 0          ;# faults, to count by
  variable is_warm 0      ;# the schema was read before: more of the faults meet the call itself
  variable limit 5000000  ;# a call that takes more faults than that does not end
  variable counts {}      ;# what is told to the one who started the job
  variable invariants {}
  variable known {}       ;# digests of files to what was found in them
  variable sound {}       ;# digests of contents that were looked at closely
  variable states_of {}   ;# subject and journal to {before mine after}
  variable repeats_of {}  ;# subject, journal and what is there to {answer contents} of the whole call
  variable notes {}       ;# what happened in this walk that a finding may ask for
  variable doctor {}      ;# of the controls: a script that runs after the call
}

proc ::inject::count {name {by 1}} {
  variable counts
  dict incr counts $name $by
}

proc ::inject::note {what} {
  variable notes
  dict incr notes $what
}

# ---- the connection ------------------------------------------------------------------------------

proc ::inject::fresh {subject journal} {
  foreach path [glob -nocomplain test.db*] { file delete $path }
  file copy [dict get [templates $subject] $journal] test.db
}

# The database that a subject starts from, in both journals.
proc ::inject::templates {subject} {
  variable made
  set base [dict get $subject base]
  if {![info exists made($base)]} {
    file copy -force $::calls::folder/$base $base.delete
    sqlite3 make $base.delete
    make eval {PRAGMA journal_mode = delete}
    make close
    set made($base) [dict create wal $::calls::folder/$base delete $base.delete]
  }
  return $made($base)
}

# An error of this is the job's own.
proc ::inject::connect {subject} {
  sqlite3 db test.db
  sqlite3_extended_result_codes db 1
  sqlite3_db_config_lookaside db 0 0 0
  if {[dict get $subject is_direct]} return
  ::calls::extend db
  if {$::inject::is_warm} { db eval {SELECT count(*) FROM sqlite_schema} }
  if {[dict get $subject fire] ne {}} { db eval [dict get $subject fire] }
  db eval [dict get $subject begin]
}

# The load is a call like others: the connection is there before, or, with the static form, made by it.
proc ::inject::call {subject} {
  set statement [dict get $subject statement]
  if {[dict exists $subject refusal]} { return [refused $statement [dict get $subject refusal]] }
  if {$statement ne "LOAD"} { return [db eval $statement] }
  if {$::so eq {}} {
    db close
    sqlite3 db test.db
    sqlite3_extended_result_codes db 1
    sqlite3_db_config_lookaside db 0 0 0
  }
  ::calls::extend db
  db eval {SELECT tm_version()}
}

# The rules refuse it: that is what it should do, and any other error is the fault's.
proc ::inject::refused {statement pattern} {
  if {![catch {db eval $statement} message]} { return -code error "it was not refused" }
  if {![string match $pattern $message]} { return -code error $message }
}

# What is in the file; the same bytes are looked at once. A connection that there is gives up what it holds in
# the WAL. (To read the file takes that connection's locks from it, which nobody else wants.)
proc ::inject::examine {} {
  variable known
  if {[info commands db] ne {}} { catch {db eval {PRAGMA wal_checkpoint(TRUNCATE)}} }
  if {[file exists test.db-journal] || ([file exists test.db-wal] && [file size test.db-wal])} { return [read_all] }
  set key [md5file test.db]
  if {![dict exists $known $key]} { dict set known $key [read_all] }
  return [dict get $known $key]
}

# Everything committed, with the rules of the database where these values are new to us. Returns
# {contents problems}.
proc ::inject::read_all {} {
  variable sound
  variable invariants
  set problems {}
  sqlite3 watcher test.db
  try {
    set found [::matrix::committed watcher]
    set digest [md5 $found]
    set answer [watcher eval {PRAGMA integrity_check}]
    if {$answer ne "ok"} { lappend problems "integrity_check: $answer" }
    if {![dict exists $sound $digest]} {
      set answer [watcher eval {PRAGMA foreign_key_check}]
      if {$answer ne {}} { lappend problems "foreign_key_check: $answer" }
      foreach {name text} $invariants {
        if {![is_newest watcher]} break
        set answer [watcher eval $text]
        if {$answer ne {}} { lappend problems "invariant $name: $answer" }
      }
      if {$problems eq {}} { dict set sound $digest 1 }
    }
  } finally {
    watcher close
  }
  return [list $found $problems]
}

proc ::inject::is_newest {connection} {
  variable newest
  if {![info exists newest]} { set newest [llength [glob -directory $::root/sql/migrations *.up.sql]] }
  if {![$connection onecolumn {SELECT count(*) FROM sqlite_schema WHERE name = 'tm_migration'}]} { return 0 }
  # The history of `broken` is so on purpose.
  if {[$connection exists {SELECT 1 FROM tm_event WHERE previous_id = 99}]} { return 0 }
  expr {[$connection onecolumn {SELECT max(version) FROM tm_migration}] == $newest}
}

# What the database holds before the call, with what the caller wrote before it, and after it.
proc ::inject::states {subject journal} {
  variable states_of
  set key [dict get $subject name].$journal
  if {[dict exists $states_of $key]} { return [dict get $states_of $key] }
  set states {}
  foreach statement [list {} [list ::inject::call $subject]] {
    fresh $subject $journal
    connect $subject
    if {$states eq {}} { lappend states [lindex [examine] 0] }
    if {[catch {{*}$statement} message]} { return -code error "undisturbed, but: $message" }
    db eval [dict get $subject end]
    db close
    lappend states [lindex [examine] 0]
  }
  lassign [comparable $subject $states] before mine after
  if {[dict get $subject changes] == ($mine eq $after)} {
    return -code error "undisturbed, it changes [expr {$mine eq $after ? "nothing" : "what it only should read"}]"
  }
  dict set states_of $key $states
  return $states
}

# What the whole call, with its transaction, answers and leaves where no fault came before it: the file is as before
# the call, or has what the caller writes (`mine`), or the call was made (`after`).
proc ::inject::undisturbed {subject journal start} {
  variable repeats_of
  set key [dict get $subject name].$journal.$start
  if {[dict exists $repeats_of $key]} { return [dict get $repeats_of $key] }
  fresh $subject $journal
  connect $subject
  if {$start eq "before" && ![sqlite3_get_autocommit db]} { db eval ROLLBACK }
  if {$start eq "after"} { call $subject }
  if {$start ne "before"} { db eval [dict get $subject end] }
  set answer [repeat $subject]
  db close
  dict set repeats_of $key [list $answer [lindex [examine] 0]]
  return [dict get $repeats_of $key]
}

# The whole call once more, by a connection that has no transaction. Returns {failed answer}.
proc ::inject::repeat {subject} {
  if {![dict get $subject is_direct]} { db eval [dict get $subject begin] }
  set failed [catch {call $subject} answer]
  if {[sqlite3_get_autocommit db]} { return [list $failed $answer] }
  if {[catch {db eval [dict get $subject end]} why]} {
    catch {db eval ROLLBACK}
    return [list 1 $why]
  }
  return [list $failed $answer]
}

# A whole run does not fit in memory.
proc ::inject::forget {} {
  variable states_of {}
  variable repeats_of {}
  variable known
  if {[dict size $known] > 200} { set known {} }
}

# Without the times of this machine, where they are the call's.
proc ::inject::comparable {subject values} {
  if {![dict get $subject is_timeless]} { return $values }
  lmap value $values { ::matrix::timeless $value }
}

# ---- one fault -----------------------------------------------------------------------------------

# The result codes that a fault may end in, without their extension.
proc ::inject::codes {kind} {
  switch -glob -- $kind {
    oom-* { return {SQLITE_NOMEM SQLITE_IOERR} }
    ioerr-* { return {SQLITE_IOERR SQLITE_CANTOPEN SQLITE_FULL SQLITE_CORRUPT} }
    full { return {SQLITE_FULL} }
    cantopen-* { return {SQLITE_CANTOPEN} }
    shmerr-* { return {SQLITE_IOERR SQLITE_CANTOPEN SQLITE_PROTOCOL} }
    interrupt { return {SQLITE_INTERRUPT} }
    denied { return {SQLITE_AUTH} }
  }
}

proc ::inject::is_the_faults {subject kind code} {
  # Pruning meets rows that a foreign key keeps. A fault while SQLite takes that statement back ends the
  # transaction, but the error stays the statement's.
  if {[dict get $subject base] eq "kept" && [string match ioerr-* $kind] && $code eq "SQLITE_CONSTRAINT_FOREIGNKEY"} { return 1 }
  # An interrupt while ALTER TABLE reads the schema again comes out of SQLite without its name.
  if {[string match migrate* [dict get $subject name]] && $kind eq "interrupt" && $code eq "SQL logic error"} { return 1 }
  if {$code eq "refused"} { return 1 }
  foreach allowed [codes $kind] {
    if {[string match $allowed* $code]} { return 1 }
  }
  foreach allowed [messages $kind] {
    if {[string match $allowed $code]} { return 1 }
  }
  return 0
}

# What is said of a denial, where its code is SQLITE_ERROR: by SQLite, and by tm_repair, which knows only
# that its look or its cure failed.
proc ::inject::messages {kind} {
  if {$kind ne "denied"} { return {} }
  return {
    {*not authorized*} {*access to * is prohibited*} {vtable constructor failed: *} {* columns assigned * values}
    {expressions prohibited in *} {tm_repair: * was not looked at, for * failed: *}
    {tm_repair: the cure of * did not help and was undone*}
  }
}

# The code of an error. A connection that could not be made has none to ask, and load_extension()
# has one code for everything: then SQLite's words tell, where there is memory for any.
proc ::inject::code_of {message} {
  if {[info commands db] ne {}} {
    set code [sqlite3_extended_errcode db]
    if {$code ne "SQLITE_ERROR"} { return $code }
  }
  regsub {^(error during initialization|automatic extension loading failed): } $message {} message
  # ALTER TABLE says where it was when the interrupt came, and has the code of a faulty schema.
  regsub {^error in (?:table|index|trigger|view) \S+(?: after [a-z ]+)?: (?=interrupted$)} $message {} message
  switch -- $message {
    {} - {out of memory} { return SQLITE_NOMEM }
    {disk I/O error} { return SQLITE_IOERR }
    {database or disk is full} { return SQLITE_FULL }
    {unable to open database file} { return SQLITE_CANTOPEN }
    interrupted { return SQLITE_INTERRUPT }
  }
  return $message
}

# Run the call once under the n-th fault. Returns {hits outcome problems message}.
proc ::inject::trial {subject kind journal n} {
  variable doctor
  variable again
  variable met
  set states [comparable $subject [states $subject $journal]]
  fresh $subject $journal
  set memory [sqlite3_memory_used]
  connect $subject
  start $kind $n
  set failed [catch {call $subject} message]
  set code [expr {$failed ? [code_of $message] : "SQLITE_OK"}]
  set hits [stop $kind]
  set problems {}
  # A fault while SQLite takes back what the rules refused ends the transaction, but the error stays theirs.
  if {!$failed && $hits && [is_refused_and_gone $subject]} { lassign {1 refused} failed code }
  # The connection itself may be what could not be made.
  if {[info commands db] eq {}} { connect [dict replace $subject is_direct 0 begin {}] }
  if {$doctor ne {}} { eval $doctor }
  set outcome [settle $subject $failed problems]
  if {$failed && !$hits} { lappend problems "an error without a fault: $message" }
  if {$failed && $hits && ![is_the_faults $subject $kind $code]} { lappend problems "another error: $code: $message" }
  lassign [examine] found broken
  lappend problems {*}$broken
  set outcome [judge $failed $outcome [comparable $subject [list $found]] $states problems]
  if {[catch {works $subject} why]} { lappend problems "and then the connection: $why" }
  set is_repeated [expr {$hits && [incr met] % $again == 0}]
  if {$is_repeated} { set answer [repeat $subject] }
  db close
  if {[sqlite3_memory_used] != $memory} { lappend problems "memory: [expr {[sqlite3_memory_used] - $memory}] bytes stay" }
  # Where it is torn there is nothing to compare with.
  if {$is_repeated && [lsearch -glob $problems TORN*] < 0} { lappend problems {*}[judge_repeat $subject $journal $outcome $answer] }
  return [list $hits $outcome $problems $message]
}

# What there is, beside what there may be; returns the outcome.
proc ::inject::judge {failed outcome found states problems_name} {
  upvar 1 $problems_name problems
  lassign $states before mine after
  set found [lindex $found 0]
  if {!$failed && $found ne $after} {
    lappend problems "TORN: it succeeded, and did [expr {$found eq $mine ? "nothing" : "something else"}]"
  } elseif {$failed && $found ne ($outcome eq "rolled_back" ? $before : $mine)} {
    if {$found eq $after && $outcome eq "undone"} { return late }
    lappend problems "TORN: it failed, and the database is [expr {$found eq $after ? "as after it" : "something else"}]"
  }
  return $outcome
}

# A statement or a note that the fault left behind is seen when the call is made again.
proc ::inject::judge_repeat {subject journal outcome answer} {
  count repeated
  set start [dict get {undone mine rolled_back before done after late after} $outcome]
  lassign [examine] found broken
  lassign [comparable $subject [list $answer $found]] answer found
  lassign [comparable $subject [undisturbed $subject $journal $start]] right contents
  set problems {}
  foreach problem $broken { lappend problems "once more: $problem" }
  if {$answer ne $right} { lappend problems "once more: it answers $answer, and not $right" }
  if {$found ne $contents} { lappend problems "once more: it leaves something else" }
  return $problems
}

proc ::inject::is_refused_and_gone {subject} {
  expr {[dict exists $subject refusal] && [dict get $subject begin] ne {} && [sqlite3_get_autocommit db]}
}

# The caller's transaction after the call, and its end; returns the outcome.
proc ::inject::settle {subject failed problems_name} {
  upvar 1 $problems_name problems
  set is_begun [expr {[dict get $subject begin] ne {}}]
  set is_open [expr {![sqlite3_get_autocommit db]}]
  if {$is_open && !$is_begun} {
    # Where a migration has no memory to make any statement that ends it, nobody can commit it.
    if {![catch {db eval COMMIT} why] || ![string match {tm_migrate: it failed for want of memory, *} $why]} {
      lappend problems "a transaction stays open"
    } else {
      note "a commit is refused"
    }
    catch {db eval ROLLBACK}
  }
  set running [running]
  if {$running ne {}} { lappend problems "statements run on: $running" }
  if {!$failed && $is_begun && !$is_open} { lappend problems "the transaction is gone" }
  if {$is_begun && $is_open && [catch {db eval [dict get $subject end]} why]} {
    lappend problems "the caller cannot commit: $why"
    catch {db eval ROLLBACK}
  }
  if {!$failed} { return done }
  return [expr {$is_begun && !$is_open ? "rolled_back" : "undone"}]
}

# The SQL of statements that were begun and not reset.
proc ::inject::running {} {
  set all {}
  for {set statement [sqlite3_next_stmt db {}]} {$statement ne {}} {set statement [sqlite3_next_stmt db $statement]} {
    if {[sqlite3_stmt_busy $statement]} { lappend all [sqlite3_sql $statement] }
  }
  return $all
}

# A connection that only read can write, too; of others the call itself is made once more.
proc ::inject::works {subject} {
  if {[dict get $subject changes] || [dict get $subject is_direct] || ![is_newest db]} return
  db eval {BEGIN IMMEDIATE; SELECT tm_enqueue('works', 'after the fault'); ROLLBACK}
}

# ---- an injector of ours -------------------------------------------------------------------------

# The n-th thing that an authorizer is asked is denied; with an authorizer each statement is prepared anew.
proc ::inject::deny {n} {
  variable asked 0
  variable denied 0
  db authorizer [list ::inject::authorize $n]
}

proc ::inject::authorize {n args} {
  variable asked
  variable denied
  if {[incr asked] != $n} { return SQLITE_OK }
  incr denied
  return SQLITE_DENY
}

proc ::inject::deny_no_more {} {
  variable denied
  if {[info commands db] ne {}} { db authorizer {} }
  return $denied
}

set ::FAULTSIM(denied) {
  -injectinstall {} -injectuninstall {} -injectstart ::inject::deny -injectstop ::inject::deny_no_more
}

# ---- one more ------------------------------------------------------------------------------------

# The first allocation after the n-th statement, nested ones too, has ended: where that changed the schema,
# SQLite has just thrown every other statement away.
proc ::inject::end {n} {
  variable ended 0
  db profile [list ::inject::has_ended $n]
}

proc ::inject::has_ended {n args} {
  variable ended
  if {[incr ended] == $n} { sqlite3_memdebug_fail 0 -repeat 0 }
}

proc ::inject::end_no_more {} {
  if {[info commands db] ne {}} { db profile {} }
  return [sqlite3_memdebug_fail -1 -benigncnt ::inject::benign]
}

set ::FAULTSIM(oom-ended) {
  -injectinstall {} -injectuninstall {} -injectstart ::inject::end -injectstop ::inject::end_no_more
}

# ---- the injectors -------------------------------------------------------------------------------

proc ::inject::part_of {kind part} {
  array set parts $::FAULTSIM($kind)
  expr {[info exists parts(-$part)] ? $parts(-$part) : ""}
}
proc ::inject::start {kind n} { uplevel #0 [part_of $kind injectstart] $n }
proc ::inject::stop {kind} { uplevel #0 [part_of $kind injectstop] }

# ---- a walk --------------------------------------------------------------------------------------

# Whether the kind can meet the call: nothing is shared without a WAL, and the journal is nothing to an authorizer.
proc ::inject::can_meet {kind journal} { expr {$journal eq "wal" || !($kind eq "denied" || [string match shmerr-* $kind])} }

# From the first fault to the one that the call does not reach. Returns a list of {n problems}.
proc ::inject::walk {subject kind journal {from 1} {to 0}} {
  variable gap
  variable seed
  variable limit
  expr {srand(1 + ("0x[string range [md5 "$seed [dict get $subject name] $kind $journal"] 0 6]" % 2147483646))}
  uplevel #0 [part_of $kind injectinstall]
  set wrong {}
  set n $from
  variable notes {}
  while 1 {
    lassign [trial $subject $kind $journal $n] hits outcome problems message
    if {$hits} {
      count faults
      count faults:$kind
      count "outcomes:$outcome"
      note $outcome
    }
    if {$::is_verbose} { puts "  [dict get $subject name] $kind $journal $n: $outcome, $hits hits: $message $problems" }
    if {$problems ne {}} { lappend wrong $n $problems }
    if {!$hits && $to} { lappend wrong $n [list "the call does not come to fault $to"] }
    if {!$hits || ($to && $n >= $to)} break
    if {$n > $limit} {
      lappend wrong $n {{there is no end of faults}}
      break
    }
    set step [expr {$n * ($gap - 1) * (0.5 + rand())}]
    incr n [expr {$step < 1 ? 1 : int($step)}]
  }
  uplevel #0 [part_of $kind injectuninstall]
  return $wrong
}

proc ::inject::tell {sentence problems} {
  count [expr {$problems eq {} ? "passed" : "failed"}]
  if {$problems ne {}} { puts "FAILED $sentence\n  [join [lrange $problems 0 5] "\n  "]" }
}
