# help.awk - help.txt as a list (want=list), one command of it (want=one, name), a man page (want=man), or the
# options of each command for the completion (want=completion).

# The options of a group, as they stand.
function print_options(lines, n,    i, at, option, width) {
  for (i = 1; i <= n; i++) {
    at = index(lines[i], "  ")
    if (at > width) width = at
  }
  if (width > 28) width = 28
  for (i = 1; i <= n; i++) {
    at = index(lines[i], "  ")
    option = substr(lines[i], 1, at - 1)
    printf "  %-*s  %s\n", width, option, substr(lines[i], at + 2)
  }
}

function wrap(s,    line, words, n, i) {
  n = split(s, words, " ")
  for (i = 1; i <= n; i++) {
    if (line != "" && length(line) + length(words[i]) > 78) { print line; line = "" }
    line = line (line == "" ? "" : " ") words[i]
  }
  if (line != "") print line
}

function roff(s) {
  gsub(/\\/, "\\e", s)
  gsub(/-/, "\\-", s)
  sub(/^[.']/, "\\\\\\&&", s)
  return s
}

function man_block(name,    i, at) {
  for (i = 1; i <= texts[name]; i++) print (i > 1 ? ".PP\n" : "") roff(text[name, i])
  for (i = 1; i <= options[name]; i++) {
    at = index(option[name, i], "  ")
    print ".TP\n.B " roff(substr(option[name, i], 1, at - 1)) "\n" roff(substr(option[name, i], at + 2))
  }
}

/^#/ || /^$/ { next }

/^== / {
  current = $2
  order[++count] = current
  usage[current] = substr($0, 4)
  next
}
/^=\+ / { current = "+" $2; next }
/^@/ { uses[current] = "+" substr($0, 2); next }
/^  / { option[current, ++options[current]] = substr($0, 3); next }
{ text[current, ++texts[current]] = $0 }

function list(    i, name, lines, n) {
  print "usage: tm [--db FILE] COMMAND [ARGUMENT...], or: tm FILE COMMAND [ARGUMENT...]\n"
  for (i = 1; i <= count; i++) printf "  %-9s  %s\n", order[i], text[order[i], 1]
  print ""
  for (n = 1; n <= options["+global"]; n++) lines[n] = option["+global", n]
  print_options(lines, n - 1)
  print ""
  for (i = 1; i <= texts["+status"]; i++) wrap("Exit status: " text["+status", i])
  print "\ntm help COMMAND says more."
}

function one(    i, lines, n) {
  if (!(name in usage)) exit 1
  print "usage: tm " usage[name] "\n"
  for (i = 1; i <= texts[name]; i++) wrap(text[name, i])
  if (name in uses) { print ""; for (i = 1; i <= texts[uses[name]]; i++) wrap(text[uses[name], i]) }
  for (i = 1; i <= options[name]; i++) lines[++n] = option[name, i]
  if (name in uses) for (i = 1; i <= options[uses[name]]; i++) lines[++n] = option[uses[name], i]
  for (i = 1; i <= options["+global"]; i++) lines[++n] = option["+global", i]
  print ""
  print_options(lines, n)
}

function man(    i) {
  print ".TH TM 1 \"\" \"sqlite-tm @VERSION@\" \"sqlite-tm\""
  print ".SH NAME\ntm \\- the task manager in a SQLite file, at a terminal"
  print ".SH SYNOPSIS\n.B tm\n[\\-\\-db FILE] COMMAND [ARGUMENT...]\n.br\n.B tm\nFILE COMMAND [ARGUMENT...]"
  print ".SH DESCRIPTION\nTasks live in an application's own SQLite database, which the extension tm.so looks"
  print "after. This command adds, shows, steers and runs them. What it is given becomes part of no SQL"
  print "statement: quotes, ends of line and leading dashes are data."
  print ".SH OPTIONS"
  man_block("+global")
  print ".SH COMMANDS"
  for (i = 1; i <= count; i++) {
    print ".SS tm " roff(usage[order[i]])
    man_block(order[i])
    if (order[i] in uses) print ".PP\nand a filter, see below."
  }
  print ".SH FILTER"
  man_block("+filter")
  print ".SH EXAMPLES"
  example()
  print ".SH EXIT STATUS"
  man_block("+status")
  print ".SH ENVIRONMENT"
  man_block("+environment")
}

function example(    i) {
  for (i = 1; i <= texts["+examples"]; i++) {
    if (i % 2) print ".TP\n.B " roff(text["+examples", i])
    else print roff(text["+examples", i])
  }
}

# Long options only: `--name` for a flag, `--name=` where a value follows.
function long_options(name,    i, line, words, n, out) {
  for (i = 1; i <= options[name]; i++) {
    line = option[name, i]
    line = substr(line, 1, index(line, "  ") - 1)
    sub(/,.*/, "", line)
    n = split(line, words, " ")
    out = out (out == "" ? "" : " ") words[1] (n > 1 ? "=" : "")
  }
  return out
}

function completion(    i, name) {
  print "_tm_global='" long_options("+global") "'"
  print "declare -gA _tm_options=("
  for (i = 1; i <= count; i++) {
    name = order[i]
    print "  [" name "]='" long_options(name) (name in uses ? " " long_options(uses[name]) : "") "'"
  }
  print ")"
}

END {
  if (want == "list") list()
  else if (want == "one") one()
  else if (want == "completion") completion()
  else man()
}
