// What better-sqlite3 does by itself; ../README.md says what the lines mean.
import Database from 'better-sqlite3';

function connect() {
  const db = new Database('probe.db', { timeout: 0 });
  db.loadExtension('./tm');
  return db;
}
const one = (db, sql, ...values) => db.prepare(sql).pluck().get(...values);

const db = connect();
one(db, 'SELECT tm_init()');
console.log('number', one(db, 'SELECT typeof(?)', 3));
for (const [name, sql] of [
  ['select', "SELECT tm_enqueue('select', 1)"],
  ['command', "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"],
]) {
  const other = connect();
  if (name === 'select') {
    one(other, sql);
    console.log('runs', one(other, 'SELECT count(*) FROM tm_task'));
  } else {
    other.prepare(sql).run();
  }
  other.close();
  console.log(name, one(db, 'SELECT count(*) FROM tm_task WHERE queue = ?', name) ? 'kept' : 'gone');
}

const other = connect();
const try_it = db.transaction((what) => {
  one(db, 'SELECT count(*) FROM tm_task');
  try {
    other.exec('BEGIN IMMEDIATE; ROLLBACK');
    console.log(what, 'deferred');
  } catch {
    console.log(what, 'immediate');
  }
});
try_it('begin');
try_it.immediate('cure');

const rows = db.prepare('SELECT id FROM tm_task').iterate();
rows.next();
try {
  one(db, "SELECT tm_enqueue('open', 1)");
  console.log('open works');
} catch (error) {
  console.log('open', /\[\w+\]$/.exec(error.message)?.[0] ?? error.message);
}
