# What SQLAlchemy over sqlite3 does with its defaults; ../README.md says what the lines mean.
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DBAPIError

engine = create_engine("sqlite:///probe.db", future=True, connect_args={"timeout": 0})

@event.listens_for(engine, "connect")
def load(driver, record):
    driver.enable_load_extension(True)
    driver.load_extension("./tm")

def one(connection, sql, **values):
    return connection.execute(text(sql), values).scalar()

with engine.connect() as connection:
    connection.connection.execute("SELECT tm_init()")
    print("number", one(connection, "SELECT typeof(:three)", three=3))
for name, sql in ("select", "SELECT tm_enqueue('select', 1)"), ("command", "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"):
    with engine.connect() as connection:
        connection.execute(text(sql))
        if name == "select":
            print("runs", one(connection, "SELECT count(*) FROM tm_task"))
        connection.rollback()
    with engine.connect() as connection:
        print(name, "kept" if one(connection, "SELECT count(*) FROM tm_task WHERE queue = :name", name=name) else "gone")

with engine.begin() as tx:
    one(tx, "SELECT count(*) FROM tm_task")
    print("begin", "deferred" if tx.connection.in_transaction else "none")

with engine.connect() as connection:
    one(connection, "SELECT tm_enqueue('q', 1) + tm_enqueue('q', 2)")
    rows = connection.execute(text("SELECT id FROM tm_task"))
    rows.fetchone()
    try:
        one(connection, "SELECT tm_enqueue('open', 1)")
        print("open works")
    except DBAPIError as error:
        print("open", str(error.orig).split()[-1])
