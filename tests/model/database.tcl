# database.tcl - several connections of one process to one file, and their transactions.
# Owns:    the files, the connections, and what is known of their transactions.
# Promise: `may_lock` says whether a connection can have the write lock, `seen_by` which facts it sees.
# Why:     no call waits (the busy timeout is 0), so the reference knows who holds the lock and
#          which snapshot is too old, and says where SQLITE_BUSY must come.

namespace eval ::base {
  variable names {e1 e2 e3 p1}       ;# e: with the extension, p: without; `watch` only looks on
  variable folder {}
  variable file {}
  variable so {}                      ;# the extension
  variable loaded {}                  ;# the one that is loaded: another where it is a mutant
  variable committed {}               ;# facts that everybody may see
  variable holder {}                  ;# who has the write lock
  variable is_open                    ;# by connection: in a transaction
  variable mode                       ;# none, read or write: what it holds of the database
  variable facts                      ;# what it sees, where that is not `none`
  variable start                      ;# what it saw when it began to read
  variable version                    ;# of the file, at that time
  variable stack                      ;# savepoints: {name had-the-lock facts began-the-transaction}
  variable rowid                      ;# its last_insert_rowid()
  variable was_duplicate              ;# its tm_was_duplicate()
  variable tags                       ;# 7.2 -> id
  variable tag_of                     ;# id -> 7.2
  array set is_open {}
}

# ---- files and connections -----------------------------------------------------------------------

proc ::base::open_folder {root} {
  variable folder
  variable so
  set so [file normalize [expr {[info exists ::env(TM_SO)] ? $::env(TM_SO) : "$root/build/tm.so"}]]
  set folder [::scratch::folder]
  use_build {}
}

# The extension at a path, or the right one; databases are made by it.
proc ::base::use_build {path} {
  variable folder
  variable so
  variable loaded [expr {$path eq {} ? $so : $path}]
  file delete $folder/template.db
  connect first $folder/template.db 1
  first eval {SELECT tm_init(); SELECT tm_clock_set(1700000000000); CREATE TABLE app (x)}
  ref::learn_moves [first eval {SELECT from_state, to_state FROM tm_transition}]
  first close
}

proc ::base::close_folder {} {
  variable folder
  if {$folder ne {}} { file delete -force $folder }
}

proc ::base::connect {name path is_extended} {
  variable loaded
  sqlite3 ::base::$name $path
  $name cache size 100
  $name eval {PRAGMA busy_timeout = 0; PRAGMA synchronous = OFF}
  if {$is_extended} {
    $name enable_load_extension 1
    $name eval {SELECT load_extension($loaded)}
  } else {
    $name eval {PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF}
  }
}

# The names of all verbs, as the extension gives them.
proc ::base::verbs {} {
  variable folder
  connect asked $folder/template.db 1
  set names [asked eval {SELECT substr(name, 4) FROM tm_help WHERE kind = 'function' ORDER BY name}]
  asked close
  return $names
}

# A new database, and nothing in it.
proc ::base::open_life {} {
  variable folder
  variable file $folder/life.db
  variable names
  variable holder {}
  variable committed
  variable tags
  variable tag_of
  file copy -force $folder/template.db $file
  array unset tags
  array unset tag_of
  array set tags {}
  array set tag_of {}
  connect watch $file 0
  set committed [ref::save_empty]
  foreach c $names { open_connection $c }
}

proc ::base::open_connection {c} {
  variable file
  variable is_open
  variable mode
  variable stack
  variable rowid
  connect $c $file [string match e* $c]
  set is_open($c) 0
  set mode($c) none
  set stack($c) {}
  set base::was_duplicate($c) 0
  set rowid($c) [$c last_insert_rowid]
}

# Returns what is wrong with the file that is left.
proc ::base::close_life {root} {
  variable names
  variable file
  variable folder
  foreach c $names { $c close }
  set wrong {}
  foreach check {integrity_check foreign_key_check} answer {ok {}} {
    set got [watch eval "PRAGMA $check"]
    if {$got ne $answer} { lappend wrong "$check: $got" }
  }
  lappend wrong {*}[invariants watch $root]
  watch close
  file delete {*}[glob -nocomplain $folder/life.db*]
  return $wrong
}

# The SELECTs of sql/invariants.sql, none of which may have a row.
proc ::base::invariants {c root} {
  variable invariants
  if {![info exists invariants]} {
    set channel [open $root/sql/invariants.sql]
    set invariants [read $channel]
    close $channel
  }
  lmap row [$c eval $invariants] { string cat "invariant: $row" }
}

# ---- what a connection sees ----------------------------------------------------------------------

proc ::base::file_version {} { watch onecolumn {PRAGMA data_version} }

proc ::base::seen_by {c} {
  variable mode
  variable facts
  variable committed
  # Not by expr, which would look whether all of it is a number.
  if {$mode($c) eq "none"} { return $committed }
  return $facts($c)
}

proc ::base::begin_read {c} {
  variable mode
  variable facts
  variable start
  variable version
  variable committed
  set mode($c) read
  set facts($c) $committed
  set start($c) $committed
  set version($c) [file_version]
}

proc ::base::may_lock {c} {
  variable mode
  variable holder
  variable version
  if {$mode($c) eq "write"} { return 1 }
  if {$holder ne {}} { return 0 }
  expr {$mode($c) eq "none" || $version($c) == [file_version]}
}

proc ::base::take_lock {c} {
  variable mode
  variable holder
  variable start
  variable facts
  variable committed
  if {$mode($c) eq "none"} { set start($c) [set facts($c) $committed] }
  set mode($c) write
  set holder $c
}

# After a statement in a transaction that may have taken the lock, or only looked, or neither: ask
# SQLite whether it has the lock, and make it look where it has not.
proc ::base::settle {c} {
  variable mode
  variable holder
  if {$mode($c) eq "write"} return
  if {$holder eq {} && [catch {watch eval {BEGIN IMMEDIATE; ROLLBACK}}]} {
    take_lock $c
  } elseif {$mode($c) eq "none"} {
    $c eval {SELECT 1 FROM tm_setting}
    begin_read $c
  }
}

# The end of a transaction.
proc ::base::end {c is_kept} {
  variable mode
  variable facts
  variable is_open
  variable stack
  variable holder
  variable committed
  if {$mode($c) eq "write"} {
    if {$is_kept} { set committed $facts($c) }
    set holder {}
  }
  set mode($c) none
  set is_open($c) 0
  set stack($c) {}
}

# ---- transactions --------------------------------------------------------------------------------

proc ::base::control {c verb arguments} {
  variable is_open
  variable mode
  variable stack
  variable facts
  variable start
  variable holder
  lassign $arguments word
  set text [dict get {begin BEGIN commit COMMIT rollback ROLLBACK savepoint SAVEPOINT rollback_to {ROLLBACK TO} forget RELEASE checkpoint {} reopen {} ddl {}} $verb]
  set expected {ok {}}
  switch $verb {
    begin {
      if {$is_open($c)} {
        # SQLite takes the lock before it sees that it cannot begin.
        set is_busy [expr {$word eq "IMMEDIATE" && ![may_lock $c]}]
        set expected [expr {$is_busy ? {error busy} : {error {cannot start a transaction within a transaction}}}]
        set wrong [differs $c $expected [run_sql $c "$text $word" {}]]
        settle $c
        return $wrong
      } elseif {$word eq "IMMEDIATE" && $holder ne {}} {
        set expected {error busy}
      } else {
        set is_open($c) 1
        if {$word eq "IMMEDIATE"} { take_lock $c }
      }
    }
    commit - rollback {
      if {$is_open($c)} {
        end $c [expr {$verb eq "commit"}]
      } else {
        set expected [list error "cannot $verb - no transaction is active"]
      }
    }
    savepoint {
      set had_lock [expr {$mode($c) eq "write"}]
      lappend stack($c) [list $word $had_lock [if {$had_lock} { set facts($c) }] [expr {!$is_open($c)}]]
      set is_open($c) 1
    }
    rollback_to - forget {
      set at [lindex [lsearch -all -exact -index 0 $stack($c) $word] end]
      if {$at eq {}} {
        set expected [list error "no such savepoint: $word"]
      } elseif {$verb eq "forget"} {
        set is_last [lindex $stack($c) $at 3]
        set stack($c) [lrange $stack($c) 0 $at-1]
        if {$is_last} { end $c 1 }
      } else {
        lassign [lindex $stack($c) $at] - had_lock then
        if {$mode($c) eq "write"} { set facts($c) [if {$had_lock} { set then } else { set start($c) }] }
        set stack($c) [lrange $stack($c) 0 $at]
      }
    }
    checkpoint {
      if {$is_open($c)} { return {} }
      $c eval "PRAGMA wal_checkpoint($word)"
      return {}
    }
    reopen {
      $c close
      end $c 0
      open_connection $c
      return {}
    }
    ddl {
      # Another schema: every statement that is kept must be prepared anew.
      if {$is_open($c) || $holder ne {}} { return {} }
      $c eval {DROP TABLE IF EXISTS other; CREATE TABLE other (x)}
      return {}
    }
  }
  differs $c $expected [run_sql $c "$text $word" {}]
}
