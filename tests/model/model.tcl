#!/usr/bin/env tclsh
# model.tcl - random steps on the extension and on a model of it, side by side.
#
#   tclsh tests/model/model.tcl ?--steps N? ?--hours N? ?--seed N? ?--life N? ?--jobs N? …
#
#   --steps N     so many steps, 100,000 where nothing is said
#   --hours N     as many steps as there is time for; 0.1 are six minutes
#   --seed N      the seed of the first life; each further one has the next number
#   --life N      steps of a life: then all is compared, and the next begins with an empty database
#   --jobs N      so many processes at once; the lives are the same
#   --mutants     the control: each wrong model and build of mutants.tcl must be found within --steps
#   --control     those of them that the daily suite looks for
#   --mutant NAME one of them
#   --replay FILE the steps in a file, as a failed run has left it
#   --shrink N    so many seconds for making the steps of a failure fewer
#
# After each step the results, errors, last_insert_rowid() and the rows that it wrote are compared;
# every 25 steps all rows of all tables, as one of the connections sees them; every 500 the invariants. On a disagreement the
# steps that lead there are made fewer and printed. The last line is `N passed, N failed`.

package require Tcl 8.6
package require sqlite3

set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
foreach part [lsort [glob $here/reference/*.tcl]] { source $part }
source $root/tests/harness/scratch.tcl
foreach part {database call compare walk mutants} { source $here/$part.tcl }

namespace eval ::model {
  variable steps 100000
  variable hours 0
  variable seed [expr {[clock microseconds] % 1000000}]
  variable life 5000
  variable jobs 1
  variable stride 1       ;# from the seed of one life to that of the next, in one process of many
  variable every 25
  variable mutants {}
  variable replay {}
  variable shrink 60      ;# seconds for making a failure shorter
}

proc ::model::read_arguments {words} {
  while {$words ne {}} {
    set words [lassign $words word]
    switch $word {
      --steps - --hours - --seed - --life - --jobs - --stride - --replay - --shrink {
        variable [string range $word 2 end]
        set words [lassign $words [string range $word 2 end]]
      }
      --mutant { set words [lassign $words [namespace current]::mutants] }
      --mutants { variable mutants [mutants::names] }
      --control { variable mutants $mutants::control }
      default {
        puts stderr "usage: tclsh tests/model/model.tcl ?--steps N? ?--hours N? ?--seed N? ?--life N? ?--jobs N? ?--mutants? ?--control? ?--mutant NAME? ?--replay FILE?"
        exit 2
      }
    }
  }
}

# Run a life by a seed. Returns {steps differences}: of the last step, or of the end.
proc ::model::live {seed length} {
  variable every
  walk::seed $seed
  base::open_life
  walk::open_life
  set steps {}
  set wrong {}
  for {set i 1} {$i <= $length && $wrong eq {}} {incr i} {
    set step [walk::next]
    lappend steps $step
    set wrong [try_step $i $step]
    if {$wrong eq {} && $i % $every == 0} {
      set step [list [walk::pick $base::names] tables sql {}]
      lappend steps $step
      incr i
      set wrong [try_step $i $step]
    }
    if {$wrong eq {} && $i % (20 * $every) == 1 && $base::holder eq {}} { set wrong [base::invariants watch $::root] }
  }
  if {$wrong eq {}} {
    set wrong [base::close_life $::root]
  } else {
    catch { base::close_life $::root }
  }
  return [list $steps $wrong]
}

# An error of the programs themselves is a difference too.
proc ::model::try_step {i step} {
  if {[catch { base::step $i $step } wrong]} { return [list "the step itself: [join [lrange [split $::errorInfo \n] 0 12] { / }]"] }
  return $wrong
}

# The same steps again, those named by their numbers; returns the differences of the first that differs.
proc ::model::again {steps kept} {
  base::open_life
  set wrong {}
  foreach i $kept {
    set wrong [try_step $i [lindex $steps $i-1]]
    if {$wrong ne {}} break
  }
  set last [catch { base::close_life $::root } at_end]
  if {$wrong eq {} && !$last} { set wrong $at_end }
  return $wrong
}

# A difference without its numbers: while steps are left out it should not become another one.
proc ::model::kind_of {wrong} { string range [regsub -all {[0-9]+} [lindex $wrong 0] {}] 0 30 }

# Leave out what is not needed for the difference to be there; the numbers of the steps that are.
proc ::model::shrink {steps wrong} {
  set kind [kind_of $wrong]
  set kept {}
  for {set i 1} {$i <= [llength $steps]} {incr i} { lappend kept $i }
  variable shrink
  set until [expr {[clock seconds] + $shrink}]
  set size [expr {[llength $kept] / 2}]
  while {$size >= 1 && [clock seconds] < $until} {
    set at 0
    set is_smaller 0
    while {$at < [llength $kept] && [clock seconds] < $until} {
      set fewer [lreplace $kept $at [expr {$at + $size - 1}]]
      if {$fewer ne $kept && [kind_of [again $steps $fewer]] eq $kind} {
        set kept $fewer
        set is_smaller 1
      } else {
        incr at $size
      }
    }
    if {!$is_smaller || $size > 1} { set size [expr {$size / 2}] }
  }
  return $kept
}

proc ::model::report {seed steps wrong} {
  puts "FAILED model seed $seed, step [llength $steps]: [join $wrong {; }]"
  set kept [shrink $steps $wrong]
  set wrong [again $steps $kept]
  puts "  shorter, [llength $kept] steps: [join $wrong {; }]"
  set folder $::root/build/model
  file mkdir $folder
  set channel [open $folder/seed-$seed.steps w]
  foreach i $kept {
    if {[llength $kept] <= 40} { puts "  $i: [lindex $steps $i-1]" }
    puts $channel [list $i [lindex $steps $i-1]]
  }
  close $channel
  puts "  again: tclsh tests/model/model.tcl --life [set [namespace current]::life] --steps [llength $steps] --seed $seed, or tclsh tests/model/model.tcl --replay build/model/seed-$seed.steps"
}

namespace eval ::model {
  # Verbs that no step calls, and why.
  variable aside {
    init {every life begins with it}
    migrate {of another schema there is no model: migrate.test, upgrade.test}
    version {says what it is}
    repair {its invariants are looked at after every life: repair.test}
    wait {holds the only process: wait.test, race/}
    clock_clear {the clock of a life is frozen: clock.test}
  }
  # Steps by another name than their verb's.
  variable by_step {get get_json now tm_now}
}

# A line of what was called, and one of the verbs that no step called without a reason; returns those.
proc ::model::tell_calls {} {
  variable aside
  variable by_step
  set verbs [base::verbs]
  set missing {}
  foreach verb $verbs {
    set step [expr {[dict exists $by_step $verb] ? [dict get $by_step $verb] : $verb}]
    if {![dict exists $base::called $step] && ![dict exists $aside $verb]} { lappend missing $verb }
  }
  puts "model: calls: [counts $base::called]"
  puts "model: [llength $verbs] verbs; none of its own for [join [dict keys $aside] {, }]; not called: [expr {$missing eq {} ? "none" : [join $missing {, }]}]"
  return $missing
}

# How often what, the commonest first.
proc ::model::counts {counts} {
  set pairs {}
  dict for {name count} $counts { lappend pairs [list $name $count] }
  join [lmap pair [lsort -integer -decreasing -index 1 $pairs] { join [lreverse $pair] }] {, }
}

proc ::model::run_all {} {
  variable steps
  variable hours
  variable seed
  variable life
  variable stride
  set began [clock milliseconds]
  set done 0
  set lives 0
  set failed 0
  if {$stride == 1} { puts "model: seed $seed" }
  while {$hours ? [clock milliseconds] < $began + 3600000 * $hours : $done < $steps} {
    set length [expr {$hours ? $life : min($life, $steps - $done)}]
    set number [expr {$seed + $stride * $lives}]
    lassign [live $number $length] taken wrong
    incr done [llength $taken]
    incr lives
    if {$wrong ne {}} {
      incr failed
      report $number $taken $wrong
      if {$failed == 3} break
    } elseif {$hours && $lives % 100 == 0} {
      puts "model: $done steps"
    }
    flush stdout
  }
  set took [expr {([clock milliseconds] - $began) / 1000.0}]
  puts [format "model: %d steps in %d lives, %.0f s" $done $lives $took]
  if {$stride > 1} {
    puts "@ [list $base::seen $base::called]"
  } else {
    incr failed [tell $steps]
  }
  puts "[expr {$lives - min($failed, $lives)}] passed, $failed failed"
  return $failed
}

# What the steps were; 1 where they were many, and a verb that they should call is not among them.
proc ::model::tell {steps} {
  puts "model: writes: [counts $base::seen]"
  set missing [tell_calls]
  expr {$missing ne {} && $steps >= 50000}
}

# The same in several processes: every one takes its share of the lives.
proc ::model::run_jobs {} {
  foreach name {steps hours seed life jobs} { variable $name }
  set passed 0
  set failed 0
  puts "model: seed $seed"
  set children {}
  for {set at 0} {$at < $steps} {incr at $life} {
    incr share([expr {$at / $life % $jobs}]) [expr {min($life, $steps - $at)}]
  }
  foreach i [lsort -integer [array names share]] {
    lappend children [open |[list [info nameofexecutable] [info script] --steps $share($i) --hours $hours \
      --seed [expr {$seed + $i}] --stride $jobs --life $life 2>@1]]
  }
  foreach child $children {
    set last {}
    while {[gets $child line] >= 0} {
      if {[string match "@ *" $line]} {
        add_counts [lrange $line 1 2]
        continue
      }
      if {$last ne {}} { puts $last }
      set last $line
      flush stdout
    }
    catch { close $child }
    if {[regexp {^(\d+) passed, (\d+) failed$} $last -> p f]} {
      incr passed $p
      incr failed $f
    } else {
      puts "$last\nFAILED a process of the model ended early"
      incr failed
    }
  }
  incr failed [tell $steps]
  puts "$passed passed, $failed failed"
  return $failed
}

proc ::model::add_counts {all} {
  foreach name {seen called} more $all {
    dict for {key count} $more { dict incr base::$name $key $count }
  }
}

# Lives from the seed on, until one differs or there are enough steps: {steps differences}.
proc ::model::hunt {most} {
  variable seed
  variable life
  set done 0
  set wrong {}
  for {set i 0} {$done < $most && $wrong eq {}} {incr i} {
    lassign [live [expr {$seed + $i}] [expr {min($life, $most - $done)}]] taken wrong
    incr done [llength $taken]
  }
  return [list $done $wrong]
}

# An error of the model's own is nothing that the comparison has found.
proc ::model::is_own_error {wrong} { string match "the step itself:*" [lindex $wrong 0] }

# Every mutant must be found, by a difference; the model as it is must not be accused by the same seeds,
# as far as the longest of these hunts went.
proc ::model::run_mutants {names} {
  variable steps
  variable seed
  set missed 0
  set furthest 0
  puts "model: seed $seed"
  foreach name $names {
    mutants::apply $name
    lassign [hunt $steps] done wrong
    mutants::undo $name
    set furthest [expr {max($furthest, $done)}]
    if {$wrong eq {}} {
      puts "FAILED model control: the mutant $name lives after $done steps"
      incr missed
    } elseif {[is_own_error $wrong]} {
      puts "FAILED model control: the mutant $name ends by an error of its own at step $done, so nothing was compared: [string range [lindex $wrong 0] 0 200]"
      incr missed
    } else {
      puts "ok mutant $name is found at step $done: [string range [lindex $wrong 0] 0 90]"
    }
    flush stdout
  }
  incr missed [run_honest $furthest]
  puts "[expr {[llength $names] + 1 - $missed}] passed, $missed failed"
  return $missed
}

# 1 where it is accused.
proc ::model::run_honest {most} {
  lassign [hunt $most] done wrong
  if {$wrong eq {}} {
    puts "ok the model as it is, and the extension, are not accused in $done steps of the same seeds"
    return 0
  }
  puts "FAILED model control: the model as it is is accused at step $done: [join $wrong {; }]"
  return 1
}

proc ::model::run_replay {file} {
  set channel [open $file]
  set steps [lmap line [split [string trim [read $channel]] \n] { set line }]
  close $channel
  base::open_life
  foreach line $steps {
    lassign $line i step
    set wrong [try_step $i $step]
    puts "$i: $step[expr {$wrong eq {} ? {} : "\n   [join $wrong {; }]"}]"
    if {$wrong ne {}} { return 1 }
  }
  puts [join [base::close_life $::root] \n]
  return 0
}

::model::read_arguments $argv
base::open_folder $root
set code [catch {
  if {$model::replay ne {}} {
    model::run_replay $model::replay
  } elseif {$model::mutants ne {}} {
    model::run_mutants $model::mutants
  } elseif {$model::jobs > 1} {
    model::run_jobs
  } else {
    model::run_all
  }
} result]
base::close_folder
if {$code} {
  puts "$::errorInfo"
  puts "0 passed, 1 failed"
  exit 1
}
exit [expr {$result > 0}]
