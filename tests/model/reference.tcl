# reference.tcl - what every verb should do, as plainly as it can be said.
# Owns:    the facts of one database (tasks, histories, queues, the clock) as Tcl dicts, and one
#          procedure for each verb that changes them.
# Promise: no SQL, no index, no cache, no locks: a verb looks at all tasks and takes what it wants.
#          A verb that fails throws {TM symbol}; then the caller puts the facts back.
# Why:     a second telling of the rules, in another language and another shape, is wrong in other
#          places than the first one.
#
# What tasks have beside their life is in flow.tcl. To add a part of the rules: its facts to `facts`,
# its options to `birth`, what follows from a move to `move`, and its steps to walk.tcl.

namespace eval ::ref {
  # What there is. `save` and `load` copy all of it; Tcl copies a dict when it is changed, not before.
  variable facts {now strict tasks events errors queues notes asides walk last_task last_event}
  variable now 0          ;# the clock, ms
  variable strict 0
  variable tasks {}       ;# id -> {column value ...}, ids rising
  variable events {}      ;# id -> list of {event from to at attempt actor reason}
  variable errors {}      ;# id -> list of {attempt token worker started failed error}
  variable queues {}      ;# name -> {column value ...}
  variable notes {}       ;# id -> {state at}: finished tasks that retention knows of
  variable asides {}      ;# {queue at id} -> 1: those that it could not remove, tried again at that time
  variable walk {}        ;# {after last}: finished before their queue had a limit
  variable last_task 0    ;# the highest id ever given
  variable last_event 0
  variable touched {}     ;# ids of tasks that the last verb wrote; not a fact
  variable born {}        ;# ids of tasks that the last verb made; not a fact
  variable acted_on 0     ;# last_insert_rowid() after tm_command; not a fact
  variable was_duplicate 0 ;# tm_was_duplicate() after tm_enqueue; not a fact

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
    keep_cancelled_ms {} keep_discarded_ms {} keep_count {} grace_ms 10000
    max_running {} max_running_per_partition {} rate {} rate_ms {} rate_per_partition {}
    rate_per_partition_ms {} fair 0 fifo 0
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

# Nothing, at the time that the template of the database has.
proc ::ref::save_empty {} {
  variable facts
  set start {now 1700000000000 strict 0 last_task 0 last_event 0 has_times 0}
  lmap name $facts { expr {[dict exists $start $name] ? [dict get $start $name] : {}} }
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
  set from [get $id state]
  set leased [expr {$to in {running cancelling}}]
  put $id {*}$args state $to moves [expr {[get $id moves] + 1}] moved_ms $now reason $reason \
    held_from [expr {$to eq "held" ? $from : {}}] finished_ms [expr {$to in $finals ? $now : {}}]
  if {!$leased} { put $id lease_until_ms {} }
  if {!$keeps_worker && !$leased} { put $id worker {} }
  if {[dict get $queues [get $id queue] history]} { keep_history $id $from $to $actor $reason }
  note_finish $id $to
  flow_moved $id $from $to
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

proc ::ref::move_by_watch {id to reason args} {
  move $id $to {} 0 $reason {*}$args
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
  variable strict
  variable queues
  variable was_duplicate 0
  if {[dict exists $options unique]} {
    if {$strict && ![dict exists $queues $queue]} { no no_such_queue }
    set unique [unique_options [dict get $options unique]]
    set holder [holder_of [compose_key $unique $queue $payload $options]]
    if {$holder ne {}} { return [duplicate $holder $unique $queue $payload $options] }
  }
  need_queue $queue
  birth $queue $payload $options [needs_block $options] 0
}

# What the columns of a task are by these options; what is left out comes from the queue, or is NULL.
proc ::ref::put_options {id queue options} {
  variable queues
  foreach column {priority max_attempts} {
    put $id $column [option $options $column [dict get $queues $queue $column]]
  }
  put $id kind [option $options kind] metadata [option $options metadata]
  put $id tags [expr {[dict exists $options tags] ? "\[[join [lmap tag [dict get $options tags] {quoted $tag}] ,]\]" : {}}]
  put $id lease_ms [expr {[dict exists $options lease] ? [duration [dict get $options lease]] : {}}]
  set backoff [option $options backoff]
  put $id backoff_kind [option $backoff kind]
  foreach key {base max} {
    put $id backoff_${key}_ms [expr {[dict exists $backoff $key] ? [duration [dict get $backoff $key]] : {}}]
  }
  put $id backoff_jitter [expr {[dict exists $backoff jitter] ? double([dict get $backoff jitter]) : {}}]
}

proc ::ref::birth {queue payload options is_blocked is_inbox} {
  variable now
  variable tasks
  variable events
  variable errors
  variable newborn
  variable last_task
  variable acted_on
  variable born
  set run_at [option $options run_at_ms [expr {$now + [duration [option $options delay 0]]}]]
  set state [expr {$is_blocked ? "blocked" : $run_at > $now ? "scheduled" : "available"}]
  set is_held [option $options held 0]
  set id [incr last_task]
  dict set tasks $id [dict merge $newborn [list id $id queue $queue state [expr {$is_held ? "held" : $state}] \
    held_from [expr {$is_held ? $state : {}}] payload [lindex $payload 1] payload_json [as_json $payload] \
    run_at_ms $run_at created_ms $now moved_ms $now flow [flow_bits $options]]]
  put_options $id $queue $options
  dict set events $id {}
  dict set errors $id {}
  lappend born $id
  if {[dict exists $options unique]} { take_key $id $queue $payload $options }
  flow_born $id $options $is_inbox
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
  variable tasks
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

# ---- what people do ----------------------------------------------------------------------------

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

# A task that one that is not finished needs stays: 0, or an error where there are not many.
proc ::ref::to_delete {id {is_many 0}} {
  if {[is_needed $id]} {
    if {$is_many} { return 0 }
    no wrong_state
  }
  row_goes $id
  return 1
}

proc ::ref::row_goes {id} {
  variable touched
  variable finals
  if {[get $id state] ni $finals} { place_goes $id }
  flow_goes $id
  foreach name {tasks events errors notes} {
    variable $name
    set $name [dict remove [set $name] $id]
  }
  lappend touched $id
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
  variable acted_on
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

# ---- many tasks --------------------------------------------------------------------------------

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

# ---- retention ---------------------------------------------------------------------------------

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
  need_queue $queue
  set is_blocked [needs_block $options]
  if {[dict exists $options unique]} {
    set unique [unique_options [dict get $options unique]]
    if {[holder_of [compose_key $unique $queue $payload $options]] ne {}} {
      if {[dict get $unique on_conflict] eq "error"} { no not_unique }
      return
    }
  }
  birth $queue $payload $options $is_blocked 1
  return
}

# UPDATE tm_task SET state = …, and further columns where they are given.
proc ::ref::by_hand {id to args} {
  variable now
  variable tasks
  variable queues
  variable moves
  variable finals
  variable is_by_hand
  if {![dict exists $tasks $id]} return
  set from [get $id state]
  put $id {*}$args state $to
  if {$to in {running cancelling} && ([get $id worker] eq {} || [get $id lease_until_ms] eq {} || [get $id token] < 1 || [get $id attempt] < 1)} {
    no leased_task_has_worker_lease_and_token
  }
  if {$from eq $to} return
  if {![dict exists $moves [list $from $to]]} { no wrong_state }
  put $id state $from
  set is_by_hand 1
  move $id $to {} 1 "by hand"
  set is_by_hand 0
  return
}

proc ::ref::delete_by_hand {id} {
  variable tasks
  if {![dict exists $tasks $id]} return
  if {[get $id state] in {running cancelling} || [is_needed $id]} { no wrong_state }
  row_goes $id
  return
}

proc ::ref::set_priority {id priority} {
  variable tasks
  if {[dict exists $tasks $id]} {
    put $id priority $priority
    in_line_anew $id
  }
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
  variable limits
  variable partitions
  variable schedules
  if {![dict exists $queues $queue]} return
  dict for {- task} $tasks {
    if {[dict get $task queue] eq $queue} { no wrong_state }
  }
  foreach name [dict keys $schedules] {
    if {[plan $name queue] eq $queue} { no wrong_state }
  }
  foreach key [partitions_of $queue] { dict unset partitions $key }
  dict unset limits $queue
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
  format {{"id":%d,"queue":%s,"state":%s,"kind":%s,"payload":%s,"priority":%d,"run_at_ms":%d,"attempt":%d,"max_attempts":%d,"worker":%s,"token":%d,"lease_until_ms":%s,"progress":%s,"note":%s,"result":%s,"error":%s,"reason":%s,"created_ms":%d,"started_ms":%s,"finished_ms":%s,"tags":%s,"metadata":%s%s,"errors":[%s]}} \
    $id [quoted $queue] [quoted $state] [quoted $kind] $payload_json $priority $run_at_ms $attempt \
    $max_attempts [quoted $worker] $token [number $lease_until_ms] [number $progress] [quoted $note] $result_json \
    [quoted $error] [quoted $reason] $created_ms [number $started_ms] [number $finished_ms] [number $tags] \
    [number $metadata] [place_json $id] [join $list ,]
}

# A task's place among others, where it has one.
proc ::ref::place_json {id} {
  variable flows
  variable edges
  variable waits
  variable groups
  variable keys
  variable slots
  set json {}
  if {[dict exists $slots $id]} {
    append json [format {,"schedule":"%s","slot_ms":%d} {*}[dict get $slots $id]]
  }
  if {[dict exists $flows $id]} {
    dict with flows $id {}
    foreach {key value} [list partition [quoted $partition] expires_ms [number $expires_ms] timeout_ms [number $timeout_ms] \
        deadline_ms [number $deadline_ms] stopping [quoted $stopping] group [quoted $in_group] parent_id [number $parent_id]] {
      append json ",\"$key\":$value"
    }
  }
  set after {}
  set words {waits met failed failed}
  if {[dict exists $edges $id]} {
    foreach needed [lsort -integer [dict keys [dict get $edges $id]]] {
      lassign [dict get $edges $id $needed] on status
      lappend after [format {{"id":%d,"on":"%s","status":"%s"}} $needed $on [lindex $words $status]]
    }
  }
  if {[dict exists $waits $id]} {
    foreach group [lsort [dict keys [dict get $waits $id]]] {
      lassign [dict get $waits $id $group] on status
      lassign [group_counts $group] tasks open
      lappend after [format {{"group":"%s","on":"%s","status":"%s","sealed":%d,"tasks":%d,"open":%d}} \
        $group $on [lindex $words $status] [dict get $groups $group is_sealed] $tasks $open]
    }
  }
  if {$after ne {}} { append json ",\"after\":\[[join $after ,]\]" }
  if {[dict exists $keys $id]} {
    lassign [dict get $keys $id] key scope until is_held
    append json [format {,"unique":{"key":%s,"scope":"%s","until_ms":%s,"held":%d}} [quoted $key] $scope [number $until] $is_held]
  }
  return $json
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
    blocked { lappend reasons {*}[lrepeat [expr {max(1, [unmet $id])}] blocked] }
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
      variable asides
      foreach key [dict keys $asides] { lappend rows [lindex $key 2] [lindex $key 0] in_use [lindex $key 1] }
      set rows [concat {*}[lsort -integer -index 0 [lsort -index 2 [lsort -index 3 [lmap {id queue phase at} $rows { list $id $queue $phase $at }]]]]]
    }
    tm_finished_walk { set rows $walk }
    tm_setting {
      variable has_times
      set rows [list $strict $now $has_times]
    }
    tm_schedule - tm_schedule_slot { set rows [schedule_rows $table] }
    tm_limit - tm_partition - tm_place { set rows [limit_rows $table] }
    default { set rows [flow_rows $table] }
  }
  return $rows
}
