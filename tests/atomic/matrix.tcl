# matrix.tcl - every verb, in every calling context, under every failure: all of it, or nothing.
# Owns:    `matrix`, which makes a test of each context of a verb, and counts the cells.
# Promise: a cell is one run under one failure. Afterwards the database holds what it held
#          before, or what the undisturbed run leaves; a transaction is open where one was, unless
#          SQLite's own rule rolled all of it back; and the connection still works.
# Why:     a verb that tears under one failure in one context loses or doubles a task there.
#
# Only what a verb meets is a cell: a run under a recording authorizer tells which tables it
# reads and writes, one under a progress handler where it can be interrupted, and a disk gets
# one page more each time until the verb succeeds.

namespace eval ::matrix {
  variable folder {}       ;# of the databases that cells start from
  variable tally {}        ;# dict: outcome -> cells
  variable journal wal
  variable interrupts 4    ;# points at which a verb is interrupted, of each kind
  variable raises {ABORT FAIL IGNORE ROLLBACK}
  # One cell of so many is run, and one context of so many: all of them, unless TM_MATRIX_EVERY and
  # TM_MATRIX_CONTEXTS say otherwise. The count goes on from verb to verb, so that all have their turn.
  variable every [expr {[info exists ::env(TM_MATRIX_EVERY)] ? $::env(TM_MATRIX_EVERY) : 1}]
  variable every_context [expr {[info exists ::env(TM_MATRIX_CONTEXTS)] ? $::env(TM_MATRIX_CONTEXTS) : 1}]
  variable asked_for 0
  variable contexts_asked_for 0
  variable bases {}        ;# name and SQL of the databases that only one file of tests starts from
  variable right {done undone rolled_back late kept blind aside unnoted}
}

# ---- where cells start -------------------------------------------------------------------------

# Tasks in every state, in queues that differ in what a claim finds there.
proc ::matrix::tasks_sql {} {
  set worker [string repeat w 120]
  return "
    SELECT tm_clock_set(1700000000000);
    INSERT INTO tm_queue (name, backoff_kind, backoff_jitter, lease_ms)
    VALUES ('two', 'fixed', 0, 3600000), ('due', 'fixed', 0, 3600000), ('work', 'fixed', 0, 3600000);
    INSERT INTO tm_queue (name, paused) VALUES ('paused', 1);
    SELECT tm_enqueue('two', 'first'), tm_enqueue('two', 'second');
    SELECT tm_enqueue('due', 'scheduled', '{\"delay\":1}');
    SELECT tm_enqueue('due', 'lapsed');
    SELECT tm_enqueue('due', 'spent', '{\"max_attempts\":1}');
    SELECT tm_enqueue('due', 'stopped');
    SELECT tm_claim('due', '$worker', '{\"count\":3,\"lease\":1}'), tm_cancel(6);
    SELECT tm_enqueue('work', 'running'), tm_enqueue('work', 'last', '{\"max_attempts\":1}');
    SELECT tm_claim('work', '$worker', '{\"count\":2}');
    SELECT tm_enqueue('work', 'scheduled', '{\"delay\":\"1h\"}');
    SELECT tm_enqueue('work', 'held', '{\"held\":true}');
    SELECT tm_enqueue('work', 'discarded'), tm_claim('work', '$worker', '{\"id\":11}');
    SELECT tm_fail(11, 1, 'broken', '{\"discard\":true}');
    SELECT tm_enqueue('work', 'stopped'), tm_claim('work', '$worker', '{\"id\":12}'), tm_cancel(12);
    SELECT tm_enqueue('work', 'available');
    SELECT tm_enqueue('work', 'completed'), tm_claim('work', '$worker', '{\"id\":14}');
    SELECT tm_fail(14, 1, 'broken', '{\"discard\":true}'), tm_retry(14);
    SELECT tm_claim('work', '$worker', '{\"id\":14}'), tm_complete(14, 2, 'done');
    SELECT tm_clock_advance(10);"
}

# Two schedules with three slots behind them: one whose slots all fire, one that waits for its turn.
proc ::matrix::plans_sql {} {
  return "
    SELECT tm_clock_set(1700000000000);
    INSERT INTO tm_queue (name) VALUES ('clock'), ('other');
    SELECT tm_schedule('all', '@hourly', 'clock', 'payload', '{\"catch_up\":\"all\",\"priority\":3}');
    SELECT tm_schedule('turn', '@hourly', 'clock', 'payload', '{\"overlap\":\"queue\",\"max_runs\":9}');
    SELECT tm_schedule('still', '@hourly', 'other', 'payload'), tm_pause_schedule('still');
    SELECT tm_clock_advance('1h'), tm_claim('clock', 'w', '{\"count\":2,\"lease\":\"9h\"}');
    SELECT tm_clock_advance('3h');"
}

# Task 11 is discarded and kept by a row of others, 14 is completed and due, 13 was cancelled before.
proc ::matrix::kept_sql {} {
  return {
    SELECT tm_cancel(13);
    UPDATE tm_queue SET keep_completed_ms = 0, keep_discarded_ms = 0, keep_count = 2 WHERE name = 'work';
    CREATE TABLE keeps (task_id INTEGER REFERENCES tm_task (id));
    INSERT INTO keeps VALUES (11);
    SELECT tm_tick();
    SELECT tm_enqueue('work', 'finished next'), tm_claim('work', 'w', '{"id":15}');
    SELECT tm_enqueue('work', 'finished'), tm_cancel(16), tm_enqueue('work', 'finished'), tm_cancel(17);
    SELECT tm_enqueue('work', 'finished'), tm_claim('work', 'w', '{"id":18}'), tm_complete(18, 1);
    UPDATE tm_queue SET keep_cancelled_ms = 3600000 WHERE name = 'work';
    SELECT tm_clock_advance('2h');
  }
}

# 1 and 2 run; 3, with three after it, and 4 are the last that wait for 2; 8 waits for nobody and 9
# was cancelled by a failure of 10, which has been retried.
proc ::matrix::chained_sql {} {
  return {
    SELECT tm_clock_set(1700000000000);
    INSERT INTO tm_queue (name) VALUES ('two');
    SELECT tm_enqueue('two', 'first'), tm_enqueue('two', 'second');
    SELECT tm_enqueue('two', 'third', '{"after":2}'), tm_enqueue('two', 'fourth', '{"after":2,"delay":60}');
    SELECT tm_enqueue('two', 'fifth', '{"after":3}'), tm_enqueue('two', 'sixth', '{"after":[5,1],"on_failure":"hold"}');
    SELECT tm_enqueue('two', 'seventh', '{"after":[3,{"id":5,"on":"final"}]}');
    SELECT tm_claim('two', 'w', '{"count":2,"lease":"9h"}');
    SELECT tm_enqueue('two', 'eighth');
    SELECT tm_enqueue('two', 'ninth', '{"held":true}'), tm_enqueue('two', 'tenth');
    SELECT tm_depend(9, 10), tm_cancel(10), tm_retry(10);
    SELECT tm_enqueue('two', 'eleventh'), tm_enqueue('two', 'twelfth', '{"after":11}'), tm_claim('two', 'w', '{"id":11}'), tm_complete(11, 1);
    SELECT tm_claim('two', 'w', '{"id":12}'), tm_complete(12, 1);
  }
}

# Of `two`: 1 may be claimed, 2 has expired, 3 ran for too long, 4 has had its grace, 5 is in it; 6 expired before.
proc ::matrix::timed_sql {} {
  return {
    SELECT tm_clock_set(1700000000000);
    INSERT INTO tm_queue (name, backoff_kind, backoff_jitter, lease_ms, grace_ms) VALUES ('two', 'fixed', 0, 3600000, 5000);
    SELECT tm_enqueue('two', 'available', '{"expires":900,"timeout":60,"deadline":9000}');
    SELECT tm_enqueue('two', 'expired', '{"expires":99,"held":true}');
    SELECT tm_enqueue('two', 'long', '{"timeout":99,"priority":3}'), tm_enqueue('two', 'stopped', '{"timeout":94,"priority":2}');
    SELECT tm_enqueue('two', 'stopping', '{"timeout":97,"priority":1}'), tm_enqueue('two', 'gone', '{"expires":1,"held":true}');
    SELECT tm_claim('two', 'w', '{"count":3}');
    SELECT tm_clock_advance(94), tm_tick(), tm_clock_advance(3), tm_tick(), tm_clock_advance(2);
  }
}

# Keys of each scope: 1 waits, 2 runs, 3 is blocked, 4 was cancelled, 5 and 6 had one key and are final, 7
# is held; the windows of three that were deleted are over, and the one of 11 is not, nor that of 12, which is final;
# 14 is in a queue with a limit.
proc ::matrix::keyed_sql {} {
  return {
    SELECT tm_clock_set(1700000000000);
    INSERT INTO tm_queue (name) VALUES ('two');
    SELECT tm_enqueue('two', 'first', '{"unique":"one"}'), tm_enqueue('two', 'second', '{"unique":"two","partition":"p"}');
    SELECT tm_claim('two', 'w', '{"id":2,"lease":"9h"}'), tm_enqueue('two', 'third', '{"unique":"three","after":1}');
    SELECT tm_enqueue('two', 'fourth', '{"unique":"four"}'), tm_cancel(4);
    SELECT tm_enqueue('two', 'fifth', '{"unique":"five"}'), tm_cancel(5), tm_enqueue('two', 'sixth', '{"unique":"five"}'), tm_cancel(6);
    SELECT tm_enqueue('two', 'seventh', '{"unique":{"key":"seven","scope":"queued"},"held":true}');
    SELECT tm_enqueue('two', 8, '{"unique":{"key":"w8","period":"1h"}}'), tm_enqueue('two', 9, '{"unique":{"key":"w9","period":"1h"}}'), tm_enqueue('two', 10, '{"unique":{"key":"w10","period":"1h"}}');
    SELECT tm_cancel_where('{"ids":[8,9,10]}'), tm_delete_where('{"ids":[8,9,10]}');
    SELECT tm_clock_advance('1h');
    SELECT tm_enqueue('two', 11, '{"unique":{"key":"w11","period":"1h"}}'), tm_enqueue('two', 12, '{"unique":{"key":"w12","period":"1h"}}');
    SELECT tm_cancel(11), tm_delete(11), tm_cancel(12);
    SELECT tm_enqueue('two', 'thirteenth', '{"unique":{"key":"queued","scope":"queued"},"priority":9}');
    INSERT INTO tm_queue (name, max_running) VALUES ('few', 5);
    SELECT tm_enqueue('few', 'fourteenth', '{"unique":"few"}');
  }
}

# 1 and 2 are the open tasks of the sealed group `g`, 3 and 4 wait for it, 5 for `h`, which has one task and
# is not sealed; 7 has the children 8 and 9; 10 is final and the last of `gone`; 1 runs.
proc ::matrix::grouped_sql {} {
  return {
    SELECT tm_clock_set(1700000000000);
    INSERT INTO tm_queue (name) VALUES ('two');
    SELECT tm_enqueue('two', 1, '{"group":"g"}'), tm_enqueue('two', 2, '{"group":"g"}'), tm_enqueue('two', 3, '{"after":{"group":"g"}}');
    SELECT tm_enqueue('two', 4, '{"after":[{"group":"g","on":"completed"},{"group":"h"}],"on_failure":"hold"}');
    SELECT tm_enqueue('two', 5, '{"after":{"group":"h","on":"completed"}}'), tm_enqueue('two', 6, '{"group":"h"}');
    SELECT tm_claim('two', 'w', '{"id":1,"lease":"9h"}'), tm_seal('g'), tm_cancel(2);
    SELECT tm_enqueue('two', 7), tm_enqueue('two', 8, '{"parent":7}'), tm_enqueue('two', 9, '{"parent":8}');
    SELECT tm_enqueue('two', 10, '{"group":"gone"}'), tm_cancel(10), tm_seal('gone');
    SELECT tm_enqueue('two', 11, '{"group":"open","after":1}'), tm_enqueue('two', 12, '{"after":{"group":"gone","on":"completed"}}');
  }
}

# The application's own tables, and what stands in its way.
proc ::matrix::application_sql {} {
  return {
    CREATE TABLE mine (x);
    CREATE TABLE target (x);
    INSERT INTO target VALUES ('old');
    CREATE TABLE fire (x);
    CREATE TABLE bulk (x);
    CREATE TABLE is_checked (x CHECK (x > 0));
    CREATE TABLE is_given (x NOT NULL);
    CREATE TABLE is_unique (x UNIQUE);
    INSERT INTO is_unique VALUES (0);
    CREATE TABLE has_parent (x REFERENCES is_unique (x));
    CREATE TABLE has_parent_later (x REFERENCES is_unique (x) DEFERRABLE INITIALLY DEFERRED);
  }
}

# `tasks`, `plans`, `kept` and `broken` have the newest schema, `plans` schedules too, `kept` limits of its queue `work`
# for what is finished, `chained` tasks that wait for others, `noted` one of them ended by hand, `timed` tasks with times, `keyed` tasks that are unique, `grouped` groups, who waits for them, and children, `broken` a history out of order; `first` has version 1 of it, `bare` none. Pages are short, so that
# what a verb writes needs new ones.
proc ::matrix::make_databases {} {
  variable folder
  variable journal
  if {$folder ne {}} return
  set folder $::harness::scratch/matrix
  file mkdir $folder
  variable bases
  foreach name [concat {tasks timed plans kept chained noted keyed grouped broken first bare} [dict keys $bases]] {
    sqlite3 ::make $folder/$name
    ::harness::load_extension make
    ::make eval "PRAGMA page_size = 512; PRAGMA journal_mode = $journal"
    if {$name ne "bare"} { ::make eval {INSERT INTO tm_command (verb) VALUES ('init')} }
    if {$name in {tasks kept broken}} { ::make eval [tasks_sql] }
    if {[dict exists $bases $name]} { ::make eval [dict get $bases $name] }
    if {$name eq "plans"} { ::make eval [plans_sql] }
    if {$name eq "timed"} { ::make eval [timed_sql] }
    if {$name eq "kept"} { ::make eval [kept_sql] }
    if {$name in {chained noted}} { ::make eval [chained_sql] }
    if {$name eq "grouped"} { ::make eval [grouped_sql] }
    if {$name eq "keyed"} { ::make eval [keyed_sql] }
    if {$name eq "noted"} { ::make eval {UPDATE tm_task SET state = 'completed' WHERE id = 2} }
    if {$name eq "broken"} {
      ::make config enable_trigger 0
      ::make eval {UPDATE tm_event SET previous_id = 99 WHERE previous_id > 0}
    }
    if {$name eq "first"} { ::make eval {SELECT tm_enqueue('q', 'x'); SELECT tm_migrate(1)} }
    ::make eval [application_sql]
    ::make close
  }
}

# ---- calling contexts --------------------------------------------------------------------------

# {name begin statement end ...}: CALL is the function's call, COMMAND the row for tm_command.
proc ::matrix::contexts {} {
  set mine "INSERT INTO mine VALUES (1);"
  return [list \
    select            {} {SELECT CALL} {} \
    insert_select     {} {INSERT INTO target SELECT CALL} {} \
    insert_values     {} {INSERT INTO target VALUES (CALL)} {} \
    update            {} {UPDATE target SET x = CALL} {} \
    trigger           {} {INSERT INTO fire VALUES ('call')} {} \
    command_values    {} {INSERT INTO tm_command(COLUMNS) VALUES (COMMAND)} {} \
    command_select    {} {INSERT INTO tm_command(COLUMNS) SELECT COMMAND} {} \
    command_trigger   {} {INSERT INTO fire VALUES ('command')} {} \
    begin             "BEGIN; $mine" {SELECT CALL} COMMIT \
    immediate         "BEGIN IMMEDIATE" {SELECT CALL} COMMIT \
    savepoint         "BEGIN; SAVEPOINT s; $mine" {SELECT CALL} {RELEASE s; COMMIT} \
    outer_savepoint   "SAVEPOINT s; $mine" {SELECT CALL} {RELEASE s} \
    begin_select      "BEGIN; $mine" {INSERT INTO target SELECT CALL} COMMIT \
    begin_values      "BEGIN; $mine" {INSERT INTO target VALUES (CALL)} COMMIT \
    begin_update      "BEGIN; $mine" {UPDATE target SET x = CALL} COMMIT \
    begin_trigger     "BEGIN; $mine" {INSERT INTO fire VALUES ('call')} COMMIT \
    begin_command     "BEGIN; $mine" {INSERT INTO tm_command(COLUMNS) VALUES (COMMAND)} COMMIT \
  ]
}

proc ::matrix::rows_contexts {} {
  return [list \
    rows        "BEGIN IMMEDIATE; INSERT INTO mine VALUES (1)" {SELECT * FROM tm_claim(ARGS)} COMMIT \
    rows_insert {} {INSERT INTO target SELECT id FROM tm_claim(ARGS)} {} \
  ]
}

proc ::matrix::inbox_contexts {} {
  return [list \
    inbox         {} {INSERT INTO tm_inbox(INBOX) VALUES (ARGS)} {} \
    inbox_begin   "BEGIN; INSERT INTO mine VALUES (1)" {INSERT INTO tm_inbox(INBOX) VALUES (ARGS)} COMMIT \
    inbox_trigger {} {INSERT INTO fire VALUES ('inbox')} {} \
  ]
}

# ---- the databases of a test -------------------------------------------------------------------

proc ::matrix::open_on {base} {
  variable folder
  ::db close
  file delete {*}[glob -nocomplain $::harness::file*]
  file copy $folder/$base $::harness::file
  ::harness::another db
  ::harness::plain look
  ::look cache size 100
}

proc ::matrix::restore {base} {
  variable folder
  ::db restore main $folder/$base
  ::db eval [set ::matrix::fire]
}

# What others see by that connection: everything that was committed, as a list of {table text}. When a
# migration was applied is no matter, nor which random number a stamp is.
proc ::matrix::committed {{connection ::look}} {
  variable dump_of
  set schema [$connection eval {SELECT name, sql FROM sqlite_schema ORDER BY name}]
  if {![info exists dump_of($schema)]} {
    set dump_of($schema) {}
    foreach table [$connection eval {SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name}] {
      set cells [$connection eval {SELECT 'quote("' || name || '")' FROM pragma_table_info($table) WHERE name NOT IN ('applied_ms', 'stamp')}]
      set line [join $cells " || ' ' || "]
      lappend dump_of($schema) "SELECT '$table', (SELECT group_concat(line, ' | ') FROM (SELECT $line AS line FROM \"$table\" ORDER BY line))"
    }
    set dump_of($schema) [join $dump_of($schema) " UNION ALL "]
  }
  set out [list [list schema $schema]]
  foreach {table text} [$connection eval $dump_of($schema)] { lappend out [list $table $text] }
  return $out
}

proc ::matrix::is_open {} {
  if {[catch {::db eval BEGIN}]} { return 1 }
  ::db eval ROLLBACK
  return 0
}

# ---- failures ----------------------------------------------------------------------------------

# Run the statement and note what it asks for; returns the list of {OPERATION table}.
proc ::matrix::record {begin statement} {
  variable asked {}
  ::db eval $begin
  ::db authorizer ::matrix::note
  set code [catch {::db eval $statement} message]
  ::db authorizer {}
  if {[is_open]} { ::db eval ROLLBACK }
  if {$code} { return -code error "undisturbed, but: $message" }
  return [lsort [dict keys $asked]]
}

proc ::matrix::note {operation table args} {
  variable asked
  if {$operation in {SQLITE_INSERT SQLITE_UPDATE SQLITE_DELETE SQLITE_READ} && [string match tm_* $table]} {
    dict set asked [list [string range $operation 7 end] $table] 1
  }
  return SQLITE_OK
}

# {instructions, statements} that the statement takes, with those nested in it.
proc ::matrix::length {begin statement} {
  variable steps 0
  variable statements 0
  ::db eval $begin
  ::db progress 1 {incr ::matrix::steps; expr 0}
  ::db trace {incr ::matrix::statements; list}
  ::db eval $statement
  ::db progress 0 {}
  ::db trace {}
  if {[is_open]} { ::db eval ROLLBACK }
  return [list $steps $statements]
}

# Every failure that the verb may meet in this context: a list of {kind argument ...}.
proc ::matrix::failures {base asked length} {
  lassign $length steps statements
  variable raises
  variable interrupts
  set all {}
  foreach pair $asked {
    lassign $pair operation table
    if {$table eq "tm_claim"} continue
    lappend all [list deny $operation $table] [list ignore $operation $table]
    if {$operation eq "READ" || [is_no_table $table] || $base eq "bare"} continue
    foreach how $raises {
      lappend all [list raise BEFORE $operation $table $how 0] [list raise AFTER $operation $table $how 0]
    }
    # At the second row: where a verb moves several tasks, after the first is moved.
    lappend all [list raise AFTER $operation $table ABORT 1] [list raise BEFORE $operation $table FAIL 1]
    foreach breach [dict keys [breaches]] { lappend all [list breach AFTER $operation $table $breach] }
    lappend all [list breach BEFORE $operation $table check]
    lappend all [list bulk AFTER $operation $table] [list bulk BEFORE $operation $table]
  }
  for {set i 0} {$i < $interrupts} {incr i} {
    set at [expr {1 + $steps * $i / $interrupts}]
    lappend all [list stop $at] [list interrupt $at]
  }
  # At the beginning of each nested statement, the reading ones too.
  for {set i 2} {$i <= $statements} {incr i} { lappend all [list interrupt_at $i] }
  for {set pages 0} {$pages < 8} {incr pages} { lappend all [list full $pages] }
  lappend all {forbid}
  return $all
}

# Nobody makes a BEFORE or AFTER trigger on a view or a virtual table, nor on a table that a migration
# makes and drops.
proc ::matrix::is_no_table {table} {
  ::db eval {SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = $table AND type = 'table')}
}

# A statement of the user's own trigger that breaks a constraint of the user's own table.
proc ::matrix::breaches {} {
  return {
    check    {INSERT INTO is_checked VALUES (-1)}
    fail     {INSERT OR FAIL INTO is_given VALUES (NULL)}
    unique   {INSERT INTO is_unique VALUES (0)}
    rollback {INSERT OR ROLLBACK INTO is_unique VALUES (0)}
    parent   {INSERT INTO has_parent VALUES (7)}
    deferred {INSERT INTO has_parent_later VALUES (7)}
  }
}

# Before the transaction of the cell begins.
proc ::matrix::prepare {failure} {
  switch [lindex $failure 0] {
    raise {
      lassign $failure - timing operation table how from
      set when {}
      if {$from > 0} {
        set when "WHEN (SELECT count(*) FROM bulk) > $from"
        ::db eval "CREATE TRIGGER trip_count $timing $operation ON $table BEGIN INSERT INTO bulk VALUES (NULL); END"
      }
      ::db eval "
        CREATE TRIGGER trip $timing $operation ON $table $when
        BEGIN SELECT RAISE([expr {$how eq "IGNORE" ? "IGNORE" : "$how, 'tripped'"}]); END"
    }
    breach {
      lassign $failure - timing operation table breach
      ::db eval "CREATE TRIGGER trip $timing $operation ON $table BEGIN [dict get [breaches] $breach]; END"
    }
    bulk {
      lassign $failure - timing operation table
      ::db eval "CREATE TRIGGER trip $timing $operation ON $table BEGIN INSERT INTO bulk VALUES (zeroblob(9000)); END"
    }
  }
}

# Right before the statement.
proc ::matrix::arm {failure} {
  variable verdict_of
  variable left
  lassign $failure kind a b
  switch $kind {
    deny { set verdict_of [list SQLITE_$a $b SQLITE_DENY]; ::db authorizer ::matrix::judge }
    ignore { set verdict_of [list SQLITE_$a $b SQLITE_IGNORE]; ::db authorizer ::matrix::judge }
    forbid { ::db authorizer ::matrix::forbid }
    stop { set left $a; ::db progress 1 {expr {[incr ::matrix::left -1] == 0}} }
    interrupt { set left $a; ::db progress 1 {if {[incr ::matrix::left -1] == 0} {::db interrupt}; expr 0} }
    interrupt_at { set left $a; ::db trace {if {[incr ::matrix::left -1] == 0} {::db interrupt}; list} }
    full { room $a }
    bulk { room 10 }
  }
}

proc ::matrix::room {pages} {
  set count [::db onecolumn {PRAGMA page_count}]
  ::db eval "PRAGMA max_page_count = [expr {$count + $pages}]"
}

proc ::matrix::judge {operation table args} {
  variable verdict_of
  lassign $verdict_of of_operation of_table answer
  expr {$operation eq $of_operation && $table eq $of_table ? $answer : "SQLITE_OK"}
}

# No verb may begin, end or nest a transaction.
proc ::matrix::forbid {operation args} {
  expr {$operation in {SQLITE_TRANSACTION SQLITE_SAVEPOINT} ? "SQLITE_DENY" : "SQLITE_OK"}
}

proc ::matrix::disarm {failure} {
  switch [lindex $failure 0] {
    deny - ignore - forbid { ::db authorizer {} }
    stop - interrupt { ::db progress 0 {} }
    interrupt_at { ::db trace {} }
    full - bulk { ::db eval {PRAGMA max_page_count = 1000000} }
  }
}

proc ::matrix::clear {failure} {
  switch [lindex $failure 0] {
    raise - breach - bulk {
      ::db eval {DROP TRIGGER IF EXISTS trip; DROP TRIGGER IF EXISTS trip_count}
    }
  }
}

# What may roll a whole transaction back by SQLite's own rule.
proc ::matrix::may_roll_back {failure} {
  lassign $failure kind timing - - how
  expr {$kind in {stop interrupt interrupt_at full bulk} || ($kind eq "raise" && $how eq "ROLLBACK") || ($kind eq "breach" && $how eq "rollback")}
}

# ---- one cell ----------------------------------------------------------------------------------

# Run one cell; returns {outcome message}. The outcomes that are right: done, undone, rolled_back.
proc ::matrix::cell {base context states failure} {
  variable right
  lassign $context begin statement end
  lassign $states before mine after
  prepare $failure
  ::db eval $begin
  arm $failure
  set failed [catch {::db eval $statement} message]
  disarm $failure
  set is_open [is_open]
  if {$begin eq {}} {
    set wanted $before
    if {$is_open} { ::db eval ROLLBACK }
    set leaked $is_open
  } else {
    set leaked 0
    set wanted [expr {$is_open ? $mine : $before}]
    if {!$is_open && !($failed && [may_roll_back $failure])} {
      set leaked [expr {$failed ? "the transaction is gone" : "the transaction was ended"}]
    }
    if {$is_open && [catch {::db eval $end} why]} {
      ::db eval ROLLBACK
      set failed 1
      set message $why
      set wanted $before
    }
  }
  clear $failure
  set found [committed]
  set outcome [expr {$failed ? ($begin ne {} && !$is_open ? "rolled_back" : "undone") : "done"}]
  if {$leaked ne 0} {
    set outcome "transaction: [expr {$leaked eq 1 ? "left open" : $leaked}]"
  } elseif {!$failed && ![is_same $found $after]} {
    set outcome [blind_or_torn $failure $found $before $after]
  } elseif {$failed && $found ne $wanted} {
    set outcome [kept_or_torn $failure $statement $found $after]
  }
  if {[info exists ::env(TM_MATRIX_SHOW)] && $outcome ni $right} { show $failure $outcome $wanted $after $found }
  if {$found eq $mine && $found ne $before} {
    ::db eval {DELETE FROM mine}
  } elseif {$found ne $before} {
    restore $base
  }
  if {[catch {works $base} why]} { append outcome ", and then the connection: $why" }
  return [list $outcome $message]
}

# No error, and yet not what the undisturbed run leaves. Not torn are: a verb that was kept from
# reading the clock, and one that was kept from seeing anything to do; and
# aside:   a task whose delete a constraint or a trigger of the user's refuses is not pruned, and
#          stays whole: the invariants say so.
# unnoted: what IGNORE hides is a note of retention or its count. The task itself is as it should
#          be, and the invariants tell what is missing.
proc ::matrix::blind_or_torn {failure found before after} {
  variable is_timeless
  set is_ignored_read [string equal [lrange $failure 0 1] {ignore READ}]
  if {($is_ignored_read || $is_timeless) && [is_same [timeless $found] [timeless $after]]} { return done }
  set is_nothing [expr {[ours $found] eq [ours $before]}]
  if {$is_ignored_read && $is_nothing} { return blind }
  if {[refuses_delete $failure] && [is_same [others $found] [others $after]] && [broken_invariants] eq {}} { return aside }
  set ignores [expr {[lindex $failure 0] eq "ignore" || [lindex $failure 4] eq "IGNORE"}]
  if {$ignores && [is_same [unnoted $found] [unnoted $after]]} { return unnoted }
  return [expr {$is_nothing ? "SILENT: nothing was done" : "TORN: it succeeded"}]
}

# An error, and the database is not as before. Two cases are SQLite's own:
# late: an interrupt that comes when the verb is done and committed, at the end of the statement.
# kept: RAISE(FAIL), or OR FAIL, in a trigger of the user's on the one INSERT that an enqueue is:
#       FAIL keeps the row, as it does for any INSERT. With tm_inbox the statement is the
#       caller's own, and FAIL keeps what came before it.
proc ::matrix::kept_or_torn {failure statement found after} {
  variable fire
  variable is_one_insert
  variable is_timeless
  set is_done [expr {[is_same $found $after] || ($is_timeless && [is_same [timeless $found] [timeless $after]])}]
  if {[lindex $failure 0] in {stop interrupt} && $is_done} { return late }
  set is_fail [expr {[lindex $failure 4] in {FAIL fail}}]
  if {$is_one_insert && $is_fail && [lsearch -inline $found tm_task*] eq [lsearch -inline $after tm_task*]} { return kept }
  if {$is_fail && [string match "*INTO tm_inbox*" "$statement $fire"]} { return kept }
  return [expr {$is_done ? "REPEATS: done, and yet an error" : "TORN: it failed"}]
}

proc ::matrix::refuses_delete {failure} {
  lassign $failure kind - operation table how
  expr {$kind in {raise breach} && $operation in {DELETE INSERT UPDATE} && $how ni {IGNORE ROLLBACK rollback}}
}

# Without ours, and without the row that holds the call's result.
proc ::matrix::others {found} {
  lsearch -all -inline -not [lsearch -all -inline -not $found tm_*] target*
}

proc ::matrix::unnoted {found} { lsearch -all -inline -not $found tm_finished* }

proc ::matrix::broken_invariants {} {
  set wrong {}
  foreach {name text} [::harness::invariants] { lappend wrong {*}[::look eval $text] }
  return $wrong
}

proc ::matrix::ours {found} { lsearch -all -inline $found tm_* }

# Without the times of this century.
proc ::matrix::timeless {found} { regsub -all {\m1[78]\d{11}\M} $found TIME }

# For whoever looks for the reason: TM_MATRIX_SHOW=1 prints what differs.
proc ::matrix::show {failure outcome wanted after found} {
  puts "-- $failure: $outcome"
  foreach a $wanted b $after c $found {
    if {$c eq $a && $c eq $b} continue
    foreach {what text} [list before $a after $b found $c] { puts "  $what $text" }
  }
}

# Rows of the user's own trigger do not count.
proc ::matrix::is_same {found after} {
  foreach a $found b $after {
    if {$a ne $b && [lindex $a 0] ni {bulk has_parent_later} && [lindex $b 0] ni {bulk has_parent_later}} { return 0 }
  }
  return 1
}

proc ::matrix::works {base} {
  if {$base ne "tasks"} {
    ::db eval {SELECT tm_version()}
    return
  }
  ::db eval {BEGIN IMMEDIATE}
  try {
    ::db eval {SELECT tm_enqueue('two', 'works'), tm_complete(8, 1)}
  } finally {
    if {[is_open]} { ::db eval ROLLBACK }
  }
}

# ---- all cells of a verb in a context ----------------------------------------------------------

# The table that the caller's own INSERT names, with the one in the body of the trigger `fires`.
proc ::matrix::outermost {statement} {
  variable fire
  if {[string match "INSERT INTO fire *" $statement]} { set statement $fire }
  expr {[regexp {INSERT INTO (tm_\w+)} $statement -> table] ? $table : ""}
}

proc ::matrix::count {outcome} {
  variable tally
  dict incr tally $outcome
}

# All that is wrong, as a list of {failure outcome message}.
proc ::matrix::run {base context} {
  variable right
  variable every
  variable asked_for
  variable has_savepoint
  variable has_keys_off
  lassign $context begin statement end
  open_on $base
  restore $base
  set before [committed]
  ::db eval $begin
  ::db eval $end
  set mine [committed]
  restore $base
  ::db eval $begin
  ::db eval $statement
  ::db eval $end
  set after [committed]
  restore $base
  if {$after eq $mine} { error "the undisturbed run changes nothing" }

  set wrong {}
  # The caller's own ROLLBACK takes all of it back.
  if {$begin ne {}} {
    ::db eval $begin
    ::db eval $statement
    ::db eval ROLLBACK
    count undone
    if {[committed] ne $before} { lappend wrong {rollback TORN {}} }
  }
  set asked [record $begin $statement]
  restore $base
  set length [length $begin $statement]
  restore $base
  set full 0
  foreach failure [failures $base $asked $length] {
    if {[incr asked_for] % $every} continue
    # The caller's own statement, which never comes to us.
    if {$failure eq "ignore INSERT [outermost $statement]"} continue
    if {$failure eq "forbid" && $has_savepoint} continue
    # Foreign keys are off while a table is made anew, for triggers of the application too.
    if {$has_keys_off && [lindex $failure 0] eq "breach" && [lindex $failure end] eq "parent"} continue
    if {[lindex $failure 0] eq "full" && $full eq "done"} continue
    lassign [cell $base $context [list $before $mine $after] $failure] outcome message
    if {[lindex $failure 0] eq "full"} { set full $outcome }
    count [expr {$outcome in $right ? $outcome : "wrong"}]
    if {$outcome ni $right} { lappend wrong [list $failure $outcome $message] }
    if {[lindex $failure 0] eq "forbid" && $outcome ne "done"} { lappend wrong [list $failure $outcome $message] }
  }
  return $wrong
}

# matrix NAME SENTENCE {verb arguments} ?-base B? ?-direct? ?-one? ?-timeless? ?-savepoint? ?-keys-off? ?-only CONTEXTS? ?-rows? ?-inbox? ?-columns COLUMNS?
#
# -columns: of tm_inbox, else queue and payload; -direct: not callable from a trigger; -rows: the arguments are those of the table tm_claim;
# -one: the verb is a single INSERT; -timeless: it leaves or returns the
# time of the machine; -savepoint: it may open one; -keys-off: it switches foreign keys off
# meanwhile.
proc ::matrix::matrix {name sentence call args} {
  variable every_context
  variable contexts_asked_for
  set base tasks
  set only {}
  set flags {}
  set contexts [contexts]
  while {$args ne {}} {
    set args [lassign $args option]
    switch -- $option {
      -base { set args [lassign $args base] }
      -only { set args [lassign $args only] }
      -direct - -one - -timeless - -savepoint - -keys-off { lappend flags $option }
      -columns { set args [lassign $args inbox]; lappend flags [list inbox $inbox] }
      -rows { set contexts [rows_contexts] }
      -inbox { set contexts [inbox_contexts] }
    }
  }
  regexp {^(\w+)\s*(.*)$} $call -> verb arguments
  foreach {where begin statement end} $contexts {
    if {$only ne {} && $where ni $only} continue
    if {"-direct" in $flags && $where in {trigger begin_trigger}} continue
    if {[incr contexts_asked_for] % $every_context} continue
    set body [list ::matrix::in_context $base $flags $verb $arguments [list $begin $statement $end]]
    # The quick suite has a taste of it.
    set slow [expr {$where eq "select" && $verb in {enqueue complete} ? {} : "-slow"}]
    if {$base eq "broken"} { lappend slow -broken }
    ::harness::test -raw {*}$slow matrix-$name.$where "$sentence, $where: whole or not at all" $body {}
  }
}

proc ::matrix::in_context {base flags verb arguments context} {
  variable fire
  variable is_one_insert [expr {"-one" in $flags}]
  variable is_timeless [expr {"-timeless" in $flags}]
  variable has_savepoint [expr {"-savepoint" in $flags}]
  variable has_keys_off [expr {"-keys-off" in $flags}]
  make_databases
  set command [join [concat [list '$verb'] [expr {$arguments eq {} ? {} : [list $arguments]}]] ", "]
  set columns [join [lrange {verb arg1 arg2 arg3 arg4 arg5} 0 [llength [split_arguments $arguments]]] ", "]
  set inbox [lindex [lsearch -inline -index 0 $flags inbox] 1]
  if {$inbox eq {}} { set inbox "queue, payload" }
  set map [list INBOX $inbox CALL "tm_${verb}($arguments)" COMMAND $command COLUMNS $columns ARGS $arguments]
  set fire {CREATE TRIGGER fires AFTER INSERT ON fire BEGIN SELECT 1; END}
  set body [dict get {
    call {SELECT CALL} command {INSERT INTO tm_command(COLUMNS) VALUES (COMMAND)}
    inbox {INSERT INTO tm_inbox(INBOX) VALUES (ARGS)} none {SELECT 1}
  } [expr {[regexp {INTO fire VALUES \('(\w+)'\)} [lindex $context 1] -> kind] ? $kind : "none"}]]
  set fire [string map $map "CREATE TRIGGER fires AFTER INSERT ON fire BEGIN INSERT INTO mine VALUES ('before'); $body; INSERT INTO mine VALUES ('after'); END"]
  return [run $base [lmap sql $context { string map $map $sql }]]
}

# At the commas between arguments; texts have some inside.
proc ::matrix::split_arguments {arguments} {
  regsub -all {'[^']*'} $arguments text arguments
  if {$arguments eq {}} { return {} }
  return [split $arguments ,]
}

# What a file of the matrix says at its end.
proc ::matrix::say {} {
  variable tally
  if {$tally eq {}} return
  set all 0
  foreach {outcome n} $tally { incr all $n }
  puts "matrix: $all cells, [join [lmap {outcome n} $tally { string cat $n { } $outcome }] {, }]"
}
