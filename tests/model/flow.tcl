# flow.tcl - what a task has beside its life: times, a key, others that it waits for, a group, a parent.
# Owns:    the facts of tm_flow, tm_dependency, tm_group, tm_group_wait, tm_settle and tm_unique.
# Promise: what is counted in the database is found here by looking at all there is: `unmet` and the
#          counts of a group are no facts.
# Why:     a counter that is told of every move is the thing that can be wrong.

namespace eval ::ref {
  variable flows {}       ;# id -> {column value ...}
  variable edges {}       ;# id -> {needed id -> {completed|final status}}; 0 waits, 1 met, 2 failed
  variable waits {}       ;# id -> {group -> {completed|final status}}; 3 failed, and done with
  variable groups {}      ;# name -> {column value ...}
  variable settle {}      ;# ids that the next claim or tick has to look at
  variable keys {}        ;# id -> {key scope until is_held is_orphan}
  variable has_times 0
  variable facts
  lappend facts flows edges waits groups settle keys has_times

  variable is_by_hand 0   ;# plain SQL moves a task; not a fact
  variable settling {}    ;# ends that are still to be told of, while that is under way; not a fact
  variable is_settling 0
  variable new_flow {partition {} parent_id {} in_group {} on_failure {} expires_ms {} timeout_ms {} deadline_ms {} due_ms {} stopping {}}
  variable bits {unique 1 needs 2 needed 4 group 8 times 16 partition 32 parent 64 child 128}
  variable row_bits 186
}

proc ::ref::flow_get {id column} {
  variable flows
  if {![dict exists $flows $id]} return
  dict get $flows $id $column
}

proc ::ref::has {id bit} {
  variable bits
  expr {([get $id flow] & [dict get $bits $bit]) != 0}
}

proc ::ref::mark {id bit} {
  variable bits
  if {![has $id $bit]} { put $id flow [expr {[get $id flow] | [dict get $bits $bit]}] }
}

proc ::ref::least {args} {
  set least {}
  foreach value $args {
    if {$value ne {} && ($least eq {} || $value < $least)} { set least $value }
  }
  return $least
}

# ---- what a move brings with it ------------------------------------------------------------------

# After a birth (from is empty) and after each move, whoever made it.
proc ::ref::flow_moved {id from to} {
  variable is_by_hand
  variable finals
  limits_moved $id $from $to
  if {[get $id flow] == 0} return
  set group [flow_get $id in_group]
  set had_ended [expr {$group ne {} && [group_has_ended $group]}]
  if {[has $id unique]} { key_moved $id $from $to }
  if {[has $id needs] && $from ne {}} { needs_moved $id $to }
  if {[has $id group]} { group_moved $id $from $to }
  if {[has $id times]} { times_moved $id }
  if {$is_by_hand} {
    if {[has $id needed] && $to in $finals && [waiting_for $id] ne {}} { note_settle $id }
    return
  }
  if {$group ne {} && !$had_ended && [group_has_ended $group] && ($from eq {} || $to in $finals)} group_ended
  if {[has $id needed] && $to in $finals} { depend_ended $id }
}

# ---- times ---------------------------------------------------------------------------------------

# {time of a task with such an option}: a duration from now, or {at_ms N}.
proc ::ref::moment {value} {
  variable now
  if {$value eq {}} return
  if {[llength $value] == 2} { return [lindex $value 1] }
  expr {$now + [duration $value]}
}

proc ::ref::due_of {id} {
  variable queues
  variable time_max
  set deadline [flow_get $id deadline_ms]
  switch [get $id state] {
    completed - cancelled - discarded { return }
    cancelling {
      if {[flow_get $id stopping] eq {}} return
      return [least $time_max [expr {[get $id moved_ms] + [dict get $queues [get $id queue] grace_ms]}]]
    }
    running {
      set timeout [flow_get $id timeout_ms]
      # A task that plain SQL started may say nothing of when.
      set started [get $id started_ms]
      set timeout [expr {$timeout eq {} || $started eq {} ? {} : [least $time_max [expr {$started + $timeout}]]}]
      return [least $deadline $timeout]
    }
  }
  if {[get $id attempt] == 0} { return [least $deadline [flow_get $id expires_ms]] }
  return $deadline
}

proc ::ref::times_moved {id} {
  variable flows
  variable has_times 1
  if {[get $id state] ne "cancelling"} { dict set flows $id stopping {} }
  dict set flows $id due_ms [due_of $id]
}

proc ::ref::stopping {id} {
  if {[get $id state] ne "cancelling"} return
  flow_get $id stopping
}

proc ::ref::is_over {id} {
  variable now
  set due [flow_get $id due_ms]
  expr {$due ne {} && $due <= $now}
}

proc ::ref::time_out {id stopping} {
  if {$stopping eq "deadline"} {
    fail_attempt $id "its deadline passed" {} deadline 0
  } else {
    fail_attempt $id "timed out" {} {} 0
  }
}

proc ::ref::times_end {id} {
  variable now
  variable flows
  variable tasks
  if {![dict exists $tasks $id] || ![is_over $id]} return
  set deadline [flow_get $id deadline_ms]
  set is_past [expr {$deadline ne {} && $deadline <= $now}]
  switch [get $id state] {
    running {
      dict set flows $id stopping [expr {$is_past ? "deadline" : "timeout"}]
      move_by_others $id cancelling [flow_get $id stopping]
    }
    cancelling { time_out $id [first [flow_get $id stopping] timeout] }
    default { move_by_others $id discarded [expr {$is_past ? "deadline" : "expired"}] }
  }
}

# All whose time is over, at most so many; returns how many.
proc ::ref::times_round {limit} {
  variable flows
  variable now
  set done 0
  while {$done < $limit} {
    set due {}
    dict for {id flow} $flows {
      set at [dict get $flow due_ms]
      if {$at ne {} && $at <= $now} { lappend due [list $at $id] }
    }
    set block [lrange [lsort -command by_numbers $due] 0 [expr {min(64, $limit - $done) - 1}]]
    if {$block eq {}} break
    foreach pair $block { times_end [lindex $pair 1] }
    incr done [llength $block]
  }
  return $done
}

# A task that a person runs again is not held to what has passed.
proc ::ref::times_renew {id} {
  variable flows
  variable now
  if {![has $id times]} return
  foreach column {expires_ms deadline_ms} {
    set at [flow_get $id $column]
    if {$at ne {} && $at <= $now} { dict set flows $id $column {} }
  }
  dict set flows $id due_ms [due_of $id]
}

# A person cancels what its time had stopped.
proc ::ref::times_cancel {id} {
  variable flows
  if {[stopping $id] eq {}} return
  dict set flows $id stopping {}
  dict set flows $id due_ms {}
}

proc ::ref::set_times {id options} {
  variable flows
  variable new_flow
  variable has_times
  if {![has_any $options {expires timeout deadline}] && ![has $id times]} return
  if {![dict exists $flows $id]} { dict set flows $id $new_flow }
  dict set flows $id expires_ms [moment [option $options expires]]
  dict set flows $id deadline_ms [moment [option $options deadline]]
  dict set flows $id timeout_ms [timeout_of $options]
  mark $id times
  set has_times 1
  dict set flows $id due_ms [due_of $id]
}

proc ::ref::timeout_of {options} {
  if {![dict exists $options timeout]} return
  duration [dict get $options timeout]
}

proc ::ref::has_any {options keys} {
  foreach key $keys {
    if {[dict exists $options $key]} { return 1 }
  }
  return 0
}

# ---- keys ----------------------------------------------------------------------------------------

proc ::ref::sql_quoted {value} {
  lassign $value type text
  switch $type {
    {} - n { return NULL }
    i { return $text }
    default { return '[string map {' ''} $text]' }
  }
}

proc ::ref::text_or_null {text} { expr {$text eq {} ? {n {}} : [list t $text]} }

# A text alone is a key in its queue.
proc ::ref::unique_options {unique} {
  if {[llength $unique] < 2} { set unique [list key $unique] }
  set key [option $unique key]
  return [dict create key $key fields [option $unique fields [expr {$key ne {} ? "queue" : {}}]] \
    period [expr {[dict exists $unique period] ? [duration [dict get $unique period]] : 0}] \
    scope [option $unique scope [expr {[dict exists $unique period] ? "all" : "incomplete"}]] \
    on_conflict [option $unique on_conflict ignore]]
}

proc ::ref::compose_key {unique queue payload options} {
  variable now
  set parts {}
  set fields [dict get $unique fields]
  set period [dict get $unique period]
  if {[dict get $unique key] ne {}} { lappend parts key=[sql_quoted [list t [dict get $unique key]]] }
  if {"queue" in $fields} { lappend parts queue=[sql_quoted [list t $queue]] }
  if {"kind" in $fields} { lappend parts kind=[sql_quoted [text_or_null [option $options kind]]] }
  if {"payload" in $fields} { lappend parts payload=[sql_quoted $payload] }
  if {"partition" in $fields} { lappend parts partition=[sql_quoted [text_or_null [option $options partition]]] }
  if {$period} { lappend parts "window=[expr {$now / $period}] of ${period}ms" }
  join $parts
}

# Who holds a key; {} is nobody.
proc ::ref::holder_of {key {but {}}} {
  variable keys
  dict for {id row} $keys {
    if {[lindex $row 0] eq $key && [lindex $row 3] && $id ne $but} { return $id }
  }
}

proc ::ref::key_moved {id from to} {
  variable keys
  variable finals
  lassign [dict get $keys $id] key scope until is_held
  if {$from in $finals && !$is_held} {
    if {[holder_of $key $id] ne {}} { no not_unique }
    set is_held 1
  }
  if {$scope eq "queued" && ($to eq "running" || $to in $finals)} { set is_held 0 }
  if {$scope eq "incomplete" && $to in $finals} { set is_held 0 }
  dict set keys $id [list $key $scope $until $is_held 0]
}

# Without a rival, or an error; where there are many it is left alone.
proc ::ref::key_is_free {id is_many} {
  variable keys
  if {[holder_of [lindex [dict get $keys $id] 0] $id] eq {}} { return 1 }
  if {$is_many} { return 0 }
  no not_unique
}

proc ::ref::take_key {id queue payload options} {
  variable keys
  variable now
  set unique [unique_options [dict get $options unique]]
  set period [dict get $unique period]
  set scope [dict get $unique scope]
  set until [expr {$period && $scope eq "all" ? ($now / $period + 1) * $period : {}}]
  dict set keys $id [list [compose_key $unique $queue $payload $options] $scope $until 1 0]
}

proc ::ref::key_goes {id} {
  variable keys
  variable now
  if {![dict exists $keys $id]} return
  lassign [dict get $keys $id] key scope until is_held
  if {$until eq {} || $until <= $now} {
    dict unset keys $id
  } else {
    dict set keys $id [list $key $scope $until $is_held 1]
  }
}

# Windows that are over and whose tasks were deleted, the first ones.
proc ::ref::forget_keys {limit} {
  variable keys
  variable now
  set over {}
  dict for {id row} $keys {
    if {[lindex $row 4] && [lindex $row 2] <= $now} { lappend over [list [lindex $row 2] $id] }
  }
  foreach pair [lrange [lsort -command by_numbers $over] 0 $limit-1] { dict unset keys [lindex $pair 1] }
}

# An enqueue that finds its key held: the id of the holder.
proc ::ref::duplicate {holder unique queue payload options} {
  variable tasks
  variable acted_on
  variable was_duplicate 1
  set on_conflict [dict get $unique on_conflict]
  if {$on_conflict eq "error"} { no not_unique }
  if {$on_conflict in {replace reschedule} && [dict exists $tasks $holder]
      && [get $holder state] in {scheduled available retryable blocked held}} {
    variable queues
    variable now
    if {$on_conflict eq "replace"} {
      need_place $holder $options
      replace_task $holder $payload $options
      set_times $holder $options
    }
    set run_at [option $options run_at_ms [expr {$now + [duration [option $options delay 0]]}]]
    set_time $holder $run_at [expr {$on_conflict eq "replace" ? "replaced" : "rescheduled"}]
  }
  set acted_on $holder
}

# What it would wait for, the holder must wait for, too.
proc ::ref::need_place {holder options} {
  variable edges
  variable waits
  lassign [needs_of [option $options after]] needs groups
  foreach need [dict keys $needs] {
    if {![dict exists $edges $holder $need]} { no not_unique }
  }
  foreach group [dict keys $groups] {
    if {![dict exists $waits $holder $group]} { no not_unique }
  }
}

proc ::ref::replace_task {id payload options} {
  variable queues
  put $id payload [lindex $payload 1] payload_json [as_json $payload]
  put_options $id [get $id queue] $options
  in_line_anew $id
}

proc ::ref::set_time {id run_at reason} {
  variable now
  set to [get $id state]
  if {$to in {held blocked}} {
  } elseif {$run_at <= $now} {
    set to available
  } elseif {$to eq "available"} {
    set to scheduled
  }
  if {$to ne [get $id state]} {
    move_by_others $id $to $reason run_at_ms $run_at
  } elseif {$run_at == [get $id run_at_ms]} {
    return 0
  } else {
    put $id run_at_ms $run_at
    in_line_anew $id
  }
  return 1
}

proc ::ref::flow_bits {options} {
  variable bits
  set flow 0
  foreach {key bit} {unique unique after needs group group expires times deadline times timeout times partition partition parent child} {
    if {[dict exists $options $key]} { set flow [expr {$flow | [dict get $bits $bit]}] }
  }
  return $flow
}

# ---- needs ---------------------------------------------------------------------------------------

# The option `after` as {id on …} {group on …}: a list of {id on} and {group name on}, the stricter
# of two.
proc ::ref::needs_of {after} {
  set needs {}
  set groups {}
  foreach one $after {
    if {[lindex $one 0] eq "group"} {
      lassign $one - name on
      set on [first $on final]
      if {![dict exists $groups $name] || $on eq "completed"} { dict set groups $name $on }
    } else {
      lassign $one id on
      set on [first $on completed]
      if {![dict exists $needs $id] || $on eq "completed"} { dict set needs $id $on }
    }
  }
  list $needs $groups
}

proc ::ref::unmet {id} {
  variable edges
  variable waits
  set n 0
  foreach all {edges waits} {
    if {![dict exists [set $all] $id]} continue
    dict for {- row} [dict get [set $all] $id] {
      if {[lindex $row 1] == 0} { incr n }
    }
  }
  return $n
}

proc ::ref::edge_status {needed on} {
  variable finals
  set state [get $needed state]
  if {$state ni $finals} { return 0 }
  expr {$state eq "completed" || $on eq "final" ? 1 : 2}
}

proc ::ref::wait_status {group on} {
  variable groups
  if {![dict exists $groups $group] || ![group_has_ended $group]} { return 0 }
  expr {$on eq "final" || [group_failures $group] == 0 ? 1 : 2}
}

# Ids of those who wait for a task still.
proc ::ref::waiting_for {id} {
  variable edges
  set ids {}
  dict for {waiter needs} $edges {
    if {[dict exists $needs $id] && [lindex [dict get $needs $id] 1] == 0} { lappend ids $waiter }
  }
  lsort -integer $ids
}

# All who wait for these tasks, by however many between, they themselves among them.
proc ::ref::waiters {ids} {
  variable edges
  variable waits
  variable tasks
  set seen {}
  while {$ids ne {}} {
    set ids [lassign $ids id]
    if {[dict exists $seen $id]} continue
    dict set seen $id 1
    lappend ids {*}[waiting_for $id]
    set group [flow_get $id in_group]
    if {$group ne {}} { lappend ids {*}[waiting_for_group $group] }
  }
  dict keys $seen
}

proc ::ref::waiting_for_group {group} {
  variable waits
  set ids {}
  dict for {id rows} $waits {
    if {[dict exists $rows $group] && [lindex [dict get $rows $group] 1] == 0} { lappend ids $id }
  }
  lsort -integer $ids
}

proc ::ref::is_blocked {id} {
  expr {[get $id state] eq "blocked" || ([get $id state] eq "held" && [get $id held_from] eq "blocked")}
}

# Whoever lets a task run lets it run whatever it waits for.
proc ::ref::needs_moved {id to} {
  variable edges
  variable waits
  if {$to eq "blocked" && [unmet $id] == 0} { no wrong_state }
  if {$to ni {available scheduled retryable waiting}} return
  foreach {all failed} {edges 2 waits 3} {
    if {![dict exists [set $all] $id]} continue
    dict for {needed row} [dict get [set $all] $id] {
      if {[lindex $row 1] == 0} { dict set $all $id $needed [list [lindex $row 0] $failed] }
    }
  }
}

# Before a birth: what may not be, and whether it will wait.
proc ::ref::needs_block {options} {
  variable tasks
  lassign [needs_of [option $options after]] needs groups
  set ignores [expr {[option $options on_failure] eq "ignore"}]
  set blocks 0
  foreach id [lsort -integer [dict keys $needs]] {
    if {![dict exists $tasks $id]} { no no_such_task }
    set status [edge_status $id [dict get $needs $id]]
    if {$status == 0 || ($status == 2 && !$ignores)} { set blocks 1 }
  }
  need_no_cycle [option $options group] $needs $groups
  dict for {group on} $groups {
    set status [wait_status $group $on]
    if {$status == 0 || ($status == 2 && !$ignores)} { set blocks 1 }
  }
  return $blocks
}

proc ::ref::need_no_cycle {group needs groups} {
  variable tasks
  if {$group eq {}} return
  if {[dict exists $groups $group]} { no cycle }
  set waiters [waiters [waiting_for_group $group]]
  foreach id $waiters {
    if {[dict exists $needs $id]} { no cycle }
    if {[flow_get $id in_group] ne {} && [dict exists $groups [flow_get $id in_group]]} { no cycle }
  }
}

# The rows of a task that is born; what has failed already is acted upon at once, or, from tm_inbox,
# by the next claim or tick.
proc ::ref::needs_born {id options is_inbox} {
  variable edges
  variable waits
  variable settle
  lassign [needs_of [option $options after]] needs groups
  set ignores [expr {[option $options on_failure] eq "ignore"}]
  set failed {}
  set has_failed_group 0
  foreach needed [lsort -integer [dict keys $needs]] {
    set on [dict get $needs $needed]
    set status [edge_status $needed $on]
    if {$status == 2 && !$ignores} {
      if {$is_inbox} {
        set status 0
        note_settle $needed
      } elseif {$failed eq {}} {
        set failed $needed
      }
    }
    dict set edges $id $needed [list $on $status]
    mark $needed needed
  }
  dict for {group on} $groups {
    set status [wait_status $group $on]
    need_group $group
    dict set waits $id $group [list $on $status]
    if {$status == 2} { set has_failed_group 1 }
  }
  list $failed $has_failed_group
}

proc ::ref::flow_born {id options is_inbox} {
  variable flows
  variable new_flow
  variable row_bits
  variable tasks
  variable groups
  set group [option $options group]
  set parent [option $options parent]
  if {$group ne {} && [dict exists $groups $group] && [dict get $groups $group is_sealed]} { no wrong_state }
  if {$parent ne {} && ![dict exists $tasks $parent]} { no no_such_task }
  if {[get $id flow] & $row_bits} {
    if {$group ne {}} { need_group $group }
    dict set flows $id [dict merge $new_flow [list partition [option $options partition] parent_id $parent \
      in_group $group on_failure [option $options on_failure] expires_ms [moment [option $options expires]] \
      timeout_ms [timeout_of $options] deadline_ms [moment [option $options deadline]]]]
    if {$parent ne {}} { mark $parent parent }
  }
  lassign [needs_born $id $options $is_inbox] failed has_failed_group
  flow_moved $id {} [get $id state]
  if {$is_inbox} {
    if {$has_failed_group} { note_settle $id }
  } elseif {$failed ne {}} {
    depend_fail $id $failed
  } elseif {$has_failed_group} {
    depend_ended $id
  }
}

# A need has failed that is not ignored.
proc ::ref::depend_fail {id needed} {
  variable tasks
  set to [expr {[flow_get $id on_failure] eq "hold" ? "held" : "cancelled"}]
  if {$to eq [get $id state]} return
  move_by_others $id $to "task $needed, which it needs, is [get $needed state]"
}

proc ::ref::may_run {id reason} {
  variable now
  move_by_others $id [expr {[get $id run_at_ms] > $now ? "scheduled" : "available"}] $reason
}

# ---- what follows from an end --------------------------------------------------------------------

proc ::ref::note_settle {id} {
  variable settle
  dict set settle $id 1
}

proc ::ref::depend_ended {id} {
  variable is_settling
  if {$is_settling} { settle_add $id } else { settle_round [list $id] 0x7fffffffffffffff 0 }
}

# The trigger has noted who waited.
proc ::ref::group_ended {} {
  variable is_settling
  variable has_notes 1
  if {!$is_settling} { settle_round {} 0x7fffffffffffffff 1 }
}

# Up to 128 are kept in a list, the others noted with those of plain SQL.
proc ::ref::settle_add {id} {
  variable settling
  variable has_notes
  if {[llength $settling] < 128} {
    lappend settling $id
  } else {
    set has_notes 1
    note_settle $id
  }
}

# Tell those who wait for these, and, where there may be notes that were left, for those. Returns how
# much of the limit was used.
proc ::ref::settle_round {ids limit may_have_notes} {
  variable has_notes $may_have_notes
  variable settling $ids
  variable is_settling 1
  variable settle
  variable left $limit
  while {$left > 0} {
    if {$settling eq {} && $has_notes} {
      set settling [lrange [lsort -integer [dict keys $settle]] 0 63]
      foreach id $settling { dict unset settle $id }
      set has_notes [expr {$settling ne {}}]
    }
    if {$settling eq {}} break
    set id [lindex $settling end]
    set settling [lrange $settling 0 end-1]
    settle_task $id
  }
  foreach id $settling { note_settle $id }
  set is_settling 0
  expr {$limit - $left}
}

proc ::ref::settle_task {id} {
  variable tasks
  variable finals
  variable left
  incr left -1
  if {![dict exists $tasks $id]} return
  if {[get $id state] in $finals} {
    settle_end $id
  } elseif {[get $id state] in {blocked held} && [has $id needs]} {
    settle_waiter $id
  }
}

proc ::ref::settle_end {id} {
  variable left
  while {[set block [lrange [waiting_for $id] 0 [expr {max(1, min($left, 64)) - 1}]]] ne {}} {
    foreach waiter $block { settle_edge $waiter $id }
    incr left -[llength $block]
    if {$left <= 0} break
  }
  if {$block ne {}} { settle_add $id }
}

proc ::ref::settle_edge {id needed} {
  variable edges
  variable tasks
  if {![dict exists $edges $id $needed]} return
  lassign [dict get $edges $id $needed] on status
  if {$status != 0} return
  set status [edge_status $needed $on]
  dict set edges $id $needed [list $on $status]
  set is_failure [expr {$status == 2 && [flow_get $id on_failure] ne "ignore"}]
  if {!$is_failure && [unmet $id] > 0} return
  if {![is_blocked $id]} return
  if {$is_failure} {
    depend_fail $id $needed
  } elseif {[get $id state] eq "blocked" && [failed_group $id] eq {}} {
    may_run $id "task $needed, the last that it waited for, is [get $needed state]"
  }
}

# The group whose failures are still to be acted upon, the one that ended last.
proc ::ref::failed_group {id} { lindex [ended_groups $id 2] 0 }

proc ::ref::ended_groups {id status} {
  variable waits
  variable groups
  if {![dict exists $waits $id]} return
  set found {}
  dict for {group row} [dict get $waits $id] {
    if {[lindex $row 1] == $status} { lappend found [list [first [dict get $groups $group finished_ms] 0] $group] }
  }
  lmap pair [lsort -integer -decreasing -index 0 [lsort -index 1 $found]] { lindex $pair 1 }
}

proc ::ref::settle_waiter {id} {
  variable waits
  if {![is_blocked $id]} return
  set reason "waits for no other"
  while {[set group [failed_group $id]] ne {}} {
    dict set waits $id $group [list [lindex [dict get $waits $id $group] 0] 3]
    set on_failure [first [flow_get $id on_failure] cancel]
    set to [expr {$on_failure eq "hold" ? "held" : "cancelled"}]
    if {$on_failure ne "ignore" && $to ne [get $id state]} {
      move_by_others $id $to "group '$group', which it needs, has failures"
      return
    }
    set reason "group '$group' has ended, and its failures are ignored"
  }
  if {[get $id state] ne "blocked" || [unmet $id] > 0} return
  set group [lindex [ended_groups $id 1] 0]
  if {$group ne {}} { set reason "group '$group' has ended, it waits for no other" }
  may_run $id $reason
}

# ---- later ---------------------------------------------------------------------------------------

proc ::ref::depend {id needed {options {}}} {
  variable tasks
  variable edges
  variable flows
  variable new_flow
  set on [option $options on completed]
  need_task $id
  need_state $id {scheduled available blocked held}
  if {[get $id state] eq "held" && [get $id held_from] ni {scheduled available blocked}} { no wrong_state }
  if {![dict exists $tasks $needed]} { no no_such_task }
  if {[dict exists $edges $id $needed]} { return [get $id state] }
  set status [edge_status $needed $on]
  if {$id == $needed || ($status == 0 && $needed in [waiters $id])} { no cycle }
  if {![dict exists $flows $id]} { dict set flows $id $new_flow }
  dict set edges $id $needed [list $on $status]
  mark $id needs
  mark $needed needed
  if {$status == 0 && ![is_blocked $id]} {
    if {[get $id state] eq "held"} {
      put $id held_from blocked
    } else {
      move_by_others $id blocked "needs task $needed, which is [get $needed state]"
    }
  } elseif {$status == 2 && [flow_get $id on_failure] ne "ignore"} {
    depend_fail $id $needed
  } elseif {[unmet $id] == 0 && [get $id state] eq "blocked" && [failed_group $id] eq {}} {
    # It was blocked by hand.
    may_run $id "task $needed, the last that it waited for, is [get $needed state]"
  }
  get $id state
}

# What failed and was retried since is waited for again; returns for how many it waits.
proc ::ref::rearm {id} {
  variable edges
  variable waits
  variable groups
  if {[dict exists $edges $id]} {
    foreach needed [lsort -integer [dict keys [dict get $edges $id]]] {
      lassign [dict get $edges $id $needed] on status
      if {$status != 2} continue
      set status [edge_status $needed $on]
      if {$status == 2 || ($status == 0 && $needed in [waiters $id])} continue
      dict set edges $id $needed [list $on $status]
    }
  }
  if {[dict exists $waits $id]} {
    foreach group [lsort [dict keys [dict get $waits $id]]] {
      lassign [dict get $waits $id $group] on status
      if {$status < 2} continue
      if {[group_has_ended $group]} {
        if {$on eq "final" || [group_failures $group] == 0} { dict set waits $id $group [list $on 1] }
      } elseif {![waits_with $id $group]} {
        dict set waits $id $group [list $on 0]
      }
    }
  }
  unmet $id
}

# Whether one who waits for the task is in the group.
proc ::ref::waits_with {id group} {
  foreach waiter [waiters $id] {
    if {[flow_get $waiter in_group] eq $group} { return 1 }
  }
  return 0
}

# A task that is not finished and waits, or waited, for this one.
proc ::ref::is_needed {id} {
  variable edges
  variable finals
  dict for {waiter needs} $edges {
    if {[dict exists $needs $id] && [get $waiter state] ni $finals} { return 1 }
  }
  return 0
}

proc ::ref::inputs {id} {
  variable tasks
  variable edges
  variable waits
  if {![dict exists $tasks $id]} return
  set ids {}
  if {[dict exists $edges $id]} { lappend ids {*}[dict keys [dict get $edges $id]] }
  if {[dict exists $waits $id]} {
    foreach group [dict keys [dict get $waits $id]] { lappend ids {*}[members $group] }
  }
  set list [lmap input [lsort -integer -unique $ids] {
    format {{"id":%d,"kind":%s,"state":%s,"result":%s,"error":%s}} $input [quoted [get $input kind]] \
      [quoted [get $input state]] [get $input result_json] [quoted [get $input error]]
  }]
  return "\[[join $list ,]\]"
}

# ---- groups --------------------------------------------------------------------------------------

proc ::ref::members {group} {
  variable flows
  set ids {}
  dict for {id flow} $flows {
    if {[dict get $flow in_group] eq $group} { lappend ids $id }
  }
  return $ids
}

# A group is what it remembers of those that are gone, beside its tasks.
proc ::ref::need_group {group} {
  variable groups
  variable now
  if {[dict exists $groups $group]} return
  dict set groups $group [list is_sealed 0 gone_completed 0 gone_cancelled 0 gone_discarded 0 created_ms $now sealed_ms {} finished_ms {}]
}

proc ::ref::group_has_ended {group} {
  variable groups
  expr {[dict exists $groups $group] && [dict get $groups $group finished_ms] ne {}}
}

# {tasks open completed cancelled discarded removed}, by looking.
proc ::ref::group_counts {group} {
  variable groups
  variable finals
  set removed 0
  foreach state $finals {
    set n($state) [dict get $groups $group gone_$state]
    incr removed $n($state)
  }
  set open 0
  foreach id [members $group] {
    set state [get $id state]
    if {$state in $finals} { incr n($state) } else { incr open }
  }
  list [expr {$open + $n(completed) + $n(cancelled) + $n(discarded)}] $open $n(completed) $n(cancelled) $n(discarded) $removed
}

proc ::ref::group_failures {group} {
  lassign [group_counts $group] - - - cancelled discarded
  expr {$cancelled + $discarded}
}

# A birth, an end, or a retry after one.
proc ::ref::group_moved {id from to} {
  variable finals
  variable groups
  if {$from ne {} && $from ni $finals && $to ni $finals} return
  set group [flow_get $id in_group]
  set ended [expr {[dict get $groups $group is_sealed] && $to in $finals && [lindex [group_counts $group] 1] == 0}]
  group_finished $group [expr {$ended ? [get $id moved_ms] : {}}]
}

# Those who wait for it are noted where it has ended.
proc ::ref::group_finished {group at} {
  variable groups
  variable waits
  set had_ended [group_has_ended $group]
  dict set groups $group finished_ms $at
  if {$at eq {} || $had_ended} return
  foreach id [waiting_for_group $group] {
    lassign [dict get $waits $id $group] on
    note_settle $id
    dict set waits $id $group [list $on [wait_status $group $on]]
  }
}

proc ::ref::seal {group} {
  variable groups
  variable now
  variable acted_on 0
  if {![dict exists $groups $group]} { no no_such_group }
  if {[dict get $groups $group is_sealed]} { return 1 }
  dict set groups $group is_sealed 1
  dict set groups $group sealed_ms $now
  if {[lindex [group_counts $group] 1] == 0} { group_finished $group $now }
  if {[drop_group $group]} { return 1 }
  if {[group_has_ended $group]} group_ended
  return 1
}

# It goes with the last of its tasks and of those that waited.
proc ::ref::drop_group {group} {
  variable groups
  variable waits
  if {![dict exists $groups $group]} { return 0 }
  lassign [group_counts $group] tasks - - - - removed
  if {$tasks != $removed || (![dict get $groups $group is_sealed] && $tasks > 0)} { return 0 }
  dict for {- rows} $waits {
    if {[dict exists $rows $group]} { return 0 }
  }
  dict unset groups $group
  return 1
}

# ---- parents -------------------------------------------------------------------------------------

proc ::ref::children {id} {
  variable flows
  set ids {}
  dict for {child flow} $flows {
    if {[dict get $flow parent_id] eq $id} { lappend ids $child }
  }
  lsort -integer $ids
}

# All below a task, each before those below it.
proc ::ref::descendants {id} {
  set ids {}
  foreach child [children $id] { lappend ids $child {*}[descendants $child] }
  return $ids
}

proc ::ref::cancel_children {id reason} {
  set done 0
  foreach child [descendants $id] {
    if {[get $child state] in [takes cancel]} { incr done [to_cancel $child $reason] }
  }
  return $done
}

# ---- the end of a row ----------------------------------------------------------------------------

proc ::ref::flow_goes {id} {
  variable flows
  variable edges
  variable waits
  variable groups
  variable settle
  variable finals
  variable now
  if {[get $id flow] == 0} return
  key_goes $id
  foreach child [children $id] { dict set flows $child parent_id {} }
  dict unset edges $id
  dict for {waiter needs} $edges { dict unset edges $waiter $id }
  set group [flow_get $id in_group]
  set awaited [expr {[dict exists $waits $id] ? [dict keys [dict get $waits $id]] : {}}]
  dict unset waits $id
  dict unset settle $id
  if {$group ne {}} {
    set state [expr {[get $id state] in $finals ? [get $id state] : "cancelled"}]
    dict with groups $group { incr gone_$state }
    set is_end [expr {[get $id state] ni $finals}]
  }
  dict unset flows $id
  if {$group ne {}} {
    if {$is_end && [dict get $groups $group is_sealed] && [lindex [group_counts $group] 1] == 0} { group_finished $group $now }
    if {[dict get $groups $group is_sealed]} { drop_group $group }
  }
  foreach other $awaited { drop_group $other }
}

# ---- plain SQL -----------------------------------------------------------------------------------

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

# ---- for the comparison --------------------------------------------------------------------------

proc ::ref::flow_rows {table} {
  variable flows
  variable edges
  variable waits
  variable groups
  variable settle
  variable keys
  set rows {}
  switch $table {
    tm_flow {
      foreach id [lsort -integer [dict keys $flows]] {
        lappend rows $id [unmet $id] {*}[dict values [dict get $flows $id]]
      }
    }
    tm_dependency {
      foreach id [lsort -integer [dict keys $edges]] {
        foreach needed [lsort -integer [dict keys [dict get $edges $id]]] {
          lappend rows $id $needed {*}[dict get $edges $id $needed]
        }
      }
    }
    tm_group_wait {
      foreach id [lsort -integer [dict keys $waits]] {
        foreach group [lsort [dict keys [dict get $waits $id]]] {
          lappend rows $id $group {*}[dict get $waits $id $group]
        }
      }
    }
    tm_group {
      foreach group [lsort [dict keys $groups]] {
        set row [dict get $groups $group]
        lappend rows $group [dict get $row is_sealed] {*}[group_counts $group] \
          [dict get $row created_ms] [dict get $row sealed_ms] [dict get $row finished_ms]
      }
    }
    tm_settle { set rows [lsort -integer [dict keys $settle]] }
    tm_unique {
      foreach id [lsort -integer [dict keys $keys]] { lappend rows $id {*}[dict get $keys $id] }
    }
  }
  return $rows
}
