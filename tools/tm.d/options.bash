# shellcheck shell=bash disable=SC2034,SC2154
# options.bash - the options of a command, and what of them becomes JSON.
# Owns: `opt` (values by name), `words` (what is no option), `rest` (what follows --) and `given` (what goes into JSON).

declare -A opt
words=()

# parse SPEC ARG...: a word of SPEC is `name` for a flag, `name=` for an option with a value, `name+` for
# one that may come again; `n|name=` is also -n. What follows `--` is no option, and goes into `rest`
# where SPEC has the word --.
parse() {
  local spec=" $1 json q|quiet y|yes d|db= h|help " argument name value
  shift
  opt=() words=() rest=()
  while [ $# -gt 0 ]; do
    argument=$1
    shift
    case $argument in
      --)
        if [[ $spec == *' -- '* ]]; then rest=("$@"); else words+=("$@"); fi
        break
        ;;
      --?*) name=${argument#--} ;;
      -?*) name=${argument#-} ;;
      *)
        words+=("$argument")
        continue
        ;;
    esac
    value=
    [[ $argument == --*=* ]] && value=${name#*=} && name=${name%%=*}
    [[ $name =~ ^[a-z][a-z-]*$ ]] || no_option "$argument"
    if [[ $argument != --* ]]; then
      [[ ${#name} -eq 1 && $spec =~ [\ ]${name}[|]([a-z-]+) ]] || no_option "$argument"
      name=${BASH_REMATCH[1]}
    fi
    if [[ $spec =~ [\ \|]$name([=+])" " ]]; then
      if [[ $argument != --*=* ]]; then
        [ $# -gt 0 ] || usage "option $argument wants a value"
        value=$1
        shift
      fi
      if [ "${BASH_REMATCH[1]}" = + ]; then
        opt[$name]=$((${opt[$name]:-0} + 1))
        name=$name.${opt[$name]}
      fi
      opt[$name]=$value
    elif [[ $spec =~ [\ \|]$name" " ]]; then
      [[ $argument != --*=* ]] || usage "option --$name takes no value"
      opt[$name]=1
    else
      no_option "$argument"
    fi
  done
  [ -z "${opt[help]-}" ] || { help "$command"; exit; }
  [ -z "${opt[json]-}" ] || is_json=1
  [ -z "${opt[quiet]-}" ] || is_quiet=1
  [ -z "${opt[yes]-}" ] || is_sure=1
  [ -z "${opt[db]+x}" ] || database=${opt[db]}
}

no_option() {
  usage "there is no option '$1' (what is no option comes after --), see 'tm help $command'"
}

# want MIN MAX WHAT: so many words are wanted.
want() {
  [ "${#words[@]}" -ge "$1" ] || usage "$3 is wanted, see 'tm help $command'"
  [ "${#words[@]}" -le "$2" ] || usage "'${words[$2]}' is one argument too many, see 'tm help $command'"
}

is_number() { [[ $1 =~ ^-?[0-9]+(\.[0-9]+)?$ ]]; }

# is_id WORD...: each is the id of a task.
is_id() {
  local id
  for id in "$@"; do
    [[ $id =~ ^[0-9]{1,18}$ ]] || usage "'$id' is not the id of a task, a whole number"
  done
}

# count_of NAME DEFAULT: a whole number from an option.
count_of() {
  count=${opt[$1]-$2}
  [[ $count =~ ^[0-9]{1,9}$ ]] || usage "--$1 '$count' is not a whole number"
  count=$((10#$count))
}

# milliseconds NAME DEFAULT: a duration from an option, as tm_enqueue takes it: sets `ms`.
milliseconds() {
  local left=${opt[$1]-$2} number unit
  ms=0
  [[ $left =~ ^[0-9]+(\.[0-9]+)?$ ]] && left+=s
  while [[ $left =~ ^([0-9]{1,9})(\.([0-9]{1,3})[0-9]*)?(ms|s|m|h|d)(.*)$ ]]; do
    number=${BASH_REMATCH[3]}00
    number=$((10#${BASH_REMATCH[1]} * 1000 + 10#${number:0:3}))
    case ${BASH_REMATCH[4]} in
      ms) unit=1 ;;
      s) unit=1000 ;;
      m) unit=60000 ;;
      h) unit=3600000 ;;
      d) unit=86400000 ;;
    esac
    ms=$((ms + number * unit / 1000))
    left=${BASH_REMATCH[5]}
    [ -n "$left" ] || return 0
  done
  usage "--$1 '${opt[$1]-$2}' is not a duration such as 90s, 10m or 1h30m"
}

# ---- JSON ----------------------------------------------------------------------------------------
#
# A member of the JSON object that a command hands on is a row (name, form, value) of the table
# temp.given; the view temp.object makes one object of these rows, see connection.bash. The form says what
# the value is in JSON: text, json, json_or_text, one of the texts of a list, or a whole object (base).

given=()

# give NAME FORM VALUE
give() { given+=("$1" "$2" "$3"); }

# A number where it is one, else text: the extension says what it wanted.
give_number() {
  if is_number "$2"; then give "$1" json "$2"; else give "$1" text "$2"; fi
}

# A list of words with commas between them; JSON stays as it is.
give_list() {
  local word list
  case $2 in
    '['* | '{'*) give "$1" json "$2" ;;
    *)
      IFS=, read -r -d '' -a list <<<"$2,"
      unset 'list[-1]'
      for word in "${list[@]}"; do give "$1" list "$word"; done
      ;;
  esac
}

# The options of tm_enqueue, from those of the command.
enqueue_options='priority= delay= run-at= max-attempts= backoff= lease= kind= tag+ metadata= held unique= expires= timeout= deadline= partition= after= on-failure= group= parent= options='

give_enqueue_options() {
  local name i
  for name in priority delay max-attempts lease expires timeout deadline parent; do
    [ -z "${opt[$name]+x}" ] || give_number "${name//-/_}" "${opt[$name]}"
  done
  [ -z "${opt[run-at]+x}" ] || give_number run_at_ms "${opt[run-at]}"
  for name in kind partition on-failure group; do
    [ -z "${opt[$name]+x}" ] || give "${name//-/_}" text "${opt[$name]}"
  done
  for name in backoff metadata unique; do
    [ -z "${opt[$name]+x}" ] || give "$name" json_or_text "${opt[$name]}"
  done
  [ -z "${opt[held]-}" ] || give held json true
  for ((i = 1; i <= ${opt[tag]:-0}; i++)); do give tags list "${opt[tag.$i]}"; done
  if [ -n "${opt[after]+x}" ]; then
    if [[ ${opt[after]} =~ ^[0-9]+(,[0-9]+)*$ ]]; then
      give after json "[${opt[after]}]"
    else
      give after json_or_text "${opt[after]}"
    fi
  fi
  [ -z "${opt[options]+x}" ] || give '' base "${opt[options]}"
}

# The keys of a filter, as tm_select and the verbs of many tasks take it.
filter_options='queue= state= kind= tag+ partition= group= worker= error-like= payload= filter= all'

give_filter() {
  local name i
  for name in queue state kind partition group worker; do
    [ -z "${opt[$name]+x}" ] || give_list "$name" "${opt[$name]}"
  done
  for ((i = 1; i <= ${opt[tag]:-0}; i++)); do give tags list "${opt[tag.$i]}"; done
  [ -z "${opt[error-like]+x}" ] || give error_like text "${opt[error-like]}"
  [ -z "${opt[payload]+x}" ] || give payload json_or_text "${opt[payload]}"
  [ -z "${opt[all]-}" ] || give all json true
  [ -z "${opt[filter]+x}" ] || give '' base "${opt[filter]}"
}

has_filter() { [ "${#given[@]}" -gt 0 ]; }
