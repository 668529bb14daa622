# shellcheck shell=bash disable=SC2034,SC2154
# terminal.bash - what a person sees: messages, colours, pages, progress bars, questions.
# Promise: colours and bars only on a terminal, no colour with NO_COLOR; messages are one line on
#          standard error; nothing from a database reaches the terminal as a control character.

# fail MESSAGE: refused, status 1. usage MESSAGE: wrong usage, status 2.
fail() {
  printf 'tm%s: %s\n' "${command:+ $command}" "${1//[[:cntrl:]]/ }" >&2
  exit 1
}

usage() {
  printf 'tm%s: %s\n' "${command:+ $command}" "${1//[[:cntrl:]]/ }" >&2
  exit 2
}

# say FORMAT [ARG...]: what was done, unless --quiet.
say() {
  # shellcheck disable=SC2059 # the format is the caller's
  [ "$is_quiet" -eq 1 ] || printf "$@"
}

# is_coloured FD
is_coloured() { [ -t "$1" ] && [ -z "${NO_COLOR-}" ] && [ "${TERM-}" != dumb ]; }

has_utf8() {
  case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
    *[Uu][Tt][Ff]*8*) return 0 ;;
    *) return 1 ;;
  esac
}

# How many lines and columns there are: sets `lines` and `columns`, 0 where nobody knows.
measure() {
  local size
  lines=0 columns=0
  if size=$(stty size 2>/dev/null <&2 || stty size 2>/dev/null </dev/tty); then
    lines=${size% *} columns=${size#* }
  fi
}

# page [VARIABLE=VALUE...]: lays out the rows of standard input, see page.awk.
page() {
  local colour=0 utf8=0 arguments=()
  columns=0
  if [ -t 1 ]; then measure; fi
  if is_coloured 1; then colour=1; fi
  if has_utf8; then utf8=1; fi
  for word in "$@"; do arguments+=(-v "$word"); done
  LC_ALL=C awk -v colour="$colour" -v utf8="$utf8" -v columns="$columns" \
    "${arguments[@]}" -f "$parts/page.awk"
}

# bar DONE OF WORD: a progress bar on standard error, drawn over the last one.
bar() {
  local width=30 full empty
  [ -t 2 ] && [ "$is_quiet" -eq 0 ] || return 0
  [ "$2" -gt 0 ] || return 0
  full=$(($1 * width / $2))
  [ "$full" -le "$width" ] || full=$width
  printf -v empty '%*s' $((width - full)) ''
  printf -v full '%*s' "$full" ''
  printf '\r[%s%s] %3d%% %s\e[K' "${full// /#}" "${empty// /-}" $(($1 * 100 / $2)) "$3" >&2
}

bar_end() {
  [ -t 2 ] && [ "$is_quiet" -eq 0 ] || return 0
  printf '\r\e[K' >&2
}

# sure QUESTION: asks on the terminal, unless --yes.
sure() {
  local answer=
  [ "$is_sure" -eq 0 ] || return 0
  [ -t 0 ] || usage "$1 Nobody is there to be asked: say --yes"
  printf '%s [y/N] ' "$1" >&2
  IFS= read -r answer
  case $answer in
    y | Y | yes | Yes | YES) ;;
    *)
      printf 'nothing was done\n' >&2
      exit 3
      ;;
  esac
}

# help [COMMAND], help --man, help --completion: from help.txt, which is all that there is about usage.
help() {
  case ${1-} in
    '') LC_ALL=C awk -v want=list -f "$parts/help.awk" "$parts/help.txt" ;;
    --man) LC_ALL=C awk -v want=man -f "$parts/help.awk" "$parts/help.txt" ;;
    --completion)
      LC_ALL=C awk -v want=completion -f "$parts/help.awk" "$parts/help.txt" && cat "$parts/completion.bash"
      ;;
    *)
      LC_ALL=C awk -v want=one -v name="$1" -f "$parts/help.awk" "$parts/help.txt" ||
        usage "there is no command '$1', see 'tm help'"
      ;;
  esac
}
