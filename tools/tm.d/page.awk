# page.awk - lays out what the SQL of a command gives: tables, sheets of keys and values, titles.
#
# A line is a tag and cells, a tab between:
#   =  TITLE                 a title
#   k  KEY VALUE             a row of a sheet
#   h  TYPE:NAME ...         the head of a table: t text, n number, s state, c check, d duration in ms,
#                            a time in ms from now (past ones are negative), p progress 0..1,
#                            w a cure, in SQL
#   r  CELL ...              a row of it
#   .  TEXT                  a line as it is
#
# Variables: colour, utf8 (0 or 1); columns, the width of the screen, and rows, how many lines
# there is room for (0: as many as there are). Bytes are bytes (LC_ALL=C): characters are counted
# without the bytes that continue one. Control characters become '?'.

function chars(s) { gsub(/[\200-\277]/, "", s); return length(s) }

function clean(s) {
  gsub(/[\001-\037\177]/, "?", s)
  gsub(/\302[\200-\237]/, "?", s)
  return s
}

# The first n characters, the last of them a sign that there is more.
function cut(s, n,    i, seen) {
  if (chars(s) <= n) return s
  if (n < 1) return ""
  for (i = 1; i <= length(s); i++) {
    if (substr(s, i, 1) !~ /[\200-\277]/ && ++seen == n) break
  }
  return substr(s, 1, i - 1) (utf8 ? "\342\200\246" : "~")
}

function pad(s, n, right,    spaces) {
  spaces = n - chars(s)
  if (spaces <= 0) return s
  return right ? sprintf("%*s", spaces, "") s : s sprintf("%*s", spaces, "")
}

function span(ms,    s) {
  if (ms < 1000) return ms "ms"
  s = ms / 1000
  if (s < 10) return sprintf("%.1fs", s)
  if (s < 60) return sprintf("%ds", s)
  if (s < 3600) return sprintf("%dm%02ds", s / 60, s % 60)
  if (s < 86400) return sprintf("%dh%02dm", s / 3600, (s % 3600) / 60)
  return sprintf("%dd%02dh", s / 86400, (s % 86400) / 3600)
}

function progress(part,    full, i, bar) {
  full = int(part * 16 + 0.5)
  for (i = 1; i <= 16; i++) {
    if (utf8) bar = bar (i <= full ? "\342\226\210" : "\342\226\221")
    else bar = bar (i <= full ? "#" : "-")
  }
  return bar sprintf(" %3d%%", part * 100)
}

# A cure in SQL, in the words of this command where it has them.
function in_words(s,    before, call) {
  while (match(s, /SELECT (tm_(retry|hold|unhold|resume|repair|tick|init)|\* FROM tm_explain)\(('[a-zA-Z0-9_.-]+'|[0-9]*)(, '{"completed":true}')?\)/)) {
    call = substr(s, RSTART + 7, RLENGTH - 8)
    before = before substr(s, 1, RSTART - 1)
    s = substr(s, RSTART + RLENGTH)
    sub(/^\* FROM tm_explain/, "tm_why", call)
    sub(/^tm_/, "tm ", call)
    sub(/, '{"completed":true}'/, " --completed", call)
    sub(/\(/, " ", call)
    gsub(/'/, "", call)
    sub(/ $/, "", call)
    before = before call
  }
  return before s
}

function shown(type, value) {
  if (value == "") return ""
  if (type == "d") return span(value)
  if (type == "a") return value < 0 ? span(-value) " ago" : value == 0 ? "now" : "in " span(value)
  if (type == "p") return progress(value)
  return clean(type == "w" ? in_words(value) : value)
}

function painted(code, s) { return colour && code != "" ? "\033[" code "m" s "\033[0m" : s }

function colour_of(type, value) {
  if (type == "p") return "36"
  if (type != "s" && type != "c") return ""
  if (value ~ /^(completed|ok)$/) return "32"
  if (value ~ /^(running|available)$/) return "36"
  if (value ~ /^(retryable|cancelling|held|blocked|warn|paused)$/) return "33"
  if (value ~ /^(discarded|error)$/) return "31"
  if (value ~ /^(cancelled|scheduled|waiting)$/) return "2"
  return ""
}

# A line of the page, where there is room for it.
function out(s) {
  if (rows && ++printed > rows) return
  print s (erase ? "\033[K" : "")
}

function flush_table(    i, j, line, plain, cell, room) {
  for (i = head ? 0 : 1; i <= n; i++) {
    line = ""
    room = columns ? columns : 1000000
    for (j = 1; j <= width_n; j++) {
      cell = i ? text[i, j] : name[j]
      if (room <= 0) break
      if (j < width_n) cell = pad(cell, width[j], type[j] ~ /^[nd]$/)
      plain = cut(cell, room)
      room -= chars(plain) + 2
      line = line (line == "" ? "" : "  ") painted(i ? colour_of(type[j], value[i, j]) : "1", plain)
    }
    sub(/ +$/, "", line)
    out(line)
  }
  delete text
  delete value
  n = head = width_n = 0
}

function flush_sheet(    i, line) {
  for (i = 1; i <= sheet_n; i++) {
    line = pad(key[i], key_width)
    out(painted("2", line) "  " painted(colour_of(key[i] == "state" ? "s" : "", fact[i]), \
      columns ? cut(fact[i], columns - key_width - 2) : fact[i]))
  }
  sheet_n = key_width = 0
}

function flush() { if (width_n) flush_table(); if (sheet_n) flush_sheet() }

BEGIN { FS = "\t" }

$1 == "r" {
  n++
  for (j = 1; j <= width_n; j++) {
    value[n, j] = $(j + 1)
    text[n, j] = shown(type[j], $(j + 1))
    if (chars(text[n, j]) > width[j]) width[j] = chars(text[n, j])
  }
  next
}

$1 == "k" {
  if (width_n) flush_table()
  sheet_n++
  key[sheet_n] = $2
  fact[sheet_n] = clean($3)
  if (chars($2) > key_width) key_width = chars($2)
  next
}

{ flush() }

$1 == "h" {
  head = 1
  width_n = NF - 1
  for (j = 1; j <= width_n; j++) {
    type[j] = substr($(j + 1), 1, 1)
    name[j] = substr($(j + 1), 3)
    width[j] = length(name[j])
  }
}

$1 == "=" { if (titles++) out(""); out(painted("1", clean($2))) }

$1 == "." { out(columns ? cut(clean($2), columns) : clean($2)) }

END { flush() }
