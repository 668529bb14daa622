# What RSQLite does by itself; ../README.md says what the lines mean.
library(DBI)
connect <- function() {
  db <- dbConnect(RSQLite::SQLite(), "probe.db", loadable.extensions = TRUE)
  dbExecute(db, "PRAGMA busy_timeout = 0")
  dbGetQuery(db, "SELECT load_extension('./tm')")
  db
}
one <- function(db, sql, ...) dbGetQuery(db, sql, params = if (...length()) list(...))[[1]]
say <- function(...) cat(..., "\n", sep = "")

db <- connect()
init <- one(db, "SELECT tm_init()")
say("number ", one(db, "SELECT typeof(?)", 3))
for (name in c("select", "command")) {
  other <- connect()
  if (name == "select") {
    id <- one(other, "SELECT tm_enqueue('select', 1)")
    say("runs ", one(other, "SELECT count(*) FROM tm_task"))
  } else {
    rows <- dbExecute(other, "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')")
  }
  dbDisconnect(other)
  say(name, if (one(db, "SELECT count(*) FROM tm_task WHERE queue = ?", name) > 0) " kept" else " gone")
}

other <- connect()
dbBegin(db)
rows <- one(db, "SELECT count(*) FROM tm_task")
tryCatch({
  dbExecute(other, "BEGIN IMMEDIATE")
  dbExecute(other, "ROLLBACK")
  say("begin deferred")
}, error = function(e) say("begin immediate"))
dbRollback(db)

rows <- dbSendQuery(db, "SELECT id FROM tm_task")
first <- dbFetch(rows, n = 1)
outcome <- tryCatch({
  id <- suppressWarnings(one(db, "SELECT tm_enqueue('open', 1)")) # which closes what was open, with a warning
  "works"
}, error = function(e) sub(".* ", "", conditionMessage(e)))
say("open ", outcome)
