# shellcheck shell=bash disable=SC2034,SC2154
# work.bash - a worker without code: `tm work` runs a command for each task, see slot.bash for how.
# Owns:    the slots, as many as may run at once, each a process with a connection of its own; signals.
# Promise: a slot that crashes is started again, and takes back what it had; when all of this dies at
#          once, the next worker of this machine takes back what it finds leased to the dead.
# Why:     a worker's name is HOST:PID-START/SLOT, START being when the process began, so that a
#          number that was given out again is not taken for the one that died.

tm_work() {
  local slot lease_ms
  parse 'c|concurrency= lease= timeout= snooze= grace= name= result-limit= once drain --' "$@"
  work_words
  milliseconds lease 0 && lease_ms=$ms
  [ -z "${opt[lease]+x}" ] || [ "$lease_ms" -ge 100 ] || usage "--lease '${opt[lease]}' is less than 100ms"
  milliseconds timeout 0 && timeout_ms=$ms
  milliseconds grace 5s && grace_ms=$ms
  milliseconds snooze 1m && param[snooze]=${ms}ms
  count_of result-limit 1048576 && param[limit]=$count
  param[drain]=${opt[drain]-0}
  count_of concurrency 1
  { [ "$count" -ge 1 ] && [ "$count" -le 100 ]; } || usage "--concurrency $count is outside 1..100"
  find_database
  make_folder
  [ "$lease_ms" -eq 0 ] || param[lease]=${lease_ms}ms
  host=${opt[name]-${HOSTNAME:-$(uname -n)}}
  { [ -n "$host" ] && [ "${#host}" -le 60 ]; } || usage '--name wants 1 to 60 characters'
  ours=$host:$$-$(began $$)
  bring_back_the_dead
  find_path
  give_list queues "${words[0]}"
  work_all "$count"
}

# The database may come first, the command comes after --.
work_words() {
  want 1 2 'a queue'
  if [ "${#words[@]}" -eq 2 ]; then
    database=${words[0]}
    words=("${words[1]}")
  fi
  [ -n "${words[0]}" ] || usage 'a queue is wanted, and this one has no name'
  [ "${#rest[@]}" -gt 0 ] || usage "a command is wanted after --, see 'tm help work'"
  type -P -- "${rest[0]}" >/dev/null || fail "there is no command '${rest[0]}'"
  command -v setsid >/dev/null || fail 'setsid is missing: apt-get install util-linux'
  [ -z "${opt[once]-}" ] || [ -z "${opt[drain]-}" ] || usage '--once or --drain, not both'
}

# The commands find this very tm by its name, for tm progress.
find_path() {
  command_path=$PATH
  [ "$(readlink -f -- "$(type -P tm)")" != "$here/tm" ] || return 0
  { mkdir "$folder/tm-bin" && ln -s "$here/tm" "$folder/tm-bin/tm"; } || fail 'the temporary folder is full'
  command_path=$folder/tm-bin:$PATH
}

# began PID: when a process began, in whatever the system counts; fails where there is none, or only what
# nobody has asked for its status.
began() {
  local stat fields
  if [ -d /proc/self ]; then
    { IFS= read -r stat </proc/"$1"/stat; } 2>/dev/null || return 1
    read -r -a fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] && printf '%s\n' "${fields[19]}"
  else
    stat=$(ps -o lstart= -p "$1") && [ -n "$stat" ] && printf '%s\n' "${stat//[!0-9]/}"
  fi
}

# What workers of this machine held when they died goes back to its queue.
bring_back_the_dead() {
  local worker dead=()
  param[host]=$host:
  ask <<'SQL'
SELECT DISTINCT t.worker
FROM tm_task AS t INDEXED BY tm_task_live
WHERE t.queue IN (SELECT name FROM tm_queue) AND t.phase = 2 AND substr(t.worker, 1, length(:host)) = :host
  AND substr(t.worker, length(:host) + 1) NOT GLOB '*[^0-9/-]*' LIMIT 10000;
SQL
  while IFS= read -r worker; do
    [[ ${worker#"$host:"} =~ ^([0-9]+)-([0-9]+)/[0-9]+$ ]] || continue
    [ "$(began "${BASH_REMATCH[1]}")" != "${BASH_REMATCH[2]}" ] || continue
    give dead list "$worker"
  done <<<"$answer"
  [ "${#given[@]}" -gt 0 ] || return 0
  ask <<'SQL'
BEGIN IMMEDIATE;
SELECT sum(tm_reconcile(value) ->> '$.rescued') FROM json_each((SELECT json FROM temp.object), '$.dead');
COMMIT;
SQL
  [ "$answer" = 0 ] || log "took back $answer tasks of workers that are gone"
  given=()
}

# log TEXT: a line of what is going on, on standard error.
log() {
  [ "$is_quiet" -eq 1 ] || printf 'tm work: %s\n' "${1//[[:cntrl:]]/ }" >&2
}

# ---- the slots -----------------------------------------------------------------------------------

work_all() {
  local n
  [ -z "${opt[once]-}" ] || set -- 1
  mkfifo "$folder/life" || fail 'the temporary folder takes no named pipe'
  # Its other ends are with the slots: they see that this process is gone.
  exec {life}<>"$folder/life"
  slot_pids=() slot_starts=() is_stopping=0 is_refused=0
  trap work_stop TERM INT HUP
  for ((n = 1; n <= $1; n++)); do slot_start "$n"; done
  while [ "${#slot_pids[@]}" -gt 0 ]; do
    wait -n 2>/dev/null
    for n in "${!slot_pids[@]}"; do
      kill -0 "${slot_pids[n]}" 2>/dev/null || slot_ended "$n"
    done
  done
  [ "$is_refused" -eq 0 ] || exit 1
  if [ -n "${opt[once]-}" ] && [ "$is_stopping" -eq 0 ] && [ "$why" = nothing ]; then exit 3; fi
}

slot_start() {
  slot_starts[$1]=$((${slot_starts[$1]:-0} + 1))
  # A group of its own, so that a Ctrl-C of the terminal reaches this process alone.
  set -m
  slot "$1" "${slot_starts[$1]}" &
  slot_pids[$1]=$!
  set +m
}

# slot_ended N: as it said in its last words (stopped, done, nothing, refused), or without any.
slot_ended() {
  local n=$1 file
  unset "slot_pids[$n]"
  file=$folder/end.$n
  why=crashed
  [ ! -f "$file" ] || { why=$(<"$file") && rm -f "$file"; }
  case $why in
    refused)
      is_refused=1
      work_stop
      ;;
    crashed)
      [ "$is_stopping" -eq 0 ] || return 0
      log "slot $n has crashed, another one takes its place"
      if [ "${slot_starts[n]}" -ge 20 ]; then
        is_refused=1
        work_stop
        return
      fi
      # By then the guard has ended what the slot left behind.
      sleep 2 &
      wait "$!"
      [ "$is_stopping" -eq 1 ] || slot_start "$n"
      ;;
  esac
}

# The first time: claim no more. The second time: let nothing finish, either.
work_stop() {
  local signal=TERM
  [ "$is_stopping" -eq 0 ] || signal=USR1
  [ "$is_stopping" -eq 1 ] || log 'stopping'
  is_stopping=1
  [ "${#slot_pids[@]}" -eq 0 ] || kill -s "$signal" "${slot_pids[@]}" 2>/dev/null
}

# ---- progress ------------------------------------------------------------------------------------

# tm progress PART [NOTE], inside the command: says nothing, for its output is the task's result. Status 3
# when the task was asked to stop.
tm_progress() {
  local part
  parse '' "$@"
  want 1 2 'how much is done, 0 to 1'
  part=${words[0]}
  if [[ $part =~ ^([0-9]{1,2}|100)(\.[0-9]*)?%$ ]]; then
    printf -v part '%d.%02d' $((10#${BASH_REMATCH[1]} / 100)) $((10#${BASH_REMATCH[1]} % 100))
  fi
  [[ $part =~ ^(0?\.[0-9]+|0|1|1\.0*|0\.)$ ]] || usage "'${words[0]}' is not from 0 to 1"
  [[ ${TM_ID-} =~ ^[0-9]+$ && ${TM_TOKEN-} =~ ^[0-9]+$ ]] || fail 'this is no command of tm work: TM_ID and TM_TOKEN are not set'
  find_database
  param[id]=$TM_ID
  param[token]=$TM_TOKEN
  param[part]=$part
  [ -z "${TM_LEASE-}" ] || give lease text "$TM_LEASE"
  [ "${#words[@]}" -eq 1 ] || give note text "${words[1]}"
  ask <<'SQL'
SELECT tm_heartbeat(CAST(:id AS INTEGER), CAST(:token AS INTEGER),
  json_set(coalesce((SELECT json FROM temp.object), '{}'), '$.progress', CAST(:part AS REAL)));
SQL
  [ "$answer" != cancelling ] || exit 3
}
