# walk.tcl - what to do next.
# Owns:    how likely each step is, and what it is about.
# Promise: a step is a list that says everything: run again with others left out before it, it
#          still means something. The same seed makes the same steps.
# Why:     half of the art is to be where rules meet: times that fall together, tokens that are one
#          too old, a task that is rolled back while another connection looks on.

namespace eval ::walk {
  variable queues {a b c}
  variable target 30      ;# tasks that there should be about
  variable workers {w1 w2 w3}
  variable features {}    ;# of this life: which options its tasks have, and the steps that go with them
  variable feature_weights {
    times {set_time_by_hand 1}
    unique {was_duplicate 1}
    needs {depend 3 inputs 0.5}
    groups {seal 2 seal_by_hand 0.3}
    parents {}
    limits {set_limit 4}
    schedules {schedule 2 unschedule 0.4 pause_schedule 0.5 resume_schedule 0.8 pause_by_hand 0.8 cron_next 0.3}
  }
  # Chances of the steps of a connection with the extension; walk::chance adds those of parts.
  variable weights {
    enqueue 18 bulk_enqueue 1 inbox 2 claim 20 claim_rows 1 complete 9 bulk_complete 1 fail 6
    snooze 3 release 3 heartbeat 5 cancel 5 retry 4 hold 3 unhold 4 reschedule 4 delete 5
    cancel_where 1 retry_where 1 hold_where 1 unhold_where 2 reschedule_where 1 delete_where 1
    pause 1 resume 3 tick 3 reconcile 1 prune 2 clock_advance 8 clock_set 1
    by_hand 3 run_by_hand 1 delete_by_hand 1 set_priority 1 set_queue 3 drop_queue 0.3 set_strict 0.4
    bad 1 get_json 2 history 1 explain 0.5 stats 0.2 select 1 tm_now 0.5
    begin 8 savepoint 1 checkpoint 0.2 reopen 0.03 ddl 0.01
  }
  variable plain {
    inbox 6 by_hand 5 run_by_hand 2 delete_by_hand 2 set_priority 2 set_queue 4 drop_queue 0.3
    begin 6 savepoint 1 checkpoint 0.5
  }
  # In a transaction.
  variable inside {commit 12 rollback 5 savepoint 8 rollback_to 6 forget 6}
  # States without a task of which a verb is refused: mostly another is chosen then, because after
  # a refusal the connection compiles its statements anew.
  variable wants {
    complete {running cancelling} fail {running cancelling} snooze {running cancelling}
    release {running cancelling} heartbeat {running cancelling}
    retry {discarded cancelled retryable} hold {available scheduled retryable} unhold held
    reschedule {available scheduled retryable} delete {completed cancelled discarded}
    cancel {available scheduled running retryable held} run_by_hand available
  }
  # A call, its symbol, and no fact decides about it.
  variable bad {
    {enqueue('a', 1, '{"priority":40000}')} out_of_range
    {enqueue('a', 1, '{"prioritty":4}')} unknown_option
    {enqueue('a', 1, '{"delay":1,"run_at_ms":5}')} bad_argument
    {enqueue('', 1, NULL)} bad_argument
    {claim('a', '', NULL)} bad_argument
    {claim('a', 'w1', '{"count":1001}')} out_of_range
    {claim('[]', 'w1', NULL)} bad_argument
    {complete('1', 1, NULL)} bad_argument
    {complete(1.5, 1, NULL)} bad_argument
    {cancel(0, NULL, NULL)} out_of_range
    {fail(1, 1, 5)} bad_argument
    {heartbeat(1, 1, '{"progress":1.5}')} out_of_range
    {heartbeat(1, 1, '[1,')} bad_json
    {snooze(1, 1, '5')} bad_argument
    {reschedule(1, -5, NULL)} out_of_range
    {cancel_where('{}', NULL, NULL)} bad_argument
    {hold_where('{"sate":"held"}', NULL, NULL)} unknown_option
    {hold_where('{"all":true,"queue":"a"}', NULL, NULL)} bad_argument
    {tick('{"limit":0}', NULL, NULL)} out_of_range
    {pause(7, NULL, NULL)} bad_argument
    {clock_advance('-1s', NULL, NULL)} out_of_range
  }
}

# ---- chance ------------------------------------------------------------------------------------

# Small seeds, as they are, begin with small numbers.
proc ::walk::seed {number} {
  expr {srand((($number + 1) * 48271 * 69621) % 2147483647)}
  for {set i 0} {$i < 10} {incr i} { expr {rand()} }
}

proc ::walk::pick {list} { lindex $list [expr {int(rand() * [llength $list])}] }

proc ::walk::chance {share} { expr {rand() < $share} }

proc ::walk::between {low high} { expr {$low + int(rand() * ($high - $low + 1))} }

proc ::walk::weighted {weights} {
  set sum 0
  dict for {- weight} $weights { set sum [expr {$sum + $weight}] }
  set at [expr {rand() * $sum}]
  dict for {name weight} $weights {
    set at [expr {$at - $weight}]
    if {$at < 0} { return $name }
  }
  return $name
}

# ---- a life ------------------------------------------------------------------------------------

# What the first steps of a life set up: settings of queues, so that lives differ.
proc ::walk::open_life {} {
  variable target [pick {12 25 40}]
  if {[chance 0.05]} { set target 400 }
  variable features {}
  variable feature_weights
  foreach name [dict keys $feature_weights] {
    if {[chance 0.6]} { lappend features $name }
  }
}

# The next step; the facts that its connection sees are loaded in ::ref.
proc ::walk::next {} {
  set c [choose_connection]
  ref::load [base::seen_by $c]
  set verb [choose_verb $c]
  set skin [choose_skin $c $verb]
  list $c $verb $skin [arguments_of $verb $skin]
}

# Who has the lock goes on, most of the time: the others are told that it is busy.
proc ::walk::choose_connection {} {
  if {$base::holder ne {} && [chance 0.96]} { return $base::holder }
  # What fails is compiled anew, and on the plain connection that is all the triggers.
  if {[chance 0.1]} { return p1 }
  pick {e1 e2 e3}
}

proc ::walk::choose_verb {c} {
  variable weights
  variable plain
  variable inside
  variable target
  variable features
  variable feature_weights
  set w [expr {[string match p* $c] ? $plain : $weights}]
  foreach name $features {
    dict for {verb weight} [dict get $feature_weights $name] {
      if {[string match e* $c] || [string match *_by_hand $verb] || $verb eq "set_limit"} { dict set w $verb $weight }
    }
  }
  if {$base::is_open($c)} {
    if {[chance 0.25]} { return [weighted $inside] }
    if {![chance 0.02]} { dict unset w begin }
    if {[chance 0.02]} { return tables }
  } elseif {[chance 0.003]} {
    return [pick {commit rollback rollback_to forget}]
  }
  set count [dict size $ref::tasks]
  if {$count > $target && [string match e* $c]} {
    set w [dict merge $w {enqueue 3 bulk_enqueue 0 complete 14 delete 15 delete_where 4 prune 4 cancel 8 inbox 1}]
  } elseif {$count < $target / 2 && $target > 100 && [string match e* $c]} {
    dict set w bulk_enqueue 20
  }
  for {set i 0} {$i < 8} {incr i} {
    set verb [weighted $w]
    if {[is_of_use $verb] || [chance 0.03]} break
  }
  return $verb
}

proc ::walk::is_of_use {verb} {
  variable wants
  if {![dict exists $wants $verb]} { return 1 }
  set states [dict get $wants $verb]
  dict for {- task} $ref::tasks {
    if {[dict get $task state] in $states} { return 1 }
  }
  return 0
}

proc ::walk::choose_skin {c verb} {
  if {$verb eq "claim_rows"} { return rows }
  if {$verb in {bulk_enqueue bulk_complete}} { return command }
  if {$verb in $base::plain || $verb in $base::looks || $verb in $base::controls} { return sql }
  if {$verb eq "bad"} { return [pick {function command}] }
  set skin [pick {function function function command command command chosen values insert inner}]
  # Outside a transaction that one is always refused.
  if {$skin eq "inner" && !$base::is_open($c) && ![chance 0.1]} { return function }
  return $skin
}

# ---- what a step is about ----------------------------------------------------------------------

proc ::walk::tag {id} {
  if {$id eq {} || ![info exists base::tag_of($id)]} { return #0 }
  return #$base::tag_of($id)
}

# A task in one of these states, most of the time.
proc ::walk::task_in {states} {
  if {[chance 0.98]} {
    set ids {}
    dict for {id task} $ref::tasks {
      if {[dict get $task state] in $states} { lappend ids $id }
    }
    if {$ids ne {}} { return [tag [pick $ids]] }
  }
  if {[chance 0.05]} { return #0 }
  tag [pick [dict keys $ref::tasks]]
}

proc ::walk::id_arg {states} { list [expr {[chance 0.05] ? "r" : "i"}] [task_in $states] }

proc ::walk::token_arg {} { list i [expr {[chance 0.04] ? [pick {old new}] : "cur"}] }

proc ::walk::queue {} {
  variable queues
  expr {[chance [expr {$ref::strict ? 0.1 : 0.02}]] ? "new[between 1 5]" : [pick $queues]}
}

proc ::walk::span {} { pick {0 1s 2s 5s 10s 1m 5 3 500ms 1m30s} }

proc ::walk::value {} {
  switch [between 1 5] {
    1 { list p [list t "text [between 1 9]"] }
    2 { list p [list i [between -5 5000000000]] }
    3 { list n {} }
    default { list p [list t "{\"n\":[between 1 3]}"] }
  }
}

proc ::walk::time {} { expr {$ref::now + 1000 * [between -5 30]} }

proc ::walk::enqueue_options {queue} {
  set o {}
  if {[chance 0.4]} { dict set o priority [pick {0 1 1 2 -1 5 -32768 32767}] }
  if {[chance 0.2]} { dict set o delay [span] } elseif {[chance 0.1]} { dict set o run_at_ms [time] }
  if {[chance 0.4]} { dict set o max_attempts [between 1 3] }
  if {[chance 0.2]} { dict set o lease [pick {1s 5s 20s 1ms 7}] }
  if {[chance 0.2]} { dict set o kind [pick {k1 k2}] }
  if {[chance 0.1]} { dict set o tags [pick {{x y} x y {}}] }
  if {[chance 0.1]} { dict set o metadata {{"m":1}} }
  if {[chance 0.1]} { dict set o held 1 }
  # The jitter must be 0, or the wait is left to chance.
  set jitter [expr {[dict exists $ref::queues $queue] ? [dict get $ref::queues $queue backoff_jitter] : 1}]
  if {$jitter != 0 || [chance 0.1]} {
    dict set o backoff jitter 0
    if {[chance 0.3]} { dict set o backoff kind [pick {fixed linear exponential}] }
    if {[chance 0.3]} { dict set o backoff base [pick {0 1s 2s 500ms}] }
    if {[chance 0.3]} { dict set o backoff max [pick {0 5s 1h}] }
  }
  foreach feature $walk::features {
    if {[chance 0.35]} { set o [dict merge $o [with_$feature]] }
  }
  # A timeout is a failure like others.
  if {[ref::has_any $o {timeout deadline unique}] && ![dict exists $o backoff jitter]} { dict set o backoff jitter 0 }
  return $o
}

proc ::walk::moment {} { expr {[chance 0.2] ? [list at_ms [time]] : [span]} }

proc ::walk::with_times {} {
  set o {}
  if {[chance 0.4]} { dict set o expires [moment] }
  if {[chance 0.4]} { dict set o timeout [pick {1s 5s 10s 1ms 3}] }
  if {[chance 0.4]} { dict set o deadline [moment] }
  return $o
}

proc ::walk::with_unique {} {
  set key k[between 1 4]
  if {[chance 0.4]} { return [list unique $key] }
  set unique {}
  if {[chance 0.7]} { dict set unique key $key }
  if {[chance 0.5] || $unique eq {}} { dict set unique fields [pick {queue {queue kind} payload {queue payload} {kind partition}}] }
  if {[chance 0.3]} { dict set unique scope [pick {incomplete queued all}] }
  if {[chance 0.2]} { dict set unique period [pick {5s 10s 1m}] }
  dict set unique on_conflict [pick {ignore ignore error replace replace reschedule}]
  list unique $unique
}

proc ::walk::group {} { return g[between 1 4] }

proc ::walk::one_need {} {
  if {"groups" in $walk::features && [chance 0.2]} { return [list group [group] {*}[pick {{} {} completed final}]] }
  list [task_in {available scheduled blocked running retryable held}] {*}[pick {{} {} {} completed final}]
}

proc ::walk::with_needs {} {
  set after {}
  for {set i [pick {1 1 1 2 3}]} {$i > 0} {incr i -1} { lappend after [one_need] }
  set o [list after $after]
  if {[chance 0.5]} { dict set o on_failure [pick {cancel ignore hold}] }
  return $o
}

# Two that may be wrong at once would be told by the one that SQLite asks first.
proc ::walk::with_groups {} { list group [group] }

proc ::walk::with_parents {} { list parent [task_in {available scheduled running completed blocked}] }

# The tasks of a schedule are no others.
proc ::walk::with_schedules {} { return {} }

proc ::walk::schedule {} { return s[between 1 4] }

proc ::walk::schedule_options {queue} {
  set o [dict remove [enqueue_options $queue] run_at_ms unique after on_failure group parent]
  foreach key {expires deadline} {
    if {[dict exists $o $key] && [llength [dict get $o $key]] == 2} { dict unset o $key }
  }
  dict set o backoff jitter 0
  if {[chance 0.5]} { dict set o catch_up [pick {none one all all}] }
  if {[chance 0.5]} { dict set o overlap [pick {allow skip queue queue}] }
  if {[chance 0.2]} { dict set o start_ms [time] }
  if {[chance 0.15]} { dict set o end_ms [expr {[ref::option $o start_ms $ref::now] + 1000 * [between 0 200]}] }
  # Over as soon as it fires: where a claim fires it, its upkeep has looked for what is late already.
  if {"times" in $walk::features && [chance 0.1]} { dict set o [pick {expires deadline}] 0 }
  if {[chance 0.2]} { dict set o max_runs [between 1 6] }
  return $o
}

proc ::walk::with_limits {} { list partition [pick {p1 p2 p3}] }

proc ::walk::filter {} {
  variable queues
  variable workers
  set f {}
  if {[chance 0.4]} { dict set f queue [pick {a b c {a b} new1}] }
  if {[chance 0.4]} { dict set f state [pick {available scheduled running held blocked cancelled completed discarded retryable {completed discarded cancelled} {available scheduled}}] }
  if {[chance 0.1]} { dict set f kind [pick {k1 {k1 k2}}] }
  if {[chance 0.1]} { dict set f worker [pick $workers] }
  if {[chance 0.1]} { dict set f created_before_ms [time] }
  if {[chance 0.1]} { dict set f finished_before_ms [time] }
  if {"groups" in $walk::features && [chance 0.1]} { dict set f group [pick {g1 g2 {g1 g3}}] }
  if {"limits" in $walk::features && [chance 0.1]} { dict set f partition [pick {p1 {p1 p2}}] }
  if {[chance 0.1]} { dict set f tags [pick {x {x y}}] }
  if {[chance 0.1]} { dict set f payload [list \$.n [between 1 3]] }
  if {[chance 0.2]} {
    set ids {}
    for {set i [between 0 4]} {$i > 0} {incr i -1} { lappend ids [tag [pick [dict keys $ref::tasks]]] }
    dict set f ids $ids
  }
  if {$f eq {}} { dict set f all 1 }
  if {[chance 0.6]} { dict set f limit [between 1 4] }
  return $f
}

proc ::walk::when {} {
  if {[chance 0.2] && $ref::tasks ne {}} {
    # The time that one has already.
    return [list w [list run_at_ms [ref::get [pick [dict keys $ref::tasks]] run_at_ms]]]
  }
  list w [expr {[chance 0.5] ? [list run_at_ms [time]] : [span]}]
}

# A state to write by hand: most of the time one that the graph allows.
proc ::walk::state_by_hand {tag} {
  set id [base::id_of [string range $tag 1 end]]
  if {[chance 0.06] || ![dict exists $ref::tasks $id]} {
    return [pick {available scheduled held cancelled completed discarded blocked waiting retryable running cancelling}]
  }
  set legal {}
  dict for {move -} $ref::moves {
    if {[lindex $move 0] eq [ref::get $id state] && [lindex $move 1] ne "running"} { lappend legal [lindex $move 1] }
  }
  pick $legal
}

proc ::walk::arguments_of {verb skin} {
  variable queues
  variable workers
  variable bad
  variable target
  switch $verb {
    enqueue - inbox {
      set queue [queue]
      set options [enqueue_options $queue]
      if {[dict exists $options group]} { dict unset options parent }
      # What changes a task that is there is left to tm_enqueue.
      if {$verb eq "inbox" && [dict exists $options unique on_conflict] && [dict get $options unique on_conflict] in {replace reschedule}} {
        dict set options unique on_conflict ignore
      }
      list [list q $queue] [value] [list o $options]
    }
    bulk_enqueue {
      set n [expr {$target > 100 ? [between 50 120] : [between 0 4]}]
      set texts {}
      for {set i 0} {$i < $n} {incr i} { lappend texts "bulk $i" }
      list [list q [pick $queues]] [list l $texts]
    }
    claim {
      set o {}
      if {[chance 0.2]} { dict set o count [expr {$target > 100 && [chance 0.5] ? [between 50 300] : [between 0 4]}] }
      if {[chance 0.1]} { dict set o lease [pick {1s 5s 1m 1ms}] }
      if {[chance 0.1]} { dict set o id [task_in available] }
      set names [queue]
      if {[chance 0.2]} { set names [pick {{a b} {b c a} {c new1 b} {a a}}] }
      list [list q $names] [list t [pick $workers]] [list o $o]
    }
    claim_rows { list [list q [queue]] [list t [pick $workers]] [list i [between 0 3]] }
    complete { list [id_arg {running cancelling}] [token_arg] [value] }
    bulk_complete { list [list t [pick $workers]] }
    fail {
      set o {}
      if {[chance 0.2]} { dict set o delay [span] }
      if {[chance 0.1]} { dict set o discard [pick {0 1}] }
      list [id_arg {running cancelling}] [token_arg] [expr {[chance 0.1] ? {n {}} : [list t "error [between 1 9]"]}] [list o $o]
    }
    snooze { list [id_arg {running cancelling}] [token_arg] [list d [span]] }
    release { list [id_arg {running cancelling}] [token_arg] }
    heartbeat {
      set o {}
      if {[chance 0.3]} { dict set o lease [pick {1s 10s 1m}] }
      if {[chance 0.3]} { dict set o progress [pick {0 0.25 0.5 1 null}] }
      if {[chance 0.3]} { dict set o note [pick {half {} done}] }
      list [id_arg {running cancelling}] [token_arg] [list o $o]
    }
    cancel {
      set all [list [id_arg [expr {[chance 0.1] ? "cancelling" : {available scheduled running retryable held blocked}}]]]
      if {[chance 0.5]} { lappend all {t {not needed}} }
      if {[chance 0.15]} { lappend all [list o [list children [pick {0 1 1}]]] }
      return $all
    }
    retry {
      set all [list [id_arg {discarded cancelled retryable completed}]]
      if {[chance 0.4]} { lappend all [list o [list completed [pick {0 1 1}]]] }
      return $all
    }
    hold { list [id_arg {available scheduled retryable}] }
    unhold { list [id_arg held] }
    reschedule { list [id_arg {available scheduled retryable}] [when] }
    delete { list [id_arg {completed cancelled discarded}] }
    reschedule_where { list [list f [filter]] [when] }
    cancel_where {
      set all [list [list f [filter]]]
      if {[chance 0.3]} { lappend all {t cleared} }
      if {[chance 0.3]} { lappend all [list o [list children 1]] }
      return $all
    }
    retry_where - hold_where - unhold_where - delete_where - select { list [list f [filter]] }
    pause - resume { list [list q [expr {[chance 0.1] ? [queue] : [pick [dict keys [dict merge {a {}} $ref::queues]]]}]] }
    tick { expr {[chance 0.7] ? {} : [list [list o [list limit [between 1 5]]]]} }
    reconcile { expr {[chance 0.5] ? {} : [list [list t [pick $workers]]]} }
    prune {
      set o {}
      if {[chance 0.3]} { dict set o limit [between 1 4] }
      if {[chance 0.3]} { dict set o queue [queue] }
      list [list o $o]
    }
    clock_advance { list [list d [pick {1s 1s 2s 5s 10s 1m 0 500ms 1}]] }
    clock_set { list [list i [expr {$ref::now + 1000 * [between -20 20]}]] }
    by_hand {
      set id [id_arg [pick {available running held scheduled completed retryable waiting}]]
      list $id [list t [state_by_hand [lindex $id 1]]]
    }
    run_by_hand { list [id_arg available] }
    delete_by_hand { list [id_arg [expr {[chance 0.1] ? "running" : {cancelled completed discarded available}}]] }
    set_priority { list [id_arg {available scheduled}] [list i [between -2 3]] }
    set_queue {
      set column [pick {backoff_jitter backoff_jitter history priority max_attempts lease_ms backoff_kind backoff_base_ms backoff_max_ms keep_completed_ms keep_cancelled_ms keep_discarded_ms keep_count grace_ms}]
      set value [pick [dict get {
        backoff_jitter 0.0 history {0 1 1} priority {0 1 -1} max_attempts {1 2 20} lease_ms {1 5000 60000}
        backoff_kind {fixed linear exponential} backoff_base_ms {0 1000 3000} backoff_max_ms {5000 3600000}
        keep_completed_ms {0 5000 60000 {}} keep_cancelled_ms {0 5000 {}} keep_discarded_ms {0 5000 {}} keep_count {0 1 3 {}} grace_ms {0 1000 10000}
      } $column]]
      list [list s [queue]] [list s $column] [list s $value]
    }
    drop_queue { list [list t [expr {[chance 0.7] ? "new[between 1 5]" : [queue]}]] }
    set_strict { list [list i [pick {0 1}]] }
    bad {
      set at [expr {2 * int(rand() * [llength $bad] / 2)}]
      list [list s [lindex $bad $at+1]] [list s [lindex $bad $at]]
    }
    depend {
      set all [list [id_arg {available scheduled blocked held}] [id_arg {available running completed blocked discarded}]]
      if {[chance 0.3]} { lappend all [list o [list on [pick {completed final}]]] }
      return $all
    }
    set_limit {
      set pairs [switch [between 1 6] {
        1 { list max_running [pick {{} 1 2 3}] }
        2 { list max_running_per_partition [pick {{} 1 2}] }
        3 { pick {{rate {} rate_ms {}} {rate 1 rate_ms 5000} {rate 3 rate_ms 10000} {rate 2 rate_ms 1000}} }
        4 { pick {{rate_per_partition {} rate_per_partition_ms {}} {rate_per_partition 1 rate_per_partition_ms 5000} {rate_per_partition 2 rate_per_partition_ms 7000}} }
        5 { list fair [between 0 1] }
        6 { list fifo [between 0 1] }
      }]
      list [list s [queue]] [list s $pairs]
    }
    schedule {
      set queue [queue]
      list [list t [schedule]] [list t [pick [dict keys $ref::specs]]] [list q $queue] [value] [list o [schedule_options $queue]]
    }
    unschedule - pause_schedule - resume_schedule { list [list t [schedule]] }
    pause_by_hand { list [list t [schedule]] [list i [pick {0 0 1}]] }
    cron_next { list [list t [pick [dict keys $ref::specs]]] [list i [time]] }
    seal { list [list t [group]] }
    seal_by_hand { list [list t [group]] }
    set_time_by_hand {
      set flows [dict keys $ref::flows]
      set id [expr {$flows eq {} ? "#0" : [tag [pick $flows]]}]
      set column [pick {expires_ms deadline_ms timeout_ms}]
      list [list i $id] [list s $column] [list i [expr {$column eq "timeout_ms" ? [pick {1000 5000 20000}] : [time]}]]
    }
    was_duplicate { return {} }
    inputs { list [list i [task_in {blocked available completed}]] }
    get_json - history - explain { list [list i [task_in $ref::finals]] }
    begin { pick {IMMEDIATE IMMEDIATE DEFERRED} }
    savepoint - rollback_to - forget { pick {s1 s2 s1 s3} }
    checkpoint { pick {PASSIVE PASSIVE RESTART TRUNCATE} }
    default { return {} }
  }
}
