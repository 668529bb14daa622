// use.cjs - the package as `require` gives it, in better-sqlite3.
const assert = require('node:assert');
const path = require('node:path');
const Database = require('better-sqlite3');
const tm = require('sqlite-tm');

const file = tm.getLoadablePath();
assert.ok(file.startsWith(path.join(__dirname, 'node_modules', 'sqlite-tm', 'prebuilds')), file);

const db = new Database('app.db');
tm.load(db);
tm.load(db); // twice is harmless
assert.strictEqual(
  db.prepare('SELECT tm_version()').pluck().get(),
  require('sqlite-tm/package.json').version,
);
db.prepare('SELECT tm_init()').get();

const count = db.prepare("SELECT count(*) FROM tm_task WHERE queue = 'mail'").pluck();
const enqueue = db.prepare("SELECT tm_enqueue('mail', ?)").pluck();
const order = db.transaction((payload, fails) => {
  const id = enqueue.get(payload);
  if (fails) throw new Error('no order');
  return id;
});
assert.throws(() => order.immediate('a', true), /no order/);
assert.strictEqual(count.get(), 0);
const id = order.immediate('a', false);
assert.strictEqual(count.get(), 1);

// better-sqlite3 binds every number as REAL.
const task = JSON.parse(db.prepare('SELECT tm_claim(?, ?, ?)').pluck().get('mail', 'me', '{"lease":60}'));
assert.strictEqual(task.id, id);
assert.strictEqual(db.prepare('SELECT tm_complete(?, ?)').pluck().get(task.id, task.token), 'completed');
assert.throws(() => db.prepare('SELECT tm_complete(?, ?)').get(task.id, task.token), /\[\w+\]$/);
db.close();
