# call.tcl - a step as SQL.
# Owns:    the arguments of steps, and the statements of verbs, skins, looks and plain SQL.
# Promise: a statement answers {ok rows} or {error symbol}.
# Why:     the type of a value is part of a call, and Tcl's interface binds what it likes: so each
#          argument says its type, and is CAST.
#
# A step is {connection verb skin arguments}. An argument is {type value}:
#
#   i #7      the id of the task that step 7 made (#7.2: its third one)
#   i cur     the token of the task before; old and new are one less and one more
#   i r t n   an integer, a real with the value of an integer, text, NULL
#   p {t x}   a payload or result of a type
#   q {a b}   names of queues; d 5s: a duration; w {run_at_ms 5}: a time or a duration
#   o {k v}   options, f {k v} a filter: a dict that becomes JSON. In it `after` is a list of {#7 on}
#             and {group name on}, `unique` a text or a dict, `expires` a duration or {at_ms 5}

namespace eval ::base {
  variable texts          ;# cached SQL of verbs
  array set texts {}
}

# ---- arguments -----------------------------------------------------------------------------------

proc ::base::id_of {tag} {
  variable tags
  expr {[info exists tags($tag)] ? $tags($tag) : 999999}
}

# `#7` anywhere in a value becomes the id.
proc ::base::resolve_ids {value} {
  if {[string first # $value] < 0} { return $value }
  lmap word $value { expr {[string match #* $word] ? [id_of [string range $word 1 end]] : [resolve_ids $word]} }
}

# Arguments with the names of tasks and tokens replaced by what the connection sees of them.
proc ::base::resolve {arguments} {
  set id 0
  set out {}
  foreach argument $arguments {
    lassign $argument type value
    if {$type in {i r}} {
      if {$value in {cur old new}} {
        set token [expr {[dict exists $::ref::tasks $id] ? [ref::get $id token] : 0}]
        set value [expr {max(0, $token + [dict get {cur 0 old -1 new 1} $value])}]
      } elseif {[string match #* $value]} {
        set id [id_of [string range $value 1 end]]
        set value $id
      }
    } elseif {$type in {o f}} {
      set value [resolve_ids $value]
    }
    lappend out [list $type $value]
  }
  return $out
}

proc ::base::json_list {values} { return \[[join [lmap value $values { ref::quoted $value }] ,]\] }

proc ::base::json_duration {value} { expr {[string is double -strict $value] ? $value : "\"$value\""} }

proc ::base::json_need {need} {
  if {[lindex $need 0] ne "group"} {
    lassign $need id on
    return [expr {$on eq {} ? $id : "{\"id\":$id,\"on\":\"$on\"}"}]
  }
  lassign $need - name on
  return "{\"group\":\"$name\"[expr {$on eq {} ? {} : ",\"on\":\"$on\""}]}"
}

proc ::base::json_options {options} {
  set parts {}
  dict for {key value} $options {
    switch $key {
      delay - lease - base - max - timeout - period { set json [json_duration $value] }
      expires - deadline { set json [expr {[llength $value] == 2 ? "{\"at_ms\":[lindex $value 1]}" : [json_duration $value]}] }
      after { set json \[[join [lmap need $value { json_need $need }] ,]\] }
      unique { set json [expr {[llength $value] == 1 ? [ref::quoted $value] : [json_options $value]}] }
      fields { set json [json_list $value] }
      key - scope - on_conflict - on_failure - on - reason - zone - catch_up - overlap { set json [ref::quoted $value] }
      note { set json [expr {$value eq {} ? "null" : [ref::quoted $value]}] }
      kind - worker { set json [expr {[llength $value] > 1 ? [json_list $value] : [ref::quoted $value]}] }
      queue - state - partition - group { set json [expr {[llength $value] > 1 ? [json_list $value] : [ref::quoted $value]}] }
      tags { set json [json_list $value] }
      ids { set json \[[join $value ,]\] }
      backoff { set json [json_options $value] }
      payload { set json "{\"$.n\":[lindex $value 1]}" }
      held - discard - completed - all - children { set json [expr {$value ? "true" : "false"}] }
      default { set json $value }
    }
    lappend parts "\"$key\":$json"
  }
  return "{[join $parts ,]}"
}

# {SQL expression, value to bind} of an argument.
proc ::base::as_sql {argument at} {
  lassign $argument type value
  set name a$at
  switch $type {
    n { return [list NULL {}] }
    i { return [list "CAST(\$$name AS INTEGER)" $value] }
    r { return [list "CAST(\$$name AS REAL)" $value] }
    p { return [as_sql $value $at] }
    d { return [as_sql [list [expr {[string is integer -strict $value] ? "i" : "t"}] $value] $at] }
    w {
      if {[llength $value] == 2} { return [list "CAST(\$$name AS TEXT)" "{\"run_at_ms\":[lindex $value 1]}"] }
      return [as_sql [list d $value] $at]
    }
    o - f { return [list "CAST(\$$name AS TEXT)" [json_options $value]] }
    q { return [list "CAST(\$$name AS TEXT)" [expr {[llength $value] > 1 ? [json_list $value] : [lindex $value 0]}]] }
    default { return [list "CAST(\$$name AS TEXT)" $value] }
  }
}

# What the reference's procedure gets.
proc ::base::as_plain {argument} {
  lassign $argument type value
  expr {$type eq "n" ? {} : $value}
}

# ---- SQL -----------------------------------------------------------------------------------------

# Run SQL with a1 … a5 bound; returns {ok rows} or {error symbol}.
proc ::base::run_sql {c sql values} {
  lassign $values a1 a2 a3 a4 a5
  variable last_message
  if {[catch {$c eval $sql} result]} {
    set last_message $result
    return [list error [symbol_of $result]]
  }
  return [list ok $result]
}

proc ::base::symbol_of {message} {
  if {[regexp {\[(\w+)\]$} $message -> symbol]} { return $symbol }
  if {[regexp {^database is locked} $message]} { return busy }
  if {[regexp {^CHECK constraint failed: (\w+)$} $message -> symbol]} { return $symbol }
  return $message
}

# The SQL of a verb in a skin, for arguments of these forms; kept, because SQLite's Tcl interface
# keeps statements by their text.
proc ::base::verb_sql {verb skin forms} {
  variable texts
  set key $verb,$skin,$forms
  if {[info exists texts($key)]} { return $texts($key) }
  set call tm_${verb}([join $forms ,])
  switch $skin {
    function { set sql "SELECT $call" }
    command {
      set columns {verb}
      for {set i 1} {$i <= [llength $forms]} {incr i} { lappend columns arg$i }
      set sql "INSERT INTO tm_command([join $columns ,]) VALUES ([join [list '$verb' {*}$forms] ,])"
    }
    chosen {
      set columns {verb}
      for {set i 1} {$i <= [llength $forms]} {incr i} { lappend columns arg$i }
      set sql "INSERT INTO tm_command([join $columns ,]) SELECT [join [list '$verb' {*}$forms] ,]"
    }
    values { set sql "INSERT INTO app VALUES ($call)" }
    insert { set sql "INSERT INTO app SELECT $call" }
    inner { set sql "SELECT $call FROM tm_state WHERE name = 'held'" }
  }
  set texts($key) $sql
}

proc ::base::run_verb {c verb skin arguments} {
  set forms {}
  set values {}
  foreach argument $arguments {
    lassign [as_sql $argument [expr {[llength $forms] + 1}]] form value
    lappend forms $form
    lappend values $value
  }
  run_sql $c [verb_sql $verb $skin $forms] $values
}

# One text for all: preparing an INSERT into tm_inbox takes a millisecond. A variable that is not
# set is NULL.
proc ::base::run_inbox {c arguments} {
  lassign $arguments queue payload options
  variable last_message
  set q [lindex $queue 1 0]
  lassign [expr {[lindex $payload 0] eq "p" ? [lindex $payload 1] : $payload}] type value
  dict for {key option} [lindex $options 1] {
    switch $key {
      backoff { set $key [json_options $option] }
      tags { set $key [json_list $option] }
      after { set $key \[[join [lmap need $option { json_need $need }] ,]\] }
      unique { set $key [expr {[llength $option] == 1 ? $option : [json_options $option]}] }
      expires - deadline { set $key [expr {[llength $option] == 2 ? "{\"at_ms\":[lindex $option 1]}" : $option}] }
      default { set $key $option }
    }
  }
  set sql {INSERT INTO tm_inbox(queue, payload, priority, delay, run_at_ms, max_attempts, backoff, lease, kind, tags, metadata, held,
      "unique", expires, timeout, deadline, partition, after, on_failure, "group", parent)
    VALUES (CAST($q AS TEXT),
      CASE $type WHEN 'i' THEN CAST($value AS INTEGER) WHEN 't' THEN CAST($value AS TEXT) END,
      CAST($priority AS INTEGER),
      CASE WHEN $delay GLOB '*[a-z]*' THEN CAST($delay AS TEXT) ELSE CAST($delay AS INTEGER) END,
      CAST($run_at_ms AS INTEGER), CAST($max_attempts AS INTEGER), CAST($backoff AS TEXT),
      CASE WHEN $lease GLOB '*[a-z]*' THEN CAST($lease AS TEXT) ELSE CAST($lease AS INTEGER) END,
      CAST($kind AS TEXT), CAST($tags AS TEXT), CAST($metadata AS TEXT), CAST($held AS INTEGER),
      CAST($unique AS TEXT),
      CASE WHEN $expires GLOB '*[a-z]*' THEN CAST($expires AS TEXT) ELSE CAST($expires AS INTEGER) END,
      CASE WHEN $timeout GLOB '*[a-z]*' THEN CAST($timeout AS TEXT) ELSE CAST($timeout AS INTEGER) END,
      CASE WHEN $deadline GLOB '*[a-z]*' THEN CAST($deadline AS TEXT) ELSE CAST($deadline AS INTEGER) END,
      CAST($partition AS TEXT), CAST($after AS TEXT), CAST($on_failure AS TEXT), CAST($group AS TEXT), CAST($parent AS INTEGER))}
  if {[catch {$c eval $sql} result]} {
    set last_message $result
    return [list error [symbol_of $result]]
  }
  return [list ok $result]
}

proc ::base::run_other {c verb arguments} {
  set values [lmap argument $arguments { as_plain $argument }]
  switch $verb {
    get_json { set sql {SELECT tm_get(CAST($a1 AS INTEGER))} }
    history { set sql {SELECT id, task_id, from_state, to_state, at_ms, attempt, actor, reason FROM tm_history(CAST($a1 AS INTEGER))} }
    explain { set sql {SELECT reason FROM tm_explain(CAST($a1 AS INTEGER))} }
    stats { set sql {SELECT queue, paused, scheduled, blocked, available, running, waiting, retryable, cancelling, held, completed, cancelled, discarded FROM tm_stats} }
    select {
      set values [list [json_options [lindex $values 0]]]
      set sql {SELECT id FROM tm_select(CAST($a1 AS TEXT))}
    }
    tm_now { set sql {SELECT tm_now()} }
    cron_next { set sql {SELECT tm_cron_next(CAST($a1 AS TEXT), CAST($a2 AS INTEGER))} }
    inputs { set sql {SELECT tm_inputs(CAST($a1 AS INTEGER))} }
    was_duplicate { set sql {SELECT tm_was_duplicate()} }
    set_time_by_hand {
      lassign $values id column value
      set sql "UPDATE tm_flow SET $column = CAST(\$a3 AS INTEGER) WHERE task_id = CAST(\$a1 AS INTEGER)"
    }
    pause_by_hand { set sql {UPDATE tm_schedule SET paused = CAST($a2 AS INTEGER) WHERE name = CAST($a1 AS TEXT)} }
    seal_by_hand { set sql {UPDATE tm_group SET is_sealed = 1 WHERE name = CAST($a1 AS TEXT)} }
    by_hand { set sql {UPDATE tm_task SET state = CAST($a2 AS TEXT) WHERE id = CAST($a1 AS INTEGER)} }
    run_by_hand { set sql {UPDATE tm_task SET state = 'running', worker = 'hand', token = token + 1, attempt = attempt + 1, lease_until_ms = (SELECT clock_ms FROM tm_setting) + 5000 WHERE id = CAST($a1 AS INTEGER)} }
    delete_by_hand { set sql {DELETE FROM tm_task WHERE id = CAST($a1 AS INTEGER)} }
    set_priority { set sql {UPDATE tm_task SET priority = CAST($a2 AS INTEGER) WHERE id = CAST($a1 AS INTEGER)} }
    set_queue {
      lassign $values queue column value
      if {$value eq {}} { set value NULL } elseif {![string is double -strict $value]} { set value '$value' }
      set sql "UPDATE tm_queue SET $column = $value WHERE name = '$queue'"
    }
    set_limit {
      lassign $values queue pairs
      set parts {}
      dict for {column value} $pairs { lappend parts "$column = [expr {$value eq {} ? "NULL" : $value}]" }
      set sql "UPDATE tm_queue SET [join $parts {, }] WHERE name = '$queue'"
    }
    drop_queue { set sql {DELETE FROM tm_queue WHERE name = CAST($a1 AS TEXT)} }
    set_strict { set sql {UPDATE tm_setting SET strict_queues = CAST($a1 AS INTEGER)} }
    claim_rows {
      set values [list [lindex $values 0 0] [lindex $values 1] [lindex $values 2]]
      set sql {SELECT id, token, payload FROM tm_claim(CAST($a1 AS TEXT), CAST($a2 AS TEXT), CAST($a3 AS INTEGER))}
    }
    bulk_enqueue {
      set values [list [lindex $values 0 0] [json_list [lindex $values 1]]]
      set sql {INSERT INTO tm_command(verb, arg1, arg2) SELECT 'enqueue', CAST($a1 AS TEXT), value FROM json_each($a2)}
    }
    bulk_complete {
      set sql {INSERT INTO tm_command(verb, arg1, arg2) SELECT 'complete', id, token FROM tm_task WHERE worker = CAST($a1 AS TEXT) AND state = 'running' ORDER BY id}
    }
  }
  run_sql $c $sql $values
}

# A call written out, such as {cancel(0)}, in a skin.
proc ::base::bad_sql {skin call} {
  regexp {^(\w+)\((.*)\)$} $call -> verb arguments
  if {$skin eq "function"} { return "SELECT tm_[regsub -all {, NULL(?=[,)])} $call {}]" }
  return "INSERT INTO tm_command(verb, arg1, arg2, arg3) VALUES ('$verb', $arguments)"
}

proc ::base::run_database {c verb skin arguments} {
  variable plain
  switch $verb {
    bad { run_sql $c [bad_sql $skin [lindex $arguments 1 1]] {} }
    inbox { run_inbox $c $arguments }
    default {
      if {$verb in $plain || $verb in {claim_rows bulk_enqueue bulk_complete}} {
        run_other $c $verb $arguments
      } else {
        run_verb $c $verb $skin $arguments
      }
    }
  }
}
