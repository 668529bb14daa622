'use strict'
const { PgBoss } = require('pg-boss')
const postgres = require('./postgres.js')

const start = async ({ name, server }) => {
  const boss = new PgBoss({ ...postgres.address(server), schema: name })
  boss.on('error', error => console.error(error))
  await boss.start()
  return boss
}

module.exports = {
  name: 'pg-boss',
  packages: ['pg-boss', 'pg'],
  server: 'postgresql',
  settings: `${postgres.settings}; keeps completed jobs`,
  wake: 'its own poll, every 2 s by default',
  polls: true,

  async open(where) {
    const boss = await start(where)
    await boss.createQueue('bench')
    return {
      versions: { PostgreSQL: await postgres.version(where.server) },
      enqueue: payload => boss.send('bench', payload),
      batch: payloads => boss.insert('bench', payloads.map(data => ({ data }))),
      claim: async () => {
        const [job] = await boss.fetch('bench')
        return { id: job.id, payload: job.data }
      },
      complete: job => boss.complete('bench', job.id),
      close: async () => {
        await boss.stop({ graceful: false })
        await postgres.drop(where.server, where.name)
      },
    }
  },

  async work(where, handle) {
    const boss = await start(where)
    await boss.work('bench', async ([job]) => handle(job.data))
  },
}
