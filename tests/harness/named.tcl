# named.tcl - files of SELECTs with names, each of which finds what breaks a rule.
# Owns:    the form of sql/invariants.sql and tests/death/ledger.sql.
# Promise: the names in the order of the file, each with its SQL and without its comments.

namespace eval ::named {}

# {name SQL name SQL …} of a file; `-- KIND: name` opens each.
proc ::named::queries {path kind} {
  set channel [open $path r]
  fconfigure $channel -encoding utf-8
  set text [read $channel]
  close $channel
  set all {}
  foreach line [split $text \n] {
    if {[regexp "^-- $kind: (\\w+)$" $line -> name]} {
      dict set all $name {}
    } elseif {![string match --* $line] && $all ne {}} {
      dict append all $name $line\n
    }
  }
  return $all
}
