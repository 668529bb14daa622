#!/bin/sh
# What the sqlite3 shell does by itself; ../README.md says what the lines mean.
db() { sqlite3 -batch -init /dev/null -cmd '.load ./tm' probe.db "$@" 2>&1; }
count() { db "SELECT count(*) FROM tm_task WHERE queue = '$1'"; }
kept() { [ "$(count "$1")" -gt 0 ] && echo "$1 kept" || echo "$1 gone"; }

db 'SELECT tm_init()' >/dev/null
echo "number $(db -cmd '.parameter set ?1 3' 'SELECT typeof(?1)')"
db "SELECT tm_enqueue('select', 1)" >/dev/null
echo "parameter $(db -cmd '.parameter set ?1 1+2' 'SELECT ?1')"
echo "runs $(count select)"
kept select
db "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"
kept command
