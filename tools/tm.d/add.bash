# shellcheck shell=bash disable=SC2034,SC2154
# add.bash - init and add: a database, and tasks for it.

tm_init() {
  parse '' "$@"
  want 0 1 'one file'
  [ "${#words[@]}" -eq 0 ] || database=${words[0]}
  find_database new
  ask <<<'SELECT tm_init();'
  say 'schema version %s\n' "$answer"
}

# The payload goes through a file of the temporary folder, which may hold any bytes.
tm_add() {
  parse "$enqueue_options lines" "$@"
  want 1 2 'a queue'
  find_database
  make_folder
  param[queue]=${words[0]}
  give_enqueue_options
  if [ -n "${opt[lines]-}" ]; then
    [ "${words[1]--}" = - ] || usage '--lines reads standard input, a payload is one argument too many'
    add_lines
    return
  fi
  if [ "${#words[@]}" -eq 1 ]; then
    sql <<'SQL' || refused
SELECT tm_enqueue(:queue, NULL, (SELECT json FROM temp.object));
SQL
    return
  fi
  if [ "${words[1]}" = - ]; then
    cat >"$folder/payload" || fail 'standard input could not be read to its end'
  else
    printf '%s' "${words[1]}" >"$folder/payload" || fail 'the temporary folder is full'
  fi
  if is_text "$folder/payload"; then
    sql <<'SQL' || refused
SELECT tm_enqueue(:queue, CAST(readfile(:folder || '/payload') AS TEXT), (SELECT json FROM temp.object));
SQL
  else
    sql <<'SQL' || refused
SELECT tm_enqueue(:queue, readfile(:folder || '/payload'), (SELECT json FROM temp.object));
SQL
  fi
}

# Whether a file holds text: UTF-8 without a NUL. Anything else is stored as a BLOB, byte by byte.
is_text() {
  iconv -f UTF-8 -t UTF-8 <"$1" >/dev/null 2>&1 &&
    [ "$(LC_ALL=C tr -dc '\000' <"$1" | head -c 1 | wc -c)" -eq 0 ]
}

# All of standard input is read before the transaction begins, so that nobody waits for a slow writer.
add_lines() {
  local total line first last statuses
  cat >"$folder/lines" || fail 'standard input could not be read to its end'
  total=$(LC_ALL=C awk 'END { print NR }' "$folder/lines")
  {
    printf 'BEGIN IMMEDIATE;\nCREATE TEMP TABLE newest AS SELECT coalesce(max(id), 0) AS id FROM tm_task;\n'
    LC_ALL=C od -An -v -tx1 "$folder/lines" | tr -d '\n' | LC_ALL=C awk -f "$parts/lines.awk"
    cat <<'SQL'
SELECT 'made', count(*), min(id), max(id) FROM tm_task WHERE id > (SELECT id FROM temp.newest);
COMMIT;
SQL
  } | sql | while IFS=$'\t' read -r line first last; do
    case $line in
      made) printf '%s\t%s\n' "$first" "$last" >"$folder/made" ;;
      *) bar "$line" "$total" lines ;;
    esac
  done
  statuses=("${PIPESTATUS[@]}")
  if [ "${statuses[1]}" -ne 0 ]; then
    what_it_said <"$folder/said"
    refused
  fi
  bar_end
  IFS=$'\t' read -r total first last <"$folder/made"
  if [ "$is_json" -eq 1 ]; then
    printf '{"tasks":%s,"first_id":%s,"last_id":%s}\n' "$total" "${first:-null}" "${last:-null}"
  else
    say '%s tasks%s\n' "$total" "${first:+, $first to $last}"
  fi
}
