# mutants.tcl - wrong models and wrong builds, each of which the comparison must find: its negative
# control.
# Owns:    one change of one procedure of the reference for each rule that matters, and changes of the
#          SQL inside the extension.
# Promise: a change that does not fit any more is an error, not a mutant that is never there; nor is one
#          found that makes the model end by an error of its own.
# Why:     the model and the extension are two tellings of the rules: what would be found in one is
#          what would be found in the other. That is seen by wrong builds, which are copies of the
#          extension with other bytes: the text of its statements is in it as it was written.

namespace eval ::mutants {
  variable kept {}
  # name {procedure from to}
  variable all {
    rescue_gives_one_attempt_more {take_back {[get $id attempt] >= [get $id max_attempts]} {[get $id attempt] > [get $id max_attempts]}}
    rescue_forgets_the_cancelling {take_back {[get $id state] eq "cancelling"} 0}
    claim_does_not_count {claim_ids {attempt [expr {[get $id attempt] + 1}]} {attempt [get $id attempt]}}
    claim_keeps_the_token {claim_ids {token [expr {[get $id token] + 1}]} {token [expr {max(1, [get $id token])}]}}
    claim_ignores_a_pause {claim_ids { || [dict get $queues $queue paused]} {}}
    claim_ignores_the_queue_of_the_id {next_of {[get $wanted queue] eq $queue && } {}}
    claim_takes_the_oldest_id_first {best {[dict get $task run_at_ms] $id} {$id $id}}
    claim_takes_low_priorities_first {best {{-[dict get $task priority]}} {{[dict get $task priority]}}}
    lease_lapses_late {due {[dict get $task $column] <= $now} {[dict get $task $column] < $now}}
    promotion_forgets_retryable_tasks {promote {scheduled retryable waiting} {scheduled waiting}}
    old_tokens_may_complete {need_lease {if {[get $id token] != $token} { no lease_lost }} {}}
    snooze_counts_the_attempt {give_back {attempt [expr {[get $id attempt] - 1}]} {}}
    release_frees_a_cancelling_task {give_back {[get $id state] eq "cancelling"} 0}
    fail_forgets_the_last_attempt {fail_attempt {[get $id attempt] >= [get $id max_attempts]} {[get $id attempt] > [get $id max_attempts]}}
    backoff_doubles_too_soon {backoff {- 1, 40} {, 40}}
    backoff_knows_no_maximum {backoff {return [expr {min($wait, $max)}]} {return $wait}}
    errors_are_not_kept {keep_error {dict lappend errors $id} {list}}
    heartbeat_adds_to_the_lease {heartbeat {[expr {$now + $lease}]} {[expr {[get $id lease_until_ms] + $lease}]}}
    cancel_takes_the_lease_away {to_cancel {"cancelling" : "cancelled"} {"cancelled" : "cancelled"}}
    retry_keeps_the_attempts {to_retry { attempt 0} {}}
    unhold_forgets_the_time {to_unhold {$to eq "available" && } {0 && }}
    hold_takes_running_tasks {takes {lindex [dict get $steer $verb] 0} {concat [lindex [dict get $steer $verb] 0] [expr {$verb eq "hold" ? "running" : {}}]}}
    reschedule_to_now_waits {set_time {$run_at <= $now} {$run_at < $now}}
    filters_touch_completed_tasks {filter_states {cancelling held cancelled} {cancelling held completed cancelled}}
    filters_count_what_they_leave {where {![to_$verb $id {*}$args]} {[to_$verb $id {*}$args] < 0}}
    history_goes_on_where_it_is_off {move {[dict get $queues [get $id queue] history]} 1}
    history_names_who_was_not_there {move_by_others { {} 0 } { [get $id worker] 0 }}
    expires_counts_after_an_attempt {due_of {[get $id attempt] == 0} 1}
    timeouts_are_kept_by_heartbeats {due_of {$started + $timeout} {[get $id lease_until_ms] + $timeout}}
    deadlines_spare_those_who_wait {due_of {[least $deadline [flow_get $id expires_ms]]} {[flow_get $id expires_ms]}}
    grace_is_forgotten {due_of {+ [dict get $queues [get $id queue] grace_ms]} {}}
    past_the_deadline_there_is_a_retry {time_out {{} deadline 0} {{} {} 0}}
    a_cancel_keeps_the_timeout {times_cancel {dict set flows $id stopping {}} {list}}
    a_retry_keeps_what_has_passed {times_renew {$at <= $now} {0}}
    claims_hand_out_what_is_late {claim_ids {[is_over $id]} {0}}
    keys_are_held_by_finished_tasks {key_moved {$scope eq "incomplete"} {$scope eq "never"}}
    keys_are_held_by_running_tasks {key_moved {$to eq "running" || $to in $finals} {$to in $finals}}
    windows_end_with_their_task {key_goes {$until eq {} || $until <= $now} 1}
    keys_are_of_all_queues {compose_key {"queue" in $fields} 0}
    replacing_moves_nothing {duplicate {set_time $holder $run_at} {list}}
    replacing_takes_running_tasks {duplicate {scheduled available retryable blocked held} {scheduled available retryable blocked held running}}
    a_failure_meets_a_need {edge_status {$state eq "completed" || $on eq "final" ? 1 : 2} 1}
    failures_stop_at_the_first {depend_fail {move_by_others $id $to} {list}}
    on_failure_always_cancels {depend_fail {[flow_get $id on_failure] eq "hold"} 0}
    one_need_is_enough {settle_edge {!$is_failure && [unmet $id] > 0} 0}
    held_tasks_are_not_cancelled {settle_edge {![is_blocked $id]} {[get $id state] ne "blocked"}}
    a_cycle_is_fine {depend {$id == $needed || ($status == 0 && $needed in [waiters $id])} {$id == $needed}}
    a_retry_waits_for_nothing {rearm {lassign [dict get $edges $id $needed] on status} {set status 0}}
    needed_tasks_are_deleted {to_delete {[is_needed $id]} 0}
    pruning_takes_needed_tasks {prune_one {[to_delete $id 1]} {[row_goes $id; expr 1]}}
    groups_end_before_they_are_sealed {group_moved {[dict get $groups $group is_sealed] && } {}}
    groups_stay_ended {group_moved {$from ne {} && $from ni $finals && $to ni $finals} {$to ni $finals}}
    sealed_groups_take_tasks {flow_born {[dict get $groups $group is_sealed]} 0}
    groups_never_fail {wait_status {[group_failures $group] == 0} 1}
    groups_are_kept_for_ever {drop_group {dict unset groups $group} {list}}
    a_cancel_stops_at_the_children {descendants {lappend ids $child {*}[descendants $child]} {lappend ids $child}}
    limits_are_forgotten {limited_next {[runs_in $queue] >= $most} 0}
    a_full_partition_starts {partition_phase {$running >= $most} 0}
    rates_know_no_burst {rate_is_open {- $interval * ($burst - 1)} {}}
    fair_queues_keep_no_turns {partition_turn {[rule $queue fair]} 0}
    fifo_goes_by_priority {place_due {$fifo ? 0 : $phase == 0 ? -[get $id priority]} {$phase == 0 ? -[get $id priority]}}
    fifo_tasks_lose_their_place_when_they_fail {place_due {$fifo && (} {0 && (}}
    a_new_partition_comes_last {place_changes {- 1000} {}}
    hands_start_what_is_full {need_leave {no wrong_state} {list}}
    a_new_limit_counts_nothing {count_anew {if {$place eq {}} continue} continue}
    pauses_are_caught_up {slots_due {$slot <= [dict get $row resumed]} 0}
    catching_up_is_always_whole {slots_due {[dict get $row catch_up] eq "all" ? 1000 : 1} 1000}
    slots_overlap {fire_one {[dict get $row overlap] eq "allow"} 1}
    skipped_slots_wait {fire_one {$is_queue ? $slot : [next_slot $row $now]} {$slot}}
    schedules_run_for_ever {fire_one {[dict get $row max_runs] ne {} && } {0 && }}
    a_schedule_made_again_starts_anew {next_again {expr {$first eq {} || $next < $first ? $next : $first}} {return $first}}
    claims_fire_nothing {upkeep_of_claim {fire $queue 256} {list}}
    deleted_members_are_not_counted {flow_goes {incr gone_$state} {list}}
    retention_forgets_the_oldest_first {prune_round {[lrange $all 0 $excess-1]} {[lrange $all end-[expr {$excess - 1}] end]}}
    retention_keeps_a_moment_longer {prune_round {$at <= $now - $keep} {$at < $now - $keep}}
    retention_knows_the_past_at_once {walk_on {$count} 1000000}
    ids_are_used_again {row_goes {lappend touched $id} {lappend touched $id; variable last_task; set last_task [first [lindex [dict keys $tasks] end] 0]}}
    queues_are_never_strict {need_queue {if {$strict} { no no_such_queue }} {}}
    hands_move_as_they_like {by_hand {if {![dict exists $moves [list $from $to]]} { no wrong_state }} {}}
    hands_leave_no_history {by_hand {move $id $to {} 1 "by hand"} {put $id state $to}}
    ticks_know_no_limit {tick {[option $options limit 1000]} 1000}
    hands_start_nothing {by_hand {if {$to eq "running"} { put $id started_ms $now }} {}}
    reconcile_takes_from_everybody {reconcile {[dict get $task worker] eq $worker} 1}
  }
}

namespace eval ::mutants {
  # name {from to}, of one length. Those of the schema make the databases, too.
  variable builds {
    build_keeps_the_progress_of_the_last_attempt {{  progress = NULL,
  worker = :worker} {progress=progress,
  worker = :worker}}
    build_forgets_to_tell_a_group {{open = open
      + (NEW.from_state IS NULL} {open = open
      + (NEW.to_state   IS NULL}}
    build_lets_expire_what_has_run {{WHEN t.attempt = 0 THEN coalesce(min(f.deadline_ms, f.expires_ms)} {WHEN t.attempt > 0 THEN coalesce(min(f.deadline_ms, f.expires_ms)}}
    build_lets_go_of_keys_at_a_claim {{scope = 'queued' OR (scope = 'incomplete' AND NEW.to_state <> 'running')} {scope = 'queued' OR (scope = 'incomplete' AND NEW.to_state <> 'runninG')}}
    build_asks_one_edge_only {{WHERE needs_id = :id AND status = 0
LIMIT :limit + 0} {WHERE needs_id = :id AND status = 0
LIMIT :limit * 0}}
    build_mixes_up_notes {{note = iif(:sets_note, :note, note)} {note = iif(:sets_note, note, :note)}}
    build_promotes_a_moment_late {{phase = 1 AND sort_key <= :until_ms} {phase = 1 AND sort_key <  :until_ms}}
  }
  # In the daily suite.
  variable control {build_promotes_a_moment_late build_lets_expire_what_has_run old_tokens_may_complete one_need_is_enough}
}

proc ::mutants::names {} {
  variable all
  variable builds
  concat [dict keys $all] [dict keys $builds]
}

proc ::mutants::apply {name} {
  variable builds
  if {[dict exists $builds $name]} {
    base::use_build [wrong_build $name {*}[dict get $builds $name]]
  } else {
    apply_to_model $name
  }
}

# A copy of the extension with other bytes.
proc ::mutants::wrong_build {name from to} {
  if {[string length $from] != [string length $to]} { error "the mutant $name is of another length" }
  set channel [open $base::so rb]
  set bytes [read $channel]
  close $channel
  if {[string first $from $bytes] < 0} { error "the mutant $name does not fit the extension any more" }
  set path $base::folder/$name/[file tail $base::so]
  file mkdir [file dirname $path]
  set channel [open $path wb]
  puts -nonewline $channel [string map [list $from $to] $bytes]
  close $channel
  return $path
}

proc ::mutants::apply_to_model {name} {
  variable all
  variable kept
  lassign [dict get $all $name] procedure from to
  set body [info body ::ref::$procedure]
  if {[string first $from $body] < 0} { error "the mutant $name does not fit ::ref::$procedure any more" }
  set kept [list $procedure [arguments $procedure] $body]
  proc ::ref::$procedure [arguments $procedure] [string map [list $from $to] $body]
}

proc ::mutants::undo {name} {
  variable builds
  variable kept
  if {[dict exists $builds $name]} {
    base::use_build {}
    return
  }
  lassign $kept procedure arguments body
  proc ::ref::$procedure $arguments $body
}

proc ::mutants::arguments {procedure} {
  lmap name [info args ::ref::$procedure] {
    expr {[info default ::ref::$procedure $name value] ? [list $name $value] : $name}
  }
}
