# fault.tcl - a fault at each allocation, each read and write, each lock: all of a call, or nothing.
#
#   tclsh tests/fault/fault.tcl ?--gap N? ?--contexts N? ?--seed N? ?--form F? ?--warm 1?
#     ?--only PATTERNS? ?--kind PATTERN? ?--journal J? ?--at N? ?-v?
#
# Runs inside SQLite's own harness (tools/testfixture), a job a processor: one half of the jobs with
# the .so loaded, the other with the extension linked in. A walk is one call in one context under
# one kind of fault: the first fault, the second, and on until the call does not reach it. With
# --gap 2 a fault is about twice as far as the one before it; 1 is every one. --contexts N takes
# one of N contexts of the calls, each job its own. --seed chooses the faults between the gaps, and which contexts.
# --form loaded or linked is one form alone; with --warm the connection has read the schema before. --only,
# --kind, --journal and --at N repeat one; --only takes several patterns, in one word.

set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
array set option {gap 1 contexts 1 seed 1 form both warm 0 only * kind * journal * at 0 job {}}
set is_verbose 0
while {$argv ne {}} {
  set argv [lassign $argv word]
  set name [string range $word 2 end]
  if {$word eq "-v"} {
    set is_verbose 1
  } elseif {$word eq "--job"} {
    set option(job) [lrange $argv 0 1]
    set argv [lrange $argv 2 end]
  } elseif {[string match --* $word] && [info exists option($name)] && $argv ne {}} {
    set argv [lassign $argv option($name)]
  } else {
    puts stderr "usage: tclsh tests/fault/fault.tcl ?--gap N? ?--contexts N? ?--seed N? ?--form F? ?--warm 1? ?--only PATTERNS? ?--kind PATTERN? ?--journal J? ?--at N? ?-v?"
    exit 2
  }
}

if {$option(job) eq {}} {
  source $root/tests/harness/fixture.tcl
  puts "seed $option(seed)"
  set words {}
  foreach name {gap contexts seed form warm only kind journal at} { lappend words --$name $option($name) }
  if {$is_verbose} { lappend words -v }
  set programs {}
  if {$option(form) ne "linked"} { lappend programs [exec $root/tools/testfixture 2>@stderr] }
  if {$option(form) ne "loaded"} { lappend programs [exec $root/tools/testfixture static 2>@stderr] }
  # Both forms, whatever the number of processors.
  set jobs [expr {2 * (([::fixture::processors] + 1) / 2)}]
  ::fixture::report [::fixture::run_jobs $programs $here/fault.tcl $words $jobs [expr {$is_verbose ? {} : {^(FAILED|  )}}]]
}

# ---- one job, inside the harness -----------------------------------------------------------------

set folder [file normalize $env(TM_FOLDER)]
lassign $option(job) job jobs
set forms [expr {$option(form) eq "both" ? 2 : 1}]
set is_static [expr {$forms == 2 ? $job % 2 : $option(form) eq "linked"}]
set honest_so [expr {$is_static ? {} : [file normalize [expr {[info exists env(TM_SO)] ? $env(TM_SO) : "$root/build/tm.so"}]]}]
set so $honest_so
cd $folder
set testdir $env(TM_FIXTURE_SOURCE)/test
source $testdir/tester.tcl
catch {db close}
foreach file {harness/fixture.tcl fault/calls.tcl fault/inject.tcl fault/control.tcl fault/ruined.tcl} { source $root/tests/$file }

proc is_wanted {name} {
  foreach pattern $::option(only) {
    if {[string match $pattern $name]} { return 1 }
  }
  return 0
}

proc run_job {job jobs} {
  global option
  set ::inject::counts [dict create passed 0 failed 0]
  set ::inject::invariants [::fixture::invariants]
  set ::inject::gap $option(gap)
  set ::inject::seed $option(seed)
  set ::inject::is_warm $option(warm)
  # The library stays in the process: it need not be read anew for each fault.
  sqlite3 kept :memory:
  ::calls::extend kept
  ::calls::prepare [pwd]
  set i 0
  foreach subject $::calls::subjects {
    incr i
    set name [dict get $subject name]
    if {![is_wanted $name]} continue
    # The jobs of a form take all; with --contexts each takes others.
    if {$i % ($jobs / $::forms) != $job / $::forms} continue
    if {$option(only) eq "*" && ($i * 7 + $job + $option(seed)) % $option(contexts)} continue
    foreach kind $::inject::kinds {
      foreach journal {wal delete} {
        if {![string match $option(kind) $kind] || ![string match $option(journal) $journal] || ![::inject::can_meet $kind $journal]} continue
        run_walk $subject $kind $journal
      }
    }
    ::inject::count calls
  }
  if {$option(only) eq "*" && $option(at) == 0} {
    run_findings
    ::ruined::run_all
    sqlite3 db test.db
    ::calls::extend db
    set missing [::calls::missing db]
    db close
    ::inject::tell "each function and table is called" [expr {$missing eq {} ? {} : [list "nobody calls $missing"]}]
    ::control::run_all
  }
  puts "@ $::inject::counts"
  exit 0
}

proc run_findings {} {
  set gap $::inject::gap
  foreach {name kind journal from to} [::calls::findings] {
    set ::inject::gap [expr {$from ? 1 : 1.2}]
    foreach subject $::calls::subjects {
      if {[dict get $subject name] eq $name} { run_walk $subject $kind $journal $from $to }
    }
  }
  set ::inject::gap $gap
}

proc run_walk {subject kind journal {from 0} {to 0}} {
  global option is_static
  if {$option(at)} { lassign [list $option(at) $option(at)] from to }
  if {[catch {::inject::walk $subject $kind $journal [expr {$from ? $from : 1}] $to} wrong options]} {
    set wrong [list - [list "the walk broke: $wrong"]]
    if {$::is_verbose} { puts [dict get $options -errorinfo] }
    catch {db close}
    catch {::inject::stop $kind}
    catch {uplevel #0 [::inject::part_of $kind injectuninstall]}
  }
  set shown {}
  foreach {n problems} $wrong { foreach problem $problems { lappend shown "fault $n: [string range $problem 0 300]" } }
  set form [expr {$is_static ? "linked in" : "loaded"}]
  ::inject::tell "[dict get $subject name] under $kind, $journal, $form" $shown
  ::inject::count walks
}

if {[catch {run_job $job $jobs}]} { puts $errorInfo; exit 1 }
