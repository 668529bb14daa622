# shellcheck shell=bash disable=SC2034,SC2154
# backup.bash - a consistent copy of the database, while others go on writing.
# Promise: the copy is the database of one moment, byte for byte, or there is none: it has another name until it is
#          whole, and takes no file's place.
# Why:     an open read transaction holds the snapshot, so that the copy never has to begin again as
#          it would when somebody writes; with a WAL journal nobody waits for it.

tm_backup() {
  local target folder_of total size copier
  parse '' "$@"
  want 1 1 'a file'
  find_database
  target=${words[0]}
  [[ $target == /* ]] || target=$PWD/$target
  folder_of=${target%/*}
  { [ -n "${target##*/}" ] && [ -d "${folder_of:-/}" ]; } || fail "there is no folder '$folder_of'"
  ! is_there "$target" || fail "there is '$target' already, and a backup takes no file's place: choose another name"
  make_folder
  ask <<<'SELECT page_count * page_size FROM pragma_page_count, pragma_page_size;'
  total=$answer
  partial=$(mktemp "${folder_of:-/}/.tm-backup.XXXXXX" 2>/dev/null) || fail "nothing can be written in '$folder_of'"
  trap 'rm -rf -- "$partial" "$partial-journal" "$folder"' EXIT
  backup_copy &
  copier=$!
  if [ -t 2 ] && [ "$is_quiet" -eq 0 ]; then
    while kill -0 "$copier" 2>/dev/null; do
      size=$(wc -c <"$partial")
      bar "$((size / 4096))" "$((total / 4096))" backup
      sleep 0.1
    done
  fi
  wait "$copier" || refused_by_copy
  bar_end
  chmod '=rw' "$partial"
  mv -n -- "$partial" "$target"
  ! is_there "$partial" || fail "the copy could not be given the name '$target'"
  say '%s bytes\n' "$total"
}

is_there() { [ -e "$1" ] || [ -L "$1" ]; }

# The file's name is of mktemp's own making, and its folder is where sqlite3 is.
backup_copy() {
  cd -- "${folder_of:-/}" || return
  printf '.timeout 20000\nBEGIN;\nSELECT count(*) FROM sqlite_schema;\n.backup %s\nCOMMIT;\n' "${partial##*/}" |
    sqlite3 -batch -bail -init /dev/null "$database" >/dev/null 2>"$folder/copied" && [ ! -s "$folder/copied" ]
}

refused_by_copy() {
  what_it_said <"$folder/copied"
  refused
}
