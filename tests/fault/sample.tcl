# sample.tcl - which subjects a run takes, and which of them a job.
# Owns:    the choice, by numbers alone: the same for each form and for any number of jobs.
# Promise: of each call one of so many contexts, and at least one; each context has its turn when the seed goes
#          up by one at a time. With more contexts than a call can have, calls take turns, too.
# Why:     a part of the list that nobody takes looks like one that passed.

namespace eval ::sample {}

# Subjects of one call have its name, and that of a context after the point.
proc ::sample::call_of {subject} { lindex [split [dict get $subject name] .] 0 }

proc ::sample::by_call {subjects} {
  set calls {}
  foreach subject $subjects { dict lappend calls [call_of $subject] $subject }
  return $calls
}

# One of how many calls is taken.
proc ::sample::every {calls contexts} {
  set most [lindex [lsort -integer [lmap subjects [dict values $calls] { llength $subjects }]] end]
  expr {$contexts < $most ? 1 : $contexts / $most}
}

proc ::sample::take {subjects contexts seed} {
  set calls [by_call $subjects]
  set every [every $calls $contexts]
  set taken {}
  set c 0
  dict for {call of_call} $calls {
    incr c
    if {($c + $seed) % $every} continue
    set one_of [expr {$contexts < [llength $of_call] ? $contexts : [llength $of_call]}]
    set k [expr {$c / $every + ($c + $seed) / $every}]
    foreach subject $of_call {
      if {[incr k] % $one_of == 0} { lappend taken $subject }
    }
  }
  return $taken
}

# Whether no call is left out.
proc ::sample::holds_all {subjects contexts} { expr {[every [by_call $subjects] $contexts] == 1} }

# What the i-th of so many jobs has of a list.
proc ::sample::share {list i jobs} {
  set mine {}
  set at 0
  foreach one $list {
    if {$at % $jobs == $i} { lappend mine $one }
    incr at
  }
  return $mine
}

# Those whose name is like one of the patterns; a pattern that no name is like is an error.
proc ::sample::named {subjects patterns} {
  set taken {}
  foreach pattern $patterns { set is_used($pattern) 0 }
  foreach subject $subjects {
    set is_taken 0
    foreach pattern $patterns {
      if {[string match $pattern [dict get $subject name]]} { set is_taken [set is_used($pattern) 1] }
    }
    if {$is_taken} { lappend taken $subject }
  }
  foreach pattern $patterns {
    if {!$is_used($pattern)} { error "no call and context is named $pattern" {} unknown }
  }
  return $taken
}
