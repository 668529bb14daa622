import Database from 'better-sqlite3';

const db = new Database('app.db', { timeout: 20000 });
db.loadExtension('./tm');
db.prepare('SELECT tm_init()').get();
db.exec('CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))');
db.exec('CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))');

const invoice = db.prepare("INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))");
const order = db.transaction((total) => invoice.run({ 1: total })); // both rows or none
for (const total of [99.5, -1, 20, null]) {
  try {
    order.immediate(total); // order(total) would be BEGIN DEFERRED
  } catch (error) {
    if (!error.code.startsWith('SQLITE_CONSTRAINT')) throw error; // null breaks NOT NULL: its task goes with the invoice
  }
}

function send(total) {
  if (total < 0) throw new RangeError('negative total');
}

const claim = db.prepare("SELECT tm_claim('mail', 'worker-1')").pluck();
const finish = db.transaction(({ id, token, payload }) => { // its result and its end together
  db.prepare('INSERT INTO receipt VALUES (?, ?)').run(payload, id);
  db.prepare('SELECT tm_complete(?, ?)').get(id, token);
});
for (let text; (text = claim.get()) !== null; ) {
  const task = JSON.parse(text);
  try {
    send(task.payload); // the work, outside any transaction
    finish.immediate(task);
  } catch (error) {
    db.prepare('SELECT tm_fail(?, ?, ?)').get(task.id, task.token, error.message);
  }
}

const states = db.prepare('SELECT state FROM tm_task ORDER BY id').pluck().all().join(' ');
console.log(states);
process.exitCode = states === 'completed retryable completed' ? 0 : 1;
