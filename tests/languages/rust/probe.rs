// What rusqlite does by itself; ../README.md says what the lines mean.
use rusqlite::{params, Connection, Result, ToSql, TransactionBehavior};

fn connect() -> Result<Connection> {
    let db = Connection::open("probe.db")?;
    db.busy_timeout(std::time::Duration::ZERO)?;
    unsafe {
        db.load_extension_enable()?;
        db.load_extension("./tm", None)?;
    }
    Ok(db)
}

fn number(db: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<i64> {
    db.query_row(sql, values, |row| row.get(0))
}

fn fresh(db: &Connection, name: &str, sql: &str) -> Result<()> {
    let other = connect()?;
    other.execute_batch(sql)?;
    if name == "select" {
        println!("runs {}", number(&other, "SELECT count(*) FROM tm_task", &[])?);
    }
    drop(other);
    let count = number(db, "SELECT count(*) FROM tm_task WHERE queue = ?", params![name])?;
    println!("{name} {}", if count == 0 { "gone" } else { "kept" });
    Ok(())
}

fn main() -> Result<()> {
    let mut db = connect()?;
    number(&db, "SELECT tm_init()", &[])?;
    println!("number {}", db.query_row("SELECT typeof(?)", [3], |row| row.get::<_, String>(0))?);
    fresh(&db, "select", "SELECT tm_enqueue('select', 1)")?;
    fresh(&db, "command", "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')")?;

    let other = connect()?;
    let tx = db.transaction()?;
    number(&tx, "SELECT count(*) FROM tm_task", &[])?;
    println!("begin {}", if other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() { "deferred" } else { "immediate" });
    drop(tx);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    println!("cure {}", if other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() { "deferred" } else { "immediate" });
    drop(tx);

    let mut stmt = db.prepare("SELECT id FROM tm_task")?;
    let mut rows = stmt.query([])?;
    rows.next()?;
    match number(&db, "SELECT tm_enqueue('open', 1)", &[]) {
        Ok(_) => println!("open works"),
        Err(error) => println!("open {}", error.to_string().split(' ').last().unwrap()),
    }
    Ok(())
}
