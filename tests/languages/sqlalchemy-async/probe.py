# What SQLAlchemy over aiosqlite does with its defaults; ../README.md says what the lines mean.
import asyncio
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

engine = create_async_engine("sqlite+aiosqlite:///probe.db", poolclass=AsyncAdaptedQueuePool, connect_args={"timeout": 0})

@event.listens_for(engine.sync_engine, "connect")
def load(dbapi_connection, record):
    async def steps(driver):
        await driver.enable_load_extension(True)
        await driver.load_extension("./tm")
    dbapi_connection.run_async(steps)

async def one(connection, sql, **values):
    return (await connection.execute(text(sql), values)).scalar()

async def main():
    async with engine.connect() as connection:
        await one(connection, "SELECT tm_init()")
        print("number", await one(connection, "SELECT typeof(:three)", three=3))
    for name, sql in ("select", "SELECT tm_enqueue('select', 1)"), ("command", "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"):
        async with engine.connect() as connection:
            await connection.execute(text(sql))
            if name == "select":
                print("runs", await one(connection, "SELECT count(*) FROM tm_task"))
            await connection.rollback()
        async with engine.connect() as connection:
            print(name, "kept" if await one(connection, "SELECT count(*) FROM tm_task WHERE queue = :name", name=name) else "gone")
    async with engine.begin() as tx:
        await one(tx, "SELECT count(*) FROM tm_task")
        in_transaction = (await tx.get_raw_connection()).driver_connection.in_transaction
        print("begin", "deferred" if in_transaction else "none")
    async with engine.connect() as connection:
        rows = await connection.stream(text("SELECT id FROM tm_task, tm_state"))
        await rows.fetchone()
        try:
            await one(connection, "SELECT tm_enqueue('open', 1)")
            print("open works")
        except DBAPIError as error:
            print("open", str(error.orig).split()[-1])
    await engine.dispose()

asyncio.run(main())
