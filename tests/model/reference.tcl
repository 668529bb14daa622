# reference.tcl - what every verb should do, as plainly as it can be said.
# Owns:    the facts of one database (tasks, histories, queues, the clock) as Tcl dicts, and one
#          procedure for each verb that changes them.
# Promise: no SQL, no index, no cache, no locks: a verb looks at all tasks and takes what it wants.
#          A verb that fails throws {TM symbol}; then the caller puts the facts back.
# Why:     a second telling of the rules, in another language and another shape, is wrong in other
#          places than the first one.
#
# To add a part of the rules: its facts to `facts`, its options to `enqueue`, what follows from a
# birth or a move to a procedure in `on_birth` or `on_move`, and its steps to walk.tcl.

namespace eval ::ref {
  # What there is. `save` and `load` copy all of it; Tcl copies a dict when it is changed, not before.
  variable facts {now strict tasks events errors queues notes walk last_task last_event}
  variable now 0          ;# the clock, ms
  variable strict 0
  variable tasks {}       ;# id -> {column value ...}, ids rising
  variable events {}      ;# id -> list of {event from to at attempt actor reason}
  variable errors {}      ;# id -> list of {attempt token worker started failed error}
  variable queues {}      ;# name -> {column value ...}
  variable notes {}       ;# id -> {state at}: finished tasks that retention knows of
  variable walk {}        ;# {after last}: finished before their queue had a limit
  variable last_task 0    ;# the highest id ever given
  variable last_event 0
  variable touched {}     ;# ids of tasks that the last verb wrote; not a fact
  variable born {}        ;# ids of tasks that the last verb made; not a fact
  variable acted_on 0     ;# last_insert_rowid() after tm_command; not a fact

  # Called with the id after a birth, and with id, from and to after a move.
  variable on_birth {}
  variable on_move {note_finish}

  variable forever 0x7fffffffffffffff
  variable time_max 253402300799999
  variable waits {scheduled blocked available waiting retryable}
  variable finals {completed cancelled discarded}
  variable moves {}       ;# {from to} -> 1

  # The columns of a task in the order of the comparison, and their values at birth.
  variable columns {
    id queue state kind payload priority run_at_ms attempt max_attempts worker token lease_until_ms
    progress note result error reason created_ms started_ms finished_ms tags metadata held_from
    moves moved_ms event_id lease_ms backoff_kind backoff_base_ms backoff_max_ms backoff_jitter flow
  }
  variable newborn {}
  foreach column $columns { dict set newborn $column {} }
  set newborn [dict merge $newborn {attempt 0 token 0 moves 0 flow 0 payload_json null result_json null}]

  variable new_queue {
    paused 0 history 1 priority 0 max_attempts 20 lease_ms 60000 backoff_kind exponential
    backoff_base_ms 10000 backoff_max_ms 3600000 backoff_jitter 0.1 keep_completed_ms {}
    keep_cancelled_ms {} keep_discarded_ms {} keep_count {}
  }
}

# The legal moves: rows of tm_transition, which the database is asked for.
proc ::ref::learn_moves {pairs} {
  variable moves {}
  foreach {from to} $pairs { dict set moves [list $from $to] 1 }
}

proc ::ref::save {} {
  variable facts
  set all {}
  foreach name $facts {
    variable $name
    lappend all [set $name]
  }
  return $all
}

proc ::ref::load {all} {
  variable facts
  foreach name $facts value $all {
    variable $name
    set $name $value
  }
}

proc ::ref::no {symbol} { throw [list TM $symbol] $symbol }

# ---- values ------------------------------------------------------------------------------------

# Seconds, or text of numbers with units, in ms.
proc ::ref::duration {text} {
  if {[string is double -strict $text]} { return [expr {round($text * 1000)}] }
  set ms 0
  foreach {- number unit} [regexp -all -inline {([0-9]+)([a-z]+)} $text] {
    incr ms [expr {$number * [dict get {ms 1 s 1000 m 60000 h 3600000 d 86400000} $unit]}]
  }
  return $ms
}

proc ::ref::option {options key {otherwise {}}} {
  if {[dict exists $options $key]} { return [dict get $options $key] }
  return $otherwise
}

proc ::ref::quoted {text} {
  if {$text eq {}} { return null }
  return \"[string map {\\ \\\\ \" \\\"} $text]\"
}

proc ::ref::number {value} { expr {$value eq {} ? "null" : $value} }

# A value {type text} as JSON: text that is a JSON object is that object.
proc ::ref::as_json {value} {
  lassign $value type text
  switch $type {
    n { return null }
    i { return $text }
    default { expr {[string match {\{*} $text] ? $text : [quoted $text]} }
  }
}

proc ::ref::first {args} {
  foreach value $args {
    if {$value ne {}} { return $value }
  }
}

# ---- one task ----------------------------------------------------------------------------------

proc ::ref::get {id column} {
  variable tasks
  dict get $tasks $id $column
}

proc ::ref::put {id args} {
  variable tasks
  variable touched
  foreach {column value} $args { dict set tasks $id $column $value }
  lappend touched $id
}

proc ::ref::need_task {id} {
  variable tasks
  variable acted_on
  set acted_on $id
  if {![dict exists $tasks $id]} { no no_such_task }
}

proc ::ref::need_state {id states} {
  if {[get $id state] ni $states} { no wrong_state }
}

# What the queue says where the task says nothing.
proc ::ref::setting {id column} {
  variable queues
  first [get $id $column] [dict get $queues [get $id queue] $column]
}

# The one way from state to state. `actor` is what the history names, and whether the worker stays
# in the task is another thing. Further arguments are columns and values.
proc ::ref::move {id to actor keeps_worker reason args} {
  variable now
  variable queues
  variable tasks
  variable finals
  variable on_move
  set from [get $id state]
  set leased [expr {$to in {running cancelling}}]
  put $id {*}$args state $to moves [expr {[get $id moves] + 1}] moved_ms $now reason $reason \
    held_from [expr {$to eq "held" ? $from : {}}] finished_ms [expr {$to in $finals ? $now : {}}]
  if {!$leased} { put $id lease_until_ms {} }
  if {!$keeps_worker && !$leased} { put $id worker {} }
  if {[dict get $queues [get $id queue] history]} { keep_history $id $from $to $actor $reason }
  foreach follow $on_move { $follow $id $from $to }
}

proc ::ref::keep_history {id from to actor reason} {
  variable now
  variable events
  variable last_event
  incr last_event
  dict lappend events $id [list $last_event $from $to $now [get $id attempt] $actor $reason]
  put $id event_id $last_event
}

# Moves that a worker makes name it; so do claims. Others name nobody.
proc ::ref::move_by_worker {id to reason args} {
  move $id $to [get $id worker] 1 $reason {*}$args
}

proc ::ref::move_by_others {id to reason args} {
  move $id $to {} 0 $reason {*}$args
}

# ---- births ------------------------------------------------------------------------------------

proc ::ref::need_queue {queue} {
  variable queues
  variable strict
  variable new_queue
  if {[dict exists $queues $queue]} return
  if {$strict} { no no_such_queue }
  dict set queues $queue $new_queue
}

proc ::ref::enqueue {queue payload {options {}}} {
  variable now
  variable queues
  variable tasks
  variable events
  variable errors
  variable newborn
  variable last_task
  variable acted_on
  variable born
  variable on_birth
  need_queue $queue
  set run_at [option $options run_at_ms [expr {$now + [duration [option $options delay 0]]}]]
  set state [expr {$run_at > $now ? "scheduled" : "available"}]
  set task $newborn
  set id [incr last_task]
  dict set task id $id
  dict set task queue $queue
  dict set task state $state
  if {[option $options held 0]} {
    dict set task state held
    dict set task held_from $state
  }
  dict set task payload [lindex $payload 1]
  dict set task payload_json [as_json $payload]
  dict set task run_at_ms $run_at
  dict set task created_ms $now
  dict set task moved_ms $now
  foreach column {priority max_attempts} {
    dict set task $column [option $options $column [dict get $queues $queue $column]]
  }
  foreach column {kind metadata} { dict set task $column [option $options $column] }
  if {[dict exists $options tags]} { dict set task tags \[[join [lmap tag [dict get $options tags] {quoted $tag}] ,]\] }
  if {[dict exists $options lease]} { dict set task lease_ms [duration [dict get $options lease]] }
  set backoff [option $options backoff]
  dict set task backoff_kind [option $backoff kind]
  foreach key {base max} {
    if {[dict exists $backoff $key]} { dict set task backoff_${key}_ms [duration [dict get $backoff $key]] }
  }
  if {[dict exists $backoff jitter]} { dict set task backoff_jitter [expr {double([dict get $backoff jitter])}] }
  dict set tasks $id $task
  dict set events $id {}
  dict set errors $id {}
  put $id
  lappend born $id
  foreach follow $on_birth { $follow $id $options }
  set acted_on $id
}

# ---- claims ------------------------------------------------------------------------------------

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

proc ::ref::by_numbers {a b} {
  foreach x $a y $b {
    if {$x < $y} { return -1 }
    if {$x > $y} { return 1 }
  }
  return 0
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
  if {[get $id state] eq "cancelling"} {
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

# Ids claimed, in the order of the claim.
proc ::ref::claim_ids {names worker options} {
  variable queues
  variable tasks
  variable now
  variable time_max
  variable acted_on
  variable counts {rescued 0 discarded 0 cancelled 0}
  set acted_on 0
  set wanted [option $options id]
  set count [option $options count 1]
  if {$wanted ne {} && $count > 1} { set count 1 }
  set claimed {}
  foreach queue $names {
    if {[llength $claimed] >= $count} break
    if {![dict exists $queues $queue] || [dict get $queues $queue paused]} continue
    promote $queue 256
    rescue $queue 256
    while {[llength $claimed] < $count} {
      set id [best $queue]
      if {$wanted ne {}} {
        set is_there [expr {[dict exists $tasks $wanted] && [get $wanted queue] eq $queue && [get $wanted state] eq "available"}]
        set id [expr {$is_there ? $wanted : {}}]
      }
      if {$id eq {}} break
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

# ---- what the holder of a lease does -----------------------------------------------------------

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
  variable now
  variable errors
  need_lease $id $token
  dict lappend errors $id [list [get $id attempt] $token [get $id worker] [get $id started_ms] $now $error]
  put $id error [first $error [get $id error]]
  if {[get $id state] eq "cancelling"} {
    move_by_worker $id cancelled {}
  } elseif {[option $options discard 0]} {
    move_by_worker $id discarded "not worth retrying"
  } elseif {[get $id attempt] >= [get $id max_attempts]} {
    move_by_worker $id discarded "attempts exhausted"
  } else {
    set wait [expr {[dict exists $options delay] ? [duration [dict get $options delay]] : [backoff $id]}]
    move_by_worker $id retryable {} run_at_ms [expr {$now + $wait}]
  }
  get $id state
}

proc ::ref::give_back {id to reason args} {
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

# ---- what people do ----------------------------------------------------------------------------

# Each changes a task that is in a state it takes; returns 0 where it left it as it is.

proc ::ref::to_cancel {id reason} {
  move_by_others $id [expr {[get $id state] eq "running" ? "cancelling" : "cancelled"}] $reason
  return 1
}

proc ::ref::to_retry {id} {
  variable now
  move_by_others $id available retried attempt 0 run_at_ms $now
  return 1
}

proc ::ref::to_hold {id} {
  move_by_others $id held held
  return 1
}

proc ::ref::to_unhold {id} {
  variable now
  set to [get $id held_from]
  if {$to in {scheduled retryable} && [get $id run_at_ms] <= $now} { set to available }
  if {$to eq "available" && [get $id run_at_ms] > $now} { set to scheduled }
  move_by_others $id $to unheld
  return 1
}

proc ::ref::to_reschedule {id run_at} {
  variable now
  set to [get $id state]
  if {$run_at <= $now} { set to available } elseif {$to eq "available"} { set to scheduled }
  if {$to ne [get $id state]} {
    move_by_others $id $to rescheduled run_at_ms $run_at
  } elseif {$run_at == [get $id run_at_ms]} {
    return 0
  } else {
    put $id run_at_ms $run_at
  }
  return 1
}

proc ::ref::to_delete {id} {
  variable touched
  foreach name {tasks events errors notes} {
    variable $name
    set $name [dict remove [set $name] $id]
  }
  lappend touched $id
  return 1
}

namespace eval ::ref {
  # verb -> {states it takes} {states in which its effect is there}
  variable steer [dict create \
    cancel [list [list {*}$waits running held] {cancelling cancelled}] \
    retry {{discarded cancelled retryable scheduled} available} \
    hold [list $waits held] \
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

proc ::ref::cancel {id {reason {}}} {
  steer_one cancel $id [takes cancel] $reason
  get $id state
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

# ---- many tasks --------------------------------------------------------------------------------

proc ::ref::asks {filter key value} {
  expr {![dict exists $filter $key] || $value in [dict get $filter $key]}
}

# Ids of the tasks that a filter asks for, completed ones only where it names them.
proc ::ref::select_ids {filter} {
  variable tasks
  set states [option $filter state {scheduled blocked available running waiting retryable cancelling held cancelled discarded}]
  set ids {}
  dict for {id task} $tasks {
    if {[dict get $task state] ni $states} continue
    if {![asks $filter ids $id]} continue
    if {![asks $filter queue [dict get $task queue]] || ![asks $filter kind [dict get $task kind]]} continue
    if {![asks $filter worker [dict get $task worker]]} continue
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

proc ::ref::where {verb filter args} {
  variable acted_on
  set acted_on 0
  set takes [takes $verb]
  if {$verb eq "retry" && "completed" in [option $filter state]} { lappend takes completed }
  set left [option $filter limit 1000000000]
  set done 0
  foreach id [select_ids $filter] {
    if {$done == $left} break
    if {[get $id state] in $takes} { incr done [to_$verb $id {*}$args] }
  }
  return $done
}

proc ::ref::cancel_where {filter {reason {}}} { where cancel $filter $reason }
proc ::ref::retry_where {filter} { where retry $filter }
proc ::ref::hold_where {filter} { where hold $filter }
proc ::ref::unhold_where {filter} { where unhold $filter }
proc ::ref::reschedule_where {filter when} { where reschedule $filter [when $when] }
proc ::ref::delete_where {filter} { where delete $filter }

# ---- queues and upkeep -------------------------------------------------------------------------

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

# One round; what is left of the limit goes on to the next job.
proc ::ref::round {limit} {
  variable queues
  variable counts
  variable acted_on
  set left $limit
  foreach queue [lsort [dict keys $queues]] {
    set n [promote $queue $left]
    dict incr counts promoted $n
    incr left -$n
    if {$left > 0} { incr left -[rescue $queue $left] }
    if {$left <= 0} break
  }
  if {$left > 0} { dict incr counts pruned [prune_round {} $left] }
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

# ---- retention ---------------------------------------------------------------------------------

proc ::ref::is_limited {queue state} {
  variable queues
  expr {[dict get $queues $queue keep_count] ne {} || [dict get $queues $queue keep_${state}_ms] ne {}}
}

proc ::ref::note_finish {id from to} {
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

proc ::ref::prune_round {only limit} {
  variable queues
  variable notes
  variable now
  variable finals
  walk_on [expr {$limit * 10}]
  set left $limit
  set pruned 0
  foreach queue [expr {$only eq {} ? [lsort [dict keys $queues]] : [list $only]}] {
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
          to_delete $id
          incr pruned
        } else break
        incr left -1
      }
    }
    if {$keep_count eq {}} continue
    set all [noted $queue {}]
    set excess [expr {min($left, [llength $all] - $keep_count)}]
    foreach note [lrange $all 0 $excess-1] {
      to_delete [lindex $note 1]
      incr pruned
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
  set pruned [prune_round $queue [option $options limit 1000]]
  set acted_on 0
  return "{\"pruned\":$pruned}"
}

# ---- the clock ---------------------------------------------------------------------------------

proc ::ref::clock_set {time} {
  variable now
  variable acted_on
  set acted_on 0
  set now $time
}

proc ::ref::clock_advance {duration} {
  variable now
  clock_set [expr {$now + [duration $duration]}]
}

# ---- plain SQL ---------------------------------------------------------------------------------

proc ::ref::inbox {queue payload {options {}}} {
  enqueue $queue $payload $options
  return {}
}

# UPDATE tm_task SET state = …, and further columns where they are given.
proc ::ref::by_hand {id to args} {
  variable now
  variable tasks
  variable queues
  variable moves
  variable finals
  variable on_move
  if {![dict exists $tasks $id]} return
  set from [get $id state]
  put $id {*}$args state $to
  if {$to in {running cancelling} && ([get $id worker] eq {} || [get $id lease_until_ms] eq {} || [get $id token] < 1 || [get $id attempt] < 1)} {
    no leased_task_has_worker_lease_and_token
  }
  if {$from eq $to} return
  if {![dict exists $moves [list $from $to]]} { no wrong_state }
  put $id state $from
  move $id $to {} 1 "by hand"
  return
}

proc ::ref::delete_by_hand {id} {
  variable tasks
  if {![dict exists $tasks $id]} return
  if {[get $id state] in {running cancelling}} { no wrong_state }
  to_delete $id
  return
}

proc ::ref::set_priority {id priority} {
  variable tasks
  if {[dict exists $tasks $id]} { put $id priority $priority }
  return
}

proc ::ref::set_queue {queue column value} {
  variable queues
  if {![dict exists $queues $queue]} return
  set is_new_limit [expr {[string match keep_* $column] && $value ne {} && [dict get $queues $queue $column] eq {}}]
  dict set queues $queue $column $value
  if {$is_new_limit} new_limit
  return
}

proc ::ref::drop_queue {queue} {
  variable queues
  variable tasks
  if {![dict exists $queues $queue]} return
  dict for {- task} $tasks {
    if {[dict get $task queue] eq $queue} { no wrong_state }
  }
  dict unset queues $queue
  return
}

proc ::ref::set_strict {value} {
  variable strict
  set strict $value
  return
}

# ---- looking -----------------------------------------------------------------------------------

proc ::ref::tm_now {} {
  variable now
  return $now
}

proc ::ref::task_json {id} {
  variable tasks
  variable errors
  if {![dict exists $tasks $id]} return
  dict with tasks $id {}
  set list {}
  foreach one [dict get $errors $id] {
    lassign $one a t w s f e
    lappend list [format {{"attempt":%d,"token":%d,"worker":%s,"started_ms":%s,"failed_ms":%d,"error":%s}} \
      $a $t [quoted $w] [number $s] $f [quoted $e]]
  }
  format {{"id":%d,"queue":%s,"state":%s,"kind":%s,"payload":%s,"priority":%d,"run_at_ms":%d,"attempt":%d,"max_attempts":%d,"worker":%s,"token":%d,"lease_until_ms":%s,"progress":%s,"note":%s,"result":%s,"error":%s,"reason":%s,"created_ms":%d,"started_ms":%s,"finished_ms":%s,"tags":%s,"metadata":%s,"errors":[%s]}} \
    $id [quoted $queue] [quoted $state] [quoted $kind] $payload_json $priority $run_at_ms $attempt \
    $max_attempts [quoted $worker] $token [number $lease_until_ms] [number $progress] [quoted $note] $result_json \
    [quoted $error] [quoted $reason] $created_ms [number $started_ms] [number $finished_ms] [number $tags] \
    [number $metadata] [join $list ,]
}

proc ::ref::history {id} {
  variable tasks
  variable events
  if {![dict exists $tasks $id]} return
  set all [dict get $events $id]
  set born [expr {$all eq {} ? [get $id state] : [lindex $all 0 1]}]
  set rows [list 0 $id {} $born [get $id created_ms] 0 {} created]
  foreach event $all { lappend rows [lindex $event 0] $id {*}[lrange $event 1 end] }
  return $rows
}

# The reasons of tm_explain.
proc ::ref::explain {id} {
  variable tasks
  variable queues
  variable now
  if {![dict exists $tasks $id]} { return no_such_task }
  set state [get $id state]
  set queue [get $id queue]
  set is_due [expr {[get $id run_at_ms] <= $now}]
  set is_paused [dict get $queues $queue paused]
  set reasons {}
  switch $state {
    scheduled - retryable { if {!$is_due} { lappend reasons $state } }
    completed - cancelled - discarded { lappend reasons final }
    available {}
    default { lappend reasons $state }
  }
  if {$is_paused && $state ni {running cancelling completed cancelled discarded}} { lappend reasons queue_paused }
  if {!$is_paused} {
    if {$state eq "available"} {
      lappend reasons [expr {[best $queue] == $id ? "ready" : "behind"}]
    } elseif {$state in {scheduled retryable} && $is_due} {
      lappend reasons ready
    }
  }
  return $reasons
}

# {queue paused, and the count of each state} of each queue.
proc ::ref::stats {} {
  variable tasks
  variable queues
  set states {scheduled blocked available running waiting retryable cancelling held completed cancelled discarded}
  foreach queue [dict keys $queues] {
    foreach state $states { set n($queue,$state) 0 }
  }
  dict for {- task} $tasks { incr n([dict get $task queue],[dict get $task state]) }
  set rows {}
  foreach queue [lsort [dict keys $queues]] {
    lappend rows $queue [dict get $queues $queue paused]
    foreach state $states { lappend rows $n($queue,$state) }
  }
  return $rows
}

# ---- everything, for the comparison ------------------------------------------------------------

proc ::ref::task_row {id} {
  variable tasks
  variable columns
  lrange [dict values [dict get $tasks $id]] 0 [llength $columns]-1
}

proc ::ref::rows {table} {
  variable tasks
  variable events
  variable errors
  variable queues
  variable notes
  variable walk
  variable now
  variable strict
  set rows {}
  switch $table {
    tm_task { dict for {id -} $tasks { lappend rows {*}[task_row $id] } }
    tm_event {
      dict for {id list} $events {
        foreach event $list { lappend rows $id {*}$event }
      }
    }
    tm_attempt {
      dict for {id list} $errors {
        foreach error [lsort -integer -index 1 $list] { lappend rows $id {*}$error }
      }
    }
    tm_queue {
      foreach name [lsort [dict keys $queues]] { lappend rows $name {*}[dict values [dict get $queues $name]] }
    }
    tm_finished {
      foreach id [lsort -integer [dict keys $notes]] { lappend rows $id [get $id queue] {*}[dict get $notes $id] }
    }
    tm_finished_walk { set rows $walk }
    tm_setting { set rows [list $strict $now] }
  }
  return $rows
}
