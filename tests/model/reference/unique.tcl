# unique.tcl - keys: what they are made of, who holds them, and what an enqueue does that finds one held.
# Owns:    the facts of tm_unique.
# Promise: a key has one holder at a time; a window outlives its task, and is forgotten by a round.
# Why:     the text of a key is compared too: databases keep keys longer than programs.

namespace eval ::ref {
  variable keys {}        ;# id -> {key scope until is_held is_orphan}
  variable facts
  lappend facts keys
}

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

# ---- an enqueue that finds its key held ----------------------------------------------------------

# An enqueue that finds its key held: the id of the holder.
proc ::ref::duplicate {holder unique queue payload options} {
  variable tasks
  variable acted_on
  variable was_duplicate 1
  set on_conflict [dict get $unique on_conflict]
  if {$on_conflict eq "error"} { no not_unique }
  if {$on_conflict in {replace reschedule} && [dict exists $tasks $holder]
      && [get $holder state] in {scheduled available retryable blocked held}} {
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
  put $id payload [lindex $payload 1] payload_json [as_json $payload]
  put_options $id [get $id queue] $options
  in_line_anew $id
}
