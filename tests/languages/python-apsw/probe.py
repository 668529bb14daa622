# What apsw does by itself; ../README.md says what the lines mean.
import apsw

def connect():
    db = apsw.Connection("probe.db")
    db.enableloadextension(True)
    db.loadextension("./tm")
    return db

def one(db, sql, *values):
    return db.execute(sql, values).fetchall()[0][0]

db = connect()
one(db, "SELECT tm_init()")
print("number", one(db, "SELECT typeof(?)", 3))
for name, sql in ("select", "SELECT tm_enqueue('select', 1)"), ("command", "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"):
    other = connect()
    other.execute(sql).fetchall()
    if name == "select":
        print("runs", one(other, "SELECT count(*) FROM tm_task"))
    other.close()
    print(name, "kept" if one(db, "SELECT count(*) FROM tm_task WHERE queue = ?", name) else "gone")

other = connect()
with db:
    one(db, "SELECT count(*) FROM tm_task")
    try:
        other.execute("BEGIN IMMEDIATE; ROLLBACK")
        print("begin deferred")
    except apsw.BusyError:
        print("begin immediate")

rows = db.execute("SELECT id FROM tm_task")
next(rows)
try:
    one(db, "SELECT tm_enqueue('open', 1)")
    print("open works")
except apsw.SQLError as error:
    print("open", str(error).split()[-1])
