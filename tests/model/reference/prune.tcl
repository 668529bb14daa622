# prune.tcl - retention: finished tasks that go.
# Owns:    the facts of tm_finished and tm_finished_walk.
# Promise: a task that finished under a limit is noted; only what is noted goes, the oldest first.
# Why:     which notes there are is seen in the rows, and decides what one round gets to.

namespace eval ::ref {
  variable notes {}       ;# id -> {state at}: finished tasks that retention knows of
  variable asides {}      ;# {queue at id} -> 1: those that it could not remove, tried again at that time
  variable walk {}        ;# {after last}: finished before their queue had a limit
  variable facts
  lappend facts notes asides walk
}

proc ::ref::is_limited {queue state} {
  variable queues
  expr {[dict get $queues $queue keep_count] ne {} || [dict get $queues $queue keep_${state}_ms] ne {}}
}

proc ::ref::note_finish {id to} {
  variable notes
  variable finals
  variable now
  dict unset notes $id
  if {$to in $finals && [is_limited [get $id queue] $to]} { dict set notes $id [list $to $now] }
}

# A limit that is new has to reach what finished before it.
proc ::ref::new_limit {} {
  variable walk
  variable tasks
  set newest [lindex [dict keys $tasks] end]
  set walk [expr {$newest eq {} ? {} : [list 0 $newest]}]
}

proc ::ref::walk_on {count} {
  variable walk
  variable tasks
  variable notes
  variable finals
  if {$walk eq {}} return
  lassign $walk after last
  set ids {}
  foreach id [dict keys $tasks] {
    if {$id > $after && $id <= $last && [llength $ids] < $count} { lappend ids $id }
  }
  foreach id $ids {
    set state [get $id state]
    if {$state in $finals && [is_limited [get $id queue] $state]} {
      dict set notes $id [list $state [get $id moved_ms]]
    }
  }
  set end [lindex $ids end]
  set walk [expr {$end eq {} || $end >= $last ? {} : [list $end $last]}]
}

# Noted tasks of a queue and state (any where none is named), the one that finished first in front.
proc ::ref::noted {queue state} {
  variable notes
  set found {}
  dict for {id note} $notes {
    if {[get $id queue] eq $queue && ($state eq {} || [lindex $note 0] eq $state)} {
      lappend found [list [lindex $note 1] $id]
    }
  }
  lsort -command by_numbers $found
}

# Those that could not go are judged again with the others.
proc ::ref::take_asides_back {queue until limit} {
  variable asides
  variable notes
  variable tasks
  variable finals
  set due [lsort [lmap key [dict keys $asides] {
    if {[lindex $key 0] ne $queue || [lindex $key 1] > $until} continue
    set key
  }]]
  foreach key [lrange [lsort -integer -index 1 [lsort -integer -index 2 $due]] 0 $limit-1] {
    set id [lindex $key 2]
    dict unset asides $key
    if {[dict exists $tasks $id] && [get $id state] in $finals && ![dict exists $notes $id]} {
      dict set notes $id [list [get $id state] [get $id moved_ms]]
    }
  }
}

# A task that one that is not finished needs stays, and is tried again an hour later. True where it goes.
proc ::ref::prune_one {queue id} {
  variable notes
  variable asides
  variable now
  if {[to_delete $id 1]} { return 1 }
  dict unset notes $id
  dict set asides [list $queue [expr {$now + 3600000}] $id] 1
  return 0
}

proc ::ref::prune_round {only limit tries_all} {
  variable queues
  variable notes
  variable now
  variable finals
  walk_on [expr {$limit * 10}]
  forget_keys $limit
  set left $limit
  set pruned 0
  foreach queue [expr {$only eq {} ? [lsort [dict keys $queues]] : [list $only]}] {
    if {$left <= 0} break
    take_asides_back $queue [expr {$tries_all ? 0x7fffffffffffffff : $now}] $left
    set keep_count [dict get $queues $queue keep_count]
    foreach state $finals {
      set keep [dict get $queues $queue keep_${state}_ms]
      if {$keep eq {} && $keep_count ne {}} continue
      foreach note [noted $queue $state] {
        lassign $note at id
        if {$left <= 0} break
        if {$keep eq {}} {
          dict unset notes $id
        } elseif {$at <= $now - $keep} {
          incr pruned [prune_one $queue $id]
        } else break
        incr left -1
      }
    }
    if {$keep_count eq {}} continue
    set all [noted $queue {}]
    set excess [expr {min($left, [llength $all] - $keep_count)}]
    foreach note [lrange $all 0 $excess-1] {
      incr pruned [prune_one $queue [lindex $note 1]]
      incr left -1
    }
  }
  return $pruned
}

proc ::ref::prune {{options {}}} {
  variable queues
  variable acted_on
  set queue [option $options queue]
  if {$queue ne {} && ![dict exists $queues $queue]} { no no_such_queue }
  set pruned [prune_round $queue [option $options limit 1000] 1]
  set acted_on 0
  return "{\"pruned\":$pruned}"
}
