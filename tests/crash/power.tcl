# power.tcl - processes whose power is lost, and what is on the disk afterwards.
#
#   tclsh tests/crash/power.tcl ?--losses N? ?--seed N? ?--only I? ?-v?
#
# SQLite's own harness keeps what was written and not yet synced in memory; at the n-th sync of one
# file it writes some of it, forgets some, puts garbage in the place of some, and ends the process.
# A script (script.tcl) runs in such a process and writes to a file outside of it what has been
# acknowledged. Then the database must be, value for value, what it was after the last operation
# acknowledged or after the one that was under way; in WAL mode with synchronous NORMAL, where a
# commit waits for no disk, after any one before these, but whole. The controls come last; --only I repeats one loss of a seed.
#
# The harness is built by tools/testfixture, once a machine; the jobs of it run this file too, with
# `--job I N`. TM_SO names the extension. The last line is `N passed, N failed`.

set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
set losses 1440
set seed 1
set only -1
set job {}
set is_verbose 0
while {$argv ne {}} {
  set argv [lassign $argv word]
  switch -- $word {
    --losses { set argv [lassign $argv losses] }
    --seed { set argv [lassign $argv seed] }
    --only { set argv [lassign $argv only] }
    --job { set job [lrange $argv 0 1]; set argv [lrange $argv 2 end] }
    -v { set is_verbose 1 }
    default {
      puts stderr "usage: tclsh tests/crash/power.tcl ?--losses N? ?--seed N? ?--only I? ?-v?"
      exit 2
    }
  }
}

# ---- the jobs, one a processor ------------------------------------------------------------------

proc scratch_folder {} {
  global env
  if {![info exists env(TMPDIR)] && [file writable /dev/shm]} { return [exec mktemp -d -p /dev/shm] }
  return [exec mktemp -d]
}

proc hear {channel} {
  global totals running last_words
  while {[gets $channel line] >= 0} {
    if {[regexp {^@ (.*)$} $line -> counts]} {
      foreach {name count} $counts { dict incr totals $name $count }
      dict incr totals jobs
    } elseif {[regexp {^(FAILED|loss|  of) } $line]} {
      puts $line
    } else {
      # The processes of the control meet databases that are none any more.
      lappend last_words($channel) $line
    }
  }
  if {![eof $channel]} return
  fconfigure $channel -blocking 1
  catch {close $channel}
  incr running -1
}

proc run_jobs {} {
  global root here losses seed only is_verbose totals running last_words
  set totals [dict create jobs 0 passed 0 failed 0]
  set fixture [exec $root/tools/testfixture 2>@stderr]
  set source [exec $root/tools/testfixture source]
  set jobs 2
  catch {set jobs [exec nproc]}
  if {$only >= 0} { set jobs 1 }
  set folder [scratch_folder]
  puts "seed $seed"
  set running $jobs
  for {set i 0} {$i < $jobs} {incr i} {
    set command [list $fixture $here/power.tcl --losses $losses --seed $seed --only $only --job $i $jobs]
    if {$is_verbose} { lappend command -v }
    file mkdir $folder/$i
    set channel [open |[list env TM_FIXTURE_SOURCE=$source TM_FOLDER=$folder/$i {*}$command 2>@1] r]
    fconfigure $channel -blocking 0
    fileevent $channel readable [list hear $channel]
  }
  while {$running > 0} { vwait running }
  file delete -force $folder
  if {[dict get $totals jobs] != $jobs} {
    foreach channel [array names last_words] { puts [join [lrange $last_words($channel) end-20 end] \n] }
    puts "FAILED: of $jobs jobs [dict get $totals jobs] came to an end"
    dict incr totals failed
  }
  return $totals
}

if {$job eq {}} {
  set totals [run_jobs]
  foreach name [lsort [dict keys $totals]] {
    if {$name ni {jobs passed failed}} { puts "[string map {: {, }} $name]: [dict get $totals $name]" }
  }
  puts "[dict get $totals passed] passed, [dict get $totals failed] failed"
  exit [expr {[dict get $totals failed] > 0}]
}

# ---- one job, inside the harness -----------------------------------------------------------------

set folder [file normalize $env(TM_FOLDER)]
set so [file normalize [expr {[info exists env(TM_SO)] ? $env(TM_SO) : "$root/build/tm.so"}]]
cd $folder
set testdir $env(TM_FIXTURE_SOURCE)/test
source $testdir/tester.tcl
catch {db close}
source $here/script.tcl
source $here/loss.tcl
::loss::run_job {*}$job
