# shellcheck shell=bash disable=SC2034,SC2154
# log.bash - the history of all tasks, like tail: what was made and what has moved, oldest first.
# A birth has no row in tm_event: the tasks themselves are asked for it.

tm_log() {
  local count
  parse 'f|follow n|lines= queue=' "$@"
  want 0 1 'the id of a task'
  [ "${#words[@]}" -eq 0 ] || is_id "${words[0]}"
  find_database
  count_of lines 20
  param[count]=$count
  [ "${#words[@]}" -eq 0 ] || param[id]=${words[0]}
  [ -z "${opt[queue]+x}" ] || param[queue]=${opt[queue]}
  param[json]=$is_json
  connect || refused
  request "$(<"$parts/log.sql")" || refused
  log_more "$count" || refused
  while [ -n "${opt[follow]-}" ]; do
    # A second goes by; a Ctrl-C ends it at once.
    IFS= read -r -t 0.5 -u "$from_sqlite"
    log_more || refused
  done
  disconnect
}

# log_more [COUNT]: what there is beyond the marks, the last COUNT of it, and the marks moved on; in one
# transaction, so that nothing is missed.
log_more() {
  request 'BEGIN;
SELECT text FROM temp.news;
UPDATE temp.mark SET
  event_id = max(event_id, coalesce((SELECT max(id) FROM tm_event), 0)),
  task_id = max(task_id, coalesce((SELECT max(id) FROM tm_task), 0));
COMMIT;' || return
  [ "${#reply[@]}" -le "${1-${#reply[@]}}" ] || reply=("${reply[@]:${#reply[@]}-$1}")
  [ "${#reply[@]}" -gt 0 ] || return 0
  if [ "$is_json" -eq 1 ]; then
    printf '%s\n' "${reply[@]}"
  else
    printf '%s\n' "${reply[@]}" | log_lines
  fi
}

# TIME ID QUEUE FROM TO ATTEMPT BY REASON, with a tab between.
log_lines() {
  local colour=0
  if is_coloured 1; then colour=1; fi
  LC_ALL=C awk -v colour="$colour" -f "$parts/log.awk"
}
