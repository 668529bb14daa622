# shellcheck shell=bash disable=SC2034,SC2154
# look.bash - the commands that read: ls, show, why, stats, doctor, words. Each gives rows for a page, or
# JSON: a list is one JSON array, a task one object.
#
# Cells are cut to 300 characters, their tabs and ends of line are spaces: the page has a line for each.

tm_ls() {
  local count
  parse "$filter_options n|limit=" "$@"
  want 0 0 nothing
  find_database
  count_of limit 50
  param[limit]=$count
  give_filter
  # Without a filter the newest are found by their ids, however many there are.
  param[filtered]=0
  ! has_filter || param[filtered]=1
  if [ "$is_json" -eq 1 ]; then
    json <<'SQL'
SELECT '[' || coalesce(group_concat(task, ',' || char(10)), '') || ']' FROM (
  SELECT tm_get(id) AS task FROM (
    SELECT id FROM (SELECT id FROM tm_task ORDER BY id DESC LIMIT iif(:filtered = '0', CAST(:limit AS INTEGER), 0))
    UNION ALL
    SELECT id FROM tm_select((SELECT json FROM temp.object)) WHERE :filtered = '1'
  )
  ORDER BY id DESC LIMIT CAST(:limit AS INTEGER)
);
SQL
    return
  fi
  lay_out <<'SQL'
SELECT 'h', 'n:ID', 't:QUEUE', 's:STATE', 't:KIND', 'n:PRIORITY', 'n:ATTEMPT', 'a:WHEN', 't:PAYLOAD';
SELECT 'r', t.id, replace(replace(t.queue, char(9), ' '), char(10), ' '), t.state,
  replace(replace(t.kind, char(9), ' '), char(10), ' '), t.priority, t.attempt,
  CASE
    WHEN t.finished_ms IS NOT NULL THEN t.finished_ms
    WHEN t.state IN ('scheduled', 'retryable', 'waiting') THEN t.run_at_ms
    ELSE t.created_ms
  END - tm_now(),
  CASE typeof(t.payload)
    WHEN 'blob' THEN 'x''' || hex(substr(t.payload, 1, 100)) || ''''
    ELSE replace(replace(substr(t.payload, 1, 300), char(9), ' '), char(10), ' ')
  END
FROM (
  SELECT id FROM (
    SELECT id FROM (SELECT id FROM tm_task ORDER BY id DESC LIMIT iif(:filtered = '0', CAST(:limit AS INTEGER), 0))
    UNION ALL
    SELECT id FROM tm_select((SELECT json FROM temp.object)) WHERE :filtered = '1'
  )
  ORDER BY id DESC LIMIT CAST(:limit AS INTEGER)
) AS s JOIN tm_task AS t ON t.id = s.id
ORDER BY t.id DESC;
SQL
}

# one_task ARG...: the task that the command is about, as :id; one line where it is missing, before
# anything is printed.
one_task() {
  parse '' "$@"
  want 1 1 'the id of a task'
  is_id "${words[0]}"
  find_database
  param[id]=${words[0]}
  ask <<'SQL'
SELECT count(*) FROM tm_task WHERE id = CAST(:id AS INTEGER);
SQL
  [ "$answer" = 1 ] || fail "there is no task ${param[id]} [no_such_task]"
}

tm_show() {
  one_task "$@"
  if [ "$is_json" -eq 1 ]; then
    json <<'SQL'
SELECT json_patch(tm_get(CAST(:id AS INTEGER)), json_object(
  'history', (SELECT json_group_array(json_object('from_state', from_state, 'to_state', to_state,
      'at_ms', at_ms, 'attempt', attempt, 'actor', actor, 'reason', reason))
    FROM tm_history(CAST(:id AS INTEGER))),
  'explain', (SELECT json_group_array(json_object('reason', reason, 'detail', detail,
      'until_ms', until_ms, 'cure', cure))
    FROM tm_explain(CAST(:id AS INTEGER)))));
SQL
    return
  fi
  lay_out <"$parts/show.sql"
}

tm_why() {
  one_task "$@"
  if [ "$is_json" -eq 1 ]; then
    json <<'SQL'
SELECT json_group_array(json_object('reason', reason, 'detail', detail, 'until_ms', until_ms, 'cure', cure))
FROM tm_explain(CAST(:id AS INTEGER));
SQL
    return
  fi
  lay_out <<'SQL'
SELECT 'h', 't:REASON', 'a:UNTIL', 't:DETAIL', 'w:CURE';
SELECT 'r', reason, until_ms - tm_now(),
  replace(replace(detail, char(9), ' '), char(10), ' '), replace(replace(cure, char(9), ' '), char(10), ' ')
FROM tm_explain(CAST(:id AS INTEGER));
SQL
}

tm_stats() {
  parse '' "$@"
  want 0 0 nothing
  find_database
  if [ "$is_json" -eq 1 ]; then
    json <<'SQL'
SELECT json_group_array(json_object('queue', queue, 'paused', paused, 'scheduled', scheduled,
  'blocked', blocked, 'available', available, 'running', running, 'waiting', waiting,
  'retryable', retryable, 'cancelling', cancelling, 'held', held, 'completed', completed,
  'cancelled', cancelled, 'discarded', discarded, 'oldest_available_ms', oldest_available_ms,
  'completed_1m', completed_1m, 'completed_1h', completed_1h, 'wait_p50_ms', wait_p50_ms,
  'wait_p95_ms', wait_p95_ms, 'wait_p99_ms', wait_p99_ms, 'run_p50_ms', run_p50_ms,
  'run_p95_ms', run_p95_ms, 'run_p99_ms', run_p99_ms, 'schedules', schedules,
  'next_slot_ms', next_slot_ms, 'max_running', max_running, 'partitions', partitions,
  'partitions_ready', partitions_ready)) FROM tm_stats;
SQL
    return
  fi
  lay_out <"$parts/stats.sql"
}

tm_doctor() {
  parse 'all' "$@"
  want 0 0 nothing
  find_database
  make_folder
  param[all]=${opt[all]-0}
  if [ "$is_json" -eq 1 ]; then
    json <<'SQL'
SELECT json_group_array(json_object('name', name, 'status', status, 'detail', detail, 'cure', cure))
FROM tm_doctor;
SQL
    grep -q '"status":"error"' "$folder/rows" && exit 1
    return 0
  fi
  sql >"$folder/rows" <<'SQL' || refused
CREATE TEMP TABLE doctor AS SELECT * FROM tm_doctor;
SELECT 'h', 't:CHECK', 'c:STATUS', 't:DETAIL', 'w:CURE' WHERE :all OR EXISTS (SELECT 1 FROM doctor WHERE status <> 'ok');
SELECT 'r', name, status, replace(replace(detail, char(9), ' '), char(10), ' '), cure
FROM temp.doctor WHERE :all OR status <> 'ok';
SELECT '.', sum(status = 'ok') || ' of ' || count(*) || ' checks are ok' FROM temp.doctor;
SQL
  [ "$is_quiet" -eq 1 ] || page <"$folder/rows"
  ! grep -q $'^r\t[^\t]*\terror\t' "$folder/rows"
}

# For the completion: `tm words queues` and the like, one a line.
tm_words() {
  parse '' "$@"
  want 1 1 'queues, kinds, states, ids or checks'
  [ -n "$database" ] && [ -e "$database" ] || return 0
  find_database
  case ${words[0]} in
    queues) sql <<<'SELECT name FROM tm_queue ORDER BY name LIMIT 1000;' ;;
    kinds)
      sql <<'SQL'
SELECT DISTINCT kind FROM (SELECT kind FROM tm_task ORDER BY id DESC LIMIT 10000) WHERE kind IS NOT NULL ORDER BY kind LIMIT 100;
SQL
      ;;
    states) sql <<<'SELECT name FROM tm_state;' ;;
    ids) sql <<<'SELECT id FROM tm_task ORDER BY id DESC LIMIT 50;' ;;
    checks) sql <<<'SELECT name FROM tm_doctor;' ;;
  esac
}

# ---- how they print ------------------------------------------------------------------------------

# The SQL of standard input as a page. Nothing is printed where it fails.
lay_out() {
  make_folder
  sql >"$folder/rows" || refused
  page <"$folder/rows"
}

# The same as JSON, which comes as it is.
json() {
  make_folder
  sql >"$folder/rows" || refused
  cat "$folder/rows"
}
