'use strict'
const Database = require('better-sqlite3')

// What an application writes when it needs a queue in its own file: the least that can be called one.
const schema = `
  CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'available',
    priority INTEGER NOT NULL DEFAULT 0,
    run_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    worker TEXT,
    payload TEXT NOT NULL
  );
  CREATE INDEX task_available ON task (queue, priority DESC, run_at, id) WHERE state = 'available';`

module.exports = {
  name: 'by hand',
  packages: ['better-sqlite3'],
  settings: 'one table and one partial index through better-sqlite3; WAL, synchronous NORMAL; no history, no rules, no wake-up',

  open({ folder }) {
    const db = new Database(`${folder}/hand.db`, { timeout: 20000 })
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    db.exec(schema)
    const enqueue = db.prepare("INSERT INTO task (queue, run_at, payload) VALUES ('bench', ?, ?)")
    const claim = db.prepare(`
      UPDATE task SET state = 'running', attempt = attempt + 1, worker = 'worker-1', lease_until = ?
      WHERE id = (
        SELECT id FROM task WHERE queue = 'bench' AND state = 'available' AND run_at <= ?
        ORDER BY priority DESC, run_at, id LIMIT 1)
      RETURNING id, attempt, payload`)
    const complete = db.prepare(`
      UPDATE task SET state = 'completed', lease_until = NULL
      WHERE id = ? AND attempt = ? AND state = 'running'`)
    const batch = db.transaction(payloads => {
      for (const payload of payloads) enqueue.run(Date.now(), JSON.stringify(payload))
    })
    return {
      versions: { SQLite: db.prepare('SELECT sqlite_version()').pluck().get() },
      enqueue: payload => enqueue.run(Date.now(), JSON.stringify(payload)),
      batch,
      claim: () => {
        const task = claim.get(Date.now() + 60000, Date.now())
        return { ...task, payload: JSON.parse(task.payload) }
      },
      complete: task => complete.run(task.id, task.attempt),
      close: () => db.close(),
    }
  },
}
