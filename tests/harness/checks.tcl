# checks.tcl - checks as sentences, as tools/checks.sh has them for the shell.
# Owns:    how many passed and how many failed.
# Promise: one line for each check; `report` prints the last line, which tools/total reads.

namespace eval ::checks {
  variable passed 0
  variable failed 0
  namespace export check report
}

# The detail is what a reader of the failure wants to know.
proc ::checks::check {is_true sentence {detail {}}} {
  variable passed
  variable failed
  incr [expr {$is_true ? "passed" : "failed"}]
  puts "[expr {$is_true ? "ok -" : "FAILED"}] $sentence[expr {$is_true || $detail eq {} ? {} : ": $detail"}]"
}

# Does not return.
proc ::checks::report {} {
  variable passed
  variable failed
  puts "$passed passed, $failed failed"
  exit [expr {$failed > 0}]
}
