# What Tcl's sqlite3 does by itself; ../README.md says what the lines mean.
package require sqlite3
proc connect {name} {
  sqlite3 $name probe.db
  $name enable_load_extension 1
  $name eval {SELECT load_extension('./tm')}
}
proc fresh {name sql} {
  connect other
  other eval $sql
  other close
  set count [db onecolumn {SELECT count(*) FROM tm_task WHERE queue = $name}]
  if {$name eq "select"} { puts "runs $count" }
  puts "$name [expr {$count ? {kept} : {gone}}]"
}

connect db
db eval {SELECT tm_init()}
set three 3
puts "number [db onecolumn {SELECT typeof($three)}]"
set id [db onecolumn {SELECT tm_enqueue('q', 1)}]
puts "id [db onecolumn {SELECT typeof($id)}]"
fresh select {SELECT tm_enqueue('select', 1)}
fresh command {INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')}
connect other
db transaction {
  if {[catch {other eval {BEGIN IMMEDIATE}}]} { puts {begin immediate} } else { puts {begin deferred} }
  catch {other eval ROLLBACK}
}
db transaction immediate {
  if {[catch {other eval {BEGIN IMMEDIATE}}]} { puts {cure immediate} } else { puts {cure deferred} }
}
db eval {SELECT id FROM tm_task} row {
  if {[catch {db eval {SELECT tm_enqueue('open', 1)}} message]} { puts "open [lindex $message end]" } else { puts {open works} }
  break
}
