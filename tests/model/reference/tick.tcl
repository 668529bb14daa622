# tick.tcl - what becomes of tasks by nothing but the time.
# Owns:    promotion, the end of a lease that lapsed, and the order of the jobs of one round.
# Promise: what a round does never is more than its limit, and is counted by kind.
# Why:     the order decides what a small limit leaves for the next round, so it is a rule.

# ---- what is due ---------------------------------------------------------------------------------

# Ids of the tasks of a queue in these states that have come to their time, in order of the time.
proc ::ref::due {queue states column limit} {
  variable tasks
  variable now
  set found {}
  dict for {id task} $tasks {
    if {[dict get $task queue] eq $queue && [dict get $task state] in $states && [dict get $task $column] <= $now} {
      lappend found [list [dict get $task $column] $id]
    }
  }
  lmap pair [lrange [lsort -command by_numbers $found] 0 $limit-1] { lindex $pair 1 }
}

proc ::ref::promote {queue limit} {
  set ids [due $queue {scheduled retryable waiting} run_at_ms $limit]
  foreach id $ids { move_by_others $id available {} }
  llength $ids
}

# The end of a lease whose holder is not waited for any longer.
proc ::ref::take_back {id reason} {
  variable counts
  dict incr counts rescued
  if {[stopping $id] ne {}} {
    if {[time_out $id [stopping $id]] eq "discarded"} { dict incr counts discarded }
  } elseif {[get $id state] eq "cancelling"} {
    dict incr counts cancelled
    move_by_others $id cancelled $reason
  } elseif {[get $id attempt] >= [get $id max_attempts]} {
    dict incr counts discarded
    move_by_others $id discarded $reason
  } else {
    move_by_others $id available $reason
  }
}

proc ::ref::rescue {queue limit} {
  set ids [due $queue {running cancelling} lease_until_ms $limit]
  foreach id $ids { take_back $id "lease lapsed" }
  llength $ids
}

# ---- rounds --------------------------------------------------------------------------------------

# One round; what is left of the limit goes on to the next job.
proc ::ref::round {limit} {
  variable queues
  variable counts
  variable acted_on
  variable has_times
  variable settle
  set left $limit
  if {$settle ne {}} { incr left -[settle_round {} $left 1] }
  if {$has_times && $left > 0} {
    set n [times_round $left]
    dict incr counts expired $n
    incr left -$n
  }
  foreach queue [lsort [dict keys $queues]] {
    if {$left <= 0} break
    incr left -[fire $queue $left]
    if {$left <= 0} continue
    set n [promote $queue $left]
    dict incr counts promoted $n
    incr left -$n
    if {$left > 0} { incr left -[rescue $queue $left] }
  }
  if {$left > 0} {
    foreach queue [lsort [dict keys $queues]] {
      if {[has_limits $queue]} { forget_partitions $queue $left }
    }
    dict incr counts pruned [prune_round {} $left 0]
  }
  set acted_on 0
}

proc ::ref::counts_json {keys} {
  variable counts
  return "{[join [lmap key $keys { format {"%s":%d} $key [dict get $counts $key] }] ,]}"
}

proc ::ref::no_counts {} {
  variable counts {promoted 0 rescued 0 expired 0 fired 0 pruned 0 discarded 0 cancelled 0}
}

proc ::ref::tick {{options {}}} {
  no_counts
  round [option $options limit 1000]
  counts_json {promoted rescued expired fired pruned}
}

proc ::ref::reconcile {{worker {}}} {
  variable tasks
  variable queues
  no_counts
  foreach queue [lsort [dict keys $queues]] {
    set leases {}
    dict for {id task} $tasks {
      if {[dict get $task queue] eq $queue && [dict get $task state] in {running cancelling}
          && ($worker eq {} || [dict get $task worker] eq $worker)} {
        lappend leases [list [dict get $task lease_until_ms] $id]
      }
    }
    foreach lease [lsort -command by_numbers $leases] { take_back [lindex $lease 1] reconciled }
  }
  round 1000
  counts_json {promoted rescued expired fired pruned discarded cancelled}
}
