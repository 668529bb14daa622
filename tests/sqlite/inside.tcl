# inside.tcl - SQLite's own suite `veryquick`, inside its harness.
#
#   testfixture inside.tcl SOURCE EXPECTED ?FILE...?
#
# SOURCE/test holds the suite; FILE is the tail of a file of it, all where none is named. EXPECTED is 1
# where each connection must have the extension and 0 where none may have it: that is asked before and
# after each file, and a `witness NAME` line says where it is not so.

set arguments [lassign $argv source expected]
set argv {}
set argv0 $source/test/veryquick.test
set testdir $source/test
source $testdir/permutations.test

proc witness {file} {
  global expected
  sqlite3 looker :memory:
  set is_there [expr {![catch {looker eval {SELECT tm_version()}}]}]
  looker close
  if {$is_there != $expected} { puts "witness $file" }
}

rename slave_test_file run_file
proc slave_test_file {file} {
  global arguments
  if {$arguments ne {} && [file tail $file] ni $arguments} return
  witness "[file tail $file]-before"
  run_file $file
  witness "[file tail $file]-after"
}

run_test_suite veryquick
finish_test
