# settle.tcl - what follows for others when a task or a group has ended.
# Owns:    the facts of tm_settle.
# Promise: each who waited is told once, a block at a time; what a limit leaves is noted.
# Why:     the order in which they are told is seen in the histories, so it is a rule.

namespace eval ::ref {
  variable settle {}      ;# ids that the next claim or tick has to look at
  variable facts
  lappend facts settle

  variable settling {}    ;# ends that are still to be told of, while that is under way; not a fact
  variable is_settling 0
}

proc ::ref::note_settle {id} {
  variable settle
  dict set settle $id 1
}

proc ::ref::depend_ended {id} {
  variable is_settling
  if {$is_settling} { settle_add $id } else { settle_round [list $id] 0x7fffffffffffffff 0 }
}

# The trigger has noted who waited.
proc ::ref::group_ended {} {
  variable is_settling
  variable has_notes 1
  if {!$is_settling} { settle_round {} 0x7fffffffffffffff 1 }
}

# Up to 128 are kept in a list, the others noted with those of plain SQL.
proc ::ref::settle_add {id} {
  variable settling
  variable has_notes
  if {[llength $settling] < 128} {
    lappend settling $id
  } else {
    set has_notes 1
    note_settle $id
  }
}

# Tell those who wait for these, and, where there may be notes that were left, for those. Returns how
# much of the limit was used.
proc ::ref::settle_round {ids limit may_have_notes} {
  variable has_notes $may_have_notes
  variable settling $ids
  variable is_settling 1
  variable settle
  variable left $limit
  while {$left > 0} {
    if {$settling eq {} && $has_notes} {
      set settling [lrange [lsort -integer [dict keys $settle]] 0 63]
      foreach id $settling { dict unset settle $id }
      set has_notes [expr {$settling ne {}}]
    }
    if {$settling eq {}} break
    set id [lindex $settling end]
    set settling [lrange $settling 0 end-1]
    settle_task $id
  }
  foreach id $settling { note_settle $id }
  set is_settling 0
  expr {$limit - $left}
}

proc ::ref::settle_task {id} {
  variable tasks
  variable finals
  variable left
  incr left -1
  if {![dict exists $tasks $id]} return
  if {[get $id state] in $finals} {
    settle_end $id
  } elseif {[get $id state] in {blocked held} && [has $id needs]} {
    settle_waiter $id
  }
}

proc ::ref::settle_end {id} {
  variable left
  while {[set block [lrange [waiting_for $id] 0 [expr {max(1, min($left, 64)) - 1}]]] ne {}} {
    foreach waiter $block { settle_edge $waiter $id }
    incr left -[llength $block]
    if {$left <= 0} break
  }
  if {$block ne {}} { settle_add $id }
}

proc ::ref::settle_edge {id needed} {
  variable edges
  if {![dict exists $edges $id $needed]} return
  lassign [dict get $edges $id $needed] on status
  if {$status != 0} return
  set status [edge_status $needed $on]
  dict set edges $id $needed [list $on $status]
  set is_failure [expr {$status == 2 && [flow_get $id on_failure] ne "ignore"}]
  if {!$is_failure && [unmet $id] > 0} return
  if {![is_blocked $id]} return
  if {$is_failure} {
    depend_fail $id $needed
  } elseif {[get $id state] eq "blocked" && [failed_group $id] eq {}} {
    may_run $id "task $needed, the last that it waited for, is [get $needed state]"
  }
}

# The group whose failures are still to be acted upon, the one that ended last.
proc ::ref::failed_group {id} { lindex [ended_groups $id 2] 0 }

proc ::ref::ended_groups {id status} {
  variable waits
  variable groups
  if {![dict exists $waits $id]} return
  set found {}
  dict for {group row} [dict get $waits $id] {
    if {[lindex $row 1] == $status} { lappend found [list [first [dict get $groups $group finished_ms] 0] $group] }
  }
  lmap pair [lsort -integer -decreasing -index 0 [lsort -index 1 $found]] { lindex $pair 1 }
}

proc ::ref::settle_waiter {id} {
  variable waits
  if {![is_blocked $id]} return
  set reason "waits for no other"
  while {[set group [failed_group $id]] ne {}} {
    dict set waits $id $group [list [lindex [dict get $waits $id $group] 0] 3]
    set on_failure [first [flow_get $id on_failure] cancel]
    set to [expr {$on_failure eq "hold" ? "held" : "cancelled"}]
    if {$on_failure ne "ignore" && $to ne [get $id state]} {
      move_by_others $id $to "group '$group', which it needs, has failures"
      return
    }
    set reason "group '$group' has ended, and its failures are ignored"
  }
  if {[get $id state] ne "blocked" || [unmet $id] > 0} return
  set group [lindex [ended_groups $id 1] 0]
  if {$group ne {}} { set reason "group '$group' has ended, it waits for no other" }
  may_run $id $reason
}
