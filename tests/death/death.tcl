#!/usr/bin/env tclsh
# death.tcl - processes that work on one database and are killed at any moment, and what is left.
#
#   tclsh tests/death/death.tcl ?--kills N? ?--seconds N? ?--seed N? ?--journal wal|delete?
#
# build/tests/death does the killing, until there were so many kills and so many seconds have
# passed. Then the ledgers of all processes are laid beside the database: ledger.sql says what must
# hold, deeds.sql what must have been done. Last come the controls: a line of a ledger or a row of the
# database is changed, and each time the rule that is about it must be broken. Without --journal half
# of the kills are with each.
#
# TM_SO names the extension. The last line is `N passed, N failed`.

package require sqlite3
set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
source $root/tests/harness/named.tcl
source $root/tests/harness/scratch.tcl
source $here/ledger.tcl

set kills 1100
set seconds 30
set seed [expr {[clock microseconds] % 1000000}]
set journals {wal delete}
foreach {option value} $argv {
  switch -- $option {
    --kills { set kills $value }
    --seconds { set seconds $value }
    --seed { set seed $value }
    --journal { set journals [list $value] }
    default {
      puts stderr "usage: tclsh tests/death/death.tcl ?--kills N? ?--seconds N? ?--seed N? ?--journal wal|delete?"
      exit 2
    }
  }
}
set so [file normalize [expr {[info exists env(TM_SO)] ? $env(TM_SO) : "$root/build/tm.so"}]]
set newest [llength [glob -directory $root/sql/migrations *.up.sql]]
set passed 0
set failed 0

# What is wrong, nothing where all is well.
proc expect_none {sentence problems} {
  global passed failed
  if {$problems eq {}} {
    incr passed
  } else {
    incr failed
    puts "FAILED $sentence: [string range [join $problems {; }] 0 2000]"
  }
}

# ---- the run -----------------------------------------------------------------------------------

# Returns what the supervisor counted: kills, pauses, died; `said` is all it printed.
proc work {folder kills seconds seed journal args} {
  global root newest
  file mkdir $folder/ledger
  catch {exec $root/build/tests/death $folder $kills $seconds $seed $newest $journal {*}$args 2>@1} said
  set counts [dict create kills 0 pauses 0 died 1 said $said]
  foreach {- name value} [regexp -all -inline -line {^(kills|pauses|died) (\d+)$} $said] {
    dict set counts $name $value
  }
  return $counts
}

# ---- what is left ------------------------------------------------------------------------------

proc open_extended {name path} {
  global so
  sqlite3 $name $path -create 0
  $name eval {PRAGMA busy_timeout = 5000}
  $name enable_load_extension 1
  $name eval {SELECT load_extension($so)}
}

proc look_at {folder} {
  global root here
  open_extended db $folder/work.db
  open_extended other $folder/other.db
  expect_none "integrity_check" [lsearch -all -inline -not -exact [db eval {PRAGMA integrity_check}] ok]
  expect_none "foreign_key_check" [db eval {PRAGMA foreign_key_check}]
  expect_none "the invariants of the schema" [::ledger::broken db $root/sql/invariants.sql invariant]
  expect_none "tm_doctor" [complaints db]
  ::ledger::load db $folder/ledger
  db eval {CREATE TEMP TABLE other (version INTEGER)}
  set version [other onecolumn {SELECT max(version) FROM tm_migration}]
  db eval {INSERT INTO temp.other VALUES ($version)}
  set broken [::ledger::broken db $here/ledger.sql rule]
  foreach {name -} [::named::queries $here/ledger.sql rule] {
    expect_none "rule $name" [expr {[dict exists $broken $name] ? [dict get $broken $name] : ""}]
  }
  look_at_other
}

# That there is no WAL is half of the runs' idea.
proc complaints {db} {
  $db eval {SELECT name, detail FROM tm_doctor WHERE status = 'error' AND name <> 'journal_mode'}
}

# {name times} of each deed of this run, the seldomest first.
proc deeds {} {
  global here
  set all {}
  foreach {name text} [::named::queries $here/deeds.sql deed] {
    set times [db onecolumn $text]
    if {$times ne {}} { lappend all [list $name $times] }
  }
  return [lsort -integer -index 1 $all]
}

proc too_rare {least} {
  set rare {}
  foreach deed [deeds] {
    if {[lindex $deed 1] < $least} { lappend rare $deed }
  }
  return $rare
}

# The database that was migrated down and up all the time.
proc look_at_other {} {
  global root
  set problems [lsearch -all -inline -not -exact [other eval {PRAGMA integrity_check}] ok]
  lappend problems {*}[other eval {PRAGMA foreign_key_check}]
  other eval {SELECT tm_migrate()}
  lappend problems {*}[::ledger::broken other $root/sql/invariants.sql invariant]
  lappend problems {*}[complaints other]
  set tasks [other onecolumn {SELECT count(*) FROM tm_task WHERE payload = 'stays' AND state = 'available'}]
  if {$tasks != 50} { lappend problems "of 50 tasks there are $tasks" }
  expect_none "the database that is migrated" $problems
}

proc summary {counts} {
  set line {}
  foreach name {kills pauses died} { append line "[dict get $counts $name] $name, " }
  set cut [db onecolumn {SELECT count(*) FROM op WHERE outcome = 'lost'}]
  append line "$cut in the middle of an operation; "
  append line [db onecolumn {
    SELECT sum(outcome = 'done') || ' operations of ' || count(DISTINCT verb) || ' kinds acknowledged, '
      || sum(outcome = 'refused') || ' refused by the rules, '
    FROM op
  }]
  append line [db onecolumn {SELECT count(*) || ' claims, ' FROM claim}]
  lassign [lindex [deeds] 0] deed times
  append line "and seldomest $deed, $times times"
  return $line
}

# ---- controls ----------------------------------------------------------------------------------

# rule, what is done to the ledger or the database
set controls {
  no_acknowledged_task_is_lost {DELETE FROM tm_task WHERE id = (SELECT id FROM born JOIN tm_task USING (id) WHERE state = 'completed' AND flow & 6 = 0 AND id NOT IN (SELECT a FROM op WHERE verb = 'delete') LIMIT 1)}
  no_acknowledged_task_is_lost {INSERT INTO born VALUES (0, 0, (SELECT max(id) + 1000000 FROM tm_task), 'k0.0')}
  an_acknowledged_task_has_one_id {INSERT INTO born SELECT life, seq, id + 1, key FROM born WHERE id > 0 LIMIT 1}
  what_was_asked_for_once_is_there_once {UPDATE tm_task SET payload = (SELECT payload FROM tm_task ORDER BY id LIMIT 1) WHERE id = (SELECT max(id) FROM tm_task)}
  every_task_was_asked_for {INSERT INTO tm_inbox (queue, payload) VALUES ('q', 'nobody')}
  a_transaction_is_there_whole_or_not_at_all {INSERT INTO intent SELECT life, seq, 'k0.0', 1 FROM intent JOIN born USING (life, seq) WHERE is_kept LIMIT 1}
  a_deleted_task_does_not_come_back {UPDATE op SET a = (SELECT max(id) FROM tm_task) WHERE rowid = (SELECT rowid FROM op WHERE verb = 'delete' AND outcome = 'done' LIMIT 1)}
  no_two_claims_have_one_token {INSERT INTO claim SELECT * FROM claim LIMIT 1}
  no_token_goes_back {INSERT INTO claim SELECT 0, worker, task_id, token - 1, until_ms, ended_us + 1, ended_us + 2, ended_ms FROM claim LIMIT 1}
  a_lost_lease_is_refused {INSERT INTO op SELECT 0, 1, 'heartbeat', task_id, token - 1, '', ended_us + 1, ended_ms, ended_us + 2, ended_ms, 'done', 'running' FROM claim LIMIT 1}
  no_lease_is_held_twice {INSERT INTO claim SELECT 0, 'w99', task_id, token, until_ms + 60000, began_us - 20, began_us - 10, ended_ms FROM claim WHERE token = 2 LIMIT 1; UPDATE claim SET token = 1 WHERE worker = 'w99'; DELETE FROM op WHERE a = (SELECT task_id FROM claim WHERE worker = 'w99')}
  the_database_knows_every_token {UPDATE claim SET token = token + 100 WHERE rowid = (SELECT claim.rowid FROM claim JOIN tm_task ON id = task_id LIMIT 1)}
  a_token_is_a_claim_in_the_history {DELETE FROM tm_event WHERE id = (SELECT min(id) FROM tm_event WHERE to_state = 'running')}
  an_acknowledged_claim_is_in_the_history {UPDATE claim SET worker = 'w99' WHERE rowid = (SELECT claim.rowid FROM claim JOIN tm_task ON id = task_id LIMIT 1)}
  an_acknowledged_end_is_in_the_history {DELETE FROM tm_event WHERE id = (SELECT max(e.id) FROM tm_event AS e JOIN op AS o ON o.a = e.task_id AND o.verb = 'complete' AND o.outcome = 'done' WHERE e.to_state = 'completed')}
  an_acknowledged_cancel_is_in_the_history {DELETE FROM tm_event WHERE id = (SELECT s.event_id FROM stood AS s JOIN tm_task ON id = task_id WHERE verb = 'cancel' LIMIT 1)}
  an_acknowledged_retry_is_in_the_history {DELETE FROM tm_event WHERE id = (SELECT s.event_id FROM stood AS s JOIN tm_task ON id = task_id WHERE verb = 'retry' LIMIT 1)}
  an_acknowledged_reconcile_is_in_the_history {DELETE FROM tm_event WHERE reason = 'reconciled'}
  the_history_ends_where_the_task_is {DELETE FROM tm_event WHERE id = (SELECT max(id) FROM tm_event)}
  an_acknowledged_completion_stays {UPDATE op SET b = b + 1 WHERE rowid = (SELECT op.rowid FROM op JOIN tm_task ON id = a WHERE verb = 'complete' AND outcome = 'done' LIMIT 1)}
  an_acknowledged_failure_left_its_error {DELETE FROM tm_attempt}
  an_effect_happens_once {INSERT INTO effect SELECT * FROM effect LIMIT 1}
  an_effect_is_of_a_completed_task {INSERT INTO effect SELECT id, token FROM tm_task WHERE state <> 'completed' LIMIT 1}
  a_completed_task_had_its_effect {DELETE FROM effect WHERE rowid = (SELECT effect.rowid FROM effect JOIN tm_task ON id = task_id LIMIT 1)}
  an_acknowledged_migration_stays {INSERT INTO op SELECT 0, 2, 'migrate', 'up', 0, '', max(ended_us) + 1, 0, max(ended_us) + 2, 0, 'done', '1' FROM op; DELETE FROM op WHERE verb = 'migrate' AND outcome = 'lost'}
  refusals_are_the_rules {UPDATE op SET outcome = 'refused', said = 'database is locked (5)' WHERE rowid = (SELECT rowid FROM op WHERE outcome = 'done' LIMIT 1)}
}

# Each is undone afterwards.
proc control_rules {} {
  global here controls
  db eval {PRAGMA foreign_keys = OFF}
  foreach {rule change} $controls {
    set problems {}
    db eval BEGIN
    if {[catch {
      set before [db total_changes]
      db eval $change
      if {[db total_changes] == $before} { lappend problems "there was nothing to change" }
      ::ledger::note_history db
      if {[::ledger::broken db $here/ledger.sql rule $rule] eq {}} { lappend problems "nobody noticed" }
    } message]} { lappend problems $message }
    db eval ROLLBACK
    expect_none "control of $rule" $problems
  }
}

# A run in which nothing was done.
proc control_deeds {journal} {
  global here
  db eval {BEGIN; DELETE FROM op; DELETE FROM claim; DELETE FROM stood}
  set rare [too_rare 1]
  db eval ROLLBACK
  set names [dict keys [::named::queries $here/deeds.sql deed]]
  if {$journal ne "wal"} { set names [lsearch -all -inline -not $names checkpoint_*] }
  set is_noticed [expr {$rare eq [lmap name $names {list $name 0}]}]
  expect_none "control of the deeds" [expr {$is_noticed ? {} : [list "only these: $rare"]}]
}

# The same with a file: a process that says it was given what another one was given.
proc control_file {folder} {
  global here
  db eval {SELECT c.task_id, c.token, until_ms, ended_us, ended_ms FROM claim AS c JOIN tm_task ON id = task_id LIMIT 1} {
    set channel [open $folder/999999.w99 w]
    puts $channel "I 1 $ended_us $ended_ms claim\nA 1 [expr {$ended_us + 1}] $ended_ms $task_id $token $until_ms"
    close $channel
  }
  ::ledger::load_file db 999999 w99 $folder/999999.w99
  set problems {}
  foreach rule {no_two_claims_have_one_token an_acknowledged_claim_is_in_the_history} {
    if {[::ledger::broken db $here/ledger.sql rule $rule] eq {}} { lappend problems "$rule holds" }
  }
  expect_none "control of a ledger's file" $problems
}

# Claims by hand, that look first and write then.
proc control_lawless {folder seed} {
  global here
  work $folder 60 0 $seed wal lawless
  open_extended db $folder/work.db
  ::ledger::load db $folder/ledger
  db eval {CREATE TEMP TABLE other (version INTEGER)}
  set broken [::ledger::broken db $here/ledger.sql rule no_two_claims_have_one_token]
  db close
  set problems [expr {$broken eq {} ? {{nobody was given what another one had}} : {}}]
  expect_none "control by claims without the lock" $problems
}

# ---- all of it ---------------------------------------------------------------------------------

puts "seed $seed"
# The death of a process takes nothing from the disk: memory does as well.
set folder [::scratch::folder]
foreach journal $journals {
  set share [expr {($kills + [llength $journals] - 1) / [llength $journals]}]
  set counts [work $folder/$journal $share [expr {double($seconds) / [llength $journals]}] $seed $journal]
  expect_none "no process ended by itself ($journal)" [expr {[dict get $counts died] ? [dict get $counts said] : ""}]
  expect_none "kills ($journal)" [expr {[dict get $counts kills] < $share ? "$counts" : ""}]
  look_at $folder/$journal
  puts "$journal: [summary $counts]"
  # A sixth of what was seldomest on a machine with ten times as much to do as it can.
  expect_none "everything was done ($journal)" [too_rare [expr {$share / 75}]]
  control_rules
  control_deeds $journal
  control_file $folder/$journal/ledger
  db close
  other close
}
control_lawless $folder/lawless $seed
file delete -force $folder
puts "$passed passed, $failed failed"
exit [expr {$failed > 0}]
