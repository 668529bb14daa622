'use strict'
const Database = require('better-sqlite3')
const { setImmediate: turn } = require('node:timers/promises')

const connect = ({ folder }) => {
  const db = new Database(`${folder}/tm.db`, { timeout: 20000 })
  db.loadExtension(process.env.TM_SO)
  db.prepare('SELECT tm_init()').get()
  db.pragma('synchronous = NORMAL')
  return db
}

module.exports = {
  name: 'sqlite-tm',
  packages: ['better-sqlite3'],
  settings: 'tm.so through better-sqlite3; SQLite in WAL, synchronous NORMAL; keeps every task and its history',
  wake: 'tm_wait',

  open(where) {
    const db = connect(where)
    const enqueue = db.prepare("SELECT tm_enqueue('bench', ?)").pluck()
    const claim = db.prepare("SELECT tm_claim('bench', 'worker-1')").pluck()
    const complete = db.prepare('SELECT tm_complete(?, ?)').pluck()
    const batch = db.prepare("INSERT INTO tm_command (verb, arg1, arg2) SELECT 'enqueue', 'bench', value FROM json_each(?)")
    return {
      versions: {
        'sqlite-tm': db.prepare('SELECT tm_version()').pluck().get(),
        SQLite: db.prepare('SELECT sqlite_version()').pluck().get(),
      },
      enqueue: payload => enqueue.get(JSON.stringify(payload)),
      batch: payloads => batch.run(JSON.stringify(payloads)),
      claim: () => JSON.parse(claim.get()),
      complete: task => complete.get(task.id, task.token),
      close: () => db.close(),
    }
  },

  async work(where, handle) {
    const db = connect(where)
    const claim = db.prepare("SELECT tm_claim('bench', 'worker-1')").pluck()
    const complete = db.prepare('SELECT tm_complete(?, ?)').pluck()
    const wait = db.prepare("SELECT tm_wait('bench', '1s')").pluck()
    for (;;) {
      await turn()
      const text = claim.get()
      if (text === null) {
        wait.get()
      } else {
        const task = JSON.parse(text)
        handle(task.payload)
        complete.get(task.id, task.token)
      }
    }
  },
}
