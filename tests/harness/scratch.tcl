# scratch.tcl - a folder for what is not to outlive a run.
# Owns:    where it is: TMPDIR where that is said, else memory where there is some, else the disk.
# Promise: a new folder, which the caller removes.
# Why:     most tests wait for a disk that they are not about.

namespace eval ::scratch {}

# With so many KiB free, where the memory is to be enough for more than a few files.
proc ::scratch::folder {{least 0}} {
  if {![info exists ::env(TMPDIR)] && [file writable /dev/shm] && [free /dev/shm] >= $least} {
    return [exec mktemp -d -p /dev/shm tm.XXXXXX]
  }
  return [exec mktemp -d -t tm.XXXXXX]
}

proc ::scratch::free {place} {
  set kib 0
  catch { regexp {(\d+)\D*$} [exec df -k --output=avail $place] - kib }
  return $kib
}
