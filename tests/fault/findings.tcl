# findings.tcl - walks that found something once, daily.
# Owns:    the list of them, and what tells that a walk still comes by the place.
# Promise: one whose subject is gone, which ends before its last fault, or which no longer comes by its place,
#          is a failure.
# Why:     a window that has moved looks like a fault that is mended. Where nothing tells the place from outside,
#          a build without the mending does, in control.tcl.

namespace eval ::findings {}

# {subject kind journal from to note least}: with a small gap, or from one fault to another where both are
# named; what is to happen in the walk, and how often at least.
proc ::findings::all {} {
  return {
    {repair_chain.begin ioerr-transient wal 0 0 rolled_back 10}
    {repair_chain.begin ioerr-transient delete 0 0 rolled_back 10}
    {load-bare oom-transient delete 0 0 undone 25}
    {migrate_anew.select full delete 0 0 undone 25}
    {migrate_anew.select oom-ended wal 220 250 {a commit is refused} 1}
    {claim_rows.rows oom-transient wal 1150 1250 rolled_back 90}
  }
}

proc ::findings::run {finding} {
  lassign $finding name kind journal from to note least
  set found [lsearch -inline -index 1 $::calls::subjects $name]
  set sentence "what a fault of $name under $kind, $journal, found once"
  if {$found eq {}} {
    ::inject::tell $sentence [list "no call and context is named $name"]
    return
  }
  set gap $::inject::gap
  set ::inject::gap [expr {$from ? 1 : 1.2}]
  run_walk $found $kind $journal $from $to
  set ::inject::gap $gap
  set times [expr {[dict exists $::inject::notes $note] ? [dict get $::inject::notes $note] : 0}]
  ::inject::tell $sentence [expr {$times < $least ? [list "$note: $times times, and it should be $least at least"] : {}}]
}
