library(DBI)

db <- dbConnect(RSQLite::SQLite(), "app.db", loadable.extensions = TRUE)
run <- function(sql, ...) dbGetQuery(db, sql, params = if (...length()) list(...))[[1]]
invisible(run("PRAGMA busy_timeout = 20000"))
invisible(run("SELECT load_extension('./tm')"))
invisible(run("SELECT tm_init()"))
invisible(dbExecute(db, "CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))"))
invisible(dbExecute(db, "CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))"))

transaction <- function(body) { # dbWithTransaction() would be BEGIN DEFERRED
  dbExecute(db, "BEGIN IMMEDIATE")
  tryCatch({ body; dbExecute(db, "COMMIT") }, error = function(e) { dbExecute(db, "ROLLBACK"); stop(e) })
}

for (total in list(99.5, -1, 20, NA)) { # NA breaks NOT NULL: its task is rolled back with the invoice
  try(silent = TRUE, transaction( # both rows or none
    dbExecute(db, "INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))", params = list(total))
  ))
}

send <- function(total) if (total < 0) stop("negative total")

claim <- function() {
  transaction(task <- dbGetQuery(db, "SELECT id, token, payload FROM tm_claim('mail', 'worker-1')"))
  task
}
while (nrow(task <- claim()) > 0) {
  total <- as.numeric(task$payload)
  tryCatch({
    send(total) # the work, outside any transaction
    transaction({ # its result and its end together
      dbExecute(db, "INSERT INTO receipt VALUES (?, ?)", params = list(total, task$id))
      run("SELECT tm_complete(?, ?)", task$id, task$token)
    })
  }, error = function(e) run("SELECT tm_fail(?, ?, ?)", task$id, task$token, conditionMessage(e)))
}

states <- paste(run("SELECT state FROM tm_task ORDER BY id"), collapse = " ")
cat(states, "\n", sep = "")
dbDisconnect(db)
quit(status = states != "completed retryable completed")
