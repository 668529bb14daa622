#!/usr/bin/env tclsh
# mutants.tcl - one thing at a time is made wrong in ext/ or sql/: does the daily suite notice?
#
#   tclsh tests/mutants/mutants.tcl ?--count N? ?--seed N? ?--only PART? ?--jobs N? ?--resume LOG? ?--list?
#
#   --count N    so many mutants that could be built; 200 where nothing is said
#   --seed N     which; 1 where nothing is said
#   --only PART  those whose kind, file or line, before or after, has PART in it
#   --jobs N     so many at a time; 2
#   --resume LOG what an earlier run, whose output that is, saw killed need not be tried again
#   --list       names them and runs nothing
#
# Each is made in a copy of the tree, is built, and meets the tests that run its line, those that are
# likely to notice soon ahead of the others, until one fails or is not done in time. What none of them
# notices meets the rest of the daily suite in a small size, and is printed with its diff where it
# survives that too. `equivalent` names those that change nothing that anybody could see, with the reason. The
# controls, which every whole run begins with, are one mutant that must be noticed, and one that changes a
# comment, which must not be.
#
# The last line is `N passed, N failed`: a mutant that survives without a reason has failed.

package require Tcl 8.6
package require sqlite3
set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
foreach part {sites map trial} { source $here/$part.tcl }

namespace eval ::mutants {
  variable count 200
  variable seed 1
  variable only {}
  variable jobs 2
  variable is_list 0
  variable queue {}     ;# sites to come
  variable tally        ;# killed, survived, equivalent, unbuilt
  variable busy 0       ;# lanes at work
  variable under_way 0  ;# mutants at work
  variable left {}      ;# sites that the quick tests left alive
  variable known {}     ;# dict: name of a mutant that an earlier run saw killed -> 1
  variable reasons {}   ;# dict: name of an equivalent mutant -> the reason
  variable controls 0   ;# that were tried
  variable wrong {}     ;# what one of them said that it must not
  variable began
}

proc ::mutants::read_arguments {words} {
  foreach name {count seed only jobs is_list} { variable $name }
  while {$words ne {}} {
    set words [lassign $words word]
    switch -- $word {
      --count - --seed - --only - --jobs { set words [lassign $words [string range $word 2 end]] }
      --resume { set words [read_known {*}$words] }
      --list { set is_list 1 }
      default {
        puts stderr "usage: mutants.tcl ?--count N? ?--seed N? ?--only PART? ?--jobs N? ?--resume LOG? ?--list?"
        exit 2
      }
    }
  }
}

# The names after `killed`; the words behind that of the log.
proc ::mutants::read_known {log args} {
  variable known
  set is_killed 0
  foreach line [split [::sites::slurp $log] \n] {
    if {[regexp {^(\w+) +[\d.]+ s  } $line - verdict]} { set is_killed [expr {$verdict eq "killed"}] }
    if {$is_killed && [regexp {^name: (.*)$} $line - name]} { dict set known $name 1 }
  }
  return $args
}

# Paragraphs: `# why`, then the names of mutants, a line each.
proc ::mutants::read_reasons {path} {
  variable reasons
  set why {}
  foreach line [split [::sites::slurp $path] \n] {
    if {[string match "# *" $line]} {
      append why [expr {$why eq {} ? "" : " "}] [string range $line 2 end]
    } elseif {[string trim $line] eq {}} {
      set why {}
    } else {
      if {$why eq {}} { puts stderr "no reason above: $line"; exit 2 }
      dict set reasons $line $why
    }
  }
}

# A reason outlives its line: then it is told, to be taken out.
proc ::mutants::tell_stale {sites} {
  variable reasons
  set names [dict create]
  foreach site $sites { dict set names [::sites::name $site] 1 }
  foreach name [dict keys $reasons] { if {![dict exists $names $name]} { puts "equivalent, but there no more: $name" } }
}

# ---- lanes -------------------------------------------------------------------------------------

# In a coroutine: one mutant after the other, until there are enough. Those that the quick tests leave
# alive meet all the others when it is known which they are.
proc ::mutants::lane {tree has_controls} {
  variable busy
  variable left
  if {$has_controls} { controls $tree }
  while {[set site [next_site]] ne {}} { try_one $tree $site meet_first }
  while {$left ne {}} {
    set left [lassign $left site]
    try_one $tree $site meet_rest
  }
  if {[incr busy -1] == 0} { set ::mutants::done 1 }
}

proc ::mutants::try_one {tree site meet} {
  variable under_way
  variable left
  incr under_way
  set began [clock milliseconds]
  ::trial::apply $tree $site
  set why [::trial::build $tree $site]
  if {$why ne {}} {
    told unbuilt $site $why $began
  } else {
    set what [::trial::$meet $tree $site]
    if {$what ne {}} {
      told killed $site $what $began
    } elseif {$meet eq "meet_first"} {
      lappend left $site
      told alive $site "so far" $began
    } else {
      told survived $site {} $began
    }
  }
  ::trial::take_back $tree $site
  incr under_way -1
}

# The next site that is not known to be equivalent; nothing where there are enough with those under way.
proc ::mutants::next_site {} {
  foreach name {count queue tally reasons known under_way left} { variable $name }
  while {$queue ne {} && $tally(killed) + $tally(survived) + $tally(equivalent) + [llength $left] + $under_way < $count} {
    set queue [lassign $queue site]
    set name [::sites::name $site]
    if {[dict exists $known $name]} {
      told killed $site "in the log" [clock milliseconds]
      continue
    }
    if {![dict exists $reasons $name]} { return $site }
    told equivalent $site [dict get $reasons $name] [clock milliseconds]
  }
}

proc ::mutants::told {verdict site what began} {
  variable tally
  variable kind_tally
  incr tally($verdict)
  dict incr kind_tally [lindex $site 1],$verdict
  set line [lindex [::sites::lines_of $site] 2]
  puts [format {%-10s %5.1f s  %s:%s [%s] %s} $verdict [expr {([clock milliseconds] - $began) / 1000.0}] \
    [lindex $site 0] $line [lindex $site 1] $what]
  if {$verdict in {alive survived equivalent}} { puts [diff $site] }
  puts "name: [::sites::name $site]"
  flush stdout
}

proc ::mutants::diff {site} {
  lassign [::sites::lines_of $site] old new number
  set out "--- [lindex $site 0]\n+++ [lindex $site 0]\n@@ -$number @@"
  foreach line [split $old \n] { append out "\n-$line" }
  foreach line [split [string trimright $new \n] \n] { append out "\n+$line" }
  return $out
}

# ---- the controls ------------------------------------------------------------------------------

# In a coroutine. They meet the first tests and what there is besides test files: that each of these
# passes without a mutant, its slow tests too, is known from the map.
proc ::mutants::controls {tree} {
  set path ext/core/state.c
  set end [expr {[string first "*/" [::sites::cached $path]] - 1}]
  control $tree [list $path comment $end $end "[string index [::sites::cached $path] $end] "] 0
  regexp -indices -start 0 {\mreturn [^;]+;} [::sites::cached $path] range
  lassign $range begin end
  control $tree [list $path return $begin $end "return 0;"] 1
}

proc ::mutants::control {tree site is_killed} {
  variable wrong
  variable controls
  incr controls
  ::trial::apply $tree $site
  set what [::trial::build $tree $site]
  if {$what eq {}} { set what [::trial::meet_first $tree $site] }
  if {$what eq {}} { set what [::trial::meet_others $tree] }
  if {($what ne {}) != $is_killed} {
    lappend wrong [expr {$is_killed ? "survives: [::sites::name $site]" : "a comment is no mutant, yet $what"}]
  }
  puts "control: [lindex [::sites::lines_of $site] 2] [expr {$what eq {} ? "survived" : "killed by $what"}], as [expr {($what ne {}) == $is_killed ? "it must" : "it must not"}]"
  flush stdout
  ::trial::take_back $tree $site
}

# ---- the whole ---------------------------------------------------------------------------------

# The trees, built once and then copied, and the map.
proc ::mutants::prepare {root} {
  variable jobs
  set tree [::trial::make_tree $root tree0]
  cd $tree
  # As they are before any mutant.
  foreach path [glob sql/*.* sql/*/*.sql] { ::sites::cached $path }
  set store $root/build/mutants/map/[::map::sum_of [lsort [glob ext/*.\[ch\] ext/*/*.\[ch\] sql/*.sql sql/*/*.sql]]]
  file mkdir $store
  set ::map::files [::map::test_files tests]
  set targets [list [concat $::trial::build -j2 $::trial::targets]]
  if {[lsearch -not -exact [lmap file $::map::files { file exists [::map::place $store $file] }] 1] >= 0} {
    lappend targets {make -s -j2 BUILD=build/coverage {CFLAGS=-O0 -g --coverage -fprofile-update=atomic -w} build/coverage/tm.so}
  }
  in_coroutine making [list ::mutants::make_all $tree $targets]
  vwait ::mutants::made
  set trees [list $tree]
  for {set i 1} {$i < $jobs} {incr i} {
    exec cp -a $tree [::trial::scratch]/tree$i
    lappend trees [::trial::scratch]/tree$i
  }
  variable busy $jobs
  foreach tree $trees { in_coroutine mapping[file tail $tree] [list ::mutants::map_some $tree $store] }
  vwait ::mutants::mapped
  return $trees
}

proc ::mutants::in_coroutine {name script} {
  after 0 [list coroutine ::mutants::$name {*}$script]
}

proc ::mutants::make_all {tree targets} {
  foreach command $targets {
    set answer [::trial::await $command 900 0 $tree]
    if {[dict get $answer status]} { return -code error "it could not be built:\n[dict get $answer output]" }
  }
  set ::mutants::made 1
}

proc ::mutants::map_some {tree store} {
  variable busy
  ::map::measure $tree $store
  if {[incr busy -1] == 0} { set ::mutants::mapped 1 }
}

# An error of this program's own ends it.
proc ::mutants::broken {message options} {
  puts "[dict get $options -errorinfo]\n0 passed, 1 failed"
  catch { file delete -force [::trial::scratch] }
  exit 1
}

proc ::mutants::report {} {
  foreach name {tally seed controls wrong began kind_tally} { variable $name }
  puts [format {%-16s %7s %8s %10s %13s} kind killed survived equivalent {did not build}]
  foreach kind [lsort -unique $::sites::kinds] {
    set row [lmap verdict {killed survived equivalent unbuilt} { expr {[dict exists $kind_tally $kind,$verdict] ? [dict get $kind_tally $kind,$verdict] : 0} }]
    puts [format {%-16s %7d %8d %10d %13d} $kind {*}$row]
  }
  foreach line $wrong { puts "FAILED control: $line" }
  set met [expr {$tally(killed) + $tally(survived)}]
  puts [format {seed %d: %d mutants in %d s, %d killed, %d survived, %d equivalent; %d more did not build; killed %.1f %% of those that are not equivalent} \
    $seed [expr {$met + $tally(equivalent)}] [expr {[clock seconds] - $began}] $tally(killed) $tally(survived) $tally(equivalent) $tally(unbuilt) [expr {100.0 * $tally(killed) / max(1, $met)}]]
  set failed [expr {$tally(survived) + [llength $wrong]}]
  puts "[expr {$tally(killed) + $tally(equivalent) + $controls - [llength $wrong]}] passed, $failed failed"
  return [expr {$failed > 0}]
}

proc ::mutants::main {root here words} {
  foreach name {tally kind_tally queue busy} { variable $name }
  variable began [clock seconds]
  interp bgerror {} ::mutants::broken
  read_arguments $words
  read_reasons $here/equivalent
  array set tally {killed 0 alive 0 survived 0 equivalent 0 unbuilt 0}
  set kind_tally {}
  cd $root
  fconfigure stdout -encoding utf-8
  set queue [::sites::draw $::mutants::seed $::mutants::only]
  if {$::mutants::is_list} {
    foreach site [lrange $queue 0 $::mutants::count-1] { puts "[lindex $site 1] [::sites::name $site]" }
    return 0
  }
  puts "seed $::mutants::seed, [llength $queue] places"
  if {$::mutants::only eq {}} { tell_stale $queue }
  flush stdout
  ::trial::open_scratch
  set code 1
  try {
    set trees [prepare $root]
    puts "[array size ::map::seconds] test files, their lines known after [expr {[clock seconds] - $began}] s"
    flush stdout
    set busy [llength $trees]
    foreach tree $trees {
      in_coroutine lane[file tail $tree] [list ::mutants::lane $tree [expr {$tree eq [lindex $trees 0] && $::mutants::only eq {}}]]
    }
    vwait ::mutants::done
    set code [report]
  } finally {
    cd /
    catch { file delete -force [::trial::scratch] }
  }
  return $code
}

exit [::mutants::main $root $here $argv]
