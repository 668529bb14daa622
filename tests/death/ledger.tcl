# ledger.tcl - what the processes wrote down, beside what the database says.
# Owns:    temporary tables in the connection it is given; the rules are in ledger.sql.
# Promise: a line that is there was written whole, before the operation (I), or after its commit
#          had returned (A) or it had failed (E). An I that nothing follows was its process's last.
# Why:     a history of claims and answers is all that an application ever sees; whatever it was
#          told must be true of the database afterwards.

namespace eval ::ledger {}

proc ::ledger::read_file {path} {
  set channel [open $path r]
  set text [read $channel]
  close $channel
  return $text
}

# The tables of ledger.sql, from the files of a folder. The tables begin empty.
proc ::ledger::load {db folder} {
  $db eval {
    PRAGMA temp_store = MEMORY;
    CREATE TEMP TABLE op (
      life INTEGER, seq INTEGER, verb TEXT, a NUMERIC, b INTEGER, c TEXT, began_us INTEGER, began_ms INTEGER,
      ended_us INTEGER, ended_ms INTEGER, outcome TEXT, said TEXT, PRIMARY KEY (life, seq)
    );
    CREATE TEMP TABLE born (life INTEGER, seq INTEGER, id INTEGER, key TEXT);
    CREATE TEMP TABLE intent (life INTEGER, seq INTEGER, key TEXT, is_kept INTEGER);
    CREATE TEMP TABLE stood (life INTEGER, seq INTEGER, verb TEXT, task_id INTEGER, state TEXT, event_id INTEGER);
    CREATE TEMP TABLE claim (
      life INTEGER, worker TEXT, task_id INTEGER, token INTEGER, until_ms INTEGER,
      began_us INTEGER, ended_us INTEGER, ended_ms INTEGER
    );
    BEGIN;
  }
  foreach path [lsort -dictionary [glob -nocomplain -directory $folder *]] {
    lassign [split [file tail $path] .] life worker
    load_file $db $life $worker $path
  }
  $db eval {
    COMMIT;
    CREATE INDEX op_a ON op (a, verb);
    CREATE INDEX born_id ON born (id);
    CREATE INDEX intent_key ON intent (key);
    CREATE INDEX claim_task ON claim (task_id, token);
  }
  note_history $db
}

proc ::ledger::note_history {db} {
  $db eval {
    DROP TABLE IF EXISTS temp.started;
    CREATE TEMP TABLE started AS
    SELECT
      task_id, actor, id AS event_id, row_number() OVER tasks AS token,
      lead(id, 1, 9223372036854775807) OVER tasks AS next_event_id
    FROM main.tm_event
    WHERE to_state = 'running'
    WINDOW tasks AS (PARTITION BY task_id ORDER BY id);
    CREATE INDEX temp.started_task ON started (task_id, token);
    CREATE INDEX IF NOT EXISTS main.task_payload ON tm_task (payload);
    CREATE INDEX IF NOT EXISTS main.event_task ON tm_event (task_id);
    CREATE INDEX IF NOT EXISTS main.effect_task ON effect (task_id);
  }
}

proc ::ledger::load_file {db life worker path} {
  set text [read_file $path]
  # What was cut off by the death of its writer is no line; it was never acted on either.
  set text [string range $text 0 [string last \n $text]]
  set said lost
  foreach line [split [string trimright $text \n] \n] {
    set words [lassign [split $line] kind seq us ms]
    switch -- $kind {
      I {
        lassign $words verb a b c
        set began_us $us
        $db eval {
          INSERT INTO op (life, seq, verb, a, b, c, began_us, began_ms, outcome)
          VALUES ($life, CAST($seq AS INTEGER), $verb, $a, CAST($b AS INTEGER), $c,
            CAST($us AS INTEGER), CAST($ms AS INTEGER), 'lost')
        }
        note_intent $db $life $seq $verb $a $b
      }
      A {
        end $db $life $seq $us $ms done $words
        note_answer $db $life $worker $seq $verb $a $words $began_us $us $ms
      }
      E { end $db $life $seq $us $ms refused $words }
    }
  }
}

proc ::ledger::end {db life seq us ms outcome words} {
  set said [join $words]
  $db eval {
    UPDATE op
    SET ended_us = CAST($us AS INTEGER), ended_ms = CAST($ms AS INTEGER), outcome = $outcome, said = $said
    WHERE life = $life AND seq = $seq
  }
}

proc ::ledger::note_intent {db life seq verb key count} {
  set keys {}
  switch -- $verb {
    enqueue - inbox { set keys [list $key] }
    batch { for {set i 0} {$i < $count} {incr i} { lappend keys $key.$i } }
  }
  set is_kept [expr {$verb in {inbox batch}}]
  foreach key $keys {
    $db eval {INSERT INTO intent VALUES ($life, $seq, $key, CAST($is_kept AS INTEGER))}
  }
}

proc ::ledger::note_answer {db life worker seq verb a words began_us us ms} {
  switch -- $verb {
    enqueue { $db eval {INSERT INTO born VALUES ($life, $seq, CAST($words AS INTEGER), $a)} }
    inbox { $db eval {INSERT INTO born VALUES ($life, $seq, NULL, $a)} }
    batch {
      set i -1
      foreach id $words {
        set key $a.[incr i]
        $db eval {INSERT INTO born VALUES ($life, $seq, CAST($id AS INTEGER), $key)}
      }
    }
    cancel - retry {
      lassign $words state event
      $db eval {
        INSERT INTO stood VALUES ($life, $seq, $verb, CAST($a AS INTEGER), $state, CAST($event AS INTEGER))
      }
    }
    claim {
      foreach {id token until} $words {
        $db eval {
          INSERT INTO claim VALUES ($life, $worker, CAST($id AS INTEGER), CAST($token AS INTEGER),
            CAST($until AS INTEGER), CAST($began_us AS INTEGER), CAST($us AS INTEGER), CAST($ms AS INTEGER))
        }
      }
    }
  }
}

# Which rules of a file were broken, as {name rows name rows …}; at most three rows of each.
proc ::ledger::broken {db path kind {only *}} {
  set all {}
  foreach {name text} [::named::queries $path $kind] {
    if {![string match $only $name]} continue
    set rows {}
    if {[catch {
      $db eval $text row {
        if {[llength $rows] < 3} { lappend rows $row([lindex $row(*) 0]) }
      }
    } message]} { set rows [list $message] }
    if {$rows ne {}} { dict set all $name $rows }
  }
  return $all
}
