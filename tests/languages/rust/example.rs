use rusqlite::{params, Connection, OptionalExtension, Result, TransactionBehavior::Immediate};
use std::{error::Error, time::Duration};

fn send(total: f64) -> Result<(), Box<dyn Error>> {
    if total < 0.0 { Err("negative total".into()) } else { Ok(()) }
}

fn order(db: &mut Connection, total: Option<f64>) -> Result<()> {
    let tx = db.transaction_with_behavior(Immediate)?; // both rows or none; dropped without commit() it rolls back
    tx.execute("INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))", [total])?;
    tx.commit()
}

fn claim(db: &mut Connection) -> Result<Option<(i64, i64, f64)>> {
    let tx = db.transaction_with_behavior(Immediate)?;
    let sql = "SELECT id, token, payload FROM tm_claim('mail', 'worker-1')";
    let task = tx.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    tx.commit()?;
    Ok(task)
}

fn work(db: &mut Connection, id: i64, token: i64, total: f64) -> Result<(), Box<dyn Error>> {
    send(total)?; // the work, outside any transaction
    let tx = db.transaction_with_behavior(Immediate)?; // its result and its end together
    tx.execute("INSERT INTO receipt VALUES (?, ?)", params![total, id])?;
    tx.query_row("SELECT tm_complete(?, ?)", params![id, token], |_| Ok(()))?;
    Ok(tx.commit()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut db = Connection::open("app.db")?;
    db.busy_timeout(Duration::from_secs(20))?;
    unsafe {
        db.load_extension_enable()?;
        db.load_extension("./tm", None)?;
    }
    db.execute_batch(
        "SELECT tm_init();
         CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id));
         CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))",
    )?;
    for total in [Some(99.5), Some(-1.0), Some(20.0), None] {
        let _ = order(&mut db, total); // None breaks NOT NULL: its task is rolled back with the invoice
    }
    while let Some((id, token, total)) = claim(&mut db)? {
        if let Err(error) = work(&mut db, id, token, total) {
            db.query_row("SELECT tm_fail(?, ?, ?)", params![id, token, error.to_string()], |_| Ok(()))?;
        }
    }
    let sql = "SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)";
    let states: String = db.query_row(sql, [], |row| row.get(0))?;
    println!("{states}");
    if states == "completed retryable completed" { Ok(()) } else { Err("not as it should be".into()) }
}
