# fixture.tcl - jobs that run inside SQLite's own harness, and what they tell.
# Owns:    the folder of each job, its process, and the sums of what the jobs count.
# Promise: a job that did not come to its end is a failure, with its last words shown.
# Why:     tests of crashes and of faults run in testfixture, several processes at once.
#
# A job prints lines that begin with FAILED, and at its end one line `@ NAME COUNT NAME COUNT ...`.

namespace eval ::fixture {
  variable root [file dirname [file dirname [file dirname [file normalize [info script]]]]]
  variable totals {}
  variable running 0
  variable last_words
}
source $::fixture::root/tests/harness/named.tcl
source $::fixture::root/tests/harness/scratch.tcl

proc ::fixture::processors {} {
  set n 2
  catch {set n [exec nproc]}
  return $n
}

# Run a script as so many jobs, `PROGRAM SCRIPT WORDS --job I JOBS` each, with the programs in turn, so that the
# environment names the harness's source (TM_FIXTURE_SOURCE) and the job's folder (TM_FOLDER).
# Lines that match the pattern are shown. Returns a dict of sums, with `passed` and `failed`.
proc ::fixture::run_jobs {programs script words jobs shown} {
  variable root
  variable totals [dict create jobs 0 passed 0 failed 0]
  variable running $jobs
  variable last_words
  array unset last_words
  set source [exec $root/tools/testfixture source 2>@stderr]
  # Nothing is to outlive the machine.
  set folder [::scratch::folder]
  for {set i 0} {$i < $jobs} {incr i} {
    set program [lindex $programs [expr {$i % [llength $programs]}]]
    file mkdir $folder/$i
    set command [list $program $script {*}$words --job $i $jobs]
    set channel [open |[list env TM_FIXTURE_SOURCE=$source TM_FOLDER=$folder/$i {*}$command 2>@1] r]
    fconfigure $channel -blocking 0
    set last_words($channel) {}
    fileevent $channel readable [list ::fixture::hear $channel $shown]
  }
  while {$running > 0} { vwait ::fixture::running }
  file delete -force $folder
  if {[dict get $totals jobs] != $jobs} {
    foreach channel [array names last_words] { puts [join [lrange $last_words($channel) end-20 end] \n] }
    puts "FAILED: of $jobs jobs [dict get $totals jobs] came to an end"
    dict incr totals failed
  }
  return $totals
}

proc ::fixture::hear {channel shown} {
  variable totals
  variable running
  variable last_words
  while {[gets $channel line] >= 0} {
    if {[regexp {^@ (.*)$} $line -> counts]} {
      foreach {name count} $counts { dict incr totals $name $count }
      dict incr totals jobs
    } elseif {[regexp $shown $line]} {
      puts $line
      flush stdout
    } else {
      # What a program says to nobody; a job that died says why.
      lappend last_words($channel) $line
    }
  }
  if {![eof $channel]} return
  fconfigure $channel -blocking 1
  catch {close $channel}
  incr running -1
}

# The sums but those of the tests, then the line that tools/total reads. Does not return.
proc ::fixture::report {totals} {
  foreach name [lsort [dict keys $totals]] {
    if {$name ni {jobs passed failed}} { puts "[string map {: {, }} $name]: [dict get $totals $name]" }
  }
  puts "[dict get $totals passed] passed, [dict get $totals failed] failed"
  exit [expr {[dict get $totals failed] > 0}]
}

# ---- inside a job -------------------------------------------------------------------------------

# {name SQL ...} of sql/invariants.sql: each query finds the rows that break it.
proc ::fixture::invariants {} {
  variable root
  ::named::queries $root/sql/invariants.sql invariant
}
