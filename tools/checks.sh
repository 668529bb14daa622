# checks.sh - checks as sentences, for scripts that read it in.
#
#   check SENTENCE COMMAND [ARG...]    one line; what the command printed below one that failed
#   report                             the line `N passed, N failed`; status 1 where anything failed
# shellcheck shell=bash

passed=0
failed=0

check() {
  local sentence=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    printf 'ok %s\n' "$sentence"
  else
    failed=$((failed + 1))
    printf 'FAILED %s\n' "$sentence"
    printf '%s\n' "$output" | sed 's/^/  /'
  fi
}

report() {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
