import json
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError

engine = create_engine("sqlite:///app.db", future=True, connect_args={"timeout": 20})

@event.listens_for(engine, "connect")
def load(driver, record):
    driver.enable_load_extension(True)
    driver.load_extension("./tm")
    driver.isolation_level = None  # the driver begins nothing any more; the next listener does

@event.listens_for(engine, "begin")
def begin(connection):
    connection.exec_driver_sql("BEGIN IMMEDIATE")

def run(connection, sql, **values):
    return connection.execute(text(sql), values)

with engine.connect() as connection:  # no transaction: tm_init() changes the journal mode
    connection.connection.execute("SELECT tm_init()")
with engine.begin() as tx:
    run(tx, "CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))")
    run(tx, "CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))")

for total in (99.5, -1, 20, None):
    try:
        with engine.begin() as tx:  # both rows or none
            task_id = run(tx, "SELECT tm_enqueue('mail', :total)", total=total).scalar()
            run(tx, "INSERT INTO invoice VALUES (:total, :task_id)", total=total, task_id=task_id)
    except IntegrityError:
        pass  # None breaks NOT NULL: its task is rolled back with the invoice

def send(total):
    if total < 0:
        raise ValueError("negative total")

def claim():
    with engine.begin() as tx:
        return json.loads(run(tx, "SELECT tm_claim('mail', 'worker-1')").scalar() or "null")

while task := claim():
    try:
        send(task["payload"])  # the work, outside any transaction
        with engine.begin() as tx:  # its result and its end together
            run(tx, "INSERT INTO receipt VALUES (:payload, :id)", payload=task["payload"], id=task["id"])
            run(tx, "SELECT tm_complete(:id, :token)", id=task["id"], token=task["token"])
    except Exception as error:
        with engine.begin() as tx:
            run(tx, "SELECT tm_fail(:id, :token, :error)", id=task["id"], token=task["token"], error=str(error))

with engine.begin() as tx:
    states = " ".join(run(tx, "SELECT state FROM tm_task ORDER BY id").scalars())
print(states)
assert states == "completed retryable completed"
