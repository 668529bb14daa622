# group.tcl - tasks that belong together: groups, and parents with their children.
# Owns:    the facts of tm_group.
# Promise: a group has ended when it is sealed and none of its tasks is open; it goes with the last
#          of its tasks and of those that waited for it.
# Why:     its counts are found by looking at its tasks; of those that are gone it must remember.

namespace eval ::ref {
  variable groups {}      ;# name -> {column value ...}
  variable facts
  lappend facts groups
}

# ---- groups --------------------------------------------------------------------------------------

proc ::ref::members {group} {
  variable flows
  set ids {}
  dict for {id flow} $flows {
    if {[dict get $flow in_group] eq $group} { lappend ids $id }
  }
  return $ids
}

# A group is what it remembers of those that are gone, beside its tasks.
proc ::ref::need_group {group} {
  variable groups
  variable now
  if {[dict exists $groups $group]} return
  dict set groups $group [list is_sealed 0 gone_completed 0 gone_cancelled 0 gone_discarded 0 created_ms $now sealed_ms {} finished_ms {}]
}

proc ::ref::group_has_ended {group} {
  variable groups
  expr {[dict exists $groups $group] && [dict get $groups $group finished_ms] ne {}}
}

# {tasks open completed cancelled discarded removed}, by looking.
proc ::ref::group_counts {group} {
  variable groups
  variable finals
  set removed 0
  foreach state $finals {
    set n($state) [dict get $groups $group gone_$state]
    incr removed $n($state)
  }
  set open 0
  foreach id [members $group] {
    set state [get $id state]
    if {$state in $finals} { incr n($state) } else { incr open }
  }
  list [expr {$open + $n(completed) + $n(cancelled) + $n(discarded)}] $open $n(completed) $n(cancelled) $n(discarded) $removed
}

proc ::ref::group_failures {group} {
  lassign [group_counts $group] - - - cancelled discarded
  expr {$cancelled + $discarded}
}

# A birth, an end, or a retry after one.
proc ::ref::group_moved {id from to} {
  variable finals
  variable groups
  if {$from ne {} && $from ni $finals && $to ni $finals} return
  set group [flow_get $id in_group]
  set ended [expr {[dict get $groups $group is_sealed] && $to in $finals && [lindex [group_counts $group] 1] == 0}]
  group_finished $group [expr {$ended ? [get $id moved_ms] : {}}]
}

# Those who wait for it are noted where it has ended.
proc ::ref::group_finished {group at} {
  variable groups
  variable waits
  set had_ended [group_has_ended $group]
  dict set groups $group finished_ms $at
  if {$at eq {} || $had_ended} return
  foreach id [waiting_for_group $group] {
    lassign [dict get $waits $id $group] on
    note_settle $id
    dict set waits $id $group [list $on [wait_status $group $on]]
  }
}

proc ::ref::seal {group} {
  variable groups
  variable now
  variable acted_on 0
  if {![dict exists $groups $group]} { no no_such_group }
  if {[dict get $groups $group is_sealed]} { return 1 }
  dict set groups $group is_sealed 1
  dict set groups $group sealed_ms $now
  if {[lindex [group_counts $group] 1] == 0} { group_finished $group $now }
  if {[drop_group $group]} { return 1 }
  if {[group_has_ended $group]} group_ended
  return 1
}

# It goes with the last of its tasks and of those that waited.
proc ::ref::drop_group {group} {
  variable groups
  variable waits
  if {![dict exists $groups $group]} { return 0 }
  lassign [group_counts $group] tasks - - - - removed
  if {$tasks != $removed || (![dict get $groups $group is_sealed] && $tasks > 0)} { return 0 }
  dict for {- rows} $waits {
    if {[dict exists $rows $group]} { return 0 }
  }
  dict unset groups $group
  return 1
}

# ---- parents -------------------------------------------------------------------------------------

proc ::ref::children {id} {
  variable flows
  set ids {}
  dict for {child flow} $flows {
    if {[dict get $flow parent_id] eq $id} { lappend ids $child }
  }
  lsort -integer $ids
}

# All below a task, each before those below it.
proc ::ref::descendants {id} {
  set ids {}
  foreach child [children $id] { lappend ids $child {*}[descendants $child] }
  return $ids
}

proc ::ref::cancel_children {id reason} {
  set done 0
  foreach child [descendants $id] {
    if {[get $child state] in [takes cancel]} { incr done [to_cancel $child $reason] }
  }
  return $done
}
