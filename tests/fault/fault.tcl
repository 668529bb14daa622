# fault.tcl - a fault at each allocation, each read and write, each lock: all of a call, or nothing.
#
#   tclsh tests/fault/fault.tcl ?--gap N? ?--contexts N? ?--again N? ?--seed N? ?--form F? ?--warm 1?
#     ?--jobs N? ?--only PATTERNS? ?--kind PATTERN? ?--journal J? ?--at N|N-M? ?-v?
#
# Runs inside SQLite's own harness (tools/testfixture), a job a processor: one half of the jobs with
# the .so loaded, the other with the extension linked in; each half takes the same. A walk is one call in one
# context under one kind of fault: the first fault, the second, and on until the call does not reach it. With
# --gap 2 a fault is about twice as far as the one before it; 1 is every one. --contexts N takes
# one of N contexts of each call, and where no call has so many, only some of the calls (sample.tcl). After
# one fault of --again N the call is made once more. --seed chooses the faults between the gaps, and which
# contexts; `day` is the number of days since 1970.
# --form loaded or linked is one form alone; with --warm the connection has read the schema before. --only,
# --kind, --journal and --at N repeat one, or N-M some; --only takes several patterns, in one word. A run that meets no fault,
# and a subject of the sample that no job of a form ran, are failures.

set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
array set option {gap 1 contexts 1 again 1 seed 1 form both warm 0 jobs 0 only * kind * journal * at 0 job {}}
array set shape {
  gap {^[1-9]\d*(\.\d+)?$} contexts {^[1-9]\d*$} again {^[1-9]\d*$} seed {^(\d+|day)$}
  form {^(both|loaded|linked)$} warm {^[01]$} jobs {^\d+$} at {^\d+(-\d+)?$}
}
set is_verbose 0
while {$argv ne {}} {
  set argv [lassign $argv word]
  set name [string range $word 2 end]
  if {$word eq "-v"} {
    set is_verbose 1
  } elseif {$word eq "--job"} {
    set option(job) [lrange $argv 0 1]
    set argv [lrange $argv 2 end]
  } elseif {[string match --* $word] && [info exists option($name)] && $argv ne {} &&
            (![info exists shape($name)] || [regexp $shape($name) [lindex $argv 0]])} {
    set argv [lassign $argv option($name)]
  } else {
    puts stderr "usage: tclsh tests/fault/fault.tcl ?--gap N? ?--contexts N? ?--again N? ?--seed N? ?--form F? ?--warm 1? ?--jobs N? ?--only PATTERNS? ?--kind PATTERN? ?--journal J? ?--at N|N-M? ?-v?"
    exit 2
  }
}
if {$option(seed) eq "day"} { set option(seed) [expr {[clock seconds] / 86400}] }

# The sample is this program's own: samples of the matrix, whose calls these are, would take subjects away.
unset -nocomplain env(TM_MATRIX_CONTEXTS) env(TM_MATRIX_EVERY)

# ---- the run: its jobs, and what became of them --------------------------------------------------

# So many jobs of one form, or of both in turn.
proc run_forms {forms jobs} {
  global root here option is_verbose
  set words [list --form [expr {[llength $forms] == 2 ? "both" : $forms}]]
  foreach name {gap contexts again seed warm only kind journal at} { lappend words --$name $option($name) }
  if {$is_verbose} { lappend words -v }
  set programs [lmap form $forms { exec $root/tools/testfixture {*}[expr {$form eq "linked" ? "static" : ""}] 2>@stderr }]
  ::fixture::run_jobs $programs $here/fault.tcl $words $jobs [expr {$is_verbose ? {} : {^(FAILED|  )}}]
}

# A job counts the names of the sample, and of those that it ran: each form must have run each.
proc judge_run {totals forms} {
  set wrong {}
  foreach form $forms {
    set missed {}
    foreach key [dict keys $totals sample:*] {
      set name [string range $key 7 end]
      if {![dict exists $totals ran:$form:$name]} { lappend missed $name }
    }
    if {$missed ne {}} { lappend wrong "[llength $missed] of the sample were not run $form: [lrange $missed 0 5]" }
  }
  if {![dict exists $totals faults]} { lappend wrong "no fault was met" }
  foreach problem $wrong {
    puts "FAILED $problem"
    dict incr totals failed
  }
  dict set totals subjects [llength [dict keys $totals sample:*]]
  return [dict filter $totals script {name count} { expr {![string match sample:* $name] && ![string match ran:* $name]} }]
}

proc run_all {} {
  global option
  puts "seed $option(seed)"
  set forms [expr {$option(form) eq "both" ? {loaded linked} : $option(form)}]
  set jobs [expr {$option(jobs) ? $option(jobs) : [::fixture::processors]}]
  # One job cannot have both forms; of several each form has as many.
  set batches [expr {$jobs < [llength $forms] ? $forms : [list $forms]}]
  set totals {}
  foreach batch $batches {
    set size [llength $batch]
    dict for {name count} [run_forms $batch [expr {($jobs + $size - 1) / $size * $size}]] { dict incr totals $name $count }
  }
  ::fixture::report [judge_run $totals $forms]
}

if {$option(job) eq {}} {
  source $root/tests/harness/fixture.tcl
  run_all
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
source $root/tests/harness/fixture.tcl
foreach file {calls sample inject findings control ruined} { source $here/$file.tcl }

proc run_job {me jobs} {
  global option
  set ::inject::counts [dict create passed 0 failed 0]
  set ::inject::invariants [::fixture::invariants]
  set ::inject::gap $option(gap)
  set ::inject::again $option(again)
  set ::inject::seed $option(seed)
  set ::inject::is_warm $option(warm)
  # The library stays in the process: it need not be read anew for each fault.
  sqlite3 kept :memory:
  ::calls::extend kept
  ::calls::prepare [pwd]
  foreach {name there_are} [list kind $::inject::kinds journal {wal delete}] {
    if {[lsearch -glob $there_are $option($name)] < 0} { error "no $name is named $option($name)" {} unknown }
  }
  set is_all [expr {$option(only) eq "*"}]
  if {$is_all} {
    set sample [::sample::take $::calls::subjects $option(contexts) $option(seed)]
  } else {
    set sample [::sample::named $::calls::subjects $option(only)]
  }
  foreach subject $sample { ::inject::count sample:[dict get $subject name] }
  foreach subject [::sample::share $sample $me $jobs] { run_subject $subject }
  if {$is_all && $option(at) eq 0} {
    foreach part [::sample::share [parts $sample] $me $jobs] { {*}$part }
  }
  puts "@ $::inject::counts"
  exit 0
}

proc run_subject {subject} {
  global option is_static
  set name [dict get $subject name]
  foreach kind $::inject::kinds {
    foreach journal {wal delete} {
      if {![string match $option(kind) $kind] || ![string match $option(journal) $journal] || ![::inject::can_meet $kind $journal]} continue
      run_walk [::calls::in_journal $subject $journal] $kind $journal
      ::inject::count ran:[expr {$is_static ? "linked" : "loaded"}]:$name
    }
  }
  ::inject::forget
}

# What belongs to each run, whatever the sample.
proc parts {sample} {
  set parts [lmap finding [::findings::all] { list ::findings::run $finding }]
  lappend parts ::ruined::run_all [list run_missing $sample] ::control::run_all ::control::run_sample
}

proc run_missing {sample} {
  set is_whole [::sample::holds_all $::calls::subjects $::option(contexts)]
  sqlite3 db test.db
  ::calls::extend db
  set missing [::calls::missing db [expr {$is_whole ? $sample : $::calls::subjects}]]
  db close
  ::inject::tell "each function and table is called [expr {$is_whole ? "in this run" : "by a subject"}]" \
    [expr {$missing eq {} ? {} : [list "nobody calls $missing"]}]
}

proc run_walk {subject kind journal {from 0} {to 0}} {
  global option is_static
  if {$option(at) ne 0} {
    set from [lindex [split $option(at) -] 0]
    set to [lindex [split $option(at) -] end]
  }
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

if {[catch {run_job [expr {$job / $forms}] [expr {$jobs / $forms}]} why]} {
  puts "FAILED [expr {$errorCode eq "unknown" ? $why : $errorInfo}]"
  exit 1
}
