# calls.tcl - what faults are injected into: each call in its context, with what it starts from.
# Owns:    the list of subjects, and the databases that they start from.
# Promise: every verb in every context of the atomicity matrix, and each reading call; `missing`
#          names the functions and tables of the extension that no subject calls.
# Why:     one list of verbs and contexts: a verb that enters the matrix is under faults as well.
#
# A subject is a dict: name, base (a database of ::calls::folder), fire (its trigger, if it has
# one), begin, statement, end, is_direct (the statement is to be run before anything else is
# loaded: it is the load itself), is_timeless (it leaves the time of this machine), and changes (undisturbed, it
# changes something).

namespace eval ::calls {
  variable folder {}
  variable subjects {}
  variable bodies {}   ;# of the matrix's tests, until their databases are there
  variable name {}     ;# of the one that is being asked for its context
  variable fires {}    ;# name of a subject to the SQL of its trigger
}

# ---- what the files of the matrix see ------------------------------------------------------------

# They call these of the test harness, and nothing else of it.
namespace eval ::harness {
  variable scratch {}
  variable file {}
}
proc ::harness::test {args} {
  lassign [lrange $args end-3 end] name - body
  lappend ::calls::bodies $name $body
}
proc ::harness::load_extension {connection} { ::calls::extend $connection }

# The form of the extension that this process tests: the static one is there already.
proc ::calls::extend {connection} {
  global so
  if {$so eq {}} return
  sqlite3_enable_load_extension $connection 1
  $connection eval {SELECT load_extension($so)}
  sqlite3_enable_load_extension $connection 0
}

proc ::calls::read_matrix {} {
  global root
  variable subjects
  variable name
  variable bodies {}
  set bases {}
  foreach path [lsort [glob $root/tests/atomic/matrix-*.test]] {
    namespace eval ::calls::file {namespace path ::harness}
    namespace eval ::calls::file [list source $path]
    namespace delete ::calls::file
    # Each file reads matrix.tcl anew, which forgets what the others start from.
    set bases [dict merge $bases $::matrix::bases]
  }
  set ::matrix::bases $bases
  # Both journals are tried for each subject: the file that is about the journal is left out.
  set ::matrix::journal wal
  proc ::matrix::run {base context} {
    variable fire
    ::calls::note $base $fire {*}$context
  }
  ::matrix::make_databases
  foreach {test body} $bodies {
    regsub {^matrix-} $test {} name
    if {[string match journal_* $name]} continue
    eval $body
  }
}

proc ::calls::note {base fire begin statement end} {
  variable subjects
  variable name
  lappend subjects [dict create name $name base $base fire $fire begin $begin statement $statement end $end is_direct 0 \
    is_timeless $::matrix::is_timeless changes 1]
}

# ---- calls that read ----------------------------------------------------------------------------

# {name base statement ...}: the tables, the functions that return a value, and the start.
proc ::calls::looks {} {
  return {
    init             bare   {SELECT tm_init()}
    init_again       tasks  {SELECT tm_init()}
    init_command     bare   {INSERT INTO tm_command (verb) VALUES ('init')}
    version          tasks  {SELECT tm_version(), tm_now(), tm_was_duplicate()}
    get              tasks  {SELECT tm_get(7), tm_get(11)}
    inputs           chained {SELECT tm_inputs(3)}
    cron_next        tasks  {SELECT tm_cron_next('5,35 4 * * 1-5', 1700000000000, 'Europe/Berlin')}
    wait             tasks  {SELECT tm_wait('two', 0)}
    wait_none        tasks  {SELECT tm_wait('nothing', 1)}
    doctor           broken {SELECT count(*) FROM tm_doctor}
    doctor_sound     tasks  {SELECT * FROM tm_doctor}
    stats            tasks  {SELECT * FROM tm_stats}
    select           tasks  {SELECT * FROM tm_select('{"queue":"work","state":["running","completed"]}')}
    select_ids       tasks  {SELECT id FROM tm_select('{"ids":[1,2,3,7,11]}')}
    select_paths     tasks  {SELECT id FROM tm_select('{"payload":{"$.a":1,"$.\u0062":"x"},"error_like":"a\u0041%","tags":["a","b"],"created_before_ms":1900000000000}')}
    select_states    tasks  {SELECT id FROM tm_select('{"queue":["work","two"],"state":["available","runn\u0069ng"]}')}
    explain          chained {SELECT * FROM tm_explain(3)}
    explain_limits   limited {SELECT * FROM tm_explain(3)}
    graph            chained {SELECT * FROM tm_graph(3)}
    graph_ranks      grouped {SELECT * FROM tm_graph(7)}
    history          tasks  {SELECT * FROM tm_history(14)}
    cron             tasks  {SELECT * FROM tm_cron('@hourly', 1700000000000, 3, 'UTC')}
    help             tasks  {SELECT * FROM tm_help}
    tables           tasks  {SELECT * FROM tm_task JOIN tm_event ON tm_event.task_id = tm_task.id JOIN tm_queue ON tm_queue.name = tm_task.queue}
    keeper           tasks  {SELECT count(*) FROM tm_keeper}
  }
}

# {name base message statement ...}: what the rules refuse, and the words of it, a glob pattern.
proc ::calls::refusals {} {
  return {
    state       tasks {*is completed, and must be one of: *\[wrong_state\]} {SELECT tm_hold(id) FROM tm_task WHERE state = 'completed' LIMIT 1}
    task        tasks {*\[no_such_task\]} {SELECT tm_cancel(99999)}
    lease       tasks {*\[lease_lost\]} {SELECT tm_heartbeat(id, token + 1) FROM tm_task WHERE state = 'running' LIMIT 1}
    queue       tasks {*did you mean *\[no_such_queue\]} {SELECT tm_pause('wokr')}
    option      tasks {*did you mean 'delay'*\[unknown_option\]} {SELECT tm_enqueue('work', 1, '{"dealy":"5s"}')}
    duration    tasks {*\[bad_argument\]} {SELECT tm_enqueue('work', 1, '{"delay":"5\u0020seconds"}')}
    json        tasks {*\[bad_json\]} {SELECT tm_enqueue('work', 1, '{"delay"}')}
    ids         tasks {*\[bad_argument\]} {SELECT tm_cancel_where('{"ids":[3,1,"x"]}')}
    path        tasks {*has the path*\[bad_argument\]} {SELECT tm_cancel_where('{"payload":{"$.user":5,"user\u0041":6}}')}
    tags        tasks {*\[bad_argument\]} {SELECT * FROM tm_select('{"state":["runn\u0069ng","x\u0041"]}')}
    spec        tasks {*\[bad_argument\]} {SELECT tm_schedule('nightly', '5 4 * * funday', 'work', 1)}
    zone        tasks {*\[bad_argument\]} {SELECT tm_cron_next('@daily', 0, 'Europe/Berln')}
    check       tasks {*no check 'clok'*\[bad_argument\]} {SELECT tm_repair('clok')}
    schedule    tasks {*\[no_such_schedule\]} {SELECT tm_unschedule('nightyl')}
    group       tasks {*\[no_such_group\]} {SELECT tm_seal('nobodys')}
    cycle       chained {*\[cycle\]} {SELECT tm_depend(3, 3)}
    keys        keyed {*\[not_unique\]} {SELECT tm_enqueue('two', 2, '{"unique":{"key":"one","on_conflict":"error"}}')}
    verb        tasks {*did you mean*\[bad_argument\]} {INSERT INTO tm_command (verb, arg1) VALUES ('enqueeu', 'work')}
    count       tasks {*\[*\]} {SELECT * FROM tm_claim('work', 'w', 'x')}
  }
}

# Where all is well the answer is the refusal: what comes of it is what was there.
proc ::calls::add_refusals {} {
  variable subjects
  foreach {name base message statement} [refusals] {
    lappend subjects [dict create name refuse-$name base $base fire {} begin "BEGIN; INSERT INTO mine VALUES (1)" \
      statement $statement end COMMIT is_direct 0 is_timeless 0 changes 0 refusal $message]
  }
}

proc ::calls::add_looks {} {
  variable subjects
  foreach {name base statement} [looks] {
    lappend subjects [dict create name look-$name base $base fire {} begin {} statement $statement end {} is_direct 0 is_timeless 0 \
      changes [expr {$name in {init init_command}}]]
    # Where something is made, or waited for, no transaction may be open.
    if {$name ni {init init_again init_command wait wait_none}} {
      lappend subjects [dict create name look-$name.begin base $base fire {} begin "BEGIN; INSERT INTO mine VALUES (1)" \
        statement $statement end COMMIT is_direct 0 is_timeless 0 changes 0]
    }
  }
  foreach base {tasks bare} {
    lappend subjects [dict create name load-$base base $base fire {} begin {} statement LOAD end {} is_direct 1 is_timeless 0 changes 0]
  }
  # Going down by all versions, and up again, is not in the matrix: it takes long there.
  foreach {name statement} {all_down {SELECT tm_migrate(0)} down_some {SELECT tm_migrate(9)}} {
    lappend subjects [dict create name migrate_$name.select base tasks fire {} begin {} statement $statement end {} is_direct 0 is_timeless 0 changes 1]
  }
}

# Inside a transaction tm_init cannot change the journal to WAL, and is refused; as a command it leaves the journal.
proc ::calls::in_journal {subject journal} {
  set name [dict get $subject name]
  if {$journal eq "wal" || ![string match init.* $name] || $name eq "init.select" || [string match *command* $name]} { return $subject }
  dict merge $subject {changes 0 refusal {*call it before BEGIN \[in_transaction\]}}
}

# Functions and virtual tables that the SQL of none of the subjects names; the application does not call
# tm_keeper's own.
proc ::calls::missing {connection subjects} {
  set texts {}
  foreach subject $subjects { append texts [dict get $subject fire] [dict get $subject statement] \n }
  set missing {}
  foreach name [$connection eval {
    SELECT name FROM pragma_function_list WHERE name LIKE 'tm!_%' ESCAPE '!'
    UNION SELECT name FROM pragma_module_list WHERE name LIKE 'tm!_%' ESCAPE '!'
  }] {
    if {![regexp "\\m${name}\\M" $texts]} { lappend missing $name }
  }
  return $missing
}

# Make the databases below the folder, and the list of subjects.
proc ::calls::prepare {at} {
  global root
  variable folder $at/matrix
  set ::harness::scratch $at
  set ::harness::file $at/test.db
  source $root/tests/atomic/matrix.tcl
  variable subjects
  read_matrix
  add_looks
  add_refusals
  set names [lmap subject $subjects { dict get $subject name }]
  if {[llength [lsort -unique $names]] != [llength $names]} { error "two calls have one name" }
}
