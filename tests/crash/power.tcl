# power.tcl - processes whose power is lost, and what is on the disk afterwards.
#
#   tclsh tests/crash/power.tcl ?--losses N? ?--seed N? ?--only I? ?-v?
#
# SQLite's own harness keeps what was written and not yet synced in memory; at the n-th sync of one
# file it writes some of it, forgets some, puts garbage in the place of some, and ends the process.
# A script (script.tcl) runs in such a process and writes to a file outside of it what has been
# acknowledged. Then the database must be, value for value, what it was after the last operation
# acknowledged or after the one that was under way; in WAL mode with synchronous NORMAL, where a
# commit waits for no disk, after any one before these, but whole. The controls come last; --only I
# repeats one loss of a seed, and -v shows what the processes say.
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

if {$job eq {}} {
  source $root/tests/harness/fixture.tcl
  puts "seed $seed"
  set words [list --losses $losses --seed $seed --only $only]
  if {$is_verbose} { lappend words -v }
  set jobs [expr {$only >= 0 ? 1 : [::fixture::processors]}]
  # The processes of the control meet databases that are none any more, and say so.
  set shown [expr {$is_verbose ? {.} : {^(FAILED|loss|  of) }}]
  set totals [::fixture::run_jobs [list [exec $root/tools/testfixture 2>@stderr]] $here/power.tcl $words $jobs $shown]
  ::fixture::report $totals
}

# ---- one job, inside the harness -----------------------------------------------------------------

set folder [file normalize $env(TM_FOLDER)]
set so [file normalize [expr {[info exists env(TM_SO)] ? $env(TM_SO) : "$root/build/tm.so"}]]
cd $folder
set testdir $env(TM_FIXTURE_SOURCE)/test
source $testdir/tester.tcl
source $root/tests/harness/fixture.tcl
catch {db close}
source $here/script.tcl
source $here/loss.tcl
::loss::run_job {*}$job
