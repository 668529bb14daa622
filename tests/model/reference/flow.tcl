# flow.tcl - what a task has beside its life: times, a key, others that it waits for, a group, a parent.
# Owns:    the facts of tm_flow, and in which order the others hear of a birth, a move and an end.
# Promise: what is counted in the database is found here by looking at all there is: `unmet` and the
#          counts of a group are no facts.
# Why:     a counter that is told of every move is the thing that can be wrong.

namespace eval ::ref {
  variable flows {}       ;# id -> {column value ...}
  variable facts
  lappend facts flows

  variable new_flow {partition {} parent_id {} in_group {} on_failure {} expires_ms {} timeout_ms {} deadline_ms {} due_ms {} stopping {}}
  variable bits {unique 1 needs 2 needed 4 group 8 times 16 partition 32 parent 64 child 128}
  variable row_bits 186
}

proc ::ref::flow_get {id column} {
  variable flows
  if {![dict exists $flows $id]} return
  dict get $flows $id $column
}

proc ::ref::has {id bit} {
  variable bits
  expr {([get $id flow] & [dict get $bits $bit]) != 0}
}

proc ::ref::mark {id bit} {
  variable bits
  if {![has $id $bit]} { put $id flow [expr {[get $id flow] | [dict get $bits $bit]}] }
}

# ---- a birth, a move, the end of a row -----------------------------------------------------------

proc ::ref::flow_bits {options} {
  variable bits
  set flow 0
  foreach {key bit} {unique unique after needs group group expires times deadline times timeout times partition partition parent child} {
    if {[dict exists $options $key]} { set flow [expr {$flow | [dict get $bits $bit]}] }
  }
  return $flow
}

proc ::ref::flow_born {id options is_inbox} {
  variable flows
  variable new_flow
  variable row_bits
  variable tasks
  variable groups
  set group [option $options group]
  set parent [option $options parent]
  if {$group ne {} && [dict exists $groups $group] && [dict get $groups $group is_sealed]} { no wrong_state }
  if {$parent ne {} && ![dict exists $tasks $parent]} { no no_such_task }
  if {[get $id flow] & $row_bits} {
    if {$group ne {}} { need_group $group }
    dict set flows $id [dict merge $new_flow [list partition [option $options partition] parent_id $parent \
      in_group $group on_failure [option $options on_failure] expires_ms [moment [option $options expires]] \
      timeout_ms [timeout_of $options] deadline_ms [moment [option $options deadline]]]]
    if {$parent ne {}} { mark $parent parent }
  }
  lassign [needs_born $id $options $is_inbox] failed has_failed_group
  flow_moved $id {} [get $id state]
  if {$is_inbox} {
    if {$has_failed_group} { note_settle $id }
  } elseif {$failed ne {}} {
    depend_fail $id $failed
  } elseif {$has_failed_group} {
    depend_ended $id
  }
}

# After a birth (from is empty) and after each move, whoever made it.
proc ::ref::flow_moved {id from to} {
  variable is_by_hand
  variable finals
  limits_moved $id $from $to
  if {[get $id flow] == 0} return
  set group [flow_get $id in_group]
  set had_ended [expr {$group ne {} && [group_has_ended $group]}]
  if {[has $id unique]} { key_moved $id $from $to }
  if {[has $id needs] && $from ne {}} { needs_moved $id $to }
  if {[has $id group]} { group_moved $id $from $to }
  if {[has $id times]} { times_moved $id }
  if {$is_by_hand} {
    if {[has $id needed] && $to in $finals && [waiting_for $id] ne {}} { note_settle $id }
    return
  }
  if {$group ne {} && !$had_ended && [group_has_ended $group] && ($from eq {} || $to in $finals)} group_ended
  if {[has $id needed] && $to in $finals} { depend_ended $id }
}

proc ::ref::flow_goes {id} {
  variable flows
  variable edges
  variable waits
  variable groups
  variable settle
  variable finals
  variable now
  if {[get $id flow] == 0} return
  key_goes $id
  foreach child [children $id] { dict set flows $child parent_id {} }
  dict unset edges $id
  dict for {waiter needs} $edges { dict unset edges $waiter $id }
  set group [flow_get $id in_group]
  set awaited [expr {[dict exists $waits $id] ? [dict keys [dict get $waits $id]] : {}}]
  dict unset waits $id
  dict unset settle $id
  if {$group ne {}} {
    set state [expr {[get $id state] in $finals ? [get $id state] : "cancelled"}]
    dict with groups $group { incr gone_$state }
    set is_end [expr {[get $id state] ni $finals}]
  }
  dict unset flows $id
  if {$group ne {}} {
    if {$is_end && [dict get $groups $group is_sealed] && [lindex [group_counts $group] 1] == 0} { group_finished $group $now }
    if {[dict get $groups $group is_sealed]} { drop_group $group }
  }
  foreach other $awaited { drop_group $other }
}

# ---- for the comparison --------------------------------------------------------------------------

proc ::ref::flow_rows {table} {
  variable flows
  variable edges
  variable waits
  variable groups
  variable settle
  variable keys
  set rows {}
  switch $table {
    tm_flow {
      foreach id [lsort -integer [dict keys $flows]] {
        lappend rows $id [unmet $id] {*}[dict values [dict get $flows $id]]
      }
    }
    tm_dependency {
      foreach id [lsort -integer [dict keys $edges]] {
        foreach needed [lsort -integer [dict keys [dict get $edges $id]]] {
          lappend rows $id $needed {*}[dict get $edges $id $needed]
        }
      }
    }
    tm_group_wait {
      foreach id [lsort -integer [dict keys $waits]] {
        foreach group [lsort [dict keys [dict get $waits $id]]] {
          lappend rows $id $group {*}[dict get $waits $id $group]
        }
      }
    }
    tm_group {
      foreach group [lsort [dict keys $groups]] {
        set row [dict get $groups $group]
        lappend rows $group [dict get $row is_sealed] {*}[group_counts $group] \
          [dict get $row created_ms] [dict get $row sealed_ms] [dict get $row finished_ms]
      }
    }
    tm_settle { set rows [lsort -integer [dict keys $settle]] }
    tm_unique {
      foreach id [lsort -integer [dict keys $keys]] { lappend rows $id {*}[dict get $keys $id] }
    }
  }
  return $rows
}
