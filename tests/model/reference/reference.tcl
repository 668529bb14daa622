# reference.tcl - what every verb should do, as plainly as it can be said.
# Owns:    the facts of one database (tasks, histories, queues, the clock) as Tcl dicts, and how a
#          task is born, moves from state to state, and goes.
# Promise: no SQL, no index, no cache, no locks: a verb looks at all tasks and takes what it wants.
#          A verb that fails throws {TM symbol}; then the caller puts the facts back.
# Why:     a second telling of the rules, in another language and another shape, is wrong in other
#          places than the first one.
#
# The verbs are in the other files of this folder, one procedure for each: lease, steer, tick, prune
# and schedule; what else a task may have is reached through flow (times, unique, depend, settle,
# group); limits has those of queues, hand is plain SQL, look what can be asked. A new part of the
# rules is a file with its facts in `facts`, its options in `put_options` or `flow_born`, what follows
# from a move in `flow_moved`, its rows in `rows`, and its steps in ../walk.tcl.

namespace eval ::ref {
  # What there is. `save` and `load` copy all of it; Tcl copies a dict when it is changed, not before.
  variable facts
  lappend facts now strict tasks events errors queues last_task last_event
  variable now 0          ;# the clock, ms
  variable strict 0
  variable tasks {}       ;# id -> {column value ...}, ids rising
  variable events {}      ;# id -> list of {event from to at attempt actor reason}
  variable errors {}      ;# id -> list of {attempt token worker started failed error}
  variable queues {}      ;# name -> {column value ...}
  variable last_task 0    ;# the highest id ever given
  variable last_event 0
  variable touched {}     ;# ids of tasks that the last verb wrote; not a fact
  variable born {}        ;# ids of tasks that the last verb made; not a fact
  variable acted_on 0     ;# last_insert_rowid() after tm_command; not a fact
  variable was_duplicate 0 ;# tm_was_duplicate() after tm_enqueue; not a fact

  variable time_max 253402300799999
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

# ---- values --------------------------------------------------------------------------------------

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

proc ::ref::by_numbers {a b} {
  foreach x $a y $b {
    if {$x < $y} { return -1 }
    if {$x > $y} { return 1 }
  }
  return 0
}

# ---- one task ------------------------------------------------------------------------------------

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

# ---- births, and the end of a row ----------------------------------------------------------------

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

# ---- the clock -----------------------------------------------------------------------------------

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
