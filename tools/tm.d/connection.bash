# shellcheck shell=bash disable=SC2034,SC2154
# connection.bash - the sqlite3 shell: one run of it, or one that is kept open.
# Owns:    `param` (values by name), the temporary folder, what SQLite said.
# Promise: a statement is the text that stands in these files, always. A value is a parameter of it,
#          :name, bound by sqlite3 from temp.sqlite_parameters; it gets there as the hexadecimal digits of
#          its bytes, CAST(x'..' AS TEXT), whatever they are. Large ones, and those that may hold
#          a NUL, stay in files of the temporary folder, which the SQL reads and writes.
# Why:     `.parameter set` evaluates what it is given as SQL, and quoting can be got wrong; of digits
#          from 0 to f nothing can.

declare -A param
folder=

# The temporary folder, private, gone at the end.
make_folder() {
  [ -z "$folder" ] || return 0
  command -v sqlite3 >/dev/null || fail 'sqlite3 is missing: apt-get install sqlite3'
  folder=$(mktemp -d "${TMPDIR:-/tmp}/tm.XXXXXX" 2>/dev/null) || fail 'there is no temporary folder, set TMPDIR'
  folder=$(cd -P -- "$folder" && printf '%s.' "$PWD") && folder=${folder%.}
  trap 'rm -rf -- "$folder"' EXIT
}

# The database is there, by a path that is no option and no URI to sqlite3.
find_database() {
  [ -n "$database" ] || usage "which database? tm --db FILE $command, or set TM_DB"
  case $database in
    /*) ;;
    *) database=$PWD/$database ;;
  esac
  [ "${1-}" = new ] || [ -e "$database" ] || fail "there is no database '$database', make it with: tm init FILE"
}

find_extension() {
  local file
  for file in "${TM_SO-}" "$here/../build/tm.so" "$here/../lib/tm.so" "$here"/../lib/*/tm.so; do
    [ -f "$file" ] || continue
    extension=$file
    [[ $extension == /* ]] || extension=$PWD/$extension
    return
  done
  [ -z "${TM_SO-}" ] || fail "there is no extension '$TM_SO', TM_SO names it"
  extension=tm # where the system looks for libraries
}

# literals VALUE...: sets the array `literal`, a text in SQL for each, by one process.
literals() {
  local digits one
  digits=$(printf '%s\0' "$@" | LC_ALL=C od -An -v -tx1)
  digits=" ${digits//$'\n'/ }"
  digits=${digits//  / }
  literal=()
  for _ in "$@"; do
    one=${digits%%' 00'*}
    digits=${digits#"$one 00"}
    literal+=("CAST(x'${one// /}' AS TEXT)")
  done
}

# What every connection begins with: the extension, the parameters, and the object of options.
preamble() {
  local names=(':extension' ':folder') values name i
  [ -n "${extension-}" ] || find_extension
  values=("$extension" "$folder")
  for name in "${!param[@]}"; do
    names+=(":$name")
    values+=("${param[$name]}")
  done
  literals "${names[@]}" "${values[@]}" "${given[@]}"
  printf '.timeout %s\n.parameter init\n' "${TM_TIMEOUT_MS:-20000}"
  for i in "${!names[@]}"; do
    printf 'INSERT INTO temp.sqlite_parameters (key, value) VALUES (%s, %s);\n' \
      "${literal[i]}" "${literal[i + ${#names[@]}]}"
  done
  printf "SELECT 1 WHERE load_extension(:extension, 'sqlite3_tm_init') IS NOT NULL;\n"
  printf 'CREATE TEMP TABLE given (name TEXT, form TEXT, value TEXT);\n'
  for ((i = 2 * ${#names[@]}; i < ${#literal[@]}; i += 3)); do
    printf 'INSERT INTO temp.given VALUES (%s, %s, %s);\n' "${literal[@]:i:3}"
  done
  cat "$parts/object.sql"
}

# sql: runs the SQL of standard input, prints its rows, columns with a tab between. Fails with what
# SQLite said, in one line, at the first error; an open transaction is then rolled back.
sql() {
  make_folder
  {
    printf '.bail on\n'
    preamble
    cat
  } | sqlite3 -batch -init /dev/null -list -noheader -separator $'\t' "$database" 2>"$folder/said"
  if [ "${PIPESTATUS[1]}" -ne 0 ] || [ -s "$folder/said" ]; then
    what_it_said <"$folder/said"
    return 1
  fi
}

# ask: the same into the variable `answer`; ends the program where it fails.
ask() {
  make_folder
  sql >"$folder/answer" || refused
  answer=$(<"$folder/answer")
}

# what_it_said: sets `said` to the words of sqlite3, in one line, without what only it needs.
what_it_said() {
  said=$(LC_ALL=C sed -E '/^ *(\^--|[^ ].*--\^)/d; /^  /d
    s/^(Runtime error|Parse error|Error)( near line [0-9]+)?: //; s/^stepping, //; s/ \([0-9]+\)$//
    s/^(tm_[a-z_]+: )?(.*)/\2/' | tr -s '\n' ' ')
  said=${said% }
  case $said in
    *'[not_initialized]') said+=", which 'tm init' does" ;;
    'database is locked') said+=': another process writes, try again' ;;
    '') said='sqlite3 ended without a word' ;;
  esac
}

refused() {
  bar_end
  fail "$said"
}

# ---- one that is kept open -----------------------------------------------------------------------

end_of_reply='= the end ='
private_fds=() # not for sqlite3
each_second=   # called while a request waits for its reply

# connect: sqlite3 as a process of its own group, so that a Ctrl-C of the terminal does not reach it.
connect() {
  make_folder
  : >"$folder/said"
  set -m
  coproc SQLITE {
    trap '' TERM HUP
    for fd in "${private_fds[@]}"; do exec {fd}>&-; done
    exec sqlite3 -batch -init /dev/null -list -noheader -separator $'\t' "$database" 2>>"$folder/said"
  }
  set +m
  exec {to_sqlite}>&"${SQLITE[1]}" {from_sqlite}<&"${SQLITE[0]}"
  # shellcheck disable=SC1083,SC2093 # closed, the copies stay
  exec {SQLITE[1]}>&- {SQLITE[0]}<&-
  # shellcheck disable=SC2153 # coproc sets it
  sqlite_pid=$SQLITE_PID
  trap : PIPE
  preamble >"$folder/preamble"
  request "$(<"$folder/preamble")"
}

disconnect() {
  [ -n "${sqlite_pid-}" ] || return 0
  exec {to_sqlite}>&- {from_sqlite}<&-
  wait "$sqlite_pid" 2>/dev/null
  sqlite_pid=
}

# request SQL: its rows in the array `reply`. Status 1 where SQLite refused, with its words in
# `said`; 2 where the process is gone. No process is started unless it refused.
request() {
  local line part=
  reply=()
  { printf '%s\n.print %s\n' "$1" "$end_of_reply" >&"$to_sqlite"; } 2>/dev/null
  while :; do
    if IFS= read -r -t 1 -u "$from_sqlite" line; then
      line=$part$line part=
      [ "$line" != "$end_of_reply" ] || break
      reply+=("$line")
    elif [ $? -gt 128 ]; then
      part+=$line
      [ -z "$each_second" ] || "$each_second"
    else
      said='sqlite3 has ended'
      return 2
    fi
  done
  [ -s "$folder/said" ] || return 0
  what_it_said <"$folder/said"
  : >"$folder/said"
  return 1
}
