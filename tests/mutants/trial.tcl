# trial.tcl - one mutant: made, built, met by the tests, and taken back.
# Owns:    the scratch folder: trees, temporary files of the tests, everything that runs there.
# Promise: outside the checkout, and gone at the end; nothing of a mutant is left for the next one.
# Why:     a lane is a coroutine with a tree of its own, so that two mutants are tried at a time.

namespace eval ::trial {
  variable scratch {}
  variable files 0      ;# folders given out
  variable kills        ;# kills($test), tries($test): what the order learns from
  variable tries
  # Real time, processes and signals: a failure there has to be seen twice.
  variable shaky {race/ wait command/ auto where cost}
  variable first_seconds 25  ;# of tests, as the map has them, for a first look at each mutant
  variable met {}       ;# dict: site -> the files that it has met
  # The size of the daily suite.
  variable daily {env TM_MATRIX_CONTEXTS=16 TM_MATRIX_EVERY=9}
  # What the tests run, but for the fuzzer's, which is all of it once more under the sanitizers.
  variable targets {build/tm.so build/libtm.a build/tests/base_test build/tests/static_test build/tests/death}
  variable build {make -s {CFLAGS=-O1 -w}}
}

proc ::trial::scratch {} {
  variable scratch
  return $scratch
}

# A place for the files of the tests: in memory where there is plenty of it, as tests/run.tcl does.
proc ::trial::open_scratch {} {
  variable scratch
  set free 0
  catch { regexp {(\d+)\D*$} [exec df -k --output=avail /dev/shm] - free }
  set scratch [exec mktemp -d {*}[expr {$free > 4000000 && [file writable /dev/shm] ? {-p /dev/shm} : {}}] tm-mutants.XXXXXX {*}[expr {$free > 4000000 ? {} : {-t}}]]
  # However this process ends, nothing stays.
  exec sh -c {while kill -0 "$0" 2>/dev/null; do sleep 2; done; rm -rf "$1"; sleep 9; rm -rf "$1"} [pid] $scratch >/dev/null 2>/dev/null &
}

proc ::trial::make_tree {root name} {
  variable scratch
  set tree $scratch/$name
  file mkdir $tree
  foreach part {ext sql tests tools Makefile README.md LICENSE} { file copy $root/$part $tree/$part }
  return $tree
}

# In a coroutine: run a command in a folder; {output status killed}. It ends at its first line
# that begins with FAILED where `is_impatient`, and is ended after so many seconds: status 137.
proc ::trial::await {command seconds is_impatient folder} {
  variable scratch
  variable files
  set temporary $scratch/tmp[incr files]
  file mkdir $temporary
  set guard {cd "$1" && TMPDIR=$2 && export TMPDIR && shift 2 && ulimit -f 8000000 && exec "$@"}
  set channel [open |[list timeout -s KILL [expr {int(ceil($seconds))}] nice -n 5 sh -c $guard sh $folder $temporary {*}$command </dev/null 2>@1] r]
  set pid [lindex [pid $channel] 0]
  fconfigure $channel -blocking 0 -encoding utf-8
  fileevent $channel readable [info coroutine]
  set output {}
  set is_failed 0
  while {1} {
    yield
    while {[gets $channel line] >= 0} {
      append output $line \n
      if {$is_impatient && [string match FAILED* $line]} { set is_failed 1 }
    }
    if {[eof $channel] || $is_failed} break
  }
  fileevent $channel readable {}
  if {$is_failed} { catch { exec kill -KILL -- -$pid } }
  fconfigure $channel -blocking 1
  set status 0
  if {[catch { close $channel } - options]} {
    set code [dict get $options -errorcode]
    set status [expr {[lindex $code 0] eq "CHILDSTATUS" ? [lindex $code 2] : [lindex $code 2] eq "SIGKILL" ? 137 : 139}]
  }
  catch { file delete -force $temporary }
  return [dict create output $output status $status]
}

# ---- made and taken back -----------------------------------------------------------------------

proc ::trial::write {path text} {
  set channel [open $path w]
  fconfigure $channel -encoding utf-8 -translation lf
  puts -nonewline $channel $text
  close $channel
}

proc ::trial::apply {tree site} {
  lassign $site path kind begin end text
  write $tree/$path [string replace [::sites::cached $path] $begin $end $text]
}

# Each file of the tree that the mutant, or what was made from it, has changed.
proc ::trial::take_back {tree site} {
  set paths [list [lindex $site 0]]
  if {[string match sql/* $paths]} { set paths [glob -directory $tree -tails sql/*.* sql/*/*.sql] }
  foreach path $paths {
    if {[::sites::slurp $tree/$path] ne [::sites::cached $path]} { write $tree/$path [::sites::cached $path] }
  }
}

# What is generated follows, so that no test sees a mutant by a stale copy or a checksum. Why it
# was not built, or nothing.
proc ::trial::build {tree site} {
  variable build
  lassign $site path kind
  if {$path eq "sql/states.txt"} {
    if {[dict get [await {tools/generate --rows} 60 0 $tree] status]} { return "its rows could not be made" }
  }
  if {[string match sql/migrations/* $path] || $path eq "sql/states.txt"} {
    if {[dict get [await tools/schema 60 0 $tree] status]} { return "SQLite takes no such schema" }
    if {$kind ni {sql-statement sql-move} && [::sites::slurp $tree/sql/schema.sql] eq [::sites::cached sql/schema.sql]} {
      return "the newest schema does not have it"
    }
  } elseif {[string match sql/* $path] && [refused $tree/$path] ne [refused $path]} {
    return "SQLite takes no such statement"
  }
  set answer [await [concat $build build/tm.so] 300 0 $tree]
  return [expr {[dict get $answer status] ? "the compiler takes it not" : ""}]
}

# Which statements of a file SQLite refuses, by their place and the error: some want the extension.
proc ::trial::refused {path} {
  sqlite3 ::trial::look :memory:
  ::trial::look eval [::sites::cached sql/schema.sql]
  set out {}
  set n 0
  foreach part [split [regsub -all {;\n} [::sites::slurp $path] \x01] \x01] {
    incr n
    regsub -all -line {^--.*$} $part {} part
    if {[string trim $part] eq {}} continue
    if {[catch { ::trial::look eval "EXPLAIN [string trimleft $part]" } message]} { lappend out $n $message }
  }
  ::trial::look close
  return $out
}

# ---- met by the tests --------------------------------------------------------------------------

# The test files for a mutant, the one that is likeliest to kill it in a second first.
proc ::trial::order {site} {
  variable kills
  variable tries
  set lines [lines_that_run $site]
  set is_counted [::map::is_counted $lines]
  set scored {}
  foreach file [array names ::map::seconds] {
    if {$is_counted && ![::map::runs $file $lines]} continue
    if {![info exists tries($file)]} { set tries($file) 0; set kills($file) 0 }
    set odds [expr {($kills($file) + 1.0) / ($tries($file) + 4.0)}]
    if {[is_about $file $site]} { set odds [expr {min(0.9, $odds * 6)}] }
    lappend scored [list [expr {$odds / (0.3 + $::map::quick($file))}] $file]
  }
  return [lmap item [lsort -real -decreasing -index 0 $scored] { lindex $item 1 }]
}

# The lines of C that run the mutant, {path line} each: those that it is in; of a query, those that
# name it. Of the rest nothing is known.
proc ::trial::lines_that_run {site} {
  lassign $site path kind begin end text
  set out {}
  if {[string match *.c $path]} {
    lassign [::sites::lines_of $site] old - number
    foreach line [split $old \n] { lappend out [list $path $number]; incr number }
  } elseif {[string match sql/queries/* $path]} {
    set whole [::sites::cached $path]
    if {![regexp {^-- name: (\w+)} [string range $whole [string last "-- name: " $whole $begin] $begin] - name]} return
    foreach file [glob ext/*/*.c] {
      set number 0
      foreach line [split [::sites::cached $file] \n] {
        incr number
        if {[regexp "TM_Q_[string toupper $name]\\M" $line]} { lappend out [list $file $number] }
      }
    }
  }
  return $out
}

# By its name: claim.test is about claim.c, queries/claim.sql, and what has claim in its name.
proc ::trial::is_about {file site} {
  set subject [string trimright [file rootname [file tail $file]] s]
  regsub {^matrix-} $subject {} subject
  lassign $site path kind begin end text
  set whole [::sites::cached $path]
  set at [expr {[string match sql/* $path] ? [string last "-- name:" $whole $begin] : -1}]
  if {$at < 0} { set at [string last "CREATE " $whole $begin] }
  set name [expr {[string match sql/* $path] && $at >= 0 ? [string range $whole $at [string first \n $whole $at]] : {}}]
  return [expr {[string first $subject "[file tail $path] $name"] >= 0}]
}

proc ::trial::is_shaky {file} {
  variable shaky
  foreach part $shaky { if {[string first $part $file] >= 0} { return 1 } }
  return 0
}

# One test file: {} or what killed the mutant.
proc ::trial::run_file {tree file is_quick} {
  variable kills
  variable tries
  set seconds [expr {30 + 10 * ($is_quick ? $::map::quick($file) : $::map::seconds($file))}]
  variable daily
  set command [list {*}$daily TM_SO=$tree/build/tm.so \
    tclsh tests/harness/harness.tcl $tree/$file {*}[expr {$is_quick ? "-quick" : ""}]]
  incr tries($file)
  set what [verdict [await $command $seconds 1 $tree] $seconds]
  if {$what ne {} && [is_shaky $file]} { set what [verdict [await $command $seconds 1 $tree] $seconds] }
  if {$what eq {}} return
  incr kills($file)
  return "$file: $what"
}

proc ::trial::verdict {answer seconds} {
  set output [dict get $answer output]
  set failed [lsearch -inline -regexp [split $output \n] {^(FAILED|not ok)}]
  if {$failed ne {}} { return [string range $failed 7 110] }
  if {[dict get $answer status] == 137} { return "not done after [format %.0f $seconds] s" }
  if {[dict get $answer status] || ![regexp {@tally|\d+ passed, 0 failed} $output]} { return "ended badly" }
}

proc ::trial::run_base {tree} {
  variable build
  if {[dict get [await [concat $build build/tests/base_test] 300 0 $tree] status]} return
  set what [verdict [await build/tests/base_test 100 0 $tree] 100]
  return [expr {$what eq {} ? "" : "base layer in C: $what"}]
}

# What else `make test` runs, in a small size, but not so small that a control of its own finds nothing
# to change. {label {command} …}
proc ::trial::others {tree} {
  set seed {--seed 1}
  set list [list \
    {base layer in C} build/tests/base_test {static form} build/tests/static_test \
    {model} "tclsh tests/model/model.tcl --steps 2500 --jobs 1 $seed" \
    {process death} "tclsh tests/death/death.tcl --kills 300 --seconds 0 $seed" \
    {power loss} "tclsh tests/crash/power.tcl --losses 48 $seed" \
    {faults} "tclsh tests/fault/fault.tcl --gap 6 --contexts 300 $seed"]
  return [dict filter $list script {label command} { expr {[string match build/* $command] || [file exists $tree/[lindex $command 1]]} }]
}

# In a coroutine: what killed the mutant that the tree is built with, or nothing. First come the likeliest
# tests, as many as there is time for; the base layer's own are built anew for it, so they come after
# the quickest.
proc ::trial::meet_first {tree site} {
  variable met
  variable first_seconds
  set is_base [string match ext/base/* [lindex $site 0]]
  set seconds 0
  foreach file [order $site] {
    if {[is_long $file]} continue
    set seconds [expr {$seconds + $::map::quick($file)}]
    if {$seconds > $first_seconds && $::map::quick($file) > 1 && ![is_about $file $site]} continue
    dict set met $site $file 1
    if {$is_base && $::map::quick($file) > 4} {
      set is_base 0
      set what [run_base $tree]
      if {$what ne {}} { return $what }
    }
    set what [run_file $tree $file 1]
    if {$what ne {}} { return $what }
  }
  if {$is_base} { return [run_base $tree] }
}

# Of the atomicity matrix there is a file for each kind of verb, as long as all the rest.
proc ::trial::is_long {file} { string match *matrix* $file }

# Then all that the daily suite has besides.
proc ::trial::meet_rest {tree site} {
  variable met
  set order [order $site]
  foreach file $order {
    set is_quick [expr {![dict exists $met $site $file]}]
    if {!$is_quick && $::map::quick($file) + 0.1 > $::map::seconds($file)} continue
    set what [run_file $tree $file $is_quick]
    if {$what ne {}} { return $what }
  }
  # The slow tests of what has only just been met.
  foreach file $order {
    if {[dict exists $met $site $file] || $::map::quick($file) + 0.1 > $::map::seconds($file)} continue
    set is_quick 0
    set what [run_file $tree $file $is_quick]
    if {$what ne {}} { return $what }
  }
  return [meet_others $tree]
}

proc ::trial::meet_others {tree} {
  variable build
  variable targets
  set answer [await [concat $build $targets] 600 0 $tree]
  if {[dict get $answer status]} { return "make tests: it could not be linked" }
  dict for {label command} [others $tree] {
    set what [verdict [await [concat env TM_SO=$tree/build/tm.so $command] 400 1 $tree] 400]
    if {$what ne {}} { return "$label: $what" }
  }
}
