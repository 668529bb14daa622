# What Python's sqlite3 does by itself, one without a call that loads extensions too; ../README.md says what
# the lines mean.
import ctypes, sqlite3

can_load = hasattr(sqlite3.Connection, "load_extension")
if not can_load:
    ctypes.CDLL("./tm-auto.so")

def connect():
    db = sqlite3.connect("probe.db", timeout=0)
    if can_load:
        db.enable_load_extension(True)
        db.load_extension("./tm")
    return db

def one(db, sql, *values):
    return db.execute(sql, values).fetchone()[0]

db = connect()
if not can_load:
    print("load no")
one(db, "SELECT tm_init()")
print("number", one(db, "SELECT typeof(?)", 3))
for name, sql in ("select", "SELECT tm_enqueue('select', 1)"), ("command", "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"):
    other = connect()
    other.execute(sql).fetchall()
    if name == "select":
        print("runs", one(other, "SELECT count(*) FROM tm_task"))
    other.close()
    print(name, "kept" if one(db, "SELECT count(*) FROM tm_task WHERE queue = ?", name) else "gone")

with db:
    one(db, "SELECT tm_now()")
    print("begin", "deferred" if db.in_transaction else "none")

one(db, "SELECT tm_enqueue('q', 1) + tm_enqueue('q', 2)")
rows = db.execute("SELECT id FROM tm_task")
rows.fetchone()
try:
    one(db, "SELECT tm_enqueue('open', 1)")
    print("open works")
except sqlite3.OperationalError as error:
    print("open", str(error).split()[-1])
