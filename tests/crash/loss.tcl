# loss.tcl - one loss of power after the other, inside SQLite's harness.
# Owns:    which loss has which number: script, journal, synchronous, file, sync, sector, device.
# Promise: the number of a loss and the seed give the same loss again; each is one that happened.
# Why:     a process that came to its end lost nothing, and counts for nothing: it is run again
#          with a nearer sync. One that died of something else is a failure: what it left may be
#          whole, and so says nothing.

namespace eval ::loss {
  variable templates {}  ;# dict: journal and kind of script to a file
  variable walks {}      ;# dict: number of a script to what script.tcl knows of it
  variable counts {}     ;# dict: what is told to the one who started the job
  variable invariants {}
  variable sound {}      ;# dict: digests of databases that were looked at closely
  variable script_length 40
  variable seen {}       ;# the digest that was found last
  variable stride 5      ;# a process begins before an operation whose number is a multiple of it
  variable reach 7       ;# and does so many of them
}

proc ::loss::count {name {by 1}} {
  variable counts
  dict incr counts $name $by
}

proc ::loss::open_extended {name path args} {
  global so
  sqlite3 $name $path {*}$args
  sqlite3_enable_load_extension $name 1
  $name eval {SELECT load_extension($so)}
}

# ---- what is known beforehand -------------------------------------------------------------------

# The database that a script starts with; its pages are 1,024 bytes, so that an operation is many.
proc ::loss::template {n} {
  variable templates
  set kind [expr {$n % 7 == 0 ? "empty" : "made"}]
  if {![dict exists $templates $kind]} {
    set path $kind.template
    open_extended made $path
    made eval {PRAGMA page_size = 1024}
    if {$kind eq "made"} { ::script::set_up made }
    made close
    dict set templates $kind $path
  }
  return [dict get $templates $kind]
}

proc ::loss::walk {n} {
  variable walks
  variable script_length
  if {![dict exists $walks $n]} {
    forcedelete shadow.db shadow.db-wal shadow.db-journal
    file copy [template $n] shadow.db
    open_extended shadow shadow.db
    dict set walks $n [::script::walk shadow $n $script_length [list ::loss::keep $n]]
    shadow close
  }
  return [dict get $walks $n]
}

# The database before an operation, for a process that begins with it.
proc ::loss::keep {n at} {
  variable stride
  if {$at % $stride == 0} { forcecopy shadow.db $n.$at.kept }
}

# How many syncs of its file a process may live to see, about.
proc ::loss::syncs {journal synchronous file} {
  switch -glob -- $file,$journal,$synchronous {
    test.db,wal,* - test.db-wal,wal,NORMAL { return 4 }
    test.db-journal,* { return 9 }
    default { return 6 }
  }
}

# Loss i of the seed: a dict.
proc ::loss::plan {seed i} {
  variable script_length
  variable stride
  variable reach
  set journal [lindex {delete truncate persist wal} [expr {$i % 4}]]
  # NORMAL beside a rollback journal is left out: there SQLite itself may be left with a database
  # that is malformed (19 of 360 such losses), as its documentation says.
  set synchronous [lindex [list FULL FULL [expr {$journal eq "wal" ? "NORMAL" : "EXTRA"}]] [expr {($i / 4) % 3}]]
  set files [list test.db test.db-[expr {$journal eq "wal" ? "wal" : "journal"}] beat.db]
  ::script::seed [expr {$seed * 100003 + $i}]
  set plan [dict create number $i script [expr {$seed * 1000 + ($i / 72) % 40}] journal $journal synchronous $synchronous]
  dict set plan file [lindex $files [expr {($i / 12) % 3}]]
  dict set plan begin [expr {$stride * [::script::random [expr {($script_length - $reach) / $stride}]]}]
  dict set plan delay [expr {1 + [::script::random [syncs $journal $synchronous [dict get $plan file]]]}]
  # A sector larger than a page is protected by a journal, and by no WAL.
  dict set plan sector [::script::any [expr {$journal eq "wal" ? {512 1024} : {512 1024 2048 4096}}]]
  # Where writes keep their order, a journal need not be synced, nor a WAL at a checkpoint. A device
  # with safe_append is left out: the harness puts garbage over sectors that had been synced, where a
  # journal has grown since, which such a device promises not to do.
  set devices [expr {[string match test.db-* [dict get $plan file]] ? {{} {} atomic} : {{} {} sequential atomic}}]
  dict set plan device [::script::any $devices]
  dict set plan chance [expr {1 + [::script::random 10000]}]
  dict set plan fault {}
  return $plan
}

# ---- the process that ends ----------------------------------------------------------------------

# Run one on the crash VFS, and say how it ended: `lost` its power, `ended` by itself, or in words.
# That VFS takes the power with exit(-1), and nothing else here does: an error in the Tcl code of a
# process has status 1, the sanitizers have others, and a crash is a signal.
proc ::loss::run_process {plan args} {
  set device [dict get $plan device]
  set ::errorCode NONE
  lassign [crashsql -seed [dict get $plan chance] -blocksize [dict get $plan sector] \
    {*}[expr {$device eq {} ? {} : [list -characteristics $device]}] {*}$args {}] is_error message
  lassign $::errorCode kind - status
  if {!$is_error} { return ended }
  if {$kind ne "CHILDSTATUS"} { return $message }
  return [expr {$status == 255 ? "lost" : "child exited with status $status"}]
}

# Its Tcl code: each operation, noted before and after. The beat is another database on the same
# disk, whose sync is a moment between two operations of ours. The fault is a control's.
proc ::loss::body {plan texts} {
  global so
  set is_beating [expr {[dict get $plan file] eq "beat.db"}]
  set is_new [expr {[dict get $plan script] % 7 == 0 && [dict get $plan begin] == 0}]
  set journal "db eval {PRAGMA journal_mode = [dict get $plan journal]}"
  if {$is_new && [dict get $plan journal] eq "wal"} { set journal {} }
  return "
    set ledger \[open ledger w\]
    fconfigure \$ledger -buffering line
    sqlite3_enable_load_extension db 1
    db eval {SELECT load_extension('$so')}
    $journal
    db eval {PRAGMA synchronous = [dict get $plan synchronous]; PRAGMA wal_autocheckpoint = 25}
    if {$is_beating} { beat eval {CREATE TABLE beat (n); INSERT INTO beat VALUES (0)} }
    set i 0
    foreach text [list $texts] {
      puts \$ledger [list begun]
      if {\$i == 1} { [dict get $plan fault] }
      if {\[catch {db eval \$text} result\]} {
        puts \$ledger \[list error \$result\]
        exit 1
      }
      puts \$ledger \[list done \$result\]
      incr i
      if {$is_beating} { beat eval {UPDATE beat SET n = n + 1} }
    }
    puts \$ledger ended
    close \$ledger
    exit 0
  "
}

# Returns the results that were acknowledged, and whether another operation had begun; nothing
# where the power stayed on.
proc ::loss::lose_power {plan texts} {
  set open "sqlite3 db test.db -vfs crash"
  if {[dict get $plan file] eq "beat.db"} { append open "\nsqlite3 beat beat.db -vfs crash" }
  set end [run_process $plan -file [dict get $plan file] -delay [dict get $plan delay] \
    -opendb $open -tclbody [body $plan $texts]]
  set channel [open ledger r]
  set lines [split [string trim [read $channel]] \n]
  close $channel
  set results {}
  set is_begun 0
  foreach line $lines {
    switch -- [lindex $line 0] {
      begun { set is_begun 1 }
      done { lappend results [lindex $line 1]; set is_begun 0 }
      error { return -code error "the script failed: [lindex $line 1]" }
    }
  }
  set is_through [expr {[lindex $lines end] eq "ended"}]
  if {$end eq "ended" && $is_through} { return {} }
  if {$end ne "lost" || $is_through} {
    return -code error "this was no loss of power: $end after [llength $results] of [llength $texts] operations"
  }
  return [list $results $is_begun]
}

proc ::loss::fresh {plan} {
  foreach file [glob -nocomplain test.db* beat.db* ledger] { forcedelete $file }
  file copy [dict get $plan script].[dict get $plan begin].kept test.db
  close [open ledger w]
}

# ---- what is on the disk ------------------------------------------------------------------------

# What is wrong with test.db after a loss, given the digests it may have.
proc ::loss::look {plan allowed} {
  variable sound
  variable seen {}
  set problems {}
  if {[catch {
    open_extended db test.db
    set answer [db eval {PRAGMA integrity_check}]
    if {$answer ne "ok"} { lappend problems "integrity_check: $answer" }
    set answer [db eval {PRAGMA foreign_key_check}]
    if {$answer ne {}} { lappend problems "foreign_key_check: $answer" }
    set seen [set digest [::script::digest db]]
    if {$digest ni $allowed} { lappend problems "the database is not what it was after an operation" }
    # The same values keep the same rules.
    if {![dict exists $sound $digest]} {
      set problems [concat $problems [look_at_rules]]
      if {$problems eq {}} { dict set sound $digest 1 }
    }
  } message]} { lappend problems $message }
  catch {db close}
  return $problems
}

# And that one can go on from there.
proc ::loss::look_at_rules {} {
  variable invariants
  set problems {}
  set newest [llength [glob -directory $::root/sql/migrations *.up.sql]]
  if {[db onecolumn {SELECT count(*) FROM sqlite_schema WHERE name = 'tm_migration'}]
      && [db onecolumn {SELECT max(version) FROM tm_migration}] == $newest} {
    foreach {name text} $invariants {
      set answer [db eval $text]
      if {$answer ne {}} { lappend problems "invariant $name: $answer" }
    }
  }
  db eval {
    INSERT INTO tm_command (verb) VALUES ('init');
    SELECT tm_enqueue('after', 'the loss');
    INSERT INTO tm_command (verb, arg1, arg2) VALUES ('claim', 'after', 'w')
  }
  if {[db eval {SELECT state, worker, token FROM tm_task WHERE queue = 'after'}] ne {running w 1}} {
    lappend problems "a task born after the loss was not given out"
  }
  return $problems
}

# ---- losses --------------------------------------------------------------------------------------

# Whether the digest is right after `done` operations and perhaps one more. Without a sync at each
# commit the last ones may be gone, but none before one that is there.
proc ::loss::allowed {plan digests done is_begun} {
  set last [expr {$done + ($is_begun ? 1 : 0)}]
  set from [expr {[dict get $plan synchronous] eq "NORMAL" ? 0 : $done}]
  return [lrange $digests $from $last]
}

# What the processes of a plan do, as {texts results digests}.
proc ::loss::part {plan} {
  variable reach
  lassign [walk [dict get $plan script]] texts results digests
  set begin [dict get $plan begin]
  set end [expr {$begin + $reach}]
  set texts [lrange $texts $begin $end-1]
  if {[dict get $plan journal] eq "wal"} {
    set texts [lmap text $texts {
      expr {$text eq "INSERT INTO tm_command (verb) VALUES ('init')" ? "SELECT tm_init()" : $text}
    }]
  }
  return [list $texts [lrange $results $begin $end-1] [lrange $digests $begin $end]]
}

# Lose power once, by fewer syncs where there are not so many; {results is_begun}.
proc ::loss::surely_lose_power {plan texts} {
  set delay [dict get $plan delay]
  while {$delay > 0} {
    fresh $plan
    set got [lose_power [dict replace $plan delay $delay] $texts]
    if {$got ne {}} { return $got }
    set delay [expr {$delay / 2}]
  }
  return -code error "the power could not be taken"
}

# Once more while the next process makes good what the first one left; in WAL mode, while it
# writes the WAL into the database. It may be that there is nothing to do. Returns what is wrong:
# SQLite's message, where it could not open the database.
proc ::loss::lose_power_again {plan} {
  forcedelete again
  set open {
    proc tell {message} {
      set channel [open again w]
      puts -nonewline $channel $message
      close $channel
      exit 0
    }
    if {[catch {
      sqlite3 db test.db -vfs crash
      db eval {SELECT * FROM sqlite_master}
    } message]} { tell "the recovery failed: $message" }
  }
  # On a device that is sequential the harness divides by the number of writes that wait for a sync,
  # and dies where there is none.
  if {[dict get $plan device] eq "sequential"} { dict set plan device {} }
  set end [run_process $plan -file test.db -delay 1 -opendb $open \
    -tclbody "[dict get $plan fault]; db close; tell {}"]
  if {$end eq "lost"} {
    count "losses:again in the recovery"
    return {}
  }
  if {$end ne "ended" || ![file exists again]} {
    return -code error "this was no loss of power in the recovery: $end"
  }
  set channel [open again r]
  set message [read $channel]
  close $channel
  return [expr {$message eq {} ? {} : [list $message]}]
}

# One loss; its problems. `doctor` is called with the plan, before the database is looked at.
proc ::loss::suffer {plan {doctor {}}} {
  lassign [part $plan] texts results digests
  lassign [surely_lose_power $plan $texts] said is_begun
  set problems [expr {[dict get $plan chance] % 4 == 0 ? [lose_power_again $plan] : {}}]
  if {$doctor ne {}} { {*}$doctor $plan }
  set done [llength $said]
  lappend problems {*}[look $plan [allowed $plan $digests $done $is_begun]]
  for {set k 0} {$k < $done} {incr k} {
    if {[lindex $said $k] ne [lindex $results $k] && [lindex $texts $k] ne "SELECT tm_init()"
        && ![string match PRAGMA* [lindex $texts $k]]} {
      lappend problems "operation $k said [lindex $said $k], not [lindex $results $k]"
    }
  }
  variable seen
  if {$seen ni [lrange $digests $done end]} { count "acknowledged and gone:[dict get $plan journal] [dict get $plan synchronous]" }
  if {$is_begun} { count "losses:in the middle of an operation" }
  count acknowledged $done
  return $problems
}

# ---- controls ------------------------------------------------------------------------------------

proc ::loss::tell {sentence problems} {
  if {$problems eq {}} {
    count passed
  } else {
    count failed
    puts "FAILED $sentence: [string range [join $problems {; }] 0 1000]"
  }
}

# Without any sync the database is not safe, and that must be seen.
proc ::loss::control_off {seed} {
  set found 0
  for {set i 0} {$i < 32} {incr i} {
    set plan [dict replace [plan $seed $i] file beat.db synchronous OFF delay [expr {2 + $i % 5}] device {}]
    if {[suffer $plan] ne {}} { incr found }
  }
  puts "  of 32 losses with synchronous OFF $found lost or tore something"
  tell "control of synchronous OFF" [expr {$found ? {} : {{nothing was lost, nothing torn}}}]
}

proc ::loss::doctor_row {plan} {
  sqlite3 db test.db
  db eval {PRAGMA foreign_keys = OFF; DELETE FROM tm_event WHERE id = (SELECT max(id) FROM tm_event)}
  db close
}

proc ::loss::doctor_value {plan} {
  sqlite3 db test.db
  db eval {PRAGMA foreign_keys = OFF; UPDATE tm_task SET note = 'torn' WHERE id = (SELECT max(id) FROM tm_task)}
  db close
}

# Garbage in the place of a page, after the WAL or the journal was made good.
proc ::loss::doctor_page {plan} {
  sqlite3 db test.db
  db eval {PRAGMA journal_mode = DELETE}
  set page [db onecolumn {SELECT rootpage FROM sqlite_schema WHERE name = 'tm_task'}]
  db close
  hexio_write test.db [expr {1024 * ($page - 1)}] [string repeat A7 1024]
}

# As if the last operation had been acknowledged too: it is not there.
proc ::loss::control_ledger {seed} {
  for {set i 0} {$i < 1000} {incr i 4} {
    set plan [dict replace [plan $seed $i] synchronous FULL]
    lassign [part $plan] texts - digests
    lassign [surely_lose_power $plan $texts] said
    set last [lindex $digests end]
    if {[llength $said] + 1 >= [llength $texts] || $last in [lrange $digests 0 [llength $said]+1]} continue
    tell "control of the ledger" [expr {[look $plan [list $last]] eq {} ? {{nobody noticed}} : {}}]
    return
  }
  tell "control of the ledger" {{no loss was fit for it}}
}

# A process that dies of something else than its power, at its second operation or in the recovery.
# Its sync is too far away to come first.
proc ::loss::control_deaths {seed} {
  set faults {
    {a signal} {exec kill -SEGV [pid]} {child killed: segmentation violation}
    {an error in its Tcl code} {error {of the control}} {child exited with status 1}
    {an end too early} {exit 0} ended
  }
  foreach {name fault expected} $faults {
    set plan [dict replace [plan $seed 0] fault $fault]
    catch {suffer [dict replace $plan delay 1000]} message
    tell "control by a process with $name" [expr {
      $message eq "this was no loss of power: $expected after 1 of 7 operations" ? {} : [list $message]
    }]
    catch {lose_power_again $plan} message
    tell "control by a recovery with $name" [expr {
      $message eq "this was no loss of power in the recovery: $expected" ? {} : [list $message]
    }]
  }
  catch {suffer [dict replace $plan delay 1000 fault {set text {SELECT nobody}}]} message
  tell "control by an operation that fails" [expr {
    $message eq "the script failed: no such column: nobody" ? {} : [list $message]
  }]
}

# What they count is not counted.
proc ::loss::run_controls {seed} {
  variable counts
  set honest $counts
  control_all $seed
  foreach name {passed failed} { dict set honest $name [dict get $counts $name] }
  set counts $honest
}

proc ::loss::control_all {seed} {
  control_off $seed
  control_ledger $seed
  control_deaths $seed
  foreach name {row value page} {
    # A script that has tasks and a history.
    set plan [dict replace [plan $seed 3] script [expr {7 * $seed + 3}] begin 30 synchronous FULL]
    set problems [suffer $plan ::loss::doctor_$name]
    tell "control by a $name that was changed" [expr {$problems eq {} ? {{nobody noticed}} : {}}]
  }
}

# ---- the job -------------------------------------------------------------------------------------

proc ::loss::run_job {job jobs} {
  global losses seed only is_verbose
  variable counts [dict create passed 0 failed 0]
  variable invariants [::fixture::invariants]
  for {set i 0} {$i < $losses} {incr i} {
    if {$only >= 0 ? $i != $only : ($i / 72) % $jobs != $job} continue
    set plan [plan $seed $i]
    if {[catch {suffer $plan} problems]} { set problems [list $problems] }
    if {$is_verbose || $problems ne {}} { puts "loss $i: $plan" }
    tell "loss $i (--seed $seed --only $i)" $problems
    count "losses:[dict get $plan journal] [dict get $plan synchronous]"
  }
  if {$only < 0 && $job == $jobs - 1} { run_controls $seed }
  puts "@ $counts"
  exit 0
}
