# harness.tcl - tests as sentences, each with a database of its own.
# Owns:    the command `test`, what its body may call, and what is looked at after it.
# Promise: no test sees another one; a frozen clock; the invariants of the schema hold after
#          each test, and every connection closes.
# Why:     `tests/run.tcl` starts one process a file:  tclsh harness.tcl FILE ?-v? ?-quick? ?-share N? ?PATTERN...?
#
# tests/README.md says how to write one.

package require Tcl 8.6
package require sqlite3
source [file join [file dirname [info script]] named.tcl]

namespace eval ::harness {
  variable root [file dirname [file dirname [file dirname [file normalize [info script]]]]]
  variable here [file normalize [info script]]
  variable so [file normalize [expr {[info exists ::env(TM_SO)] ? $::env(TM_SO) : "$root/build/tm.so"}]]
  variable frozen_ms 1700000000000
  variable flags_known {-raw -live -slow -broken}
  variable scratch {}       ;# the folder of this process
  variable dir {}           ;# the folder of the running test
  variable file {}          ;# its database
  variable connections {}   ;# names opened by the running test
  variable processes {}     ;# channels of processes started by the running test
  variable names {}         ;# dict: names of tests seen, to refuse a second one
  variable patterns {}
  variable is_verbose 0
  variable is_quick 0
  variable share 1          ;# one test of so many is run
  variable passed 0
  variable failed 0
  variable skipped 0
}

# ---- what a body may call ----------------------------------------------------------------------

# All rows of all statements, as one flat list; $name in the SQL is a variable of the caller.
proc ::harness::sql {text {connection db}} {
  uplevel 1 [list ::$connection eval $text]
}

# The message of the error that the SQL must raise.
proc ::harness::error {text {connection db}} {
  if {[catch {uplevel 1 [list ::$connection eval $text]} message]} { return $message }
  return "no error: $message"
}

# The symbol at the end of that message; the whole message where it has none.
proc ::harness::symbol {text {connection db}} {
  set message [uplevel 1 [list ::harness::error $text $connection]]
  if {[regexp {\[(\w+)\]$} $message -> symbol]} { return $symbol }
  return $message
}

# A second connection, with the extension. The file is the test's own where none is named; a
# name without a folder lies in the test's folder. Further arguments go to `sqlite3`.
proc ::harness::another {name {path {}} args} {
  plain $name $path {*}$args
  load_extension $name
  return
}

# The same without the extension.
proc ::harness::plain {name {path {}} args} {
  variable connections
  if {[info commands ::$name] ne {}} { return -code error "the name $name is taken" }
  sqlite3 ::$name [in_dir $path] {*}$args
  lappend connections $name
  ::$name eval {PRAGMA busy_timeout = 5000}
  return
}

proc ::harness::load_extension {connection} {
  variable so
  ::$connection enable_load_extension 1
  ::$connection eval {SELECT load_extension($so)}
  ::$connection enable_load_extension 0
  return
}

# Move the frozen clock on, by seconds or by a text such as 1h30m; returns the new time. Tcl does
# not tell numbers from text, so a number goes into the SQL as it is.
proc ::harness::advance {duration {connection db}} {
  if {[string is double -strict $duration]} {
    return [::$connection onecolumn "SELECT tm_clock_advance($duration)"]
  }
  ::$connection onecolumn {SELECT tm_clock_advance($duration)}
}

# Everything that the connection sees: {schema rows} and then {table rows} for each table of
# each database, every value as an SQL literal, in an order that depends on the values alone.
proc ::harness::dump {{connection db}} {
  set out {}
  foreach {- schema -} [::$connection eval {PRAGMA database_list}] {
    set rows [::$connection eval "SELECT type, name, tbl_name, sql FROM \"$schema\".sqlite_schema ORDER BY 1, 2"]
    lappend out [list $schema.sqlite_schema $rows]
    foreach table [::$connection eval "
      SELECT name FROM \"$schema\".sqlite_schema
      WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"] {
      lappend out [list $schema.$table [dump_table $connection $schema $table]]
    }
    # SQLite opens an empty one by itself, for ALTER TABLE say.
    if {$schema eq "temp" && [lindex $out end] eq {temp.sqlite_schema {}}} { set out [lrange $out 0 end-1] }
  }
  return $out
}

proc ::harness::dump_table {connection schema table} {
  set cells {}
  ::$connection eval {SELECT name FROM pragma_table_xinfo($table, $schema) ORDER BY cid} {
    # The stamp is random: two databases with the same facts do not have the same.
    if {$table eq "tm_setting" && $name eq "stamp"} continue
    lappend cells "quote(\"[string map {\" \"\"} $name]\")"
  }
  set row [join $cells { || ', ' || }]
  ::$connection eval "SELECT $row AS line FROM \"$schema\".\"[string map {\" \"\"} $table]\" ORDER BY line"
}

# Run the script in n processes at once and return their outputs: what each printed, then the
# result of its script, or `error: …`. Each has `db` open on the test's file, with the extension
# and a busy timeout of 20 s, the helpers of this file, and its number from 0 in $me. All
# begin in the same moment.
proc ::harness::children {n script} {
  set channels {}
  for {set me 0} {$me < $n} {incr me} { lappend channels [prepare $script $me] }
  foreach channel $channels { await_ready $channel }
  foreach channel $channels { puts $channel go }
  set outputs {}
  foreach channel $channels { lappend outputs [finish $channel] }
  return $outputs
}

proc ::harness::child {script} {
  lindex [children 1 $script] 0
}

# One process that runs beside the test: start returns a handle; finish waits and returns the
# output; slay ends it with SIGKILL, as a crash would; said returns the next line it prints.
proc ::harness::start {script {me 0}} {
  set channel [prepare $script $me]
  await_ready $channel
  puts $channel go
  return $channel
}

proc ::harness::finish {channel} {
  variable processes
  set processes [lsearch -all -inline -exact -not $processes $channel]
  set output [read $channel]
  if {[catch {close $channel} message]} { append output "error: $message" }
  return $output
}

proc ::harness::slay {channel} {
  variable processes
  set processes [lsearch -all -inline -exact -not $processes $channel]
  catch {exec kill -9 {*}[pid $channel]}
  catch {close $channel}
  return
}

proc ::harness::said {channel} { gets $channel }

# The parent of a process, and the processes that have it as theirs and a name like this pattern. Out of /proc,
# since ps and pgrep never end with the address sanitizer in front of them.
proc ::harness::parent {pid} { lindex [process_status $pid] 1 }

proc ::harness::offspring {parent {name *}} {
  set out {}
  foreach path [glob -nocomplain -directory /proc -tails -types d {[0-9]*}] {
    lassign [process_status $path] its_name its_parent
    if {$its_parent eq $parent && [string match $name $its_name]} { lappend out $path }
  }
  return $out
}

# {name parent} of a process, nothing of one that has gone.
proc ::harness::process_status {pid} {
  if {[catch {open /proc/$pid/stat} channel]} { return {} }
  catch {read $channel} line
  close $channel
  return [lrange [regexp -inline {\((.*)\) \S (\d+)} $line] 1 2]
}

# Run a program; returns {exit status, output}. Both of its streams are the output.
proc ::harness::run {args} {
  set code [catch {exec -keepnewline -- {*}$args 2>@1} output options]
  set status 0
  if {$code} {
    set error [dict get $options -errorcode]
    set status [expr {[lindex $error 0] eq "CHILDSTATUS" ? [lindex $error 2] : -1}]
    regsub {\n?child process exited abnormally$} $output {} output
  }
  return [list $status [string trimright $output \n]]
}

# The paths that a body may need.
proc ::harness::root {} { variable root; return $root }
# So many where TM_LARGE is set, a tenth of them for every day.
proc ::harness::up_to {n} { expr {[info exists ::env(TM_LARGE)] ? $n : $n / 10} }

proc ::harness::so {} { variable so; return $so }
proc ::harness::dir {} { variable dir; return $dir }
proc ::harness::python {} {
  if {[info exists ::env(TM_PYTHON)]} { return $::env(TM_PYTHON) }
  return [expr {[file executable /usr/bin/python3] ? "/usr/bin/python3" : "python3"}]
}

# ---- the test ----------------------------------------------------------------------------------

# test ?-raw|-live? ?-slow? ?-broken? NAME SENTENCE BODY EXPECTED
proc ::harness::test {args} {
  variable flags_known
  variable names
  variable skipped
  variable is_quick
  variable share
  set flags {}
  while {[string match -* [lindex $args 0]]} {
    set args [lassign $args flag]
    if {$flag ni $flags_known} { return -code error "test: no option $flag, there are $flags_known" }
    lappend flags $flag
  }
  if {[llength $args] != 4} { return -code error "test: name, sentence, body and result are wanted: $args" }
  lassign $args name sentence body expected
  if {[dict exists $names $name]} { return -code error "test: the name $name is used twice" }
  dict set names $name 1
  if {![is_wanted $name] || ($is_quick && "-slow" in $flags) || [dict size $names] % $share} {
    incr skipped
    return
  }
  set began [clock milliseconds]
  set problems [run_test $flags $body $expected]
  report $name $sentence $problems [expr {[clock milliseconds] - $began}]
}

proc ::harness::is_wanted {name} {
  variable patterns
  if {$patterns eq {}} { return 1 }
  foreach pattern $patterns {
    if {[string match $pattern* $name]} { return 1 }
  }
  return 0
}

# Returns the list of what was wrong.
proc ::harness::run_test {flags body expected} {
  variable dir
  variable scratch
  variable names
  set dir $scratch/[dict size $names]
  file mkdir $dir
  set space ::suite::test[dict size $names]
  namespace eval $space {namespace path {::suite ::harness}}
  set problems {}
  if {[catch {begin $flags} message]} {
    lappend problems "could not be set up: $message"
  } else {
    set code [catch {apply [list {} $body $space]} got]
    if {$code == 1} {
      lappend problems "expected [shown $expected], got the error [shown $got]"
    } elseif {![matches $expected $got]} {
      lappend problems "expected [shown $expected], got [shown $got]"
    }
  }
  namespace delete $space
  lappend problems {*}[close_all]
  if {"-broken" ni $flags} {
    foreach path [lsort [glob -nocomplain -directory $dir *.db]] {
      lappend problems {*}[look_at $path]
    }
  }
  file delete -force $dir
  return $problems
}

# Open `db`. The schema is made once a process by tm_init() and copied from there.
proc ::harness::begin {flags} {
  variable dir
  variable file
  variable scratch
  variable frozen_ms
  set file $dir/test.db
  if {"-raw" ni $flags} {
    if {![file exists $scratch/template.db]} {
      another db $scratch/template.db
      ::db eval {SELECT tm_init()}
      ::db close
      variable connections {}
    }
    file copy $scratch/template.db $file
  }
  another db
  if {"-raw" in $flags} return
  ::db eval {SELECT tm_init()}
  if {"-live" ni $flags} { ::db eval "SELECT tm_clock_set($frozen_ms)" }
}

# Equal as lists, element by element; or as text with white space evened out. An expected element,
# or the whole of what is expected, may be /a regular expression/ or ~a glob pattern.
proc ::harness::matches {expected got} {
  if {[is_like [string trim $expected] $got]} { return 1 }
  if {[catch {llength $expected} n] || [catch {llength $got} m]} {
    return [expr {[even $expected] eq [even $got]}]
  }
  if {$n != $m} { return 0 }
  foreach want $expected have $got {
    if {![is_like $want $have]} { return 0 }
  }
  return 1
}

proc ::harness::is_like {want have} {
  if {$want eq $have} { return 1 }
  if {[regexp {^/(.+)/$} $want -> pattern]} { return [regexp -- $pattern $have] }
  if {[regexp {^~\s*(.+)$} $want -> pattern]} { return [string match $pattern $have] }
  return 0
}

proc ::harness::even {text} {
  regsub -all {\s+} [string trim $text] { }
}

# One line, and not without end.
proc ::harness::shown {text} {
  set text [string map {\n \\n \t \\t} $text]
  if {[string length $text] > 3000} { set text "[string range $text 0 2999]…" }
  return "{$text}"
}

proc ::harness::report {name sentence problems ms} {
  variable passed
  variable failed
  variable is_verbose
  if {$problems eq {}} {
    incr passed
    if {$is_verbose} { puts "ok $name $sentence ($ms ms)" }
  } else {
    incr failed
    puts "FAILED $name $sentence: [join $problems {; }]"
  }
  flush stdout
}

# ---- after the body ----------------------------------------------------------------------------

# Tcl does not tell whether sqlite3_close() succeeded. A connection that could not be closed
# keeps its files open, and this process can see those.
proc ::harness::close_all {} {
  variable connections
  variable processes
  variable dir
  set problems {}
  foreach channel $processes { slay $channel }
  foreach name $connections {
    if {[info commands ::$name] eq {}} continue
    if {[catch {::$name close} message]} { lappend problems "closing $name: $message" }
  }
  set connections {}
  foreach link [glob -nocomplain /proc/self/fd/*] {
    if {[catch {file readlink $link} target]} continue
    if {[string match $dir/* $target]} {
      lappend problems "sqlite3_close() failed: [file tail $target] is still open"
    } elseif {[string match *inotify* $target]} {
      lappend problems "an inotify descriptor is still open"
    }
  }
  return $problems
}

# A database that a test left: sound, and true to the invariants where it has our schema.
proc ::harness::look_at {path} {
  set problems {}
  sqlite3 ::harness::look $path -create 0
  try {
    ::harness::look eval {PRAGMA busy_timeout = 5000}
    set answer [::harness::look eval {PRAGMA integrity_check}]
    if {$answer ne "ok"} { lappend problems "integrity_check: [shown $answer]" }
    set answer [::harness::look eval {PRAGMA foreign_key_check}]
    if {$answer ne {}} { lappend problems "foreign_key_check: [shown $answer]" }
    if {[has_newest_schema]} {
      foreach {name text} [invariants] {
        set answer [::harness::look eval $text]
        if {$answer ne {}} { lappend problems "invariant $name: [shown $answer]" }
      }
    }
  } on error message {
    lappend problems "looking at [file tail $path]: $message"
  } finally {
    ::harness::look close
  }
  return $problems
}

proc ::harness::has_newest_schema {} {
  variable root
  set newest [llength [glob -directory $root/sql/migrations *.up.sql]]
  if {[catch {::harness::look onecolumn {SELECT max(version) FROM main.tm_migration}} version]} { return 0 }
  return [expr {$version eq $newest}]
}

# sql/invariants.sql: each SELECT must return no row.
proc ::harness::invariants {} {
  variable root
  variable all_invariants
  if {![info exists all_invariants]} { set all_invariants [::named::queries $root/sql/invariants.sql invariant] }
  return $all_invariants
}

# ---- processes ---------------------------------------------------------------------------------

# A name without a folder lies in the test's folder; nothing is the test's own database.
proc ::harness::in_dir {path} {
  variable dir
  variable file
  if {$path eq {}} { return $file }
  if {$path eq ":memory:" || [string match file:* $path]} { return $path }
  return [file join $dir $path]
}

proc ::harness::prepare {script me} {
  variable here
  variable file
  variable dir
  variable processes
  set under [expr {[info exists ::env(TM_CHILD_UNDER)] ? $::env(TM_CHILD_UNDER) : ""}]
  set channel [open |[list {*}$under [info nameofexecutable] $here -child $file $dir $me 2>@1] r+]
  fconfigure $channel -encoding utf-8 -translation lf -buffering line
  lappend processes $channel
  puts $channel [string length $script]
  puts -nonewline $channel $script
  flush $channel
  return $channel
}

proc ::harness::await_ready {channel} {
  set line [gets $channel]
  if {$line ne "ready"} { return -code error "a process could not start: $line [read $channel]" }
}

# The other side of prepare.
proc ::harness::be_child {path folder number} {
  variable file $path
  variable dir $folder
  fconfigure stdin -encoding utf-8 -translation lf
  fconfigure stdout -encoding utf-8 -translation lf -buffering line
  set script [read stdin [gets stdin]]
  another db
  ::db eval {PRAGMA busy_timeout = 20000}
  puts ready
  if {[gets stdin] ne "go"} exit
  namespace eval ::suite [list set me $number]
  if {[catch {namespace eval ::suite $script} result]} { set result "error: $result" }
  puts -nonewline $result
  close_all
}

# ---- a file of tests ---------------------------------------------------------------------------

# See that the tests run on the SQLite they were meant for, and that there is something to test.
proc ::harness::see_versions {} {
  variable so
  if {![file exists $so]} { return -code error "$so is missing, run make" }
  sqlite3 ::harness::look :memory:
  set version [::harness::look onecolumn {SELECT sqlite_version()}]
  ::harness::look close
  if {[info exists ::env(TM_SQLITE_VERSION)] && $::env(TM_SQLITE_VERSION) ne $version} {
    return -code error "this is SQLite $version, asked for was $::env(TM_SQLITE_VERSION)"
  }
}

proc ::harness::run_file {path arguments} {
  variable scratch
  variable patterns
  variable is_verbose [expr {"-v" in $arguments}]
  variable is_quick [expr {"-quick" in $arguments}]
  variable passed
  variable failed
  variable skipped
  variable share 1
  set at [lsearch -exact $arguments -share]
  if {$at >= 0} {
    set share [lindex $arguments $at+1]
    set arguments [lreplace $arguments $at $at+1]
  }
  set patterns [lsearch -all -inline -not -regexp $arguments {^-}]
  fconfigure stdout -encoding utf-8
  set scratch [file normalize [exec mktemp -d]]
  if {[catch {
    see_versions
    namespace eval ::suite [list source -encoding utf-8 $path]
  } message options]} {
    incr failed
    puts "FAILED $path: $message"
    if {$is_verbose} { puts [dict get $options -errorinfo] }
  }
  file delete -force $scratch
  puts "@tally $passed $failed $skipped"
}

# Bodies and files find these without a prefix; `error` stays Tcl's own everywhere else.
namespace eval ::suite {namespace path ::harness}

if {[info exists argv0] && [file normalize $argv0] eq $::harness::here} {
  if {[lindex $argv 0] eq "-child"} {
    ::harness::be_child {*}[lrange $argv 1 end]
  } else {
    ::harness::run_file [lindex $argv 0] [lrange $argv 1 end]
  }
}
