# schedule.tcl - schedules, and the tasks that their slots become.
# Owns:    the facts of tm_schedule and tm_schedule_slot.
# Promise: a spec is here what it says of a day without changes of clocks: a period and where it
#          counts from. What else a spec can say is compared with other libraries (make test-cron).
# Why:     which slots fire is a rule of its own: what was missed, paused, overlaps, or is over.

namespace eval ::ref {
  variable schedules {}   ;# name -> {column value ...}
  variable slots {}       ;# id of a task -> {schedule slot}
  variable facts
  lappend facts schedules slots

  # spec -> period in ms; those of @every count from start_ms, the others from 1970.
  variable specs {
    {@every 7s} 7000 {@every 1m30s} 90000 {*/10 * * * * *} 10000 {* * * * *} 60000 {*/5 * * * *} 300000 @hourly 3600000
  }
  variable never {}
}

# The first slot after a time.
proc ::ref::slot_after {spec start after} {
  variable specs
  set period [dict get $specs $spec]
  set from [expr {[string match @every* $spec] ? [first $start 0] : 0}]
  expr {$from + (($after - $from) / $period + 1) * $period}
}

proc ::ref::cron_next {spec after} { slot_after $spec {} $after }

proc ::ref::plan {name column} {
  variable schedules
  dict get $schedules $name $column
}

proc ::ref::within {row slot} {
  set end [dict get $row end_ms]
  expr {$end ne {} && $slot > $end ? {} : $slot}
}

proc ::ref::next_slot {row after} { within $row [slot_after [dict get $row spec] [dict get $row start_ms] $after] }

# The first slot from now for one that has fired so often.
proc ::ref::first_slot {row runs} {
  variable now
  set max [dict get $row max_runs]
  if {$max ne {} && $runs >= $max} return
  set start [dict get $row start_ms]
  next_slot $row [expr {$start ne {} && $start > $now ? $start - 1 : $now}]
}

proc ::ref::schedule {name spec queue payload {options {}}} {
  variable schedules
  variable now
  variable acted_on 0
  need_queue $queue
  set row [dict create spec $spec queue $queue payload $payload options $options paused 0 next {} due {} runs 0 last {} \
    last_id {} waits_for {} resumed {} revision 0 created $now catch_up [option $options catch_up one] \
    overlap [option $options overlap allow]]
  foreach column {start_ms end_ms max_runs} { dict set row $column [option $options $column] }
  if {[dict exists $schedules $name]} {
    set old [dict get $schedules $name]
    foreach column {paused runs last last_id resumed created} { dict set row $column [dict get $old $column] }
    dict set row revision [expr {[dict get $old revision] + 1}]
    set next [next_again $row $old]
  } else {
    set next [first_slot $row 0]
  }
  dict set row next $next
  dict set row due $next
  dict set schedules $name $row
  return $next
}

# Made again as it was, it keeps the slots that are still to be decided.
proc ::ref::next_again {row old} {
  set runs [dict get $old runs]
  set first [first_slot $row $runs]
  set max [dict get $row max_runs]
  set next [dict get $old next]
  foreach column {spec start_ms} {
    if {[dict get $row $column] ne [dict get $old $column]} { return $first }
  }
  if {($max ne {} && $runs >= $max) || $next eq {} || [within $row $next] eq {}} { return $first }
  expr {$first eq {} || $next < $first ? $next : $first}
}

proc ::ref::need_schedule {name} {
  variable schedules
  variable acted_on 0
  if {![dict exists $schedules $name]} { no no_such_schedule }
}

proc ::ref::unschedule {name} {
  variable schedules
  variable slots
  need_schedule $name
  dict unset schedules $name
  dict for {id slot} $slots {
    if {[lindex $slot 0] eq $name} { dict unset slots $id }
  }
  return 1
}

proc ::ref::pause_schedule {name} {
  variable schedules
  need_schedule $name
  dict set schedules $name paused 1
  return 1
}

# What has passed meanwhile does not fire.
proc ::ref::resume_schedule {name} {
  variable schedules
  variable now
  need_schedule $name
  if {![plan $name paused]} { return 1 }
  set next [first_slot [dict get $schedules $name] [plan $name runs]]
  foreach {column value} [list paused 0 resumed $now next $next due $next waits_for {} revision [expr {[plan $name revision] + 1}]] {
    dict set schedules $name $column $value
  }
  return 1
}

# UPDATE tm_schedule SET paused = …: the next slot stays, and those up to now do not fire.
proc ::ref::pause_by_hand {name paused} {
  variable schedules
  variable now
  if {![dict exists $schedules $name]} return
  if {[plan $name paused] && !$paused} { dict set schedules $name resumed $now }
  dict set schedules $name paused $paused
  return
}

# ---- firing --------------------------------------------------------------------------------------

proc ::ref::is_unfinished {id} {
  variable tasks
  variable finals
  expr {$id ne {} && [dict exists $tasks $id] && [get $id state] ni $finals}
}

# The schedule of a queue that is to be looked at first: {due name}.
proc ::ref::schedule_due {queue} {
  variable schedules
  set best {}
  foreach name [lsort [dict keys $schedules]] {
    if {[plan $name queue] ne $queue || [plan $name paused] || [plan $name due] eq {} || [is_unfinished [plan $name waits_for]]} continue
    if {$best eq {} || [plan $name due] < [lindex $best 0]} { set best [list [plan $name due] $name] }
  }
  return $best
}

proc ::ref::is_firing {queue} {
  variable now
  set due [schedule_due $queue]
  expr {$due ne {} && [lindex $due 0] <= $now}
}

# Returns the steps taken: a slot each, or one where none fired.
proc ::ref::fire {queue limit} {
  variable acted_on
  set kept $acted_on
  set steps 0
  while {$steps < $limit && [is_firing $queue]} { incr steps [fire_one [lindex [schedule_due $queue] 1] [expr {$limit - $steps}]] }
  set acted_on $kept
  return $steps
}

# The slots up to now that are to fire, as many as the limit allows, and the first behind them.
proc ::ref::slots_due {name limit} {
  variable schedules
  variable now
  set row [dict get $schedules $name]
  set until [least $now [dict get $row end_ms]]
  set slot [within $row [dict get $row next]]
  if {$slot ne {} && [dict get $row resumed] ne {} && $slot <= [dict get $row resumed]} { set slot [next_slot $row [dict get $row resumed]] }
  set all {}
  while {$slot ne {} && $slot <= $until} {
    lappend all $slot
    set slot [next_slot $row $slot]
  }
  set keep [expr {[dict get $row catch_up] eq "all" ? 1000 : 1}]
  set all [lrange $all end-[expr {$keep - 1}] end]
  set is_missed [expr {$all ne {} && [dict get $row catch_up] eq "none" && [dict get $row overlap] ne "queue" && $now - [lindex $all 0] > 60000}]
  if {$is_missed} {
    set all {}
    set slot [next_slot $row $now]
  }
  set most [expr {[dict get $row max_runs] eq {} ? $limit : min($limit, max(0, [dict get $row max_runs] - [dict get $row runs]))}]
  list [lrange $all 0 $most-1] [first [lindex $all $most] $slot]
}

proc ::ref::fire_one {name limit} {
  variable schedules
  variable slots
  variable now
  lassign [slots_due $name [expr {min($limit, 64)}]] due next
  set row [dict get $schedules $name]
  set fired 0
  set waits_for {}
  set runs [dict get $row runs]
  foreach slot $due {
    set unfinished [expr {[dict get $row overlap] eq "allow" ? {} : [unfinished_of $name]}]
    if {$unfinished ne {}} {
      set is_queue [expr {[dict get $row overlap] eq "queue"}]
      set waits_for [expr {$is_queue ? $unfinished : {}}]
      set next [expr {$is_queue ? $slot : [next_slot $row $now]}]
      break
    }
    if {[has_fired $name $slot]} continue
    set id [fire_slot $row $slot]
    dict set slots $id [list $name $slot]
    incr runs
    incr fired
    dict set schedules $name last $slot
    dict set schedules $name last_id $id
  }
  if {[dict get $row max_runs] ne {} && $runs >= [dict get $row max_runs]} { set next {} }
  foreach {column value} [list next $next due $next runs $runs waits_for $waits_for revision [expr {[dict get $row revision] + 1}]] {
    dict set schedules $name $column $value
  }
  if {$runs / 16 > [dict get $row runs] / 16 && $runs > 100} { forget_slots $name }
  variable counts
  dict incr counts fired $fired
  expr {$fired ? $fired : 1}
}

proc ::ref::fire_slot {row slot} {
  set options [dict remove [dict get $row options] delay catch_up overlap start_ms end_ms max_runs zone]
  dict set options run_at_ms [expr {$slot + [duration [option [dict get $row options] delay 0]]}]
  need_queue [dict get $row queue]
  birth [dict get $row queue] [dict get $row payload] $options 0 0
}

# {slot id} of a schedule, the newest first.
proc ::ref::slots_of {name} {
  variable slots
  set found {}
  dict for {id slot} $slots {
    if {[lindex $slot 0] eq $name} { lappend found [list [lindex $slot 1] $id] }
  }
  lsort -integer -decreasing -index 0 $found
}

proc ::ref::unfinished_of {name} {
  foreach slot [slots_of $name] {
    if {[is_unfinished [lindex $slot 1]]} { return [lindex $slot 1] }
  }
}

proc ::ref::has_fired {name slot} { expr {$slot in [lmap one [slots_of $name] { lindex $one 0 }]} }

proc ::ref::forget_slots {name} {
  variable slots
  foreach slot [lrange [slots_of $name] 100 end] { dict unset slots [lindex $slot 1] }
}

# ---- for the comparison --------------------------------------------------------------------------

proc ::ref::schedule_rows {table} {
  variable schedules
  variable slots
  set rows {}
  if {$table eq "tm_schedule"} {
    foreach name [lsort [dict keys $schedules]] {
      lappend rows $name
      foreach column {spec queue paused next due runs last last_id waits_for resumed revision created catch_up overlap start_ms end_ms max_runs} {
        lappend rows [plan $name $column]
      }
    }
  } else {
    foreach id [lsort -integer [dict keys $slots]] { lappend rows $id {*}[dict get $slots $id] }
  }
  return $rows
}
