# lease.tcl - claims, and what the holder of a lease does with it.
# Owns:    the token, the worker, the attempt and the lease of a task.
# Promise: a claim takes the best task there is when it looks at all of them; nobody but the holder
#          of the newest token changes what it runs.
# Why:     `best` is the rule itself; the database asks an index that must come to the same.

# ---- claims --------------------------------------------------------------------------------------

# The best available task of a queue: priority, then time, then id.
proc ::ref::best {queue} {
  variable tasks
  set best {}
  dict for {id task} $tasks {
    if {[dict get $task state] ne "available" || [dict get $task queue] ne $queue} continue
    set rank [list [expr {-[dict get $task priority]}] [dict get $task run_at_ms] $id]
    if {$best eq {} || [by_numbers $rank $best] < 0} { set best $rank }
  }
  lindex $best 2
}

# What is due is looked for before anything else is done.
proc ::ref::upkeep_of_claim {queue} {
  variable has_times
  variable settle
  set is_due [expr {[due $queue {scheduled retryable waiting} run_at_ms 1] ne {}}]
  set is_lapsed [expr {[due $queue {running cancelling} lease_until_ms 1] ne {}}]
  set is_firing [is_firing $queue]
  if {$settle ne {}} { settle_round {} 256 1 }
  if {$has_times} { times_round 256 }
  if {$is_firing} { fire $queue 256 }
  if {$is_due} { promote $queue 256 }
  if {$is_lapsed} { rescue $queue 256 }
}

# The next task of a queue, or the one that is wanted, if it may run.
proc ::ref::next_of {queue wanted} {
  variable tasks
  if {[has_limits $queue]} {
    set wanted [limited_next $queue $wanted]
  } elseif {$wanted eq {}} {
    return [best $queue]
  }
  if {$wanted eq {}} return
  if {[dict exists $tasks $wanted] && [get $wanted queue] eq $queue && [get $wanted state] eq "available"} { return $wanted }
}

# Ids claimed, in the order of the claim.
proc ::ref::claim_ids {names worker options} {
  variable queues
  variable now
  variable time_max
  variable acted_on
  variable counts {rescued 0 discarded 0 cancelled 0 fired 0}
  set acted_on 0
  set wanted [option $options id]
  set count [option $options count 1]
  if {$wanted ne {} && $count > 1} { set count 1 }
  set claimed {}
  foreach queue $names {
    if {[llength $claimed] >= $count} break
    if {![dict exists $queues $queue] || [dict get $queues $queue paused]} continue
    upkeep_of_claim $queue
    set late 0
    while {[llength $claimed] < $count && $late < 256} {
      set id [next_of $queue $wanted]
      if {$id eq {}} break
      if {[has $id times] && [is_over $id]} {
        times_end $id
        incr late
        continue
      }
      set lease [expr {[dict exists $options lease] ? [duration [dict get $options lease]] : [setting $id lease_ms]}]
      put $id worker $worker attempt [expr {[get $id attempt] + 1}] token [expr {[get $id token] + 1}] \
        lease_until_ms [expr {min($time_max, $now + $lease)}] started_ms $now progress {} note {}
      move_by_worker $id running {}
      set acted_on $id
      lappend claimed $id
    }
  }
  return $claimed
}

# A claimed task as the worker gets it.
proc ::ref::claimed_json {id} {
  variable tasks
  dict with tasks $id {}
  format {{"id":%d,"token":%d,"queue":%s,"kind":%s,"payload":%s,"attempt":%d,"max_attempts":%d,"priority":%d,"run_at_ms":%d,"lease_until_ms":%d,"created_ms":%d,"worker":%s,"tags":%s,"metadata":%s,"error":%s}} \
    $id $token [quoted $queue] [quoted $kind] $payload_json $attempt $max_attempts $priority $run_at_ms \
    $lease_until_ms $created_ms [quoted $worker] [number $tags] [number $metadata] [quoted $error]
}

proc ::ref::claim {names worker {options {}}} {
  set all [lmap id [claim_ids $names $worker $options] { claimed_json $id }]
  if {[dict exists $options count]} { return \[[join $all ,]\] }
  return [lindex $all 0]
}

# The rows of the table tm_claim.
proc ::ref::claim_rows {queue worker count} {
  set rows {}
  foreach id [claim_ids $queue $worker [list count $count]] {
    lappend rows $id [get $id token] [get $id payload]
  }
  return $rows
}

# ---- what the holder of a lease does -------------------------------------------------------------

proc ::ref::need_lease {id token} {
  need_task $id
  if {[get $id token] != $token} { no lease_lost }
  need_state $id {running cancelling}
}

proc ::ref::complete {id token {result {n {}}}} {
  need_lease $id $token
  move_by_worker $id completed {} result [lindex $result 1] result_json [as_json $result]
  return completed
}

proc ::ref::backoff {id} {
  if {[setting $id backoff_jitter] != 0} { throw {MODEL chance} "the wait is left to chance" }
  set wait [setting $id backoff_base_ms]
  set max [setting $id backoff_max_ms]
  switch [setting $id backoff_kind] {
    linear { set wait [expr {$wait * [get $id attempt]}] }
    exponential { set wait [expr {min($wait * 2 ** min([get $id attempt] - 1, 40), $max)}] }
  }
  return [expr {min($wait, $max)}]
}

proc ::ref::fail {id token error {options {}}} {
  need_lease $id $token
  set stopping [stopping $id]
  if {[get $id state] eq "cancelling" && $stopping eq {}} {
    keep_error $id $error
    move_by_worker $id cancelled {}
    return cancelled
  }
  set reason [expr {$stopping eq "deadline" ? "deadline" : [option $options discard 0] ? "not worth retrying" : {}}]
  fail_attempt $id $error [option $options delay] $reason 1
}

proc ::ref::keep_error {id error} {
  variable now
  variable errors
  dict lappend errors $id [list [get $id attempt] [get $id token] [get $id worker] [get $id started_ms] $now $error]
  put $id error [first $error [get $id error]]
}

# Where there is a reason, or no attempt left, it is the last one.
proc ::ref::fail_attempt {id error delay reason is_worker} {
  variable now
  keep_error $id $error
  set who [expr {$is_worker ? "move_by_worker" : "move_by_watch"}]
  if {$reason eq {} && [get $id attempt] >= [get $id max_attempts]} { set reason "attempts exhausted" }
  if {$reason ne {}} {
    $who $id discarded $reason
  } else {
    set wait [expr {$delay ne {} ? [duration $delay] : [backoff $id]}]
    $who $id retryable {} run_at_ms [expr {$now + $wait}]
  }
  get $id state
}

proc ::ref::give_back {id to reason args} {
  if {[stopping $id] ne {}} { return [time_out $id [stopping $id]] }
  if {[get $id state] eq "cancelling"} {
    move_by_worker $id cancelled $reason
  } else {
    move_by_worker $id $to $reason attempt [expr {[get $id attempt] - 1}] {*}$args
  }
  get $id state
}

proc ::ref::snooze {id token delay} {
  variable now
  need_lease $id $token
  give_back $id scheduled snoozed run_at_ms [expr {$now + [duration $delay]}]
}

proc ::ref::release {id token} {
  need_lease $id $token
  give_back $id available released
}

proc ::ref::heartbeat {id token {options {}}} {
  variable now
  need_lease $id $token
  set lease [expr {[dict exists $options lease] ? [duration [dict get $options lease]] : [setting $id lease_ms]}]
  put $id lease_until_ms [expr {$now + $lease}]
  if {[dict exists $options progress]} {
    set progress [dict get $options progress]
    put $id progress [expr {$progress eq "null" ? {} : double($progress)}]
  }
  if {[dict exists $options note]} { put $id note [dict get $options note] }
  get $id state
}
