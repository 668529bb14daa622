// use.mjs - the package as `import` gives it, in node:sqlite.
import assert from 'node:assert';
import { createRequire } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import tm, { getLoadablePath, load } from 'sqlite-tm';

assert.strictEqual(tm.load, load);
assert.strictEqual(createRequire(import.meta.url)('sqlite-tm').load, load);

const db = new DatabaseSync(':memory:', { allowExtension: true });
load(db);
db.prepare('SELECT tm_init()').get();
const { id } = db.prepare("SELECT tm_enqueue('mail', ?) AS id").get('a');
assert.strictEqual(JSON.parse(db.prepare("SELECT tm_claim('mail', 'me') AS task").get().task).id, id);
db.close();

for (const wrong of [undefined, null, 'app.db', {}]) {
  assert.throws(() => load(wrong), { name: 'TypeError', message: /^sqlite-tm: load\(db\) wants/ });
}

const { TM_SO, ...rest } = process.env;
process.env.TM_SO = '/elsewhere/tm.so';
assert.strictEqual(getLoadablePath(), '/elsewhere/tm.so');
process.env = rest;

// A machine that the package has nothing for.
Object.defineProperty(process, 'arch', { value: 'pdp11' });
assert.throws(getLoadablePath, /^Error: sqlite-tm: no extension for \w+-pdp11 in this package, only for \w+-\w+/);
