# shellcheck shell=bash disable=SC2207,SC2154
# completion.bash - what Tab does after `tm` in bash. `tm help --completion` prints this with the options of
# each command in front, as help.txt has them: `--name` for a flag, `--name=` where a value follows.
# What a database holds is asked of `tm words`, of the database that the line names, or TM_DB.

# _tm_add CANDIDATE...: those that go on from what is there.
_tm_add() {
  local candidate
  for candidate in "$@"; do
    [[ $candidate == "$current"* ]] || continue
    printf -v candidate '%q' "$candidate"
    COMPREPLY+=("${candidate//\\,/,}")
  done
}

_tm_files() {
  local file quoted
  while IFS= read -r file; do
    printf -v quoted '%q' "$file"
    COMPREPLY+=("$quoted")
    [ ! -d "$file" ] || quoted=/
  done < <(compgen -f -- "$current")
  # A folder goes on.
  if [ "${#COMPREPLY[@]}" -eq 1 ] && [ "$quoted" = / ]; then
    COMPREPLY=("${COMPREPLY[0]}/")
    compopt -o nospace 2>/dev/null
  fi
}

# _tm_words WHAT: queues, kinds, states, ids or checks; after a comma the next one of a list.
_tm_words() {
  local found word before=
  mapfile -t found < <("${COMP_WORDS[0]}" ${database:+--db "$database"} words "$1" 2>/dev/null)
  [[ $current != *,* ]] || before=${current%,*},
  for word in "${found[@]}"; do _tm_add "$before$word"; done
}

_tm_value() {
  case $1 in
    --queue) _tm_words queues ;;
    --kind) _tm_words kinds ;;
    --state) _tm_words states ;;
    --after | --parent) _tm_words ids ;;
    --on-failure) _tm_add cancel hold ignore ;;
    --db) _tm_files ;;
  esac
}

_tm_argument() {
  case $command in
    add | pause | resume | work)
      [ "$count" -eq 0 ] && _tm_words queues
      [ "$command" != work ] || _tm_files
      ;;
    show | why | log) [ "$count" -gt 0 ] || _tm_words ids ;;
    retry | cancel | hold | unhold | delete) _tm_words ids ;;
    repair) [ "$count" -gt 0 ] || _tm_words checks ;;
    help) [ "$count" -gt 0 ] || _tm_add "${!_tm_options[@]}" ;;
    init | backup) _tm_files ;;
  esac
}

# Sets `command`, `database`, `count` (how many arguments it has) and `option`, whose value comes next.
_tm_line() {
  local i word
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [ "$word" = = ]; then
      continue
    elif [ -n "$option" ]; then
      [[ $option != --db && $option != -d ]] || database=${word/#\~\//$HOME/}
      option=
    elif [ "$word" = -- ]; then
      [ "$command" != work ] || run_at=$((i + 1))
      break
    elif [[ $word == -* ]]; then
      if [[ " ${_tm_options[${command:-help}]} $_tm_global -d= " == *" $word= "* ]]; then option=$word; fi
    elif [ -n "$command" ]; then
      count=$((count + 1))
    elif [ -n "${_tm_options[$word]+x}" ]; then
      command=$word
    else
      database=${word/#\~\//$HOME/}
    fi
  done
}

_tm() {
  local current=${COMP_WORDS[COMP_CWORD]} command='' database='' option='' count=0 run_at=0
  COMPREPLY=()
  _tm_line
  if [ "$current" = = ]; then current=; fi
  if [ "$run_at" -gt 0 ]; then
    if [ "$COMP_CWORD" -eq "$run_at" ]; then COMPREPLY=($(compgen -c -- "$current")); else _tm_files; fi
  elif [ -n "$option" ]; then
    _tm_value "$option"
  elif [[ $current == -* ]]; then
    for option in ${_tm_options[${command:-help}]} $_tm_global; do _tm_add "${option%=}"; done
  elif [ -z "$command" ]; then
    _tm_add "${!_tm_options[@]}"
    _tm_files
  else
    _tm_argument
  fi
}

complete -F _tm tm
