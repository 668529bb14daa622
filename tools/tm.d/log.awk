# log.awk - a line of the history for each row of log.sql: TIME, ID, QUEUE, FROM, TO, ATTEMPT, BY, REASON.
function clean(s) {
  gsub(/[\001-\037\177]/, "?", s)
  gsub(/\302[\200-\237]/, "?", s)
  return s
}
function state(s) {
  if (!colour) return s
  if (s == "completed") return "\033[32m" s "\033[0m"
  if (s == "discarded") return "\033[31m" s "\033[0m"
  if (s ~ /^(retryable|cancelling|cancelled|held)$/) return "\033[33m" s "\033[0m"
  if (s == "running") return "\033[36m" s "\033[0m"
  return s
}
BEGIN { FS = "\t" }
{
  line = $1 "  " $2 " " clean($3) "  " ($4 == "" ? "new" : $4) " -> " state($5)
  if ($6 > 0) line = line ", attempt " $6
  if ($7 != "") line = line " by " clean($7)
  if ($8 != "") line = line ": " clean($8)
  print line
  fflush()
}
