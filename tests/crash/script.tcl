# script.tcl - what a process does until its power is lost, known beforehand.
# Owns:    scripts: lists of SQL texts, each one transaction, made by walking over a database; and
#          the digest of the database before and after each.
# Promise: one number, one script: no wall clock, no chance in what a verb does. So the database
#          after a loss is one of the digests, or something was torn.
# Why:     counting what is left shows what was forgotten to count; equality does not.

namespace eval ::script {
  variable state 1
  variable queries  ;# array: a schema's digest to the queries that read its tables
  variable marks 0  ;# names that are used once
}

# The same numbers on every machine.
proc ::script::seed {n} { variable state [expr {"0x[string range [md5 "seed $n"] 0 7]"}] }
proc ::script::random {n} {
  variable state [expr {($state * 1103515245 + 12345) % 4294967296}]
  expr {($state >> 12) % $n}
}
proc ::script::any {list} { lindex $list [random [llength $list]] }

# ---- one database's content ---------------------------------------------------------------------

# Every schema row and every value but two: the stamp is chance, and a migration's time is the
# wall clock's.
proc ::script::digest {db} {
  variable queries
  set schema [$db eval {SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2}]
  set key [md5 $schema]
  if {![info exists queries($key)]} { set queries($key) [digest_queries $db] }
  set text $key
  foreach query $queries($key) { append text \n [$db eval $query] }
  return [md5 $text]
}

proc ::script::digest_queries {db} {
  set queries {}
  foreach table [$db eval {
    SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name
  }] {
    set cells {}
    foreach name [$db eval {SELECT name FROM pragma_table_xinfo($table) ORDER BY cid}] {
      if {$name ni {stamp applied_ms}} { lappend cells "quote(\"$name\")" }
    }
    lappend queries "SELECT '$table', [join $cells {, }] FROM \"$table\" ORDER BY 1, 2"
  }
  return $queries
}

# ---- scripts -----------------------------------------------------------------------------------

# A new database without WAL, as the scripts find it.
proc ::script::set_up {db} {
  $db eval {
    INSERT INTO tm_command (verb) VALUES ('init');
    SELECT tm_clock_set(1700000000000);
    CREATE TABLE effect (task_id INTEGER NOT NULL, what TEXT NOT NULL);
    INSERT INTO tm_queue (name, backoff_jitter) VALUES ('q', 0.0);
    INSERT INTO tm_queue (name, backoff_jitter, max_running, max_running_per_partition, fair)
    VALUES ('few', 0.0, 3, 2, 1);
  }
}

# {texts results digests}: the digests before each text and after the last. `keep`, with the number
# of the operation to come, is called before each. The script is number n; number 0 of
# seven begins with no schema at all, 1 migrates down and up among its tasks.
proc ::script::walk {db n length keep} {
  variable marks 0
  seed $n
  set texts {}
  set results {}
  set digests [list [digest $db]]
  while {[set i [llength $texts]] < $length} {
    {*}$keep $i
    set text [next $db $n $i]
    if {[catch {$db eval $text} result]} {
      # A refusal changes nothing either, and is not of this test.
      catch {$db eval ROLLBACK}
      if {![regexp {\[(wrong_state|lease_lost|no_such_task|no_such_group|not_unique|cycle)\]$} $result]} {
        return -code error "script $n: $text: $result"
      }
      continue
    }
    lappend texts $text
    lappend results $result
    lappend digests [digest $db]
  }
  return [list $texts $results $digests]
}

proc ::script::next {db n i} {
  set begin {
    {INSERT INTO tm_command (verb) VALUES ('init')}
    {SELECT tm_clock_set(1700000000000)}
    {CREATE TABLE effect (task_id INTEGER NOT NULL, what TEXT NOT NULL)}
    {INSERT INTO tm_queue (name, backoff_jitter) VALUES ('q', 0.0)}
    {INSERT INTO tm_queue (name, backoff_jitter, max_running) VALUES ('few', 0.0, 3)}
  }
  if {$n % 7 == 0 && $i < [llength $begin]} { return [lindex $begin $i] }
  if {$n % 7 == 1 && $i % 5 == 3} {
    set newest [$db onecolumn {SELECT count(*) FROM tm_migration}]
    return [expr {$i % 2 ? "SELECT tm_migrate([expr {$newest - 1 - [random 2]}])" : {SELECT tm_migrate()}}]
  }
  # A schema that is not the newest takes no verbs.
  if {$n % 7 == 1 && $i % 5 == 4} { return {SELECT tm_migrate()} }
  # So that wherever a process begins, there is something to lose.
  if {$i % 5 == 0} { return "SELECT tm_enqueue('q', '[mark p]')" }
  set kind [any {birth birth birth claim claim claim end end end steer upkeep}]
  return [$kind $db]
}

proc ::script::mark {prefix} {
  variable marks
  return $prefix[incr marks]
}

proc ::script::task_in {db states} {
  set list '[join [split $states] ',']'
  set ids [$db eval "SELECT id FROM tm_task WHERE state IN ($list) ORDER BY id"]
  if {$ids eq {}} { return 0 }
  return [any $ids]
}

proc ::script::birth {db} {
  set payload [mark p]
  switch [random 8] {
    0 - 1 { return "SELECT tm_enqueue('q', '$payload')" }
    2 { return "INSERT INTO tm_command (verb, arg1, arg2, arg3) VALUES ('enqueue', 'q', '$payload', '{\"delay\":\"20s\",\"priority\":[random 5]}')" }
    3 { return "INSERT INTO tm_inbox (queue, payload, tags) VALUES ('q', '$payload', '\[\"a\"\]')" }
    4 {
      return "BEGIN IMMEDIATE; INSERT INTO effect VALUES (0, '$payload');
        SELECT tm_enqueue('q', '$payload'); SELECT tm_enqueue('few', '$payload', '{\"partition\":\"p[random 3]\"}'); COMMIT"
    }
    5 {
      return "INSERT INTO tm_command (verb, arg1, arg2, arg3)
        SELECT 'enqueue', 'few', value, json_object('group', 'g[random 3]', 'partition', 'p' || value) FROM json_each('\[1,2,3\]')"
    }
    6 {
      set after [task_in $db {available running scheduled retryable}]
      if {!$after} { return "SELECT tm_enqueue('q', '$payload')" }
      return "SELECT tm_enqueue('few', '$payload', '{\"after\":$after,\"on_failure\":\"[any {cancel hold ignore}]\"}')"
    }
    default {
      return "SELECT tm_enqueue('q', zeroblob([expr {1 + [random 6000]}]), '{\"unique\":\"u[random 6]\",\"expires\":\"5m\"}')"
    }
  }
}

proc ::script::claim {db} {
  switch [random 3] {
    0 { return {SELECT tm_claim('q', 'w1')} }
    1 { return {BEGIN IMMEDIATE; SELECT id, token FROM tm_claim('["few","q"]', 'w2', 3, '30s'); COMMIT} }
    default { return {INSERT INTO tm_command (verb, arg1, arg2) VALUES ('claim', 'few', 'w1')} }
  }
}

proc ::script::end {db} {
  set id [task_in $db {running cancelling}]
  if {!$id} { return [claim $db] }
  set token [$db onecolumn "SELECT token FROM tm_task WHERE id = $id"]
  switch [random 7] {
    0 { return "SELECT tm_fail($id, $token, 'broke')" }
    1 { return "SELECT tm_release($id, $token)" }
    2 { return "SELECT tm_snooze($id, $token, '15s')" }
    3 { return "SELECT tm_heartbeat($id, $token, '{\"progress\":0.5,\"note\":\"half\"}')" }
    4 { return "SELECT tm_fail($id, $token, 'broke', '{\"discard\":true}')" }
    default {
      return "BEGIN IMMEDIATE; INSERT INTO effect VALUES ($id, 'done'); SELECT tm_complete($id, $token, 'done'); COMMIT"
    }
  }
}

proc ::script::steer {db} {
  set verbs {
    cancel {available running scheduled blocked} ", 'no more'"
    hold {available scheduled} ""
    unhold held ""
    retry {discarded cancelled retryable scheduled} ""
    delete {completed cancelled discarded} ""
    reschedule {available scheduled} ", '10s'"
  }
  set i [random 7]
  if {$i == 6} { return "SELECT tm_cancel_where('{\"queue\":\"few\",\"limit\":3}')" }
  lassign [lrange $verbs [expr {3 * $i}] [expr {3 * $i + 2}]] verb states more
  set id [task_in $db $states]
  return [expr {$id ? "SELECT tm_${verb}($id$more)" : {SELECT tm_tick()}}]
}

proc ::script::upkeep {db} {
  switch [random 6] {
    0 - 1 { return {SELECT tm_clock_advance('25s')} }
    2 { return {SELECT tm_tick()} }
    3 { return "SELECT tm_seal('g[random 3]')" }
    4 { return "SELECT tm_schedule('s[random 2]', '* * * * *', 'q', 'of a schedule')" }
    default { return {PRAGMA wal_checkpoint(TRUNCATE)} }
  }
}
