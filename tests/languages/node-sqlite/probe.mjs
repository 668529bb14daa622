// What node:sqlite does by itself; ../README.md says what the lines mean.
import { DatabaseSync } from 'node:sqlite';

function connect() {
  const db = new DatabaseSync('probe.db', { allowExtension: true });
  db.loadExtension('./tm.so');
  return db;
}
const one = (db, sql, ...values) => Object.values(db.prepare(sql).get(...values))[0];

const db = connect();
one(db, 'SELECT tm_init()');
console.log('number', one(db, 'SELECT typeof(?)', 3));
for (const [name, sql] of [
  ['select', "SELECT tm_enqueue('select', 1)"],
  ['command', "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"],
]) {
  const other = connect();
  other.prepare(sql).get();
  if (name === 'select') console.log('runs', one(other, 'SELECT count(*) FROM tm_task'));
  other.close();
  console.log(name, one(db, 'SELECT count(*) FROM tm_task WHERE queue = ?', name) ? 'kept' : 'gone');
}

const rows = db.prepare('SELECT id FROM tm_task').iterate();
rows.next();
try {
  one(db, "SELECT tm_enqueue('open', 1)");
  console.log('open works');
} catch (error) {
  console.log('open', /\[\w+\]$/.exec(error.message)?.[0] ?? error.message);
}
