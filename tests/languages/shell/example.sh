#!/bin/sh
set -eu
db() { sqlite3 -batch -bail -separator ' ' -cmd '.timeout 20000' -cmd '.load ./tm' app.db "$@"; }

db 'SELECT tm_init();
  CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id));
  CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))' >/dev/null

order() { # one transaction: both rows or none
  db -cmd ".parameter set ?1 $1" "BEGIN IMMEDIATE;
    INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1)); COMMIT"
}
for total in 99.5 -1 20; do order "$total"; done
order NULL 2>/dev/null || true # NOT NULL fails: the task is rolled back with the invoice

send() { case $1 in -*) echo 'negative total' && return 1 ;; esac }

finish() { # its result and its end together
  db "BEGIN IMMEDIATE; INSERT INTO receipt VALUES ($3, $1); SELECT tm_complete($1, $2); COMMIT"
}

claim() { db "BEGIN IMMEDIATE; SELECT id, token, payload FROM tm_claim('mail', 'worker-1'); COMMIT"; }
while task=$(claim) && [ -n "$task" ]; do
  read -r id token total <<TASK
$task
TASK
  if ! error=$(send "$total" && finish "$id" "$token" "$total" 2>&1); then # the work, outside any transaction
    db "SELECT tm_fail($id, $token, '$(echo "$error" | sed "s/'/''/g")')" >/dev/null
  fi
done

states=$(db "SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)")
echo "$states"
[ "$states" = 'completed retryable completed' ]
