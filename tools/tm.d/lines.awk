# lines.awk - standard input as `od -An -tx1` prints it, without ends of lines, becomes SQL: a task for each
# line of what od was given, 200 in a statement, and after each statement how many there are by now.
# A line that is UTF-8 without a NUL is text, any other one a BLOB.

BEGIN {
  RS = " 0a"
  c = "[89ab]."
  text = "^(0[1-9a-f]|[1-7].|c[2-9a-f]" c "|d." c "|e0[ab]." c "|e[1-9a-cef]" c c "|ed[89]." c \
    "|f0[9ab]." c c "|f[123]" c c c "|f48." c c ")*$"
}

{
  gsub(/[ \n]/, "")
  if (NR % 200 == 1) printf "WITH line (payload) AS (VALUES"
  printf "%s\n  (%s)", (NR % 200 == 1 ? "" : ","), ($0 ~ text ? "CAST(x'" $0 "' AS TEXT)" : "x'" $0 "'")
  if (NR % 200 == 0) done()
}

function done() {
  printf ")\nINSERT INTO tm_command (verb, arg1, arg2, arg3)\n"
  printf "SELECT 'enqueue', :queue, payload, json FROM line LEFT JOIN temp.object;\n.print %d\n", NR
}

END { if (NR % 200) done() }
