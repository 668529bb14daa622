# hand.tcl - what plain SQL does to tasks, queues, times and groups.
# Owns:    tm_inbox, and the updates and deletes of tables that triggers look at.
# Promise: a move by hand obeys the same table of moves, but is told of later: who waits for its end
#          is noted, and the next claim or tick finds the note.
# Why:     a connection without the extension has triggers and constraints, and nothing else.

namespace eval ::ref {
  variable is_by_hand 0   ;# plain SQL moves a task; not a fact
}

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
  variable tasks
  variable moves
  variable now
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
  if {$to eq "running"} { put $id started_ms $now }
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

# UPDATE tm_flow SET one of the times = …
proc ::ref::set_time_by_hand {id column value} {
  variable flows
  variable has_times
  if {![dict exists $flows $id]} return
  dict set flows $id $column $value
  mark $id times
  set has_times 1
  dict set flows $id due_ms [due_of $id]
  return
}

proc ::ref::seal_by_hand {group} {
  variable groups
  variable is_by_hand 1
  variable is_settling
  if {[dict exists $groups $group]} {
    set is_settling 1
    seal $group
    set is_settling 0
  }
  set is_by_hand 0
  return
}
