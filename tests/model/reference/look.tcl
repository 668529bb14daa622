# look.tcl - what can be asked, and all rows of all tables.
# Owns:    no fact: it reads those of all files.
# Promise: JSON, reasons and rows are as the database gives them, in its order.
# Why:     a comparison of texts leaves nothing out.

# ---- looking -------------------------------------------------------------------------------------

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

# ---- everything, for the comparison --------------------------------------------------------------

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
