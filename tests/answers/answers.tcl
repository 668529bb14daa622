# answers.tcl - each answer of SQLite's to the extension once says that there is no memory: all of a call, or nothing.
#
#   tclsh tests/answers/answers.tcl ?--of N? ?--again N? ?--only PATTERNS? ?--jobs N? ?--build SO? ?-v?
#
# The calls are those of tests/fault, in a transaction that the caller began, and those that only read; answers.c
# is between SQLite and the extension. --of N takes one answer of N, and --only the calls whose names are like one of
# the patterns, in one word. After one failure of --again N the call is made once more. --build is the extension that is
# tried, where another one makes the databases. The last line is `N passed, N failed`.

package require Tcl 8.6
package require sqlite3
set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
source $root/tests/harness/checks.tcl
source $root/tests/harness/scratch.tcl
namespace import checks::*

array set option {of 1 again 5 only {*.begin *.rows look-* refuse-* more-* load} jobs 1 job 0 build {}}
set is_verbose 0
set words $argv
while {$words ne {}} {
  set words [lassign $words word]
  set name [string range $word 2 end]
  if {$word eq "-v"} {
    set is_verbose 1
  } elseif {[string match --* $word] && [info exists option($name)] && $words ne {}} {
    set words [lassign $words option($name)]
  } else {
    puts stderr "usage: tclsh tests/answers/answers.tcl ?--of N? ?--again N? ?--only PATTERNS? ?--jobs N? ?--build SO? ?-v?"
    exit 2
  }
}

# The calls are those of the whole matrix, also where its own run is a sample.
unset -nocomplain env(TM_MATRIX_CONTEXTS) env(TM_MATRIX_EVERY)

# ---- the calls -----------------------------------------------------------------------------------

proc sqlite3_enable_load_extension {connection is_on} { $connection enable_load_extension $is_on }

proc compile {} {
  global here so root env
  set env(TM_ANSWERS_SO) [file normalize [expr {[info exists env(TM_SO)] ? $env(TM_SO) : "$root/build/tm.so"}]]
  set so [pwd]/answers.so
  exec cc -std=c11 -shared -fPIC -o $so $here/answers.c 2>@1
}

# {name base begin statement ...}: what the matrix has no call for.
proc more {} {
  return {
    strict       keyed  {UPDATE tm_setting SET strict_queues = 1} {SELECT tm_enqueue('two', 1, '{"unique":"new"}')}
    large        tasks  {} {SELECT tm_enqueue('work', printf('%9000d', 1), NULL)}
    large_claim  tasks  {SELECT tm_enqueue('large', printf('%9000d', 1))} {SELECT tm_claim('large', 'w')}
    large_fail   tasks  {SELECT tm_enqueue('two', printf('%9000d', 1)), tm_claim('two', 'w', '{"id":15}')} {SELECT tm_fail(15, 1, 'broken')}
    cron_join    tasks  {} {SELECT at_ms FROM (VALUES ('@daily'), ('@hourly'), ('@hourly')) AS v, tm_cron(v.column1, 0, 2, 'UTC')}
    doctor_plans plans  {} {SELECT * FROM tm_doctor}
    objects      tasks  {DROP TRIGGER tm_event_does_not_change} {SELECT tm_repair('schema_objects')}
    altered      tasks  {DROP TRIGGER tm_event_does_not_change; CREATE TRIGGER tm_event_does_not_change BEFORE UPDATE ON tm_event BEGIN SELECT 1; END} {SELECT tm_repair('schema_objects')}
    group_graph  grouped {} {SELECT tm_get(4)}
    rearm        grouped {SELECT tm_cancel(4)} {SELECT tm_retry(4)}
  }
}

# What ::matrix sees of the harness is in calls.tcl; the databases are below this folder.
proc subjects {} {
  global root option
  source $root/tests/fault/calls.tcl
  ::calls::prepare [pwd]
  lappend ::calls::subjects {name load statement LOAD}
  foreach {name base begin statement} [more] {
    lappend ::calls::subjects [dict create name more-$name base $base fire {} begin "BEGIN; INSERT INTO mine VALUES (1); $begin" \
      statement $statement end COMMIT is_direct 0 is_timeless 0]
  }
  set taken {}
  foreach pattern $option(only) {
    set found [lsearch -all -inline -glob [lmap subject $::calls::subjects { dict get $subject name }] $pattern]
    if {$found eq {}} { error "no call is named $pattern" }
    foreach name $found { dict set taken $name 1 }
  }
  # The load under faults is another than ours.
  lmap subject $::calls::subjects {
    if {![dict exists $taken [dict get $subject name]] || ([dict exists $subject is_direct] && [dict get $subject is_direct])} continue
    set subject
  }
}

# ---- one failure ---------------------------------------------------------------------------------

proc open_on {subject} {
  catch {db close}
  file delete {*}[glob -nocomplain test.db*]
  file copy $::calls::folder/[dict get $subject base] test.db
  sqlite3 db test.db
  ::calls::extend db
  if {[dict get $subject fire] ne {}} { db eval [dict get $subject fire] }
}

# Everything that is there, and the answer of the call: without the times of this machine, where they are the call's.
proc contents {subject} { comparable $subject [::matrix::committed db] }
proc comparable {subject value} { expr {[dict get $subject is_timeless] ? [::matrix::timeless $value] : $value} }

# Returns {failed answer}. What the rules refuse is the answer of a call that is there to be refused.
proc call {subject} {
  set failed [catch {db eval [dict get $subject statement]} answer]
  if {$failed && [dict exists $subject refusal] && [string match [dict get $subject refusal] $answer]} { return {0 refused} }
  list $failed [comparable $subject $answer]
}

# What is wrong after the nth answer failed; `is_met` says whether there were so many.
proc trial {subject n right met_name} {
  upvar 1 $met_name is_met
  lassign $right before mine after answer
  begin $subject
  db eval {SELECT answers_fail($n)}
  lassign [call $subject] failed got
  set code [db errorcode]
  set is_met [expr {[db onecolumn {SELECT answers_fail(0)}] >= $n}]
  # SQLite rolls a transaction back that a statement without a journal of its own has no memory to end.
  set was [expr {[dict get $subject begin] ne {} && [autocommits] ? $before : $mine}]
  set found [contents $subject]
  set problems {}
  if {$failed && (!$is_met || $code % 256 != 7)} { lappend problems "its error is $code: $got" }
  if {$failed && $found ne $was} { lappend problems "TORN: it failed, and something was done" }
  if {!$failed && $got ne $answer} { lappend problems "its answer is $got" }
  if {!$failed && $found ne $after} { lappend problems "TORN: it succeeded, and did not all" }
  if {$is_met && $n % $::option(again) == 0 && $found eq $was} {
    if {[dict get $subject begin] ne {} && [autocommits]} { begin $subject }
    if {[call $subject] ne [list 0 $answer] || [contents $subject] ne $after} { lappend problems "once more it does something else" }
  }
  back $subject $before
  return $problems
}

proc autocommits {} {
  if {[catch {db eval BEGIN}]} { return 0 }
  db eval ROLLBACK
  return 1
}

proc begin {subject} { db eval [dict get $subject begin] }

proc back {subject before} {
  if {![autocommits]} { db eval ROLLBACK }
  if {[contents $subject] ne $before} { open_on $subject }
}

# Undisturbed: {before mine after answer}.
proc undisturbed {subject} {
  open_on $subject
  set before [contents $subject]
  begin $subject
  set mine [contents $subject]
  lassign [call $subject] failed answer
  if {$failed} { error "undisturbed, but: $answer" }
  set right [list $before $mine [contents $subject] $answer]
  back $subject $before
  return $right
}

# ---- a walk --------------------------------------------------------------------------------------

proc walk {subject} {
  global option
  set right [undisturbed $subject]
  set wrong {}
  set failures 0
  for {set n [expr {1 + [string length [dict get $subject name]] % $option(of)}]} {1} {incr n $option(of)} {
    foreach problem [trial $subject $n $right is_met] { lappend wrong "answer $n: [string range $problem 0 200]" }
    if {!$is_met} break
    incr failures
  }
  list $failures $wrong
}

proc walk_load {subject} {
  global option
  set wrong {}
  for {set n 1} {1} {incr n $option(of)} {
    sqlite3 new :memory:
    kept eval {SELECT answers_fail($n)}
    set failed [catch {::calls::extend new} message]
    set is_met [expr {[kept onecolumn {SELECT answers_fail(0)}] >= $n}]
    if {$failed && !$is_met} { lappend wrong "answer $n: $message" }
    if {$failed && [catch {::calls::extend new} message]} { lappend wrong "answer $n, once more: $message" }
    if {[catch {new eval {SELECT tm_version()}} message]} { lappend wrong "answer $n: $message" }
    new close
    if {!$is_met} break
  }
  list [expr {($n - 1) / $option(of)}] $wrong
}

proc main {} {
  global is_verbose
  compile
  set subjects [subjects]
  if {$::option(build) ne {}} { set ::env(TM_ANSWERS_SO) $::option(build) }
  # The library stays in the process.
  sqlite3 kept :memory:
  ::calls::extend kept
  set all 0
  set i 0
  foreach subject $subjects {
    if {[incr i] % $::option(jobs) != $::option(job) % $::option(jobs)} continue
    set walk [expr {[dict get $subject statement] eq "LOAD" ? "walk_load" : "walk"}]
    set started [clock milliseconds]
    if {[catch {$walk $subject} got]} { set got [list 0 [list "the walk broke: $got"]] }
    lassign $got failures wrong
    incr all $failures
    set sentence "[dict get $subject name]: $failures answers fail, and each time all is done or nothing"
    if {$is_verbose || $wrong ne {}} { check [expr {$wrong eq {}}] $sentence [lrange $wrong 0 4] } else { incr ::checks::passed }
    if {$is_verbose} { puts "  [expr {[clock milliseconds] - $started}] ms" }
  }
  puts "$all answers failed"
}

# So many processes at once, each with its part.
proc run_jobs {} {
  global option argv
  set channels {}
  for {set job 1} {$job <= $option(jobs)} {incr job} {
    lappend channels [open "|[list [info nameofexecutable] $::argv0 {*}$argv --job $job] 2>@stderr"]
  }
  foreach channel $channels {
    while {[gets $channel line] >= 0} {
      if {![regexp {^(\d+) passed, (\d+) failed$} $line -> passed failed]} {
        puts $line
        continue
      }
      incr ::checks::passed $passed
      incr ::checks::failed $failed
    }
    catch {close $channel}
  }
}

if {$option(jobs) > 1 && !$option(job)} {
  run_jobs
  report
}

set folder [::scratch::folder]
cd $folder
set failed [catch main why]
cd $root
file delete -force $folder
if {$failed} {
  puts $errorInfo
  incr ::checks::failed
}
report
