'use strict'
const { buildDBClient, Runner, SqliteQueue } = require('liteque')

const connect = ({ folder }) => {
  const db = buildDBClient(`${folder}/liteque.db`, { runMigrations: true })
  const client = db.session.client
  // liteque hands transaction() an async function. better-sqlite3 used to commit when such a function
  // first waited, and now refuses. Here it commits again, or liteque could claim nothing.
  client.transaction = body => ({
    deferred: (...args) => {
      client.exec('BEGIN')
      const result = body(...args)
      client.exec('COMMIT')
      return result
    },
  })
  const queue = new SqliteQueue('bench', db, { defaultJobArgs: { numRetries: 2 }, keepFailedJobs: false })
  return { queue, client }
}

module.exports = {
  name: 'liteque',
  packages: ['liteque', 'better-sqlite3'],
  settings: 'sets WAL and synchronous NORMAL itself; deletes a completed job; transactions as in older better-sqlite3',
  wake: 'its own poll, every 1 s as in its README',
  polls: true,

  open(where) {
    const { queue, client } = connect(where)
    return {
      enqueue: payload => queue.enqueue(payload),
      // What its runner does before and after the handler.
      claim: async () => {
        const job = await queue.attemptDequeue({ timeoutSecs: 60 })
        return { ...job, payload: JSON.parse(job.payload) }
      },
      complete: job => queue.finalize(job.id, job.allocationId, 'completed'),
      close: () => client.close(),
    }
  },

  async work(where, handle) {
    const runner = new Runner(
      connect(where).queue,
      { run: async job => handle(job.data), onError: async job => console.error(job.error) },
      { concurrency: 1, pollIntervalMs: 1000, timeoutSecs: 60 },
    )
    runner.run()
  },
}
