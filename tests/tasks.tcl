# tasks.tcl - tasks in every state, for the test files that need one.

set states {scheduled blocked available running waiting retryable cancelling held completed cancelled discarded}

# A new task in this state; returns its id. It is of queue `queue`, and of worker-1 where
# somebody had to claim it: then its token and its attempt are 1.
proc task_in {state {queue emails}} {
  switch $state {
    scheduled { return [sql {SELECT tm_enqueue($queue, 'work', '{"delay":60}')}] }
    held { return [sql {SELECT tm_enqueue($queue, 'work', '{"held":true}')}] }
  }
  set id [sql {SELECT tm_enqueue($queue, 'work')}]
  switch $state {
    available {}
    blocked { sql "UPDATE tm_task SET state = 'blocked' WHERE id = $id" }
    cancelled { sql "SELECT tm_cancel($id)" }
    default {
      set options [format {{"id":%d}} $id]
      sql {SELECT tm_claim($queue, 'worker-1', $options)}
      switch $state {
        waiting { sql "UPDATE tm_task SET state = 'waiting', run_at_ms = run_at_ms + 60000 WHERE id = $id" }
        retryable { sql "SELECT tm_fail($id, 1, 'broken', '{\"delay\":60}')" }
        cancelling { sql "SELECT tm_cancel($id)" }
        completed { sql "SELECT tm_complete($id, 1, 'done')" }
        discarded { sql "SELECT tm_fail($id, 1, 'broken', '{\"discard\":true}')" }
      }
    }
  }
  return $id
}

# The legal moves as sql/states.txt has them: a list of `from to`.
proc moves {} {
  set channel [open [root]/sql/states.txt r]
  set text [read $channel]
  close $channel
  set out {}
  foreach line [split $text \n] {
    if {[regexp {^move\s+(\w+)\s+(\w+)} $line -> from to]} { lappend out [list $from $to] }
  }
  return $out
}

# The history of a task: `from>to` of each move, first to last.
proc path_of {id {connection db}} {
  join [sql "SELECT coalesce(from_state, '') || '>' || to_state FROM tm_history($id)" $connection]
}

# State, attempt and token in one go.
proc at {id {connection db}} {
  sql "SELECT state, attempt, token FROM tm_task WHERE id = $id" $connection
}
