'use strict'
const Database = require('better-sqlite3')
const { better, defineQueue, defineWorker } = require('plainjob')

const silent = { error: console.error, warn() {}, info() {}, debug() {} }

const connect = ({ folder }) =>
  defineQueue({ connection: better(new Database(`${folder}/plainjob.db`)), logger: silent })

module.exports = {
  name: 'plainjob',
  packages: ['plainjob', 'better-sqlite3'],
  settings: 'sets WAL and synchronous NORMAL itself; keeps done jobs for 7 days',
  wake: 'its own poll, every 1 s by default',
  polls: true,

  open(where) {
    const queue = connect(where)
    return {
      enqueue: payload => queue.add('bench', payload),
      batch: payloads => queue.addMany('bench', payloads),
      // What its worker does before it calls the handler.
      claim: () => {
        const { id } = queue.getAndMarkJobAsProcessing('bench')
        return { id, payload: JSON.parse(queue.getJobById(id).data) }
      },
      complete: job => queue.markJobAsDone(job.id),
      close: () => queue.close(),
    }
  },

  async work(where, handle) {
    const worker = defineWorker('bench', async job => handle(JSON.parse(job.data)), { queue: connect(where), logger: silent })
    worker.start()
  },
}
