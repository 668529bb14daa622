# shellcheck shell=bash disable=SC2034,SC2154
# finish.bash - how a command of `tm work` ended, told to the database.
#
#   exit 0 completed, its output is the result      75 (EX_TEMPFAIL) later, the attempt does not count
#   65 (EX_DATAERR) discarded                       another failed, the end of its errors is the error
#
# One that this worker has ended is never completed, whatever it said: cancelled ones and those that took
# too long fail, those that had no time to finish go back to their queue, and one whose lease is
# lost is somebody else's.

task_end() {
  local outcome
  # Who ends all of a service at once means the worker: what falls by that signal goes back, too.
  if [ "$code" = 143 ] && [ -z "$ended" ]; then
    pause_for 0.1
    [ "$stop" -eq 0 ] || ended=stopped
  fi
  case $ended in
    lost)
      log "task $id: the lease is lost, the command was ended"
      return
      ;;
    stopped) finish 'SELECT tm_release(id, token) FROM temp.job;' ;;
    '') task_exited ;;
    cancelled) task_fail 'cancelled while it ran' ;;
    *) task_fail "$ended" ;;
  esac
  case $? in
    0) outcome=${reply[0]} ;;
    *) outcome=$said ;;
  esac
  now
  log "task $id: $outcome${ended:+, $ended}, $(span $((now_ms - started_ms)))"
}

task_exited() {
  case $code in
    0)
      task_complete && return
      # What refuses the result would refuse it the next time, too; but that is for the attempts to say.
      [[ $said != *'[lease_lost]' && $said != *'[no_such_task]' ]] || return 1
      printf '%s' "$said" >"$folder/error"
      finish "$fail_with"
      ;;
    75) finish 'SELECT tm_snooze(id, token, :snooze) FROM temp.job;' ;;
    65) task_fail 'exit status 65' discard ;;
    *)
      if [ "$code" -gt 128 ] && [ "$code" -le 192 ]; then
        task_fail "ended by signal $(kill -l "$code" 2>/dev/null || printf '%s' $((code - 128)))"
      else
        task_fail "exit status $code"
      fi
      ;;
  esac
}

fail_with="SELECT tm_fail(id, token, CAST(readfile(:folder || '/error') AS TEXT)) FROM temp.job;"
discard_with="SELECT tm_fail(id, token, CAST(readfile(:folder || '/error') AS TEXT), '{\"discard\":true}') FROM temp.job;"

# task_fail WORDS [discard]: with the end of what it said on standard error; the words where it said
# nothing, and before that where this worker has ended it.
task_fail() {
  if [ -s "$folder/err" ]; then
    tail -c 4096 "$folder/err" | tr -d '\000' | iconv -c -f UTF-8 -t UTF-8 >"$folder/error" 2>/dev/null
  else
    : >"$folder/error"
  fi
  if [ ! -s "$folder/error" ]; then
    printf '%s' "$1" >"$folder/error"
  else
    printf '%s%s' "${ended:+$1: }" "$(<"$folder/error")" >"$folder/error.whole"
    mv "$folder/error.whole" "$folder/error"
  fi
  if [ "${2-}" = discard ]; then finish "$discard_with"; else finish "$fail_with"; fi
}

# Standard output is the result: text without its last end of line, or a BLOB. None is NULL.
task_complete() {
  local kind
  [ -s "$folder/out" ] || {
    finish 'SELECT tm_complete(id, token) FROM temp.job;'
    return
  }
  request "UPDATE temp.job SET result = readfile(:folder || '/out');
SELECT CASE
    WHEN length(result) > CAST(:limit AS INTEGER) THEN 'long'
    WHEN instr(result, x'00') = 0 AND CAST(result AS TEXT) NOT GLOB '*[^' || char(1) || '-' || char(127) || ']*' THEN 'text'
    ELSE 'other'
  END FROM temp.job;" || return
  kind=${reply[0]-other}
  if [ "$kind" = long ]; then
    log "task $id: its result is cut to ${param[limit]} bytes"
    cut_to "${param[limit]}"
    request "UPDATE temp.job SET result = readfile(:folder || '/out');" || return
    kind=other
  fi
  if [ "$kind" = text ] || is_text "$folder/out"; then
    finish "SELECT tm_complete(id, token, CAST(iif(substr(result, -1) = x'0a',
  substr(result, 1, length(result) - 1), result) AS TEXT)) FROM temp.job;"
  else
    finish 'SELECT tm_complete(id, token, result) FROM temp.job;'
  fi
}

# cut_to BYTES: cuts the output, not in the middle of a character where it is text.
cut_to() {
  local size=$1 try
  head -c "$1" "$folder/out" >"$folder/cut"
  mv "$folder/cut" "$folder/out"
  for try in 0 1 2 3; do
    [ "$size" -ge "$try" ] || break
    head -c $((size - try)) "$folder/out" >"$folder/cut"
    if is_text "$folder/cut"; then
      mv "$folder/cut" "$folder/out"
      return
    fi
  done
}

# finish SQL: until it is said, or refused for good. The lease is what ends it in the worst case.
finish() {
  local try status
  for try in {1..30}; do
    request "$1"
    status=$?
    [ "$status" -eq 1 ] && [[ $said == 'database is locked'* ]] || return "$status"
    log "task $id: $said"
    pause_for 1
  done
  return 1
}

# span MS: in words.
span() {
  if [ "$1" -lt 10000 ]; then
    printf '%d.%ds' $(($1 / 1000)) $(($1 % 1000 / 100))
  else
    printf '%ds' $(($1 / 1000))
  fi
}
