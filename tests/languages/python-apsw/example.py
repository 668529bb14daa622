import json, apsw

db = apsw.Connection("app.db")
db.setbusytimeout(20000)
db.enableloadextension(True)
db.loadextension("./tm")
db.execute("SELECT tm_init()")
db.execute("CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))")
db.execute("CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))")

class transaction:  # `with db` is a savepoint, whose first write may be told "database is locked"
    def __enter__(self): db.execute("BEGIN IMMEDIATE")
    def __exit__(self, kind, error, trace): db.execute("ROLLBACK" if kind else "COMMIT")

for total in (99.5, -1, 20, None):
    try:
        with transaction():  # both rows or none
            db.execute("INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))", (total,))
    except apsw.ConstraintError:
        pass  # None breaks NOT NULL: its task is rolled back with the invoice

def send(total):
    if total < 0:
        raise ValueError("negative total")

while text := db.execute("SELECT tm_claim('mail', 'worker-1')").fetchall()[0][0]:
    task = json.loads(text)
    try:
        send(task["payload"])  # the work, outside any transaction
        with transaction():  # its result and its end together
            db.execute("INSERT INTO receipt VALUES (?, ?)", (task["payload"], task["id"]))
            db.execute("SELECT tm_complete(?, ?)", (task["id"], task["token"]))
    except Exception as error:
        db.execute("SELECT tm_fail(?, ?, ?)", (task["id"], task["token"], str(error)))

states = " ".join(row[0] for row in db.execute("SELECT state FROM tm_task ORDER BY id"))
print(states)
assert states == "completed retryable completed"
