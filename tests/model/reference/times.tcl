# times.tcl - when a task expires, when an attempt times out, and by when all must be done.
# Owns:    the times in tm_flow, and whether there are any (tm_setting.has_times).
# Promise: due_ms is what `due_of` says after each move; what is over is ended in the order of it.
# Why:     which of three times is the next depends on the state, so it is found anew each time.

namespace eval ::ref {
  variable has_times 0
  variable facts
  lappend facts has_times
}

proc ::ref::least {args} {
  set least {}
  foreach value $args {
    if {$value ne {} && ($least eq {} || $value < $least)} { set least $value }
  }
  return $least
}

# {time of a task with such an option}: a duration from now, or {at_ms N}.
proc ::ref::moment {value} {
  variable now
  if {$value eq {}} return
  if {[llength $value] == 2} { return [lindex $value 1] }
  expr {$now + [duration $value]}
}

proc ::ref::due_of {id} {
  variable queues
  variable time_max
  set deadline [flow_get $id deadline_ms]
  switch [get $id state] {
    completed - cancelled - discarded { return }
    cancelling {
      if {[flow_get $id stopping] eq {}} return
      return [least $time_max [expr {[get $id moved_ms] + [dict get $queues [get $id queue] grace_ms]}]]
    }
    running {
      set timeout [flow_get $id timeout_ms]
      # A task that plain SQL started may say nothing of when.
      set started [get $id started_ms]
      set timeout [expr {$timeout eq {} || $started eq {} ? {} : [least $time_max [expr {$started + $timeout}]]}]
      return [least $deadline $timeout]
    }
  }
  if {[get $id attempt] == 0} { return [least $deadline [flow_get $id expires_ms]] }
  return $deadline
}

proc ::ref::times_moved {id} {
  variable flows
  variable has_times 1
  if {[get $id state] ne "cancelling"} { dict set flows $id stopping {} }
  dict set flows $id due_ms [due_of $id]
}

proc ::ref::stopping {id} {
  if {[get $id state] ne "cancelling"} return
  flow_get $id stopping
}

proc ::ref::is_over {id} {
  variable now
  set due [flow_get $id due_ms]
  expr {$due ne {} && $due <= $now}
}

proc ::ref::time_out {id stopping} {
  if {$stopping eq "deadline"} {
    fail_attempt $id "its deadline passed" {} deadline 0
  } else {
    fail_attempt $id "timed out" {} {} 0
  }
}

proc ::ref::times_end {id} {
  variable now
  variable flows
  variable tasks
  if {![dict exists $tasks $id] || ![is_over $id]} return
  set deadline [flow_get $id deadline_ms]
  set is_past [expr {$deadline ne {} && $deadline <= $now}]
  switch [get $id state] {
    running {
      dict set flows $id stopping [expr {$is_past ? "deadline" : "timeout"}]
      move_by_others $id cancelling [flow_get $id stopping]
    }
    cancelling { time_out $id [first [flow_get $id stopping] timeout] }
    default { move_by_others $id discarded [expr {$is_past ? "deadline" : "expired"}] }
  }
}

# All whose time is over, at most so many; returns how many.
proc ::ref::times_round {limit} {
  variable flows
  variable now
  set done 0
  while {$done < $limit} {
    set due {}
    dict for {id flow} $flows {
      set at [dict get $flow due_ms]
      if {$at ne {} && $at <= $now} { lappend due [list $at $id] }
    }
    set block [lrange [lsort -command by_numbers $due] 0 [expr {min(64, $limit - $done) - 1}]]
    if {$block eq {}} break
    foreach pair $block { times_end [lindex $pair 1] }
    incr done [llength $block]
  }
  return $done
}

# A task that a person runs again is not held to what has passed.
proc ::ref::times_renew {id} {
  variable flows
  variable now
  if {![has $id times]} return
  foreach column {expires_ms deadline_ms} {
    set at [flow_get $id $column]
    if {$at ne {} && $at <= $now} { dict set flows $id $column {} }
  }
  dict set flows $id due_ms [due_of $id]
}

# A person cancels what its time had stopped.
proc ::ref::times_cancel {id} {
  variable flows
  if {[stopping $id] eq {}} return
  dict set flows $id stopping {}
  dict set flows $id due_ms {}
}

proc ::ref::set_times {id options} {
  variable flows
  variable new_flow
  variable has_times
  if {![has_any $options {expires timeout deadline}] && ![has $id times]} return
  if {![dict exists $flows $id]} { dict set flows $id $new_flow }
  dict set flows $id expires_ms [moment [option $options expires]]
  dict set flows $id deadline_ms [moment [option $options deadline]]
  dict set flows $id timeout_ms [timeout_of $options]
  mark $id times
  set has_times 1
  dict set flows $id due_ms [due_of $id]
}

proc ::ref::timeout_of {options} {
  if {![dict exists $options timeout]} return
  duration [dict get $options timeout]
}

proc ::ref::has_any {options keys} {
  foreach key $keys {
    if {[dict exists $options $key]} { return 1 }
  }
  return 0
}
