package require sqlite3
sqlite3 db app.db
db timeout 20000
db enable_load_extension 1
db eval {SELECT load_extension('./tm')}
db eval {
  SELECT tm_init();
  CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id));
  CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id));
}

foreach total {99.5 -1 20 {}} {
  catch { # the last one breaks NOT NULL: its task goes with it
    db transaction immediate { # both rows or none
      db eval {INSERT INTO invoice VALUES (nullif($total, ''), tm_enqueue('mail', $total))}
    }
  }
}

proc send {total} {
  if {$total < 0} { error {negative total} }
}
proc claim {} {
  db transaction immediate { db eval {SELECT id, token, payload FROM tm_claim('mail', 'worker-1')} }
}
while {[llength [set task [claim]]]} {
  lassign $task id token total
  try {
    send $total ;# the work, outside any transaction
    db transaction immediate { # its result and its end together
      db eval {INSERT INTO receipt VALUES ($total, $id)}
      db eval {SELECT tm_complete($id, $token)}
    }
  } on error message {
    db eval {SELECT tm_fail($id, $token, $message)}
  }
}

set states [db eval {SELECT state FROM tm_task ORDER BY id}]
puts $states
db close
exit [expr {$states ne {completed retryable completed}}]
