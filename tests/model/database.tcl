# database.tcl - the same step on SQLite: several connections of one process to one file.
# Owns:    the connections, the SQL of each step, and what is known of their transactions.
# Promise: `step` runs one step on the reference and on the database, and returns what disagrees:
#          result or error, last_insert_rowid(), the tasks that were written, and, where it is
#          asked to, every row of every table that the connection sees.
# Why:     no call waits (the busy timeout is 0), so the reference knows who holds the lock and
#          which snapshot is too old, and says where SQLITE_BUSY must come.
#
# A step is {connection verb skin arguments}. An argument is {type value}:
#
#   i #7      the id of the task that step 7 made (#7.2: its third one)
#   i cur     the token of the task before; old and new are one less and one more
#   i r t n   an integer, a real with the value of an integer, text, NULL
#   p {t x}   a payload or result of a type
#   q {a b}   names of queues; d 5s: a duration; w {run_at_ms 5}: a time or a duration
#   o {k v}   options, f {k v} a filter: a dict that becomes JSON. In it `after` is a list of {#7 on}
#             and {group name on}, `unique` a text or a dict, `expires` a duration or {at_ms 5}

namespace eval ::base {
  variable names {e1 e2 e3 p1}       ;# e: with the extension, p: without; `watch` only looks on
  variable folder {}
  variable file {}
  variable so {}                      ;# the extension
  variable loaded {}                  ;# the one that is loaded: another where it is a mutant
  variable committed {}               ;# facts that everybody may see
  variable holder {}                  ;# who has the write lock
  variable is_open                    ;# by connection: in a transaction
  variable mode                       ;# none, read or write: what it holds of the database
  variable facts                      ;# what it sees, where that is not `none`
  variable start                      ;# what it saw when it began to read
  variable version                    ;# of the file, at that time
  variable stack                      ;# savepoints: {name had-the-lock facts began-the-transaction}
  variable rowid                      ;# its last_insert_rowid()
  variable was_duplicate              ;# its tm_was_duplicate()
  variable tags                       ;# 7.2 -> id
  variable tag_of                     ;# id -> 7.2
  variable texts                      ;# cached SQL of verbs
  variable seen {}                    ;# how often: `ok`, or the symbol of an error
  variable called {}                  ;# verb -> how often it was called and answered, refusals included
  array set is_open {}
  array set texts {}

  variable looks {get_json history explain stats select inputs was_duplicate cron_next tm_now tables}
  variable plain {inbox by_hand run_by_hand delete_by_hand set_priority set_queue drop_queue set_strict set_time_by_hand seal_by_hand set_limit pause_by_hand}
  variable controls {begin commit rollback savepoint rollback_to forget checkpoint reopen ddl}

  # The order of the columns is that of the reference.
  variable tables {
    tm_task {SELECT %s FROM tm_task ORDER BY id}
    tm_event {SELECT task_id, id, from_state, to_state, at_ms, attempt, actor, reason FROM tm_event ORDER BY task_id, id}
    tm_attempt {SELECT task_id, attempt, token, worker, started_ms, failed_ms, error FROM tm_attempt ORDER BY task_id, token}
    tm_queue {SELECT name, paused, history, priority, max_attempts, lease_ms, backoff_kind, backoff_base_ms, backoff_max_ms, backoff_jitter, keep_completed_ms, keep_cancelled_ms, keep_discarded_ms, keep_count, grace_ms,
      max_running, max_running_per_partition, rate, rate_ms, rate_per_partition, rate_per_partition_ms, fair, fifo FROM tm_queue ORDER BY name}
    tm_finished {SELECT task_id, queue, phase, at_ms FROM tm_finished ORDER BY task_id, phase, at_ms}
    tm_finished_walk {SELECT after_id, last_id FROM tm_finished_walk}
    tm_setting {SELECT strict_queues, clock_ms, has_times FROM tm_setting}
    tm_flow {SELECT task_id, unmet, partition, parent_id, in_group, on_failure, expires_ms, timeout_ms, deadline_ms, due_ms, stopping FROM tm_flow ORDER BY task_id}
    tm_dependency {SELECT task_id, needs_id, needs, status FROM tm_dependency ORDER BY task_id, needs_id}
    tm_group_wait {SELECT task_id, group_name, needs, status FROM tm_group_wait ORDER BY task_id, group_name}
    tm_group {SELECT name, is_sealed, tasks, open, completed, cancelled, discarded, removed, created_ms, sealed_ms, finished_ms FROM tm_group ORDER BY name}
    tm_limit {SELECT queue, running, served, tat_us FROM tm_limit ORDER BY queue}
    tm_partition {SELECT queue, name, running, served, tat_us, seen_ms, head_id, phase, turn FROM tm_partition ORDER BY queue, name}
    tm_place {SELECT task_id, queue, partition, is_leased, is_open, line_key, line_ms FROM tm_place ORDER BY task_id}
    tm_schedule {SELECT name, spec, queue, paused, next_ms, due_ms, runs, last_ms, last_task_id, waits_for_id, resumed_ms, revision, created_ms,
      catch_up, overlap, start_ms, end_ms, max_runs FROM tm_schedule ORDER BY name}
    tm_schedule_slot {SELECT task_id, schedule, slot_ms FROM tm_schedule_slot ORDER BY task_id}
    tm_settle {SELECT task_id FROM tm_settle ORDER BY task_id}
    tm_unique {SELECT task_id, key, scope, until_ms, is_held, is_orphan FROM tm_unique ORDER BY task_id}
  }
  dict set tables tm_task [format [dict get $tables tm_task] [join $::ref::columns {, }]]
  variable row_sql "SELECT [join $::ref::columns {, }] FROM tm_task WHERE id = CAST(\$id AS INTEGER)"
  variable event_sql {SELECT e.id, e.from_state, e.to_state, e.at_ms, e.attempt, e.actor, e.reason
    FROM tm_task AS t JOIN tm_event AS e ON e.id = t.event_id WHERE t.id = CAST($id AS INTEGER)}

  variable options_in_quotes {kind note worker}
}

# ---- files and connections ---------------------------------------------------------------------

# A folder in memory where the machine has one: there is nothing to sync.
proc ::base::open_folder {root} {
  variable folder
  variable so
  set so [file normalize [expr {[info exists ::env(TM_SO)] ? $::env(TM_SO) : "$root/build/tm.so"}]]
  set above [expr {[info exists ::env(TMPDIR)] ? $::env(TMPDIR) : "/tmp"}]
  if {![info exists ::env(TMPDIR)] && [file writable /dev/shm]} { set above /dev/shm }
  set folder [exec mktemp -d $above/tm-model.XXXXXX]
  use_build {}
}

# The extension at a path, or the right one; databases are made by it.
proc ::base::use_build {path} {
  variable folder
  variable so
  variable loaded [expr {$path eq {} ? $so : $path}]
  file delete $folder/template.db
  connect first $folder/template.db 1
  first eval {SELECT tm_init(); SELECT tm_clock_set(1700000000000); CREATE TABLE app (x)}
  ref::learn_moves [first eval {SELECT from_state, to_state FROM tm_transition}]
  first close
}

proc ::base::close_folder {} {
  variable folder
  if {$folder ne {}} { file delete -force $folder }
}

proc ::base::connect {name path is_extended} {
  variable loaded
  sqlite3 ::base::$name $path
  $name cache size 100
  $name eval {PRAGMA busy_timeout = 0; PRAGMA synchronous = OFF}
  if {$is_extended} {
    $name enable_load_extension 1
    $name eval {SELECT load_extension($loaded)}
  } else {
    $name eval {PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF}
  }
}

# The names of all verbs, as the extension gives them.
proc ::base::verbs {} {
  variable folder
  connect asked $folder/template.db 1
  set names [asked eval {SELECT substr(name, 4) FROM tm_help WHERE kind = 'function' ORDER BY name}]
  asked close
  return $names
}

# A new database, and nothing in it.
proc ::base::open_life {} {
  variable folder
  variable file $folder/life.db
  variable names
  variable holder {}
  variable committed
  variable tags
  variable tag_of
  file copy -force $folder/template.db $file
  array unset tags
  array unset tag_of
  array set tags {}
  array set tag_of {}
  connect watch $file 0
  set committed [ref::save_empty]
  foreach c $names { open_connection $c }
}

proc ::base::open_connection {c} {
  variable file
  variable is_open
  variable mode
  variable stack
  variable rowid
  connect $c $file [string match e* $c]
  set is_open($c) 0
  set mode($c) none
  set stack($c) {}
  set base::was_duplicate($c) 0
  set rowid($c) [$c last_insert_rowid]
}

# Returns what is wrong with the file that is left.
proc ::base::close_life {root} {
  variable names
  variable file
  variable folder
  foreach c $names { $c close }
  set wrong {}
  foreach check {integrity_check foreign_key_check} answer {ok {}} {
    set got [watch eval "PRAGMA $check"]
    if {$got ne $answer} { lappend wrong "$check: $got" }
  }
  lappend wrong {*}[invariants watch $root]
  watch close
  file delete {*}[glob -nocomplain $folder/life.db*]
  return $wrong
}

# The SELECTs of sql/invariants.sql, none of which may have a row.
proc ::base::invariants {c root} {
  variable invariants
  if {![info exists invariants]} {
    set channel [open $root/sql/invariants.sql]
    set invariants [read $channel]
    close $channel
  }
  lmap row [$c eval $invariants] { string cat "invariant: $row" }
}

# ---- arguments ---------------------------------------------------------------------------------

proc ::base::id_of {tag} {
  variable tags
  expr {[info exists tags($tag)] ? $tags($tag) : 999999}
}

# `#7` anywhere in a value becomes the id.
proc ::base::resolve_ids {value} {
  if {[string first # $value] < 0} { return $value }
  lmap word $value { expr {[string match #* $word] ? [id_of [string range $word 1 end]] : [resolve_ids $word]} }
}

# Arguments with the names of tasks and tokens replaced by what the connection sees of them.
proc ::base::resolve {arguments} {
  set id 0
  set out {}
  foreach argument $arguments {
    lassign $argument type value
    if {$type in {i r}} {
      if {$value in {cur old new}} {
        set token [expr {[dict exists $::ref::tasks $id] ? [ref::get $id token] : 0}]
        set value [expr {max(0, $token + [dict get {cur 0 old -1 new 1} $value])}]
      } elseif {[string match #* $value]} {
        set id [id_of [string range $value 1 end]]
        set value $id
      }
    } elseif {$type in {o f}} {
      set value [resolve_ids $value]
    }
    lappend out [list $type $value]
  }
  return $out
}

proc ::base::json_list {values} { return \[[join [lmap value $values { ref::quoted $value }] ,]\] }

proc ::base::json_duration {value} { expr {[string is double -strict $value] ? $value : "\"$value\""} }

proc ::base::json_need {need} {
  if {[lindex $need 0] ne "group"} {
    lassign $need id on
    return [expr {$on eq {} ? $id : "{\"id\":$id,\"on\":\"$on\"}"}]
  }
  lassign $need - name on
  return "{\"group\":\"$name\"[expr {$on eq {} ? {} : ",\"on\":\"$on\""}]}"
}

proc ::base::json_options {options} {
  set parts {}
  dict for {key value} $options {
    switch $key {
      delay - lease - base - max - timeout - period { set json [json_duration $value] }
      expires - deadline { set json [expr {[llength $value] == 2 ? "{\"at_ms\":[lindex $value 1]}" : [json_duration $value]}] }
      after { set json \[[join [lmap need $value { json_need $need }] ,]\] }
      unique { set json [expr {[llength $value] == 1 ? [ref::quoted $value] : [json_options $value]}] }
      fields { set json [json_list $value] }
      key - scope - on_conflict - on_failure - on - reason - zone - catch_up - overlap { set json [ref::quoted $value] }
      note { set json [expr {$value eq {} ? "null" : [ref::quoted $value]}] }
      kind - worker { set json [expr {[llength $value] > 1 ? [json_list $value] : [ref::quoted $value]}] }
      queue - state - partition - group { set json [expr {[llength $value] > 1 ? [json_list $value] : [ref::quoted $value]}] }
      tags { set json [json_list $value] }
      ids { set json \[[join $value ,]\] }
      backoff { set json [json_options $value] }
      payload { set json "{\"$.n\":[lindex $value 1]}" }
      held - discard - completed - all - children { set json [expr {$value ? "true" : "false"}] }
      default { set json $value }
    }
    lappend parts "\"$key\":$json"
  }
  return "{[join $parts ,]}"
}

# {SQL expression, value to bind} of an argument.
proc ::base::as_sql {argument at} {
  lassign $argument type value
  set name a$at
  switch $type {
    n { return [list NULL {}] }
    i { return [list "CAST(\$$name AS INTEGER)" $value] }
    r { return [list "CAST(\$$name AS REAL)" $value] }
    p { return [as_sql $value $at] }
    d { return [as_sql [list [expr {[string is integer -strict $value] ? "i" : "t"}] $value] $at] }
    w {
      if {[llength $value] == 2} { return [list "CAST(\$$name AS TEXT)" "{\"run_at_ms\":[lindex $value 1]}"] }
      return [as_sql [list d $value] $at]
    }
    o - f { return [list "CAST(\$$name AS TEXT)" [json_options $value]] }
    q { return [list "CAST(\$$name AS TEXT)" [expr {[llength $value] > 1 ? [json_list $value] : [lindex $value 0]}]] }
    default { return [list "CAST(\$$name AS TEXT)" $value] }
  }
}

# What the reference's procedure gets.
proc ::base::as_plain {argument} {
  lassign $argument type value
  expr {$type eq "n" ? {} : $value}
}

# ---- SQL ---------------------------------------------------------------------------------------

# Run SQL with a1 … a5 bound; returns {ok rows} or {error symbol}.
proc ::base::run_sql {c sql values} {
  lassign $values a1 a2 a3 a4 a5
  variable last_message
  if {[catch {$c eval $sql} result]} {
    set last_message $result
    return [list error [symbol_of $result]]
  }
  return [list ok $result]
}

proc ::base::symbol_of {message} {
  if {[regexp {\[(\w+)\]$} $message -> symbol]} { return $symbol }
  if {[regexp {^database is locked} $message]} { return busy }
  if {[regexp {^CHECK constraint failed: (\w+)$} $message -> symbol]} { return $symbol }
  return $message
}

# The SQL of a verb in a skin, for arguments of these forms; kept, because SQLite's Tcl interface
# keeps statements by their text.
proc ::base::verb_sql {verb skin forms} {
  variable texts
  set key $verb,$skin,$forms
  if {[info exists texts($key)]} { return $texts($key) }
  set call tm_${verb}([join $forms ,])
  switch $skin {
    function { set sql "SELECT $call" }
    command {
      set columns {verb}
      for {set i 1} {$i <= [llength $forms]} {incr i} { lappend columns arg$i }
      set sql "INSERT INTO tm_command([join $columns ,]) VALUES ([join [list '$verb' {*}$forms] ,])"
    }
    chosen {
      set columns {verb}
      for {set i 1} {$i <= [llength $forms]} {incr i} { lappend columns arg$i }
      set sql "INSERT INTO tm_command([join $columns ,]) SELECT [join [list '$verb' {*}$forms] ,]"
    }
    values { set sql "INSERT INTO app VALUES ($call)" }
    insert { set sql "INSERT INTO app SELECT $call" }
    inner { set sql "SELECT $call FROM tm_state WHERE name = 'held'" }
  }
  set texts($key) $sql
}

proc ::base::run_verb {c verb skin arguments} {
  set forms {}
  set values {}
  foreach argument $arguments {
    lassign [as_sql $argument [expr {[llength $forms] + 1}]] form value
    lappend forms $form
    lappend values $value
  }
  run_sql $c [verb_sql $verb $skin $forms] $values
}

# One text for all: preparing an INSERT into tm_inbox takes a millisecond. A variable that is not
# set is NULL.
proc ::base::run_inbox {c arguments} {
  lassign $arguments queue payload options
  variable last_message
  set q [lindex $queue 1 0]
  lassign [expr {[lindex $payload 0] eq "p" ? [lindex $payload 1] : $payload}] type value
  dict for {key option} [lindex $options 1] {
    switch $key {
      backoff { set $key [json_options $option] }
      tags { set $key [json_list $option] }
      after { set $key \[[join [lmap need $option { json_need $need }] ,]\] }
      unique { set $key [expr {[llength $option] == 1 ? $option : [json_options $option]}] }
      expires - deadline { set $key [expr {[llength $option] == 2 ? "{\"at_ms\":[lindex $option 1]}" : $option}] }
      default { set $key $option }
    }
  }
  set sql {INSERT INTO tm_inbox(queue, payload, priority, delay, run_at_ms, max_attempts, backoff, lease, kind, tags, metadata, held,
      "unique", expires, timeout, deadline, partition, after, on_failure, "group", parent)
    VALUES (CAST($q AS TEXT),
      CASE $type WHEN 'i' THEN CAST($value AS INTEGER) WHEN 't' THEN CAST($value AS TEXT) END,
      CAST($priority AS INTEGER),
      CASE WHEN $delay GLOB '*[a-z]*' THEN CAST($delay AS TEXT) ELSE CAST($delay AS INTEGER) END,
      CAST($run_at_ms AS INTEGER), CAST($max_attempts AS INTEGER), CAST($backoff AS TEXT),
      CASE WHEN $lease GLOB '*[a-z]*' THEN CAST($lease AS TEXT) ELSE CAST($lease AS INTEGER) END,
      CAST($kind AS TEXT), CAST($tags AS TEXT), CAST($metadata AS TEXT), CAST($held AS INTEGER),
      CAST($unique AS TEXT),
      CASE WHEN $expires GLOB '*[a-z]*' THEN CAST($expires AS TEXT) ELSE CAST($expires AS INTEGER) END,
      CASE WHEN $timeout GLOB '*[a-z]*' THEN CAST($timeout AS TEXT) ELSE CAST($timeout AS INTEGER) END,
      CASE WHEN $deadline GLOB '*[a-z]*' THEN CAST($deadline AS TEXT) ELSE CAST($deadline AS INTEGER) END,
      CAST($partition AS TEXT), CAST($after AS TEXT), CAST($on_failure AS TEXT), CAST($group AS TEXT), CAST($parent AS INTEGER))}
  if {[catch {$c eval $sql} result]} {
    set last_message $result
    return [list error [symbol_of $result]]
  }
  return [list ok $result]
}

proc ::base::run_other {c verb arguments} {
  set values [lmap argument $arguments { as_plain $argument }]
  switch $verb {
    get_json { set sql {SELECT tm_get(CAST($a1 AS INTEGER))} }
    history { set sql {SELECT id, task_id, from_state, to_state, at_ms, attempt, actor, reason FROM tm_history(CAST($a1 AS INTEGER))} }
    explain { set sql {SELECT reason FROM tm_explain(CAST($a1 AS INTEGER))} }
    stats { set sql {SELECT queue, paused, scheduled, blocked, available, running, waiting, retryable, cancelling, held, completed, cancelled, discarded FROM tm_stats} }
    select {
      set values [list [json_options [lindex $values 0]]]
      set sql {SELECT id FROM tm_select(CAST($a1 AS TEXT))}
    }
    tm_now { set sql {SELECT tm_now()} }
    cron_next { set sql {SELECT tm_cron_next(CAST($a1 AS TEXT), CAST($a2 AS INTEGER))} }
    inputs { set sql {SELECT tm_inputs(CAST($a1 AS INTEGER))} }
    was_duplicate { set sql {SELECT tm_was_duplicate()} }
    set_time_by_hand {
      lassign $values id column value
      set sql "UPDATE tm_flow SET $column = CAST(\$a3 AS INTEGER) WHERE task_id = CAST(\$a1 AS INTEGER)"
    }
    pause_by_hand { set sql {UPDATE tm_schedule SET paused = CAST($a2 AS INTEGER) WHERE name = CAST($a1 AS TEXT)} }
    seal_by_hand { set sql {UPDATE tm_group SET is_sealed = 1 WHERE name = CAST($a1 AS TEXT)} }
    by_hand { set sql {UPDATE tm_task SET state = CAST($a2 AS TEXT) WHERE id = CAST($a1 AS INTEGER)} }
    run_by_hand { set sql {UPDATE tm_task SET state = 'running', worker = 'hand', token = token + 1, attempt = attempt + 1, lease_until_ms = (SELECT clock_ms FROM tm_setting) + 5000 WHERE id = CAST($a1 AS INTEGER)} }
    delete_by_hand { set sql {DELETE FROM tm_task WHERE id = CAST($a1 AS INTEGER)} }
    set_priority { set sql {UPDATE tm_task SET priority = CAST($a2 AS INTEGER) WHERE id = CAST($a1 AS INTEGER)} }
    set_queue {
      lassign $values queue column value
      if {$value eq {}} { set value NULL } elseif {![string is double -strict $value]} { set value '$value' }
      set sql "UPDATE tm_queue SET $column = $value WHERE name = '$queue'"
    }
    set_limit {
      lassign $values queue pairs
      set parts {}
      dict for {column value} $pairs { lappend parts "$column = [expr {$value eq {} ? "NULL" : $value}]" }
      set sql "UPDATE tm_queue SET [join $parts {, }] WHERE name = '$queue'"
    }
    drop_queue { set sql {DELETE FROM tm_queue WHERE name = CAST($a1 AS TEXT)} }
    set_strict { set sql {UPDATE tm_setting SET strict_queues = CAST($a1 AS INTEGER)} }
    claim_rows {
      set values [list [lindex $values 0 0] [lindex $values 1] [lindex $values 2]]
      set sql {SELECT id, token, payload FROM tm_claim(CAST($a1 AS TEXT), CAST($a2 AS TEXT), CAST($a3 AS INTEGER))}
    }
    bulk_enqueue {
      set values [list [lindex $values 0 0] [json_list [lindex $values 1]]]
      set sql {INSERT INTO tm_command(verb, arg1, arg2) SELECT 'enqueue', CAST($a1 AS TEXT), value FROM json_each($a2)}
    }
    bulk_complete {
      set sql {INSERT INTO tm_command(verb, arg1, arg2) SELECT 'complete', id, token FROM tm_task WHERE worker = CAST($a1 AS TEXT) AND state = 'running' ORDER BY id}
    }
  }
  run_sql $c $sql $values
}

# ---- what a connection sees --------------------------------------------------------------------

proc ::base::file_version {} { watch onecolumn {PRAGMA data_version} }

proc ::base::seen_by {c} {
  variable mode
  variable facts
  variable committed
  # Not by expr, which would look whether all of it is a number.
  if {$mode($c) eq "none"} { return $committed }
  return $facts($c)
}

proc ::base::begin_read {c} {
  variable mode
  variable facts
  variable start
  variable version
  variable committed
  set mode($c) read
  set facts($c) $committed
  set start($c) $committed
  set version($c) [file_version]
}

proc ::base::may_lock {c} {
  variable mode
  variable holder
  variable version
  if {$mode($c) eq "write"} { return 1 }
  if {$holder ne {}} { return 0 }
  expr {$mode($c) eq "none" || $version($c) == [file_version]}
}

proc ::base::take_lock {c} {
  variable mode
  variable holder
  variable start
  variable facts
  variable committed
  if {$mode($c) eq "none"} { set start($c) [set facts($c) $committed] }
  set mode($c) write
  set holder $c
}

# After a statement in a transaction that may have taken the lock, or only looked, or neither: ask
# SQLite whether it has the lock, and make it look where it has not.
proc ::base::settle {c} {
  variable mode
  variable holder
  if {$mode($c) eq "write"} return
  if {$holder eq {} && [catch {watch eval {BEGIN IMMEDIATE; ROLLBACK}}]} {
    take_lock $c
  } elseif {$mode($c) eq "none"} {
    $c eval {SELECT 1 FROM tm_setting}
    begin_read $c
  }
}

# The end of a transaction.
proc ::base::end {c is_kept} {
  variable mode
  variable facts
  variable is_open
  variable stack
  variable holder
  variable committed
  if {$mode($c) eq "write"} {
    if {$is_kept} { set committed $facts($c) }
    set holder {}
  }
  set mode($c) none
  set is_open($c) 0
  set stack($c) {}
}

# ---- transactions ------------------------------------------------------------------------------

proc ::base::control {c verb arguments} {
  variable is_open
  variable mode
  variable stack
  variable facts
  variable start
  variable holder
  lassign $arguments word
  set text [dict get {begin BEGIN commit COMMIT rollback ROLLBACK savepoint SAVEPOINT rollback_to {ROLLBACK TO} forget RELEASE checkpoint {} reopen {} ddl {}} $verb]
  set expected {ok {}}
  switch $verb {
    begin {
      if {$is_open($c)} {
        # SQLite takes the lock before it sees that it cannot begin.
        set is_busy [expr {$word eq "IMMEDIATE" && ![may_lock $c]}]
        set expected [expr {$is_busy ? {error busy} : {error {cannot start a transaction within a transaction}}}]
        set wrong [differs $c $expected [run_sql $c "$text $word" {}]]
        settle $c
        return $wrong
      } elseif {$word eq "IMMEDIATE" && $holder ne {}} {
        set expected {error busy}
      } else {
        set is_open($c) 1
        if {$word eq "IMMEDIATE"} { take_lock $c }
      }
    }
    commit - rollback {
      if {$is_open($c)} {
        end $c [expr {$verb eq "commit"}]
      } else {
        set expected [list error "cannot $verb - no transaction is active"]
      }
    }
    savepoint {
      set had_lock [expr {$mode($c) eq "write"}]
      lappend stack($c) [list $word $had_lock [if {$had_lock} { set facts($c) }] [expr {!$is_open($c)}]]
      set is_open($c) 1
    }
    rollback_to - forget {
      set at [lindex [lsearch -all -exact -index 0 $stack($c) $word] end]
      if {$at eq {}} {
        set expected [list error "no such savepoint: $word"]
      } elseif {$verb eq "forget"} {
        set is_last [lindex $stack($c) $at 3]
        set stack($c) [lrange $stack($c) 0 $at-1]
        if {$is_last} { end $c 1 }
      } else {
        lassign [lindex $stack($c) $at] - had_lock then
        if {$mode($c) eq "write"} { set facts($c) [if {$had_lock} { set then } else { set start($c) }] }
        set stack($c) [lrange $stack($c) 0 $at]
      }
    }
    checkpoint {
      if {$is_open($c)} { return {} }
      $c eval "PRAGMA wal_checkpoint($word)"
      return {}
    }
    reopen {
      $c close
      end $c 0
      open_connection $c
      return {}
    }
    ddl {
      # Another schema: every statement that is kept must be prepared anew.
      if {$is_open($c) || $holder ne {}} { return {} }
      $c eval {DROP TABLE IF EXISTS other; CREATE TABLE other (x)}
      return {}
    }
  }
  differs $c $expected [run_sql $c "$text $word" {}]
}

# ---- a step ------------------------------------------------------------------------------------

proc ::base::differs {c expected got} {
  variable last_message
  if {$expected eq $got} { return {} }
  if {[lindex $expected 0] eq "either" && $got in [lrange $expected 1 end]} { return {} }
  set said [expr {[lindex $got 0] eq "error" ? " ($last_message)" : {}}]
  set at 0
  while {[string index $expected $at] eq [string index $got $at]} { incr at }
  if {$at < 200} { return [list "expected $expected, got $got$said"] }
  set from [expr {$at - 60}]
  list "expected …[string range $expected $from $at+200], got …[string range $got $from $at+200]$said"
}

# Run a step on both; `number` names the tasks that it makes. Returns a list of differences.
proc ::base::step {number step} {
  variable looks
  variable controls
  lassign $step c verb skin arguments
  if {$verb in $controls} { return [control $c $verb $arguments] }
  ref::load [seen_by $c]
  if {$verb in $looks} { return [look $c $verb [resolve $arguments]] }
  write $c $verb $skin [resolve $arguments] $number
}

proc ::base::look {c verb arguments} {
  variable is_open
  variable mode
  if {$is_open($c) && $mode($c) eq "none" && $verb ni {was_duplicate cron_next}} { begin_read $c }
  if {$verb eq "explain" && [is_limited_task [lindex $arguments 0 1]]} {
    # Which limit keeps it is not what the model tells.
    $c eval {SELECT 1 FROM tm_setting}
    return {}
  }
  if {$verb eq "tables"} { return [compare_tables $c] }
  dict incr base::called $verb
  set name [expr {$verb eq "get_json" ? "task_json" : $verb}]
  if {$verb eq "was_duplicate"} {
    set expected [list $base::was_duplicate($c)]
  } else {
    set expected [ref::$name {*}[lmap argument $arguments { as_plain $argument }]]
  }
  if {$verb in {get_json tm_now inputs}} { set expected [list $expected] }
  differs $c [list ok $expected] [run_other $c $verb $arguments]
}

proc ::base::is_limited_task {id} {
  expr {[dict exists $::ref::tasks $id] && [ref::has_limits [ref::get $id queue]] && [ref::phase_of $id] in {0 1}}
}

proc ::base::compare_tables {c} {
  variable tables
  set wrong {}
  dict for {table sql} $tables {
    set expected [ref::rows $table]
    set got [$c eval $sql]
    if {$expected ne $got} { lappend wrong "$table: [first_difference $table $expected $got]" }
  }
  return $wrong
}

proc ::base::first_difference {table expected got} {
  variable tables
  regexp {^SELECT (.*?) FROM} [dict get $tables $table] - columns
  set width [llength [split $columns ,]]
  for {set i 0} {$i < max([llength $expected], [llength $got])} {incr i $width} {
    set end [expr {$i + $width - 1}]
    set want [lrange $expected $i $end]
    set have [lrange $got $i $end]
    if {$want ne $have} { return [row_difference $table $want $have] }
  }
  return "[llength $expected] and [llength $got] values"
}

proc ::base::row_difference {table want have} {
  if {$table ne "tm_task" || $want eq {} || $have eq {}} { return "expected {$want}, got {$have}" }
  set parts {}
  foreach column $::ref::columns x $want y $have {
    if {$x ne $y} { lappend parts "$column expected {$x}, got {$y}" }
  }
  return "task [lindex $want 0]: [join $parts {; }]"
}

# What the reference makes of it: {ok result} or {error symbol}; {} where chance decides.
proc ::base::ask_reference {verb arguments} {
  set ref::touched {}
  set ref::born {}
  set ref::is_by_hand 0
  set ref::is_settling 0
  set values [lmap argument $arguments { as_plain $argument }]
  try {
    return [list ok [call_reference $verb $values]]
  } trap TM symbol {
    set ref::touched {}
    return [list error $symbol]
  } trap MODEL {} {
    return {}
  }
}

proc ::base::call_reference {verb values} {
  switch $verb {
    bad { ref::no [lindex $values 0] }
    run_by_hand {
      lassign $values id
      if {![dict exists $::ref::tasks $id]} return
      ref::by_hand $id running worker hand token [expr {[ref::get $id token] + 1}] \
        attempt [expr {[ref::get $id attempt] + 1}] lease_until_ms [expr {$::ref::now + 5000}]
    }
    bulk_enqueue {
      lassign $values queues payloads
      set ref::acted_on {}
      foreach payload $payloads { ref::enqueue [lindex $queues 0] [list t $payload] }
      return {}
    }
    bulk_complete {
      set ref::acted_on {}
      dict for {id task} $::ref::tasks {
        if {[dict get $task worker] eq [lindex $values 0] && [dict get $task state] eq "running"} {
          ref::complete $id [dict get $task token]
        }
      }
      return {}
    }
    enqueue - inbox { ref::$verb [lindex $values 0 0] {*}[lrange $values 1 end] }
    schedule { ref::schedule {*}[lrange $values 0 1] [lindex $values 2 0] {*}[lrange $values 3 end] }
    pause - resume { ref::$verb [lindex $values 0 0] }
    default { ref::$verb {*}$values }
  }
}

proc ::base::run_database {c verb skin arguments} {
  variable plain
  switch $verb {
    bad { run_sql $c [bad_sql $skin [lindex $arguments 1 1]] {} }
    inbox { run_inbox $c $arguments }
    default {
      if {$verb in $plain || $verb in {claim_rows bulk_enqueue bulk_complete}} {
        run_other $c $verb $arguments
      } else {
        run_verb $c $verb $skin $arguments
      }
    }
  }
}

# A call written out, such as {cancel(0)}, in a skin.
proc ::base::bad_sql {skin call} {
  regexp {^(\w+)\((.*)\)$} $call -> verb arguments
  if {$skin eq "function"} { return "SELECT tm_[regsub -all {, NULL(?=[,)])} $call {}]" }
  return "INSERT INTO tm_command(verb, arg1, arg2, arg3) VALUES ('$verb', $arguments)"
}

# Verbs that are answered, or refused, before they take the lock.
proc ::base::without_lock {c verb skin arguments expected} {
  variable mode
  variable is_open
  if {$skin eq "function" && $verb eq "bad" && [string match enqueue* [lindex $arguments 1 1]]} { return $expected }
  set is_claim [expr {$verb eq "claim" || [string match claim* [lindex $arguments 1 1]]}]
  if {$skin eq "function" && $mode($c) eq "none" && $is_claim
      && ($ref::touched eq {} || [may_be_idle $c $verb $skin $arguments])} {
    return [list either $expected {error busy}]
  }
  return {error busy}
}

# In a queue with limits a claim that finds nothing may have known it by a look, or have tidied up
# first: whether it wrote says which.
proc ::base::may_be_idle {c verb skin arguments} {
  variable mode
  if {$verb ne "claim" || $skin ne "function" || $mode($c) ne "none" || $ref::acted_on != 0} { return 0 }
  foreach queue [lindex $arguments 0 1] {
    if {[ref::has_limits $queue]} { return 1 }
  }
  return 0
}

proc ::base::forget_all {before} {
  ref::load $before
  set ref::touched {}
}

proc ::base::write {c verb skin arguments number} {
  variable is_open
  variable mode
  variable facts
  variable committed
  variable seen
  variable plain
  set before [ref::save]
  set expected [ask_reference $verb $arguments]
  if {$expected eq {}} { return {} }
  if {$verb ni $plain && $skin in {inner rows} && !$is_open($c)} {
    ref::load $before
    set expected {error needs_write_transaction}
  } elseif {![may_lock $c]} {
    set expected [without_lock $c $verb $skin $arguments [as_result $verb $skin $expected]]
    ref::load $before
  } else {
    if {[lindex $expected 0] eq "error"} { ref::load $before }
    set expected [as_result $verb $skin $expected]
    set is_done [expr {[lindex $expected 0] eq "ok"}]
  }
  set may_idle [expr {[info exists is_done] && $is_done && [may_be_idle $c $verb $skin $arguments]}]
  set version_before [file_version]
  set got [run_database $c $verb $skin $arguments]
  dict incr seen [expr {[lindex $got 0] eq "ok" ? "ok" : [lindex $got 1]}]
  dict incr base::called $verb
  set wrong [differs $c $expected $got]
  if {$wrong ne {}} { return $wrong }
  set is_done [expr {[info exists is_done] && $is_done}]
  if {$is_done && $verb in {enqueue bulk_enqueue} && ($verb eq "enqueue" || $ref::born ne {})} { set base::was_duplicate($c) $ref::was_duplicate }
  if {$may_idle && !$is_open($c) && [file_version] == $version_before} { forget_all $before }
  after_write $c $verb $is_done
  if {$may_idle && $is_open($c) && $mode($c) ne "write"} { forget_all $before }
  if {$is_done} { name_tasks $number }
  list {*}[compare_rowid $c $verb $skin $is_done] {*}[expr {$is_done ? [compare_touched $c] : {}}]
}

# The value that the statement returns: only functions and tables have one.
proc ::base::as_result {verb skin expected} {
  if {[lindex $expected 0] ne "ok"} { return $expected }
  if {$verb eq "claim_rows"} { return $expected }
  if {$verb in $::base::plain || $skin ni {function inner}} { return {ok {}} }
  list ok [list [lindex $expected 1]]
}

proc ::base::after_write {c verb is_done} {
  variable is_open
  variable facts
  variable committed
  variable mode
  if {!$is_open($c)} {
    if {$is_done} { set committed [ref::save] }
    return
  }
  if {$is_done && $verb ne "claim"} { take_lock $c } else { settle $c }
  if {$is_done && $mode($c) eq "write"} { set facts($c) [ref::save] }
}

# The tasks that a step made get its number.
proc ::base::name_tasks {number} {
  variable tags
  variable tag_of
  set i 0
  foreach id $ref::born {
    set tag [expr {$i ? "$number.$i" : $number}]
    set tags($tag) $id
    set tag_of($id) $tag
    incr i
  }
}

proc ::base::compare_rowid {c verb skin is_done} {
  variable rowid
  set got [$c last_insert_rowid]
  if {$skin in {values insert} || ($verb in {bulk_enqueue bulk_complete} && $ref::acted_on eq {})} {
    set rowid($c) $got
  }
  if {$is_done && $ref::acted_on ne {} && ($skin in {command chosen} || ($verb eq "enqueue" && $skin in {function inner}))} {
    set rowid($c) $ref::acted_on
  }
  if {$rowid($c) == $got} { return {} }
  set expected $rowid($c)
  list "last_insert_rowid(): expected $expected, got $got"
}

proc ::base::compare_touched {c} {
  variable row_sql
  variable event_sql
  set wrong {}
  foreach id [lrange [lsort -integer -unique $ref::touched] 0 19] {
    set got [$c eval $row_sql]
    set is_there [dict exists $::ref::tasks $id]
    set expected [expr {$is_there ? [ref::task_row $id] : {}}]
    if {$got ne $expected} {
      lappend wrong [row_difference tm_task $expected $got]
    } elseif {$is_there} {
      set got [$c eval $event_sql]
      set expected [lindex [dict get $::ref::events $id] end]
      if {$got ne $expected} { lappend wrong "history of task $id: expected {$expected}, got {$got}" }
    }
  }
  return $wrong
}
