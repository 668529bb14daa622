import { DatabaseSync } from 'node:sqlite';

const db = new DatabaseSync('app.db', { allowExtension: true });
db.exec('PRAGMA busy_timeout = 20000');
db.loadExtension('./tm.so');
db.prepare('SELECT tm_init()').get();
db.exec('CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))');
db.exec('CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))');

function transaction(body) {
  db.exec('BEGIN IMMEDIATE');
  try {
    body();
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction !== false) db.exec('ROLLBACK');
    throw error;
  }
}

for (const total of [99.5, -1, 20, null]) {
  try { // both rows or none
    transaction(() => db.prepare("INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))").run(total));
  } catch (error) {
    if (!error.message.includes('NOT NULL')) throw error; // null: its task is rolled back with the invoice
  }
}

function send(total) {
  if (total < 0) throw new RangeError('negative total');
}

const claim = db.prepare("SELECT tm_claim('mail', 'worker-1') AS task");
for (let text; (text = claim.get().task) !== null; ) {
  const { id, token, payload } = JSON.parse(text);
  try {
    send(payload); // the work, outside any transaction
    transaction(() => { // its result and its end together
      db.prepare('INSERT INTO receipt VALUES (?, ?)').run(payload, id);
      db.prepare('SELECT tm_complete(?, ?)').get(id, token);
    });
  } catch (error) {
    db.prepare('SELECT tm_fail(?, ?, ?)').get(id, token, error.message);
  }
}

const states = db.prepare('SELECT state FROM tm_task ORDER BY id').all().map((row) => row.state).join(' ');
console.log(states);
process.exitCode = states === 'completed retryable completed' ? 0 : 1;
