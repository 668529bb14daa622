import asyncio, contextlib, json
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool

def make_engine(url):
    engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, connect_args={"timeout": 20})

    @event.listens_for(engine.sync_engine, "connect")
    def load(dbapi_connection, record):
        async def steps(driver):  # the aiosqlite connection
            await driver.enable_load_extension(True)
            await driver.load_extension("./tm")
            await driver.enable_load_extension(False)
        dbapi_connection.run_async(steps)
        dbapi_connection.isolation_level = None  # the driver begins nothing any more; the next listener does

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection):
        mode = connection.get_execution_options().get("tm_begin", "IMMEDIATE")
        if mode:
            connection.exec_driver_sql("BEGIN " + mode)
    return engine

class Requests:
    """One session a request, one transaction a session. The session factory is given, not made here."""
    def __init__(self, factory):
        self.factory = factory
        self.writing = asyncio.Lock()  # in one process; the busy timeout is for other processes

    @contextlib.asynccontextmanager
    async def begin(self):
        async with self.writing, self.factory() as session, session.begin():
            yield session

class TaskManager:
    """Every method works in the session it is given: it opens none and commits none."""
    async def call(self, session, sql, **values):
        return (await session.execute(text(sql), values)).scalar()

    async def enqueue(self, session, queue, payload):
        return await self.call(session, "SELECT tm_enqueue(:queue, :payload)", queue=queue, payload=payload)

    async def claim(self, session, queue, worker):
        return json.loads(await self.call(session, "SELECT tm_claim(:queue, :worker)", queue=queue, worker=worker) or "null")

    async def complete(self, session, task):
        await self.call(session, "SELECT tm_complete(:id, :token)", id=task["id"], token=task["token"])

    async def fail(self, session, task, error):
        await self.call(session, "SELECT tm_fail(:id, :token, :error)", id=task["id"], token=task["token"], error=str(error))

async def create_order(requests, tasks, total):  # a request: both rows or none
    async with requests.begin() as session:
        task_id = await tasks.enqueue(session, "mail", total)
        await session.execute(text("INSERT INTO invoice VALUES (:total, :task_id)"), {"total": total, "task_id": task_id})

async def send(total):
    if total < 0:
        raise ValueError("negative total")

async def work(requests, tasks, worker):
    while True:
        async with requests.begin() as session:
            task = await tasks.claim(session, "mail", worker)
        if task is None:
            return
        try:
            await send(task["payload"])  # the work, outside any transaction
            async with requests.begin() as session:  # its result and its end together
                await session.execute(text("INSERT INTO receipt VALUES (:payload, :id)"), {"payload": task["payload"], "id": task["id"]})
                await tasks.complete(session, task)
        except Exception as error:
            async with requests.begin() as session:
                await tasks.fail(session, task, error)

async def main():
    engine = make_engine("sqlite+aiosqlite:///app.db")
    requests = Requests(sessionmaker(engine, class_=AsyncSession, expire_on_commit=False))
    tasks = TaskManager()
    async with engine.connect() as connection:  # no transaction: tm_init() changes the journal mode
        connection = await connection.execution_options(tm_begin=None)
        await connection.execute(text("SELECT tm_init()"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))"))
        await connection.execute(text("CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))"))

    await asyncio.gather(*(create_order(requests, tasks, total) for total in range(-1, 99)))  # 100 at once
    try:
        await create_order(requests, tasks, None)
    except IntegrityError:
        pass  # None breaks NOT NULL: its task is rolled back with the invoice
    await asyncio.gather(work(requests, tasks, "worker-1"), work(requests, tasks, "worker-2"))

    async with requests.factory() as session:
        rows = await session.execute(text("SELECT state, count(*) FROM tm_task GROUP BY state ORDER BY state"))
        states = ", ".join(f"{count} {state}" for state, count in rows)
    print(states)
    assert states == "99 completed, 1 retryable"
    await engine.dispose()

asyncio.run(main())
