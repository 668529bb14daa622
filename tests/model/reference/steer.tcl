# steer.tcl - what people do: to a task, to all that a filter finds, to a queue.
# Owns:    which states each of these verbs takes, and which it leaves as they are.
# Promise: a verb for many does to each what the verb for one does, and counts those it changed.
# Why:     one table, `steer`, for both: where they differ, it is said in the procedure.

# ---- one task ------------------------------------------------------------------------------------

# Each changes a task that is in a state it takes; returns 0 where it left it as it is.

proc ::ref::to_cancel {id reason} {
  move_by_others $id [expr {[get $id state] eq "running" ? "cancelling" : "cancelled"}] $reason
  return 1
}

# A finished task waits again for what it needs and has been retried too.
proc ::ref::to_retry {id {is_many 0}} {
  variable now
  variable finals
  set is_final [expr {[get $id state] in $finals}]
  if {$is_final && [has $id unique] && ![key_is_free $id $is_many]} { return 0 }
  times_renew $id
  move_by_others $id available retried attempt 0 run_at_ms $now
  if {$is_final && [has $id needs] && [rearm $id] > 0} {
    move_by_others $id blocked "waits for what it needs, which was retried"
  }
  return 1
}

proc ::ref::to_hold {id} {
  move_by_others $id held held
  return 1
}

proc ::ref::to_unhold {id} {
  variable now
  set to [get $id held_from]
  if {$to eq "blocked"} { set to [expr {![has $id needs] || [rearm $id] > 0 ? "blocked" : "available"}] }
  if {$to in {scheduled retryable} && [get $id run_at_ms] <= $now} { set to available }
  if {$to eq "available" && [get $id run_at_ms] > $now} { set to scheduled }
  move_by_others $id $to unheld
  return 1
}

proc ::ref::to_reschedule {id run_at} { set_time $id $run_at rescheduled }

proc ::ref::set_time {id run_at reason} {
  variable now
  set to [get $id state]
  if {$to in {held blocked}} {
  } elseif {$run_at <= $now} {
    set to available
  } elseif {$to eq "available"} {
    set to scheduled
  }
  if {$to ne [get $id state]} {
    move_by_others $id $to $reason run_at_ms $run_at
  } elseif {$run_at == [get $id run_at_ms]} {
    return 0
  } else {
    put $id run_at_ms $run_at
    in_line_anew $id
  }
  return 1
}

# A task that one that is not finished needs stays: 0, or an error where there are not many.
proc ::ref::to_delete {id {is_many 0}} {
  if {[is_needed $id]} {
    if {$is_many} { return 0 }
    no wrong_state
  }
  row_goes $id
  return 1
}

namespace eval ::ref {
  variable pending {scheduled blocked available waiting retryable}
  # verb -> {states it takes} {states in which its effect is there}
  variable steer [dict create \
    cancel [list [list {*}$pending running held] {cancelling cancelled}] \
    retry {{discarded cancelled retryable scheduled} available} \
    hold [list $pending held] \
    unhold {held {}} \
    reschedule {{scheduled retryable available} {}} \
    delete {{completed cancelled discarded} {}}]
}

proc ::ref::steer_one {verb id takes args} {
  variable steer
  need_task $id
  need_state $id [list {*}$takes {*}[lindex [dict get $steer $verb] 1]]
  if {[get $id state] in $takes} { to_$verb $id {*}$args }
}

proc ::ref::takes {verb} {
  variable steer
  lindex [dict get $steer $verb] 0
}

# {reason}, {reason options} or {options}, which is told by `children` in it.
proc ::ref::cancel {id {reason {}} {options {}}} {
  lassign [cancel_options $reason $options] reason children
  if {!$children} {
    steer_one cancel $id [takes cancel] $reason
    if {[get $id state] eq "cancelling"} { times_cancel $id }
    return [get $id state]
  }
  need_task $id
  set state [get $id state]
  if {$state in [takes cancel]} {
    to_cancel $id $reason
    set state [expr {$state eq "running" ? "cancelling" : "cancelled"}]
  } elseif {$state eq "cancelling"} {
    times_cancel $id
  }
  cancel_children $id $reason
  return $state
}

proc ::ref::cancel_options {reason options} {
  if {[lindex $reason 0] eq "children"} { set options $reason; set reason {} }
  list [first $reason [option $options reason]] [option $options children 0]
}

proc ::ref::retry {id {options {}}} {
  steer_one retry $id [list {*}[takes retry] {*}[expr {[option $options completed 0] ? "completed" : {}}]]
  get $id state
}

proc ::ref::hold {id} {
  steer_one hold $id [takes hold]
  get $id state
}

proc ::ref::unhold {id} {
  steer_one unhold $id [takes unhold]
  get $id state
}

proc ::ref::when {when} {
  variable now
  if {[llength $when] == 2} { return [lindex $when 1] }
  expr {$now + [duration $when]}
}

proc ::ref::reschedule {id when} {
  steer_one reschedule $id [takes reschedule] [when $when]
  get $id state
}

proc ::ref::delete {id} {
  steer_one delete $id [takes delete]
  return 1
}

# ---- many tasks ----------------------------------------------------------------------------------

proc ::ref::asks {filter key value} {
  expr {![dict exists $filter $key] || $value in [dict get $filter $key]}
}

proc ::ref::filter_states {filter} {
  option $filter state {scheduled blocked available running waiting retryable cancelling held cancelled discarded}
}

# Ids of the tasks that a filter asks for, completed ones only where it names them.
proc ::ref::select_ids {filter} {
  variable tasks
  set states [filter_states $filter]
  set ids {}
  dict for {id task} $tasks {
    if {[dict get $task state] ni $states} continue
    if {![asks $filter ids $id]} continue
    if {![asks $filter queue [dict get $task queue]] || ![asks $filter kind [dict get $task kind]]} continue
    if {![asks $filter worker [dict get $task worker]]} continue
    if {![asks $filter partition [flow_get $id partition]] || ![asks $filter group [flow_get $id in_group]]} continue
    if {[dict exists $filter created_before_ms] && [dict get $task created_ms] >= [dict get $filter created_before_ms]} continue
    if {[dict exists $filter finished_before_ms]} {
      set finished [dict get $task finished_ms]
      if {$finished eq {} || $finished >= [dict get $filter finished_before_ms]} continue
    }
    if {[dict exists $filter tags]} {
      set has 1
      foreach tag [dict get $filter tags] {
        if {[string first [quoted $tag] [dict get $task tags]] < 0} { set has 0 }
      }
      if {!$has} continue
    }
    if {[dict exists $filter payload]} {
      if {[dict get $task payload] ne "{\"n\":[lindex [dict get $filter payload] 1]}"} continue
    }
    lappend ids $id
  }
  return $ids
}

proc ::ref::select {filter} {
  lrange [select_ids $filter] 0 [option $filter limit 1000000000]-1
}

# In blocks of 256, as the filter finds them then.
proc ::ref::where {verb filter args} {
  variable acted_on
  variable tasks
  set acted_on 0
  set takes [takes $verb]
  set children 0
  if {$verb eq "retry" && "completed" in [option $filter state]} { lappend takes completed }
  if {$verb eq "cancel"} { lassign [cancel_options {*}$args] args children; set args [list $args] }
  if {$verb in {retry delete}} { set args 1 }
  set states [lmap state $takes { if {$state ni [filter_states $filter]} continue; set state }]
  set limit [option $filter limit 1000000000]
  set last [lindex [dict keys $tasks] end]
  set after 0
  set done 0
  set below 0
  while {$done < $limit} {
    set block {}
    foreach id [select_ids [dict replace $filter state $states]] {
      if {$id > $after && $id <= $last && [llength $block] < min(256, $limit - $done)} { lappend block $id }
    }
    if {$block eq {} || $states eq {}} break
    foreach id $block {
      if {![dict exists $tasks $id] || [get $id state] ni $states || ![to_$verb $id {*}$args]} continue
      incr done
      if {$children} { incr below [cancel_children $id {*}$args] }
    }
    set after [lindex $block end]
  }
  expr {$done + $below}
}

proc ::ref::cancel_where {filter {reason {}} {options {}}} { where cancel $filter $reason $options }
proc ::ref::retry_where {filter} { where retry $filter }
proc ::ref::hold_where {filter} { where hold $filter }
proc ::ref::unhold_where {filter} { where unhold $filter }
proc ::ref::reschedule_where {filter when} { where reschedule $filter [when $when] }
proc ::ref::delete_where {filter} { where delete $filter }

# ---- queues --------------------------------------------------------------------------------------

proc ::ref::set_paused {queue paused} {
  variable queues
  variable acted_on
  set acted_on 0
  if {![dict exists $queues $queue]} { no no_such_queue }
  dict set queues $queue paused $paused
  return 1
}

proc ::ref::pause {queue} { set_paused $queue 1 }
proc ::ref::resume {queue} { set_paused $queue 0 }
