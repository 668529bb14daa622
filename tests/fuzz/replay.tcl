# replay.tcl - the corpus and every past finding again, without a fuzzer; and the controls.
#
#   tclsh tests/fuzz/replay.tcl REPLAY TORN
#
# REPLAY is the program of the targets, TORN the same over an extension whose verbs run without the
# atomic scope. A finding has a connection of its own; inputs of the corpus share some. Each control
# must end its process with the words that it is for. The last line is `N passed, N failed`.

set here [file dirname [file normalize [info script]]]
lassign $argv replay torn
source [file dirname $here]/harness/checks.tcl
namespace import ::checks::*

proc inputs {kind target} {
  global here
  lsort [glob -nocomplain -directory $here/$kind/$target *]
}

# Start it; all of them run at once.
proc start {program fresh target files} {
  global here env
  unset -nocomplain env(FUZZ_FRESH)
  if {$fresh} { set env(FUZZ_FRESH) 1 }
  open |[list $program $here $target {*}$files 2>@1] r
}

# {1 text} where the process came to its end, {0 what it said last} where not.
proc finish {channel} {
  set text [read $channel]
  list [expr {![catch {close $channel}]}] $text
}

proc run {program fresh target files} { finish [start $program $fresh $target $files] }

proc replayed {channel kind target count} {
  lassign [finish $channel] is_good text
  set said [lrange [split $text \n] end-11 end]
  check [expr {$is_good && [string match "*$count inputs*" $text]}] \
    "no rule is broken by $count inputs of $target, $kind" [join $said "\n  "]
}

proc control {program name words} {
  global here
  lassign [run $program 1 [expr {$name eq "torn" ? "sql" : "control"}] [list $here/controls/$name]] is_good text
  check [expr {!$is_good && [string first $words $text] >= 0}] "control: $name is noticed" [string range $text end-300 end]
}

set started {}
foreach {kind fresh} {corpus 0 findings 1} {
  foreach target {sql options times zone payload file} {
    set files [inputs $kind $target]
    if {$files eq {}} continue
    lappend started [list [start $replay $fresh $target $files] $kind $target [llength $files]]
  }
}
foreach one $started { replayed {*}$one }
control $replay statement "a statement was left running"
control $replay open-statement "does not close"
control $replay transaction "a transaction was begun"
control $replay rule "does not hold"
control $replay memory "memory was left"
control $replay byte "heap-buffer-overflow"
control $torn torn "does not hold"
lassign [run $replay 1 sql [list $here/controls/torn]] is_good text
check $is_good "the input that a torn build is noticed by is harmless to ours" $text
report
