# limits.tcl - how many tasks of a queue run at once, how many start in a time, and whose turn it is.
# Owns:    the facts of tm_limit, tm_partition and tm_place.
# Promise: what runs and who is first in line is found by looking; what a rate and a turn remember
#          are facts, because nothing else tells of them.
# Why:     a claim asks one index for the partition whose turn it is; here all partitions are looked at.

namespace eval ::ref {
  variable limits {}      ;# queue -> {served tat}: starts so far, the theoretical arrival time in us
  variable partitions {}  ;# {queue name} -> {served tat seen}
  variable places {}      ;# id -> {queue partition is_leased is_open line_key line_ms sort_key sort_ms}
  variable facts
  lappend facts limits partitions places
}

# SQLite's division goes towards 0.
proc ::ref::quotient {a b} { expr {$a < 0 ? -(-$a / $b) : $a / $b} }

proc ::ref::rule {queue column} {
  variable queues
  dict get $queues $queue $column
}

proc ::ref::is_partitioned {queue} {
  expr {[rule $queue max_running_per_partition] ne {} || [rule $queue rate_per_partition] ne {} || [rule $queue fair] || [rule $queue fifo]}
}

proc ::ref::has_limits {queue} {
  variable queues
  if {![dict exists $queues $queue]} { return 0 }
  expr {[rule $queue max_running] ne {} || [rule $queue rate] ne {} || [is_partitioned $queue]}
}

# {emission interval in us, burst} of the queue or of each partition; {} where there is no rate.
proc ::ref::rate_of {queue {each {}}} {
  set rate [rule $queue rate$each]
  if {$rate eq {}} return
  list [expr {([rule $queue rate${each}_ms] * 1000 + $rate - 1) / $rate}] $rate
}

proc ::ref::most_of {queue} {
  expr {[rule $queue fifo] ? 1 : [rule $queue max_running_per_partition]}
}

proc ::ref::phase_of {id} {
  switch [get $id state] {
    available { return 0 }
    scheduled - retryable - waiting { return 1 }
    running - cancelling { return 2 }
  }
}

# What a task should count for: {} where nothing.
proc ::ref::place_due {id} {
  set queue [get $id queue]
  if {![has_limits $queue]} return
  set phase [phase_of $id]
  set fifo [rule $queue fifo]
  set is_partitioned [is_partitioned $queue]
  switch $phase {
    0 { set is_wanted $is_partitioned }
    1 { set is_wanted [expr {$fifo && ([get $id state] ne "scheduled" || [get $id started_ms] ne {})}] }
    2 { set is_wanted 1 }
    default { set is_wanted 0 }
  }
  if {!$is_wanted} return
  list $queue [expr {$is_partitioned ? "=[flow_get $id partition]" : {}}] [expr {$phase == 2}] [expr {$phase == 0}] \
    [expr {$fifo ? 0 : $phase == 0 ? -[get $id priority] : {}}] [expr {$fifo ? 0 : $phase == 0 ? [get $id run_at_ms] : {}}] \
    [expr {-[get $id priority]}] [get $id run_at_ms]
}

# Those in line in a partition, the first in front: {line_key line_ms id}.
proc ::ref::line_of {queue partition} {
  variable places
  set line {}
  dict for {id place} $places {
    lassign $place q p - - key ms
    if {$q eq $queue && $p eq $partition && $key ne {}} { lappend line [list $key $ms $id] }
  }
  lsort -command by_numbers $line
}

proc ::ref::runs_in {queue {partition *}} {
  variable places
  set n 0
  dict for {- place} $places {
    lassign $place q p is_leased
    if {$q eq $queue && $is_leased && ($partition eq "*" || $p eq $partition)} { incr n }
  }
  return $n
}

# ---- what a move does ----------------------------------------------------------------------------

# The task counts for something else, or for nothing. A start needs leave.
proc ::ref::place_changes {id place is_move is_start} {
  variable places
  variable limits
  variable partitions
  variable now
  set old [expr {[dict exists $places $id] ? [dict get $places $id] : {}}]
  if {$place eq {} && $old eq {}} return
  set from [first $place $old]
  lassign $from queue partition
  set was_leased [expr {$old ne {} && [lindex $old 2]}]
  set is_leased [expr {$place ne {} && [lindex $place 2]}]
  set is_start [expr {$is_start && $is_leased}]
  set head [lindex [line_of $queue $partition] 0]
  if {$is_start} { need_leave $id $queue $partition [lindex $place 4] $was_leased $head }
  if {$place eq {}} { dict unset places $id } else { dict set places $id $place }
  if {$is_start} {
    dict set limits $queue served [expr {[dict get $limits $queue served] + 1}]
    dict set limits $queue tat [arrival [dict get $limits $queue tat] [rate_of $queue]]
  }
  if {$partition eq {}} return
  set key [list $queue $partition]
  if {$place ne {} && ![dict exists $partitions $key]} {
    dict set partitions $key [list served [expr {[dict get $limits $queue served] - 1000}] tat 0 seen 0]
  }
  if {![dict exists $partitions $key]} return
  set line [expr {$place eq {} || [lindex $place 4] eq {} ? {} : [list [lindex $place 4] [lindex $place 5] $id]}]
  if {$is_leased != $was_leased || $is_start || $head eq {} || [lindex $head 2] == $id
      || ($line ne {} && [by_numbers $line $head] < 0)} {
    if {$is_start} {
      dict set partitions $key served [dict get $limits $queue served]
      dict set partitions $key tat [arrival [dict get $partitions $key tat] [rate_of $queue _per_partition]]
    }
    if {$is_move} { dict set partitions $key seen $now }
  }
  drop_partition $key
}

proc ::ref::drop_partition {key} {
  variable partitions
  variable limits
  lassign $key queue
  if {[partition_phase $key] != 2} return
  dict with partitions $key {}
  if {[rule $queue fair] && $served > [dict get $limits $queue served] - 1000} return
  if {[rule $queue rate_per_partition] ne {} && $tat > $seen * 1000} return
  dict unset partitions $key
}

# The next theoretical arrival time, by the generic cell rate algorithm.
proc ::ref::arrival {tat rate} {
  variable now
  if {$rate eq {}} { return $tat }
  lassign $rate interval burst
  expr {max($now * 1000, min($tat, $now * 1000 + $interval * $burst)) + $interval}
}

proc ::ref::rate_is_open {tat rate} {
  variable now
  if {$rate eq {}} { return 1 }
  lassign $rate interval burst
  expr {min($tat, $now * 1000 + $interval * $burst) - $interval * ($burst - 1) <= $now * 1000}
}

proc ::ref::need_leave {id queue partition line_key was_leased head} {
  variable limits
  variable partitions
  variable now
  set most [rule $queue max_running]
  if {$most ne {} && [runs_in $queue] - $was_leased >= $most} { no wrong_state }
  if {![rate_is_open [dict get $limits $queue tat] [rate_of $queue]]} { no wrong_state }
  set key [list $queue $partition]
  if {![dict exists $partitions $key]} return
  set most [most_of $queue]
  if {$most ne {} && [runs_in $queue $partition] - $was_leased >= $most} { no wrong_state }
  set rest [rest_of $key]
  if {$rest ne {} && $rest > max($now, [dict get $partitions $key seen])} { no wrong_state }
  if {$line_key ne {} && [lindex $head 2] != $id} { no wrong_state }
}

proc ::ref::rest_of {key} {
  variable partitions
  lassign $key queue
  set rate [rate_of $queue _per_partition]
  if {$rate eq {}} return
  lassign $rate interval burst
  quotient [expr {[dict get $partitions $key tat] - $interval * ($burst - 1) + 999}] 1000
}

# 0 may start its first task, 1 rests, 2 is empty and remembered; else it is full, or waits for its first.
proc ::ref::partition_phase {key} {
  variable partitions
  variable places
  lassign $key queue partition
  set head [lindex [line_of $queue $partition] 0]
  set running [runs_in $queue $partition]
  if {$head eq {}} { return [expr {$running == 0 ? 2 : {}}] }
  set most [most_of $queue]
  if {![lindex [dict get $places [lindex $head 2]] 3] || ($most ne {} && $running >= $most)} return
  set rest [rest_of $key]
  expr {$rest ne {} && $rest > [dict get $partitions $key seen]}
}

proc ::ref::partition_turn {key} {
  variable partitions
  lassign $key queue
  switch [partition_phase $key] {
    0 { return [expr {[rule $queue fair] ? [dict get $partitions $key served] : 0}] }
    1 { return [rest_of $key] }
    2 { return [dict get $partitions $key [expr {[rule $queue fair] ? "served" : "tat"}]] }
  }
}

# After a birth in a queue with partitions, and each move in one with limits.
proc ::ref::limits_moved {id from to} {
  set queue [get $id queue]
  if {![has_limits $queue] || ($from eq {} && ![is_partitioned $queue])} return
  place_changes $id [place_due $id] 1 [expr {$to eq "running"}]
}

# Another priority, or time, of a task that is in line.
proc ::ref::in_line_anew {id} {
  variable places
  if {[get $id state] eq "available" && [dict exists $places $id]} { place_changes $id [place_due $id] 0 0 }
}

proc ::ref::place_goes {id} {
  place_changes $id {} 0 0
}

# ---- what a change of the limits does ------------------------------------------------------------

proc ::ref::partitions_of {queue} {
  variable partitions
  lmap key [lsort [dict keys $partitions]] {
    if {[lindex $key 0] ne $queue} continue
    set key
  }
}

proc ::ref::count_anew {queue} {
  variable places
  variable limits
  variable partitions
  variable tasks
  dict for {id place} $places {
    if {[lindex $place 0] eq $queue} { dict unset places $id }
  }
  if {![has_limits $queue]} { dict unset limits $queue }
  if {![is_partitioned $queue]} {
    foreach key [partitions_of $queue] { dict unset partitions $key }
  }
  if {![has_limits $queue]} return
  if {![dict exists $limits $queue]} { dict set limits $queue {served 0 tat 0} }
  dict for {id task} $tasks {
    if {[dict get $task queue] ne $queue} continue
    set place [place_due $id]
    if {$place eq {}} continue
    dict set places $id $place
    set key [lrange $place 0 1]
    if {[lindex $key 1] ne {} && ![dict exists $partitions $key]} {
      dict set partitions $key [list served [expr {[dict get $limits $queue served] - 1000}] tat 0 seen 0]
    }
  }
  drop_idle $queue
}

# Nothing is remembered of empty ones where neither turns nor a rate want it.
proc ::ref::drop_idle {queue} {
  variable partitions
  foreach key [partitions_of $queue] {
    if {[partition_phase $key] == 2 && ![rule $queue fair] && [rule $queue rate_per_partition] eq {}} { dict unset partitions $key }
  }
}

# UPDATE tm_queue SET column = value, …
proc ::ref::set_limit {queue pairs} {
  variable queues
  variable partitions
  if {![dict exists $queues $queue]} return
  set old [dict get $queues $queue]
  set before [list [has_limits $queue] [is_partitioned $queue] [rule $queue fifo]]
  dict for {column value} $pairs { dict set queues $queue $column $value }
  if {$before ne [list [has_limits $queue] [is_partitioned $queue] [rule $queue fifo]]} { count_anew $queue }
  if {![lindex $before 1] || ![is_partitioned $queue]} return
  set is_other 0
  foreach column {max_running_per_partition rate_per_partition rate_per_partition_ms fair} {
    if {[dict get $old $column] ne [rule $queue $column]} { set is_other 1 }
  }
  if {!$is_other} return
  set rate_ms [rule $queue rate_per_partition_ms]
  foreach key [partitions_of $queue] {
    if {$rate_ms ne {}} {
      dict set partitions $key tat [expr {min([dict get $partitions $key tat], ([dict get $partitions $key seen] + $rate_ms) * 1000)}]
    }
  }
  drop_idle $queue
  return
}

# ---- whose turn it is ----------------------------------------------------------------------------

proc ::ref::by_turn {queue phase until} {
  set found {}
  foreach key [partitions_of $queue] {
    if {[partition_phase $key] ne $phase || [partition_turn $key] > $until} continue
    lappend found [list [partition_turn $key] $key]
  }
  lmap pair [lsort -integer -index 0 $found] { lindex $pair 1 }
}

proc ::ref::forget_partitions {queue limit} {
  variable partitions
  variable limits
  variable now
  set until [expr {[rule $queue fair] ? [dict get $limits $queue served] - 1000 : $now * 1000}]
  foreach key [lrange [by_turn $queue 2 $until] 0 $limit-1] {
    if {[dict get $partitions $key tat] <= $now * 1000} { dict unset partitions $key }
  }
}

# What has rested long enough, or waits for a time that the rate cannot reach, is put right.
proc ::ref::wake {queue} {
  variable partitions
  variable limits
  variable now
  set rate [rate_of $queue]
  if {$rate ne {}} {
    lassign $rate interval burst
    set top [expr {$now * 1000 + $interval * $burst}]
    if {[dict get $limits $queue tat] > $top} { dict set limits $queue tat $top }
  }
  set rate [rate_of $queue _per_partition]
  if {$rate eq {}} return
  lassign $rate interval burst
  set late [expr {$now + [rule $queue rate_per_partition_ms] + 1}]
  foreach key [by_turn $queue 1 $now] { dict set partitions $key seen $now }
  foreach key [by_turn $queue 1 0x7fffffffffffffff] {
    if {[partition_turn $key] <= $late} continue
    dict set partitions $key seen $now
    dict set partitions $key tat [expr {min([dict get $partitions $key tat], $now * 1000 + $interval * $burst)}]
  }
}

# The id of the task that may start; {} is none.
proc ::ref::limited_next {queue wanted} {
  variable limits
  variable places
  forget_partitions $queue 2
  wake $queue
  set most [rule $queue max_running]
  if {$most ne {} && [runs_in $queue] >= $most} return
  if {![rate_is_open [dict get $limits $queue tat] [rate_of $queue]]} return
  if {![is_partitioned $queue]} { return [first $wanted [best $queue]] }
  if {$wanted ne {}} {
    if {![dict exists $places $wanted]} return
    lassign [dict get $places $wanted] q partition
    if {$q ne $queue || [partition_phase [list $q $partition]] ne 0} return
    if {[rule $queue fifo] && [lindex [line_of $queue $partition] 0 2] != $wanted} return
    return $wanted
  }
  set best {}
  foreach key [by_turn $queue 0 0x7fffffffffffffff] {
    set head [lindex [line_of {*}$key] 0 2]
    set rank [list [partition_turn $key] {*}[lrange [dict get $places $head] 6 7] $head]
    if {$best eq {} || [by_numbers $rank $best] < 0} { set best $rank }
  }
  lindex $best 3
}

# ---- for the comparison --------------------------------------------------------------------------

proc ::ref::limit_rows {table} {
  variable limits
  variable partitions
  variable places
  set rows {}
  switch $table {
    tm_limit {
      foreach queue [lsort [dict keys $limits]] {
        lappend rows $queue [runs_in $queue] [dict get $limits $queue served] [dict get $limits $queue tat]
      }
    }
    tm_partition {
      foreach key [lsort [dict keys $partitions]] {
        lassign $key queue partition
        dict with partitions $key {}
        lappend rows $queue [string range $partition 1 end] [runs_in $queue $partition] $served $tat $seen \
          [lindex [line_of $queue $partition] 0 2] [partition_phase $key] [partition_turn $key]
      }
    }
    tm_place {
      foreach id [lsort -integer [dict keys $places]] {
        lassign [dict get $places $id] queue partition is_leased is_open key ms
        lappend rows $id $queue [string range $partition 1 end] $is_leased $is_open $key $ms
      }
    }
  }
  return $rows
}
