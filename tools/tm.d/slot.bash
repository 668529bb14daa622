# shellcheck shell=bash disable=SC2034,SC2154
# slot.bash - one of the slots of `tm work`: it claims, runs the command, and says how that ended.
#
#   slot ---- sqlite3                     one connection, kept open; its name is :worker
#    |  \---- guard                       sees that the slot died, and ends the command then
#    \------- wrapper ---- command        the command leads a session of its own
#
# Promise: the lease is renewed as long as the command runs; the command ends when its task was
#          cancelled, timed out, or belongs to somebody else; nothing is left running.
# Why:     the wrapper waits for the command, so that the slot can wait for that and for the time;
#          the guard is there because nobody can catch a kill -9.

# slot NUMBER TURN: the process of a slot. TURN counts how often it was started.
slot() {
  number=$1
  main_folder=$folder
  folder=$folder/slot.$1.$2
  phase=starting stop=0 stop_ms=0 turn=0 private_fds=()
  trap slot_stop TERM HUP
  trap 'stop=2; slot_stop' USR1
  exec {orphaned}<"$main_folder/life" {life}>&-
  { mkdir "$folder" && mkfifo "$folder/guard" "$folder/status"; } || slot_refused 'the temporary folder is full'
  exec {guarded}<>"$folder/guard" {status}<>"$folder/status"
  set -m
  guard &
  set +m
  private_fds=("$orphaned" "$guarded" "$status")
  param[worker]=$ours/$number
  param[ours]=$ours/
  connect || slot_refused "$said"
  request "$(<"$parts/work.sql")" || slot_refused "$said"
  [ "$2" -eq 1 ] || request 'SELECT tm_reconcile(:worker);' || slot_refused "$said"
  while :; do slot_turn; done
}

# One task, or a while of waiting for one.
slot_turn() {
  [ "$stop" -eq 0 ] || slot_end stopped
  ! is_orphaned || slot_end stopped
  if ! slot_claim; then
    [ -z "${opt[once]-}" ] || slot_end nothing
    slot_wait
    return
  fi
  if [ "$stop" -gt 0 ]; then
    finish 'SELECT tm_release(id, token) FROM temp.job;'
    slot_end stopped
  fi
  task_run
  [ -z "${opt[once]-}" ] || slot_end 'done'
}

# A signal came. While the slot waits there is nothing to finish: the wait ends with its sqlite3, and slot_wait sees
# to the rest, since an alarm of `read -t` may end a handler half way.
slot_stop() {
  [ "$stop" -gt 0 ] || stop=1
  [ "$stop_ms" -gt 0 ] || { now && stop_ms=$now_ms; }
  [ "$phase" != waiting ] || kill -KILL "$sqlite_pid" 2>/dev/null
}

# The main process was killed: nobody would start this slot again.
is_orphaned() { read -r -t 0 -u "$orphaned"; }

slot_refused() {
  printf 'tm work: %s\n' "${1//[[:cntrl:]]/ }" >&2
  slot_end refused
}

# slot_end WHY: the last words, for the main process and for the guard.
slot_end() {
  trap '' TERM HUP USR1
  [ "$phase" != waiting ] || kill -KILL "$sqlite_pid" 2>/dev/null
  disconnect
  if is_orphaned; then forget_all; else printf '%s\n' "$1" >"$main_folder/end.$number"; fi
  rm -rf -- "$folder"
  printf 'done\n' >&"$guarded"
  exit 0
}

# The folder of a main process that cannot remove it any more; the last slot finds it empty.
forget_all() {
  rm -rf -- "$folder" "${main_folder:?}/tm-bin" "$main_folder/life" "$main_folder/said" "$main_folder/answer"
  rmdir -- "$main_folder" 2>/dev/null
}

# guard: a process that outlives the slot by a second or two where that dies without a word.
guard() {
  local line pid signal
  trap '' TERM INT HUP
  exec <"$folder/guard"
  exec {guarded}>&- {status}>&-
  if IFS= read -r line; then exit 0; fi
  for signal in TERM KILL; do
    if [ -s "$folder/pid" ]; then
      IFS= read -r pid <"$folder/pid"
      kill -s "$signal" -- "-$pid" 2>/dev/null
    fi
    sleep 1
  done
  rm -rf -- "$folder"
  ! is_orphaned || forget_all
  exit 0
}

# now: sets `now_ms`.
now() {
  now_ms=${EPOCHREALTIME//[!0-9]/}
  now_ms=${now_ms%???}
}

# ---- to claim and to wait ------------------------------------------------------------------------

# Sets id, token, attempt, lease_ms, due_ms (from now), queue, kind; the payload lies in the folder. Status 1 where
# there is nothing to claim. A database that is locked is no reason to say so.
slot_claim() {
  local row words
  phase=claiming
  until request "$claim"; do
    [ "$said" != 'sqlite3 has ended' ] || exit 1 # a crash: the main process starts another slot
    if [[ $said != 'database is locked'* ]]; then
      words=$said
      request 'SELECT tm_release(id, token) FROM temp.job;' # where it was claimed before that
      slot_refused "$words"
    fi
    request 'ROLLBACK;' # a COMMIT that readers stop leaves the transaction open, and the task claimed
    log 'the database is locked by another process'
    pause_for 1
    { [ "$stop" -eq 0 ] && ! is_orphaned; } || slot_end stopped
  done
  [ "${#reply[@]}" -eq 1 ] || return 1
  row=${reply[0]//$'\t'/,}
  IFS=, read -r id token attempt lease_ms due_ms queue kind _ <<<"$row"
  unhex queue "$queue"
  unhex kind "$kind"
}

claim="DELETE FROM temp.job;
BEGIN IMMEDIATE;
INSERT INTO temp.job (id, token, attempt, lease_ms, queue, kind, payload)
SELECT id, token, attempt, lease_until_ms - tm_now(), queue, kind, payload FROM tm_claim(:queues, :worker, 1, :lease);
COMMIT;
SELECT id, token, attempt, lease_ms,
  coalesce((SELECT due_ms - tm_now() FROM tm_flow WHERE task_id = id), 1000),
  hex(queue), hex(kind), writefile(:folder || '/payload', payload)
FROM temp.job;"

# unhex VARIABLE DIGITS: no variable holds a NUL, those are left out.
unhex() {
  local i text=
  for ((i = 0; i < ${#2}; i += 2)); do
    [ "${2:i:2}" = 00 ] || text+=\\x${2:i:2}
  done
  printf -v "$1" %b "$text"
}

# pause_for SECONDS: without a process.
pause_for() { read -r -t "$1" -u "$status" _; }

# Until something may be claimable. Each second of it somebody looks whether the main process is there.
slot_wait() {
  if [ -n "${opt[drain]-}" ]; then
    request "$ours_run" || slot_crash
    [ "${reply[0]}" = 1 ] || slot_end 'done'
    pause_for 0.1
  fi
  # Kept young, for those who clean the folder of temporary files.
  : >"$folder/said"
  phase=waiting
  [ "$stop" -eq 0 ] || slot_end stopped
  each_second=slot_look_around
  request "SELECT tm_wait(:queues, iif(:drain, '100ms', '10s'));" || {
    [ "$?" -eq 2 ] || slot_refused "$said"
    [ "$stop" -eq 0 ] || slot_end stopped
    exit 1
  }
  each_second=
  phase=claiming
}

ours_run='SELECT EXISTS (
  SELECT 1 FROM json_each(:queues) AS q JOIN tm_task AS t ON t.queue = q.value AND t.phase = 2
  WHERE substr(t.worker, 1, length(:ours)) = :ours
);'

slot_look_around() { ! is_orphaned || slot_end stopped; }

slot_crash() {
  log "$said"
  exit 1
}

# ---- a task --------------------------------------------------------------------------------------

task_run() {
  phase=running ended='' code='' term_ms=0
  now
  started_ms=$now_ms
  look_ms=$((now_ms + 1000))
  [ "$due_ms" -ge 1000 ] || look_ms=$((now_ms + (due_ms < 0 ? 0 : due_ms) + 5))
  beat_ms=$((now_ms + lease_ms / 3))
  task_start
  while [ -z "$code" ]; do
    task_listen
    [ -z "$code" ] || break
    now
    task_look
    [ -z "$ended" ] || task_kill
  done
  [ -z "$ended" ] || task_kill_rest
  rm -f "$folder/pid"
  task_end
}

task_start() {
  turn=$((turn + 1)) heard=
  : >"$folder/out"
  : >"$folder/err"
  # A group of its own for the wrapper, so that no signal is ignored in it; the command is not its
  # leader, so that it may begin a session.
  set -m
  {
    set +m
    trap '' TERM HUP
    (
      trap - TERM HUP PIPE USR1
      printf '%s\n' "$BASHPID" >"$folder/pid"
      export TM_ID=$id TM_QUEUE=$queue TM_KIND=$kind TM_ATTEMPT=$attempt TM_TOKEN=$token TM_DB=$database
      if [ -n "${param[lease]-}" ]; then export TM_LEASE=${param[lease]}; else unset TM_LEASE; fi
      PATH=$command_path
      exec {to_sqlite}>&- {from_sqlite}>&- {orphaned}>&- {guarded}>&- {status}>&-
      exec setsid -- "${rest[@]}" <"$folder/payload" >>"$folder/out" 2>>"$folder/err"
    )
    printf '%s %s\n' "$turn" "$?" >&"$status"
  } {to_sqlite}>&- {from_sqlite}>&- {guarded}>&- 2>/dev/null &
  wrapper=$!
  set +m
}

# A second goes by, less when something is due, or the command ends: sets `code`.
task_listen() {
  local wait_ms
  now
  wait_ms=$((look_ms < beat_ms ? look_ms - now_ms : beat_ms - now_ms))
  [ -z "$ended" ] || wait_ms=100
  [ "$timeout_ms" -eq 0 ] || [ $((started_ms + timeout_ms - now_ms)) -gt "$wait_ms" ] ||
    wait_ms=$((started_ms + timeout_ms - now_ms))
  [ "$wait_ms" -gt 10 ] || wait_ms=10
  printf -v wait_ms '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000))
  if ! task_words "$wait_ms" && ! kill -0 "$wrapper" 2>/dev/null && ! task_words 1; then
    # Nobody waits for the command any more.
    code=255
    ended=${ended:-the process that waited for the command was killed}
  fi
}

# task_words SECONDS: the wrapper's last words, TURN and status, where it says them by then. The time may be over in
# the middle of them: what has come is kept.
task_words() {
  local line
  if IFS= read -r -t "$1" -u "$status" line; then
    line=$heard$line heard=
    [ "${line% *}" = "$turn" ] || return 1
    code=${line#* }
  else
    heard+=$line
    return 1
  fi
}

# What may end it: sets `ended`.
task_look() {
  if [ -n "$ended" ]; then
    :
  elif is_orphaned || [ "$stop" -eq 2 ] || { [ "$stop" -eq 1 ] && [ "$now_ms" -ge $((stop_ms + grace_ms)) ]; }; then
    ended=stopped
  elif [ "$timeout_ms" -gt 0 ] && [ "$now_ms" -ge $((started_ms + timeout_ms)) ]; then
    ended="timed out after ${opt[timeout]}"
  fi
  [ "$ended" != lost ] || return 0
  if [ "$now_ms" -ge "$beat_ms" ]; then
    # Why it is cancelling, the look says.
    request "$beat" && { [ "${reply[0]-}" != cancelling ] || request "$look"; }
    task_heed $?
    now
    beat_ms=$((now_ms + lease_ms / 3))
  elif [ "$now_ms" -ge "$look_ms" ]; then
    request "$look"
    task_heed $?
    task_trim
    now
    look_ms=$((now_ms + 1000))
  fi
}

beat="SELECT tm_heartbeat(id, token, iif(:lease IS NULL, NULL, json_object('lease', :lease))) FROM temp.job;"
# The database knows when a task has run too long; somebody has to ask it.
look="SELECT coalesce((
  SELECT CASE WHEN f.due_ms <= tm_now() THEN 'due' WHEN t.state = 'cancelling' THEN coalesce(f.stopping, t.state) ELSE t.state END
  FROM temp.job AS j JOIN tm_task AS t ON t.id = j.id AND t.token = j.token LEFT JOIN tm_flow AS f ON f.task_id = t.id
), 'gone');"

# task_heed STATUS: what the database said of the task.
task_heed() {
  case $1 in
    2) task_alone ;;
    1)
      case $said in
        *'[lease_lost]' | *'[no_such_task]' | *'[wrong_state]') ended=lost ;;
        *) log "task $id: $said" ;;
      esac
      return
      ;;
  esac
  case ${reply[0]-} in
    running) ;;
    cancelling) [ -n "$ended" ] || ended=cancelled ;;
    timeout) [ -n "$ended" ] || ended='timed out' ;;
    deadline) [ -n "$ended" ] || ended='its deadline is over' ;;
    due)
      request 'SELECT tm_tick();' || return
      request "$look" && [ "${reply[0]}" != due ] && task_heed 0
      ;;
    *) ended=lost ;;
  esac
}

# Without a connection the task cannot be finished: the command ends, and the slot that comes next takes it
# back.
task_alone() {
  log "$said"
  ended=lost
  while kill -0 "$wrapper" 2>/dev/null; do
    now
    task_kill
    pause_for 0.1
  done
  exit 1
}

# Output that nobody will store fills no disk: of the one the beginning stays, of the other the end.
# Both files are written at their end, wherever that is.
task_trim() {
  if [ "$(wc -c <"$folder/out")" -gt $((param[limit] + 1048576)) ]; then
    truncate -s $((param[limit] + 1)) "$folder/out"
  fi
  if [ "$(wc -c <"$folder/err")" -gt 1048576 ]; then
    tail -c 8192 "$folder/err" >"$folder/err.end"
    : >"$folder/err"
    cat "$folder/err.end" >>"$folder/err"
  fi
}

# TERM, and KILL when the grace is over; now_ms is now.
task_kill() {
  local pid signal=
  if [ "$term_ms" -eq 0 ]; then
    term_ms=$now_ms signal=TERM
  elif [ "$now_ms" -ge $((term_ms + grace_ms)) ]; then
    signal=KILL
  fi
  [ -n "$signal" ] && [ -s "$folder/pid" ] || return 0
  IFS= read -r pid <"$folder/pid"
  kill -s "$signal" -- "-$pid" 2>/dev/null || kill -s "$signal" "$pid" 2>/dev/null
}

# The command has ended; what it had started may not have.
task_kill_rest() {
  local pid=
  [ ! -s "$folder/pid" ] || IFS= read -r pid <"$folder/pid"
  [ -n "$pid" ] || return 0
  [ "$term_ms" -gt 0 ] || { now && task_kill; }
  while kill -0 -- "-$pid" 2>/dev/null; do
    now
    task_kill
    [ "$now_ms" -lt $((term_ms + grace_ms + 1000)) ] || break
    pause_for 0.1
  done
}
