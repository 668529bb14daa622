# shellcheck shell=bash disable=SC2034,SC2154
# steer.bash - the commands that change tasks and queues, and those of upkeep.

tm_retry() { many retry retried 'completed' "$@"; }
tm_cancel() { many cancel 'cancelled or asked to stop' 'reason= children' "$@"; }
tm_hold() { many hold held '' "$@"; }
tm_unhold() { many unhold 'put back' '' "$@"; }
tm_delete() { many delete deleted '' "$@"; }

# many VERB DONE SPEC ARG...: the tasks of the ids, all or none; or those that a filter asks for, with
# their number shown first, a thousand in a transaction, so that workers are not kept waiting.
many() {
  local verb=$1 done=$2 spec=$3
  shift 3
  parse "$filter_options limit= $spec" "$@"
  find_database
  param[verb]=$verb
  [ -z "${opt[reason]+x}" ] || param[reason]=${opt[reason]}
  param[completed]=${opt[completed]-0}
  param[children]=${opt[children]-0}
  give_filter
  if [ "${#words[@]}" -gt 0 ]; then
    ! has_filter || usage 'ids or a filter, not both'
    is_id "${words[@]}"
    many_by_id
  else
    has_filter || usage "ids are wanted, or a filter such as --queue NAME, see 'tm help $command'"
    [ -z "${opt[limit]+x}" ] || { count_of limit 0 && give limit json "$count"; }
    many_by_filter
  fi
}

many_by_id() {
  param[ids]="[$(printf '%s\n' "${words[@]}" | sed 's/^0*\(.\)/\1/' | paste -sd ,)]"
  ask <<'SQL'
BEGIN IMMEDIATE;
SELECT value || ' ' || CASE :verb
  WHEN 'retry' THEN tm_retry(value, iif(:completed, '{"completed":true}', NULL))
  WHEN 'cancel' THEN tm_cancel(value, :reason, iif(:children, '{"children":true}', NULL))
  WHEN 'hold' THEN tm_hold(value)
  WHEN 'unhold' THEN tm_unhold(value)
  WHEN 'delete' THEN replace(tm_delete(value), 1, 'deleted')
END FROM json_each(:ids);
COMMIT;
SQL
  say '%s\n' "$answer"
}

many_by_filter() {
  local total from=0 changed=0
  connect || refused
  request "$(<"$parts/many.sql")" || refused
  total=${reply[0]}
  if [ "$total" -gt 0 ]; then sure "$verb $total tasks?"; fi
  while [ "$from" -lt "$total" ]; do
    bar "$from" "$total" "$done"
    # One after the other, so that an error is seen before the transaction ends.
    request 'BEGIN IMMEDIATE;' || refused
    request "$(<"$parts/many_part.sql")" || refused
    changed=$((changed + reply[0]))
    request 'COMMIT; UPDATE temp.turn SET from_rowid = from_rowid + 1000;' || refused
    from=$((from + 1000))
  done
  bar_end
  disconnect
  say '%s tasks %s\n' "$changed" "$done"
}

# ---- queues --------------------------------------------------------------------------------------

tm_pause() { one_queue paused "$@" <<<'SELECT tm_pause(:queue);'; }
tm_resume() { one_queue resumed "$@" <<<'SELECT tm_resume(:queue);'; }

one_queue() {
  local done=$1
  shift
  parse '' "$@"
  want 1 1 'a queue'
  find_database
  param[queue]=${words[0]}
  ask
  say '%s\n' "$done"
}

# ---- upkeep --------------------------------------------------------------------------------------

tm_migrate() {
  parse '' "$@"
  want 0 1 'a version'
  find_database
  if [ "${#words[@]}" -eq 0 ]; then
    ask <<<'SELECT tm_migrate();'
  else
    [[ ${words[0]} =~ ^[0-9]{1,6}$ ]] || usage "'${words[0]}' is not a version, a whole number"
    param[version]=${words[0]}
    if [ "$((10#${words[0]}))" -eq 0 ]; then sure 'Remove all tasks and their tables?'; fi
    ask <<<'SELECT tm_migrate(CAST(:version AS INTEGER));'
  fi
  say 'schema version %s\n' "$answer"
}

tm_tick() {
  parse '' "$@"
  want 0 0 nothing
  find_database
  ask <<'SQL'
BEGIN IMMEDIATE;
CREATE TEMP TABLE tick AS SELECT tm_tick() AS counts;
COMMIT;
SELECT counts, (SELECT group_concat(key || ' ' || value, ', ') FROM json_each(counts)) FROM temp.tick;
SQL
  if [ "$is_json" -eq 1 ]; then printf '%s\n' "${answer%$'\t'*}"; else say '%s\n' "${answer#*$'\t'}"; fi
}

tm_repair() {
  parse '' "$@"
  want 0 1 'a check'
  find_database
  [ "${#words[@]}" -eq 0 ] || param[check]=${words[0]}
  make_folder
  sql >"$folder/rows" <<'SQL' || refused
CREATE TEMP TABLE repair AS SELECT NULL AS did;
UPDATE temp.repair SET did = tm_repair(:check);
SELECT did FROM temp.repair;
SELECT 'h', 't:CHECK', 't:DID', 'n:ROWS', 't:CURE';
SELECT 'r', value ->> '$.check', coalesce(value ->> '$.did', 'nothing'), value ->> '$.rows', value ->> '$.cure'
FROM temp.repair, json_each(did);
SQL
  if [ "$is_json" -eq 1 ]; then
    head -n 1 "$folder/rows"
  elif [ "$(wc -l <"$folder/rows")" -eq 2 ]; then
    say 'every check is ok\n'
  elif [ "$is_quiet" -eq 0 ]; then
    tail -n +2 "$folder/rows" | page
  fi
}

# A shell on the database with everything loaded, or one run of the SQL that is given. Newer shells end after
# a -cmd of SQL where -bail is given, too: where nobody types, both are lines of the input.
tm_sql() {
  local load
  parse '' "$@"
  find_database
  make_folder
  [ -n "${extension-}" ] || find_extension
  literals "$extension"
  load="SELECT 1 WHERE load_extension(${literal[0]}, 'sqlite3_tm_init') IS NOT NULL;"
  set --
  if [ "$is_json" -eq 1 ]; then set -- -json; fi
  if [ "${#words[@]}" -eq 0 ] && [ -t 0 ]; then
    if [ "$is_json" -eq 0 ]; then set -- "$@" -cmd '.headers on' -cmd '.mode box --wrap 60'; fi
    sqlite3 -cmd '.timeout 20000' -cmd "$load" "$@" "$database"
  else
    {
      printf '.bail on\n.timeout 20000\n%s\n' "$load"
      if [ "${#words[@]}" -gt 0 ]; then printf '%s\n;\n' "${words[@]}"; else cat; fi
    } | sqlite3 -batch -init /dev/null "$@" "$database"
  fi || exit 1
}
