# depend.tcl - who waits for whom.
# Owns:    the facts of tm_dependency and tm_group_wait.
# Promise: nobody waits for itself, by however many between; a task runs when nothing that it
#          waits for is open.
# Why:     `unmet` is counted by looking, and a cycle is found by walking through all who wait.

namespace eval ::ref {
  variable edges {}       ;# id -> {needed id -> {completed|final status}}; 0 waits, 1 met, 2 failed
  variable waits {}       ;# id -> {group -> {completed|final status}}; 3 failed, and done with
  variable facts
  lappend facts edges waits
}

# ---- who waits -----------------------------------------------------------------------------------

# The option `after` as {id on …} {group on …}: a list of {id on} and {group name on}, the stricter
# of two.
proc ::ref::needs_of {after} {
  set needs {}
  set groups {}
  foreach one $after {
    if {[lindex $one 0] eq "group"} {
      lassign $one - name on
      set on [first $on final]
      if {![dict exists $groups $name] || $on eq "completed"} { dict set groups $name $on }
    } else {
      lassign $one id on
      set on [first $on completed]
      if {![dict exists $needs $id] || $on eq "completed"} { dict set needs $id $on }
    }
  }
  list $needs $groups
}

proc ::ref::unmet {id} {
  variable edges
  variable waits
  set n 0
  foreach all {edges waits} {
    if {![dict exists [set $all] $id]} continue
    dict for {- row} [dict get [set $all] $id] {
      if {[lindex $row 1] == 0} { incr n }
    }
  }
  return $n
}

proc ::ref::edge_status {needed on} {
  variable finals
  set state [get $needed state]
  if {$state ni $finals} { return 0 }
  expr {$state eq "completed" || $on eq "final" ? 1 : 2}
}

proc ::ref::wait_status {group on} {
  variable groups
  if {![dict exists $groups $group] || ![group_has_ended $group]} { return 0 }
  expr {$on eq "final" || [group_failures $group] == 0 ? 1 : 2}
}

# Ids of those who wait for a task, or for a group, still.
proc ::ref::waiting_for {id} {
  variable edges
  open_in $edges $id
}

proc ::ref::waiting_for_group {group} {
  variable waits
  open_in $waits $group
}

proc ::ref::open_in {all needed} {
  set ids {}
  dict for {waiter needs} $all {
    if {[dict exists $needs $needed] && [lindex [dict get $needs $needed] 1] == 0} { lappend ids $waiter }
  }
  lsort -integer $ids
}

# All who wait for these tasks, by however many between, they themselves among them.
proc ::ref::waiters {ids} {
  set seen {}
  while {$ids ne {}} {
    set ids [lassign $ids id]
    if {[dict exists $seen $id]} continue
    dict set seen $id 1
    lappend ids {*}[waiting_for $id]
    set group [flow_get $id in_group]
    if {$group ne {}} { lappend ids {*}[waiting_for_group $group] }
  }
  dict keys $seen
}

proc ::ref::is_blocked {id} {
  expr {[get $id state] eq "blocked" || ([get $id state] eq "held" && [get $id held_from] eq "blocked")}
}

# A task that is not finished and waits, or waited, for this one.
proc ::ref::is_needed {id} {
  variable edges
  variable finals
  dict for {waiter needs} $edges {
    if {[dict exists $needs $id] && [get $waiter state] ni $finals} { return 1 }
  }
  return 0
}

# Whether one who waits for the task is in the group.
proc ::ref::waits_with {id group} {
  foreach waiter [waiters $id] {
    if {[flow_get $waiter in_group] eq $group} { return 1 }
  }
  return 0
}

# ---- a birth, and moves --------------------------------------------------------------------------

# Before a birth: what may not be, and whether it will wait.
proc ::ref::needs_block {options} {
  variable tasks
  lassign [needs_of [option $options after]] needs groups
  set ignores [expr {[option $options on_failure] eq "ignore"}]
  set blocks 0
  foreach id [lsort -integer [dict keys $needs]] {
    if {![dict exists $tasks $id]} { no no_such_task }
    set status [edge_status $id [dict get $needs $id]]
    if {$status == 0 || ($status == 2 && !$ignores)} { set blocks 1 }
  }
  need_no_cycle [option $options group] $needs $groups
  dict for {group on} $groups {
    set status [wait_status $group $on]
    if {$status == 0 || ($status == 2 && !$ignores)} { set blocks 1 }
  }
  return $blocks
}

proc ::ref::need_no_cycle {group needs groups} {
  if {$group eq {}} return
  if {[dict exists $groups $group]} { no cycle }
  set waiters [waiters [waiting_for_group $group]]
  foreach id $waiters {
    if {[dict exists $needs $id]} { no cycle }
    if {[flow_get $id in_group] ne {} && [dict exists $groups [flow_get $id in_group]]} { no cycle }
  }
}

# The rows of a task that is born; what has failed already is acted upon at once, or, from tm_inbox,
# by the next claim or tick.
proc ::ref::needs_born {id options is_inbox} {
  variable edges
  variable waits
  lassign [needs_of [option $options after]] needs groups
  set ignores [expr {[option $options on_failure] eq "ignore"}]
  set failed {}
  set has_failed_group 0
  foreach needed [lsort -integer [dict keys $needs]] {
    set on [dict get $needs $needed]
    set status [edge_status $needed $on]
    if {$status == 2 && !$ignores} {
      if {$is_inbox} {
        set status 0
        note_settle $needed
      } elseif {$failed eq {}} {
        set failed $needed
      }
    }
    dict set edges $id $needed [list $on $status]
    mark $needed needed
  }
  dict for {group on} $groups {
    set status [wait_status $group $on]
    need_group $group
    dict set waits $id $group [list $on $status]
    if {$status == 2} { set has_failed_group 1 }
  }
  list $failed $has_failed_group
}

# Whoever lets a task run lets it run whatever it waits for.
proc ::ref::needs_moved {id to} {
  variable edges
  variable waits
  if {$to eq "blocked" && [unmet $id] == 0} { no wrong_state }
  if {$to ni {available scheduled retryable waiting}} return
  foreach {all failed} {edges 2 waits 3} {
    if {![dict exists [set $all] $id]} continue
    dict for {needed row} [dict get [set $all] $id] {
      if {[lindex $row 1] == 0} { dict set $all $id $needed [list [lindex $row 0] $failed] }
    }
  }
}

# A need has failed that is not ignored.
proc ::ref::depend_fail {id needed} {
  set to [expr {[flow_get $id on_failure] eq "hold" ? "held" : "cancelled"}]
  if {$to eq [get $id state]} return
  move_by_others $id $to "task $needed, which it needs, is [get $needed state]"
}

proc ::ref::may_run {id reason} {
  variable now
  move_by_others $id [expr {[get $id run_at_ms] > $now ? "scheduled" : "available"}] $reason
}

# ---- later ---------------------------------------------------------------------------------------

proc ::ref::depend {id needed {options {}}} {
  variable tasks
  variable edges
  variable flows
  variable new_flow
  set on [option $options on completed]
  need_task $id
  need_state $id {scheduled available blocked held}
  if {[get $id state] eq "held" && [get $id held_from] ni {scheduled available blocked}} { no wrong_state }
  if {![dict exists $tasks $needed]} { no no_such_task }
  if {[dict exists $edges $id $needed]} { return [get $id state] }
  set status [edge_status $needed $on]
  if {$id == $needed || ($status == 0 && $needed in [waiters $id])} { no cycle }
  if {![dict exists $flows $id]} { dict set flows $id $new_flow }
  dict set edges $id $needed [list $on $status]
  mark $id needs
  mark $needed needed
  if {$status == 0 && ![is_blocked $id]} {
    if {[get $id state] eq "held"} {
      put $id held_from blocked
    } else {
      move_by_others $id blocked "needs task $needed, which is [get $needed state]"
    }
  } elseif {$status == 2 && [flow_get $id on_failure] ne "ignore"} {
    depend_fail $id $needed
  } elseif {[unmet $id] == 0 && [get $id state] eq "blocked" && [failed_group $id] eq {}} {
    # It was blocked by hand.
    may_run $id "task $needed, the last that it waited for, is [get $needed state]"
  }
  get $id state
}

# What failed and was retried since is waited for again; returns for how many it waits.
proc ::ref::rearm {id} {
  variable edges
  variable waits
  if {[dict exists $edges $id]} {
    foreach needed [lsort -integer [dict keys [dict get $edges $id]]] {
      lassign [dict get $edges $id $needed] on status
      if {$status != 2} continue
      set status [edge_status $needed $on]
      if {$status == 2 || ($status == 0 && $needed in [waiters $id])} continue
      dict set edges $id $needed [list $on $status]
    }
  }
  if {[dict exists $waits $id]} {
    foreach group [lsort [dict keys [dict get $waits $id]]] {
      lassign [dict get $waits $id $group] on status
      if {$status < 2} continue
      if {[group_has_ended $group]} {
        if {$on eq "final" || [group_failures $group] == 0} { dict set waits $id $group [list $on 1] }
      } elseif {![waits_with $id $group]} {
        dict set waits $id $group [list $on 0]
      }
    }
  }
  unmet $id
}

proc ::ref::inputs {id} {
  variable tasks
  variable edges
  variable waits
  if {![dict exists $tasks $id]} return
  set ids {}
  if {[dict exists $edges $id]} { lappend ids {*}[dict keys [dict get $edges $id]] }
  if {[dict exists $waits $id]} {
    foreach group [dict keys [dict get $waits $id]] { lappend ids {*}[members $group] }
  }
  set list [lmap input [lsort -integer -unique $ids] {
    format {{"id":%d,"kind":%s,"state":%s,"result":%s,"error":%s}} $input [quoted [get $input kind]] \
      [quoted [get $input state]] [get $input result_json] [quoted [get $input error]]
  }]
  return "\[[join $list ,]\]"
}
