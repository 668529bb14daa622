#!/usr/bin/env tclsh
# run.tcl - run the tests: every .test file below this folder, each in a process of its own.
#
#   tclsh tests/run.tcl ?-v? ?-quick? ?-share N? ?-j N? ?NAME...?
#
#   -v      a line for each test, with its time
#   -quick  without the tests marked slow
#   -share  one test of N of each file, for a look in between; all where a NAME is given
#   -j N    so many files at once; where nothing is said one more than there are processors, for some sleep
#   NAME    part of the name of a file, or the beginning of the name of a test
#
# TM_SO names the extension, build/tm.so where it does not. TM_SQLITE_VERSION: the version of
# SQLite that must be found. TM_UNDER: words before the command of each file, valgrind say, and TM_CHILD_UNDER
# before that of each process of a test. TM_TEST_SECONDS: the longest that one file may take, 900.
# The last line is `N passed, N failed`; the exit status is 1 where a test failed.

set here [file dirname [file normalize [info script]]]
source $here/harness/scratch.tcl
set harness $here/harness/harness.tcl
set options {}
set names {}
set jobs 3
catch { set jobs [expr {1 + [exec nproc]}] }
set under [expr {[info exists env(TM_UNDER)] ? $env(TM_UNDER) : ""}]
set share 1
set limit_ms [expr {1000 * ([info exists env(TM_TEST_SECONDS)] ? $env(TM_TEST_SECONDS) : 900)}]
set passed 0
set failed 0
set skipped 0
set running 0

while {$argv ne {}} {
  set argv [lassign $argv word]
  switch -glob -- $word {
    -v - -quick { lappend options $word }
    -j { set argv [lassign $argv jobs] }
    -share { set argv [lassign $argv share] }
    -* {
      puts stderr "usage: tclsh tests/run.tcl ?-v? ?-quick? ?-share N? ?-j N? ?NAME...?"
      exit 2
    }
    default { lappend names $word }
  }
}

# The large ones first, so that none of them is still running when all others are done.
proc test_files {folder} {
  set found [glob -nocomplain -directory $folder *.test]
  foreach below [glob -nocomplain -types d -directory $folder *] {
    lappend found {*}[test_files $below]
  }
  return [lsort -command {apply {{a b} { expr {[file size $b] - [file size $a]} }}} [lsort $found]]
}

# A list of {file patterns}. A name that fits a file stands for all of its tests; one that fits no
# file is looked for among the tests of all files.
proc chosen {} {
  global here names
  set files [test_files $here]
  if {$names eq {}} { return [lmap file $files {list $file {}}] }
  set whole {}
  set patterns {}
  foreach name $names {
    set fits [lsearch -all -inline -glob $files $here/*$name*]
    if {$fits eq {}} { lappend patterns $name } else { lappend whole {*}$fits }
  }
  set out {}
  foreach file $files {
    if {$file in $whole} {
      lappend out [list $file {}]
    } elseif {$patterns ne {}} {
      lappend out [list $file $patterns]
    }
  }
  return $out
}

proc start_next {} {
  global under queue jobs running harness options limit_ms
  while {$running < $jobs && $queue ne {}} {
    set queue [lassign $queue next]
    lassign $next file patterns
    set command [list {*}$under [info nameofexecutable] $harness $file {*}$options {*}$patterns 2>@1]
    set channel [open |$command r]
    fconfigure $channel -blocking 0 -encoding utf-8
    set alarm [after $limit_ms [list too_long $channel $file]]
    fileevent $channel readable [list hear $channel $file $alarm]
    incr running
  }
}

proc hear {channel file alarm} {
  global passed failed skipped running is_told done
  while {[gets $channel line] >= 0} {
    if {[regexp {^@tally (\d+) (\d+) (\d+)$} $line -> p f s]} {
      incr passed $p
      incr failed $f
      incr skipped $s
      set is_told($channel) 1
    } else {
      puts $line
    }
  }
  if {![eof $channel]} return
  after cancel $alarm
  fconfigure $channel -blocking 1
  if {[catch {close $channel} message] || ![info exists is_told($channel)]} {
    incr failed
    puts "FAILED $file: the process ended badly, or without a result: $message"
  }
  unset -nocomplain is_told($channel)
  incr running -1
  start_next
  if {$running == 0} { set done 1 }
}

proc too_long {channel file} {
  global limit_ms
  puts "FAILED $file: not done after $limit_ms ms"
  catch {exec kill -9 {*}[pid $channel]}
}

fconfigure stdout -encoding utf-8 -buffering line
if {$names eq {} && $share > 1} { lappend options -share $share }

# One folder for whatever the tests write, so that one that was killed leaves nothing either. In
# memory where there is plenty of it.
set scratch [::scratch::folder 4000000]
set env(TMPDIR) $scratch
set queue [chosen]
if {$queue eq {}} {
  puts "FAILED: no test file"
  incr failed
} else {
  start_next
  vwait done
}
file delete -force $scratch
if {$names ne {} && $passed + $failed == 0} {
  puts "FAILED: no test is called $names"
  incr failed
}
if {$skipped > 0 && $names eq {}} { puts "$skipped left out" }
puts "$passed passed, $failed failed"
exit [expr {$failed > 0}]
