# shellcheck shell=bash disable=SC2034,SC2154
# top.bash - the live view: queues, what runs, what failed. Drawn over itself, on the terminal's other screen.
# Owns:    the terminal, from screen_enter to screen_leave: its settings and its cursor.
# Promise: however this ends - q, a signal, an error - the terminal is as it was. A frame that takes
#          long to ask for is asked for less often, so that looking costs a fifth of a core at most.
#          Nothing but escape sequences that every terminal since the VT220 knows.

tm_top() {
  local interval_ms
  parse 'i|interval=' "$@"
  want 0 0 nothing
  milliseconds interval 1s && interval_ms=$ms
  [ "$interval_ms" -ge 100 ] || usage "--interval '${opt[interval]}' is less than 100ms"
  find_database
  param[quits]=0
  ! top_is_live || param[quits]=1
  connect || refused
  request "$(<"$parts/top.sql")" || refused
  if [ "$is_json" -eq 1 ]; then
    top_json
  elif top_is_live; then
    is_over=0
    screen_enter
    top_loop
    screen_leave
  else
    lines=0 columns=0
    top_frame || refused
    printf '%s\n' "$frame"
  fi
  disconnect
}

top_is_live() { [ -t 1 ] && [ "$is_json" -eq 0 ] && { : </dev/tty; } 2>/dev/null; }

top_json() {
  request "$(<"$parts/top_frame.sql")" || refused
  request "SELECT json_object(
  'queues', (SELECT json_group_array(json_object('queue', queue, 'paused', paused, 'available', available,
      'running', running, 'later', later, 'oldest_ms', oldest_ms, 'completed_1m', completed_1m,
      'failed_1m', failed_1m)) FROM temp.queues),
  'running', (SELECT json_group_array(json_object('id', id, 'queue', queue, 'kind', kind, 'state', state,
      'attempt', attempt, 'worker', worker, 'ran_ms', ran_ms, 'lease_ms', lease_ms, 'progress', progress,
      'note', note)) FROM temp.running),
  'failures', (SELECT json_group_array(json_object('at_ms', at_ms, 'id', id, 'queue', queue,
      'attempt', attempt, 'state', to_state, 'error', error)) FROM temp.failures));" || refused
  printf '%s\n' "${reply[@]}"
}

# ---- the screen ----------------------------------------------------------------------------------

screen_enter() {
  terminal=$(stty -g </dev/tty) || fail 'the terminal has no settings'
  is_resized=1 is_stopped=0
  trap 'screen_leave; rm -rf -- "$folder"' EXIT
  # Flags for the loop, and nothing more: an alarm of `read -t` may end a handler half way.
  trap 'is_over=1' INT TERM HUP
  trap 'is_resized=1' WINCH
  trap 'is_stopped=1' TSTP
  stty -echo -icanon min 0 time 0 </dev/tty
  printf '\e[?1049h\e[?25l\e[?7l\e[H\e[2J'
}

screen_leave() {
  [ -n "${terminal-}" ] || return 0
  printf '\e[?7h\e[?25h\e[?1049l'
  stty "$terminal" </dev/tty 2>/dev/null
  terminal=
}

# Ctrl-Z: the shell gets the terminal as it was, and this one starts afresh when it goes on.
screen_stop() {
  screen_leave
  kill -s STOP "$BASHPID"
  screen_enter
}

# ---- the frames ----------------------------------------------------------------------------------

top_loop() {
  local key next_ms
  while [ "$is_over" -eq 0 ]; do
    if [ "$is_stopped" -eq 1 ]; then
      screen_stop
      continue
    fi
    if [ "$is_resized" -eq 1 ]; then
      is_resized=0
      measure
      printf '\e[2J'
    fi
    now && next_ms=$now_ms
    top_frame || { screen_leave && refused; }
    printf '\e[H%s\e[J' "$frame"
    now && next_ms=$((now_ms + ((now_ms - next_ms) * 4 > interval_ms ? (now_ms - next_ms) * 4 : interval_ms)))
    while [ "$is_over$is_resized$is_stopped" = 000 ] && [ "$now_ms" -lt "$next_ms" ]; do
      key=
      IFS= read -r -s -n 1 -t 0.2 key </dev/tty
      case $key in
        q | Q | $'\e') is_over=1 ;;
        ' ' | r) break ;;
      esac
      now
    done
  done
}

# top_frame: sets `frame`, which fits into `lines` and `columns` (0: as many as there are).
top_frame() {
  local head queues running failures
  request "$(<"$parts/top_frame.sql")" || return
  request "SELECT strftime('%H:%M:%S', tm_now() / 1000.0, 'unixepoch', 'localtime')
  || iif(:quits, '  (q ends)', '') || '  ' || coalesce(sum(running), 0) || ' running, '
  || coalesce(sum(available), 0) || ' available, ' || coalesce(sum(later), 0) || ' later; in the last minute ' || coalesce(sum(completed_1m), 0) || ' completed, '
  || coalesce(sum(failed_1m), 0) || ' failed'
FROM temp.queues;" || return
  head=${reply[0]}
  request "$top_queues" || return
  queues=("${reply[@]}")
  request "$top_running" || return
  running=("${reply[@]}")
  request "$top_failures" || return
  failures=("${reply[@]}")
  request 'COMMIT;' || return
  top_fit
  frame=$(
    # Ctrl-Z goes to these processes, too, and who waits for one that is stopped never stops itself.
    trap '' TSTP
    {
      printf '=\t%s  %s\n' "${database##*/}" "$head"
      [ "${#queues[@]}" -eq 0 ] || printf '%s\n' "$top_queues_head" "${queues[@]}"
      printf '=\trunning%s\n' "$more_running"
      [ "${#running[@]}" -eq 0 ] || printf '%s\n' "$top_running_head" "${running[@]}"
      printf '=\trecent failures%s\n' "$more_failures"
      [ "${#failures[@]}" -eq 0 ] || printf '%s\n' "$top_failures_head" "${failures[@]}"
    } | top_page
  )
}

top_page() {
  local colour=0 utf8=0 erase=0 rows=0
  if is_coloured 1 || { [ -n "${terminal-}" ] && is_coloured 2; }; then colour=1; fi
  if has_utf8; then utf8=1; fi
  [ -z "${terminal-}" ] || erase=1
  [ "$lines" -eq 0 ] || rows=$((lines - 1))
  LC_ALL=C awk -v colour="$colour" -v utf8="$utf8" -v columns="$columns" -v rows="$rows" -v erase="$erase" \
    -f "$parts/page.awk"
}

# top_fit: cuts the three lists so that each has its share of the lines, and none wastes what another needs.
top_fit() {
  local room=$((lines - 9)) q=${#queues[@]} r=${#running[@]} f=${#failures[@]}
  more_running=" ($r)" more_failures=
  [ "$r" -gt 0 ] || more_running=': nothing'
  [ "$f" -gt 0 ] || more_failures=': none'
  if [ "$lines" -eq 0 ]; then
    failures=("${failures[@]:0:10}")
    return
  fi
  [ "$room" -gt 3 ] || room=3
  share "$q" $((room / 3)) && q=$part
  share "$f" $((room / 4)) && f=$part
  share "$r" $((room - q - f)) && r=$part
  # What is left goes to the queues, then to the failures.
  share "${#queues[@]}" $((room - r - f)) && q=$part
  share "${#failures[@]}" $((room - r - q)) && f=$part
  queues=("${queues[@]:0:q}")
  running=("${running[@]:0:r}")
  failures=("${failures[@]:0:f}")
}

# share WANTED MOST: sets `part`, at least one where there is one.
share() {
  part=$1
  [ "$part" -le "$2" ] || part=$2
  [ "$part" -ge 1 ] || part=$((${1} > 0))
}

top_queues_head=$'h\tt:QUEUE\ts:\tn:AVAILABLE\tn:RUNNING\tn:LATER\tn:DONE 1M\tn:FAILED 1M\td:OLDEST'
top_queues="SELECT 'r', replace(replace(queue, char(9), ' '), char(10), ' '), iif(paused, 'paused', ''), available, running,
  later, completed_1m, failed_1m, oldest_ms FROM temp.queues;"

top_running_head=$'h\tn:ID\tt:QUEUE\tt:KIND\tn:ATTEMPT\td:RUNS\ta:LEASE\tp:PROGRESS\tt:NOTE\tt:WORKER'
top_running="SELECT 'r', id, replace(replace(queue, char(9), ' '), char(10), ' '),
  replace(replace(kind, char(9), ' '), char(10), ' '), attempt, ran_ms, lease_ms, progress,
  iif(state = 'cancelling', '[cancelling] ', '') || replace(replace(substr(coalesce(note, ''), 1, 80), char(9), ' '), char(10), ' '),
  replace(replace(worker, char(9), ' '), char(10), ' ') FROM temp.running;"

top_failures_head=$'h\ta:WHEN\tn:ID\tt:QUEUE\tn:ATTEMPT\ts:STATE\tt:ERROR'
top_failures="SELECT 'r', at_ms - tm_now(), id, replace(replace(queue, char(9), ' '), char(10), ' '), attempt, to_state,
  replace(replace(substr(error, 1, 300), char(9), ' '), char(10), ' ') FROM temp.failures;"
