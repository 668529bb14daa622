# map.tcl - which test files run which lines of ext/, and how long each takes.
# Owns:    build/mutants/map, a file for each test file: {seconds quick-seconds {file lines …}}.
# Promise: measured once for each state of the sources and of the test file, over a build with gcc's
#          counters; a test file that fails without a mutant is told, and left out.
# Why:     a mutant is killed in seconds when the tests that run its line go first, the fastest ahead.

namespace eval ::map {
  variable files {}     ;# test files, of those that are of use here
  variable seconds      ;# of the whole file
  variable quick        ;# of it without its slow tests
  variable lines        ;# lines($test) -> dict: file of ext/ -> dict of lines
  # They compile, link or pack the sources themselves, for minutes: what they run of ext/ others run too;
  # the last one runs nothing of it.
  variable left_out {*/threads.test */torn.test */dist.test */install.test */auto.test */harness.test */sites.test}
}

proc ::map::test_files {folder} {
  variable left_out
  set out {}
  foreach file [glob -nocomplain $folder/*.test $folder/*/*.test] {
    set is_wanted 1
    foreach pattern $left_out { if {[string match $pattern $file]} { set is_wanted 0 } }
    if {$is_wanted} { lappend out $file }
  }
  return [lsort $out]
}

proc ::map::sum_of {files} {
  set sum 0
  foreach file $files { set sum [zlib crc32 [encoding convertto utf-8 [file tail $file][::sites::slurp $file]] $sum] }
  return [format %08x $sum]
}

# In a coroutine, in a tree of its own: measure what `store` does not have yet.
proc ::map::measure {tree store} {
  variable files
  while {$files ne {}} {
    set files [lassign $files file]
    set path [place $store $file]
    if {![file exists $path]} {
      set fact [measure_one $tree $file]
      set channel [open $path w]
      puts $channel $fact
      close $channel
    }
    take $file $path
  }
}

# Where it is kept; the tests are those of the folder.
proc ::map::place {store file} { return $store/[string map {/ -} $file]-[sum_of $file] }

proc ::map::measure_one {tree file} {
  set counts [file join [::trial::scratch] counts-[string map {/ -} $file]]
  set began [clock milliseconds]
  set answer [::trial::await [list {*}$::trial::daily GCOV_PREFIX=$counts TM_SO=$tree/build/coverage/tm.so \
    tclsh tests/harness/harness.tcl $tree/$file -v] 900 0 $tree]
  set seconds [expr {([clock milliseconds] - $began) / 1000.0}]
  set output [dict get $answer output]
  set slow 0
  set text [::sites::slurp $tree/$file]
  foreach {- name ms} [regexp -all -inline -line {^ok (\S+) .*\((\d+) ms\)$} $output] {
    if {[regexp -- "-slow\[^\n\"]* $name " $text]} { set slow [expr {$slow + $ms / 1000.0}] }
  }
  set failed [lsearch -inline -glob [split $output \n] FAILED*]
  if {![regexp {@tally} $output]} { set failed "FAILED $file: ended without a result" }
  # The counters write where the build was made, which is the first tree, whatever it was copied to.
  set found [expr {$failed eq {} ? [read_counts $tree $counts[file dirname $tree]/tree0] : {}}]
  if {$failed eq {} && $found eq {}} { set failed "FAILED $file: no counts" }
  file delete -force $counts
  return [list [format %.1f $seconds] [format %.1f [expr {max(0.1, $seconds - $slow)}]] $found $failed]
}

# gcov wants the notes of the compiler beside the counts.
proc ::map::read_counts {tree counts} {
  set found {}
  set objects build/coverage/obj/so/ext
  foreach folder [concat $objects [glob -nocomplain -types d -directory $tree -tails $objects/*]] {
    if {![file isdirectory $counts/$folder]} continue
    foreach note [glob -nocomplain $tree/$folder/*.gcno] { file copy -force $note $counts/$folder }
    set given [glob -nocomplain $counts/$folder/*.gcda]
    if {$given eq {}} continue
    set path {}
    foreach row [split [dict get [::trial::await [concat gcov -t $given] 300 0 $tree] output] \n] {
      if {[regexp {^\s+-:\s+0:Source:(.*)$} $row -> path]} continue
      if {[string match ext/*.c $path] && [regexp {^\s*\d+\*?:\s*(\d+):} $row -> line]} { dict set found $path $line 1 }
    }
  }
  return $found
}

proc ::map::take {file path} {
  variable seconds
  variable quick
  variable lines
  lassign [string trim [::sites::slurp $path]] seconds($file) quick($file) lines($file) failed
  if {$failed ne {}} {
    puts "left out, it fails without a mutant: [string range $failed 0 300]"
    unset seconds($file) quick($file) lines($file)
    file delete $path
  }
}

# Whether a test file runs one of the lines; the counters know nothing of a line outside of functions.
proc ::map::runs {file wanted} {
  variable lines
  foreach item $wanted { if {[dict exists $lines($file) {*}$item]} { return 1 } }
  return 0
}

proc ::map::is_counted {wanted} {
  variable seconds
  foreach file [array names seconds] { if {[runs $file $wanted]} { return 1 } }
  return 0
}
