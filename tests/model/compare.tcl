# compare.tcl - the same step on the reference and on SQLite.
# Owns:    which verbs look, which are plain SQL, and which are about a transaction; the rows of all tables.
# Promise: `step` runs one step on both, and returns what disagrees: result or error,
#          last_insert_rowid(), the tasks that were written, and, where it is asked to, every row of
#          every table that the connection sees.
# Why:     a result that is right says nothing of what was written, and the other way round.

namespace eval ::base {
  variable seen {}        ;# how often: `ok`, or the symbol of an error
  variable called {}      ;# verb -> how often it was called and answered, refusals included

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
}

# ---- a step --------------------------------------------------------------------------------------

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

proc ::base::forget_all {before} {
  ref::load $before
  set ref::touched {}
}

proc ::base::write {c verb skin arguments number} {
  variable is_open
  variable mode
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

# Verbs that are answered, or refused, before they take the lock.
proc ::base::without_lock {c verb skin arguments expected} {
  variable mode
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

# ---- what differs --------------------------------------------------------------------------------

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
