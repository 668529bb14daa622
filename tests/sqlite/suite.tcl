# suite.tcl - SQLite's own suite, with the extension in every connection and without it.
#
#   tclsh tests/sqlite/suite.tcl ?--fresh?
#
# Three runs of `veryquick` in SQLite's own harness (tools/testfixture): plain; with nothing but foreign
# keys turned on, which loading the extension does and which a few tests do not expect; and with the
# extension inside. The last must run every test that the others ran, and must have no failure that
# neither of them has, but for those that `allowed` names, each with its reason. The first two do not
# depend on this project: their results are kept beside the harness, per version of it; --fresh runs them
# again. As root the harness runs as nobody, since the suite expects files that it may not read.
#
# The controls come last: an abs() that answers NULL beside the extension must be noticed, and so
# must an extension that is not there. The last line is `N passed, N failed`.

set here [file dirname [file normalize [info script]]]
set root [file dirname [file dirname $here]]
set is_fresh [expr {$argv eq "--fresh"}]
if {$argv ni {{} --fresh}} {
  puts stderr "usage: tclsh tests/sqlite/suite.tcl ?--fresh?"
  exit 2
}
source [file dirname $here]/harness/checks.tcl
namespace import ::checks::*

# ---- running -------------------------------------------------------------------------------------

# The harness and the suite where an unprivileged user can read them.
proc prepare {} {
  global folder root
  set folder [exec mktemp -d]
  set source [exec $root/tools/testfixture source 2>@stderr]
  file mkdir $folder/source $folder/bin
  foreach part {test ext tool} { file copy $source/$part $folder/source/$part }
  file copy [exec $root/tools/testfixture 2>@stderr] $folder/bin/plain
  file copy [exec $root/tools/testfixture static 2>@stderr] $folder/bin/inside
  exec chmod -R a+rX $folder
  return $source
}

# A user who may not do everything: the one that we are, else nobody.
proc unprivileged {folder} {
  if {[exec id -u] != 0} { return {} }
  exec chown 65534:65534 $folder
  return {setpriv --reuid=65534 --regid=65534 --clear-groups}
}

# Start a run of its own folder; what it prints goes to a file there.
proc start {name program fixture expected args} {
  global folder here running began
  set place $folder/$name
  file mkdir $place
  file copy $here/inside.tcl $place/inside.tcl
  file attributes $place/inside.tcl -permissions a+r
  set under [unprivileged $place]
  set began($name) [clock seconds]
  set command [list {*}$under env HOME=$place TMPDIR=$place TM_FIXTURE=$fixture sh -c {
    cd "$1" && shift && exec "$@" >log 2>&1
  } sh $place $folder/bin/$program inside.tcl $folder/source $expected {*}$args]
  set channel [open |$command r]
  fconfigure $channel -blocking 0
  fileevent $channel readable [list ended $name $channel]
  incr running
}

proc ended {name channel} {
  global running began
  read $channel
  if {![eof $channel]} return
  fconfigure $channel -blocking 1
  catch {close $channel}
  incr running -1
  if {[clock seconds] > $began($name) + 60} {
    puts "$name: [expr {([clock seconds] - $began($name) + 30) / 60}] minutes"
  }
}

proc finish {} {
  global running
  while {$running > 0} { vwait running }
}

# ---- results -------------------------------------------------------------------------------------

# What a log says: its tests by name, those that failed, and what it says at its end.
proc result {name} {
  global folder
  set tests [dict create]
  set failures {}
  set count -1
  set channel [open $folder/$name/log]
  while {[gets $channel line] >= 0} {
    if {[regexp {^(\S+)\.\.\. ?Ok$} $line -> test]} {
      dict set tests $test 1
    } elseif {[regexp {^!Failures on these tests: (.*)$} $line -> names]} {
      lappend failures {*}$names
    } elseif {[regexp {^witness (.*)$} $line -> file]} {
      lappend failures witness-$file
    } elseif {[regexp {errors out of (\d+) tests} $line -> count]} {
    } elseif {[regexp {^Unfreed memory: .* allocations$|^\d+ files were left open} $line what]} {
      lappend failures $what
    }
  }
  close $channel
  dict create count $count failures [lsort -unique $failures] tests [dict keys $tests]
}

proc kept_file {source name} { return [file dirname $source]/veryquick-$name }

# The result of a run that does not depend on this project, of the last time; {} where there is none.
proc kept {source name} {
  set path [kept_file $source $name]
  if {![file exists $path]} { return {} }
  set channel [open $path]
  set text [read $channel]
  close $channel
  return $text
}

proc keep {source name result} {
  set path [kept_file $source $name]
  set channel [open $path.new w]
  puts $channel $result
  close $channel
  file rename -force $path.new $path
}

# The names that `allowed` does not name.
proc without_allowed {names} {
  global here
  set channel [open $here/allowed]
  while {[gets $channel line] >= 0} {
    if {[string match #* $line]} continue
    set pattern [lindex [split $line] 0]
    set names [lsearch -all -inline -not -glob $names $pattern]
  }
  close $channel
  return $names
}

proc without {list others} {
  set seen [dict create]
  foreach name $others { dict set seen $name 1 }
  lmap name $list { if {[dict exists $seen $name]} continue; set name }
}

# Failures that neither of the others has; those named in `allowed` are not among them.
proc new_failures {ours plain keys} {
  without_allowed [without [dict get $ours failures] [concat [dict get $plain failures] [dict get $keys failures]]]
}

# The last part of some names is how many rows random() has left.
proc lasting {names} {
  lmap name $names { regsub {^((?:av)?trans-9\.\d+\.\d+)-\d+$} $name {\1} }
}

# ---- the three runs ------------------------------------------------------------------------------

proc compare {} {
  global source is_fresh
  set runs {plain {plain plain 0} keys {inside keys 0}}
  start inside inside tm 1
  foreach {name how} $runs {
    set results($name) [expr {$is_fresh ? {} : [kept $source $name]}]
    if {$results($name) eq {}} { start $name {*}$how; lappend started $name }
  }
  finish
  foreach name [expr {[info exists started] ? $started : {}}] {
    set results($name) [result $name]
    if {[dict get $results($name) count] > 0} { keep $source $name $results($name) }
  }
  set ours [result inside]
  foreach {name - } $runs { set $name $results($name) }
  foreach {what run} [list plain $plain {foreign keys} $keys extension $ours] {
    set failures [dict get $run failures]
    puts "$what: [dict get $run count] tests, [llength $failures] failures"
    check [expr {[dict get $run count] > 0}] "the run '$what' came to its end"
  }
  puts "failures without the extension: [dict get $plain failures]"
  puts "and with foreign keys alone: [without [dict get $keys failures] [dict get $plain failures]]"
  set new [new_failures $ours $plain $keys]
  check [expr {$new eq {}}] "SQLite's own suite has no failure that it has not without the extension" $new
  set run [concat [dict get $ours tests] [dict get $ours failures] [dict get $keys failures]]
  set missing [without_allowed [without [lasting [dict get $plain tests]] [lasting $run]]]
  check [expr {$missing eq {}}] "every test that ran without the extension ran with it" [lrange $missing 0 20]
}

proc controls {} {
  set file func.test
  start plain-one plain plain 0 $file
  finish
  start harm inside harm 1 $file
  finish
  start absent plain plain 1 $file
  finish
  set plain [result plain-one]
  check [expr {[dict get $plain count] > 0 && [dict get $plain failures] eq {}}] "$file passes without the extension" [dict get $plain failures]
  check [expr {[llength [new_failures [result harm] $plain $plain]] > 1}] "control: an abs() that answers NULL is noticed"
  check [expr {[new_failures [result absent] $plain $plain] eq "witness-$file-after witness-$file-before"}] "control: an extension that is not there is noticed"
}

set running 0
set source [prepare]
controls
compare
file delete -force $folder
report
