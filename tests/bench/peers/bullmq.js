'use strict'
const { Queue, Worker } = require('bullmq')
const Redis = require('ioredis')

const options = ({ server }) => ({ connection: { host: '127.0.0.1', port: server.port, password: server.password } })

const versionOf = async where => {
  const redis = new Redis(options(where).connection)
  const info = await redis.info('server')
  redis.disconnect()
  return /redis_version:(\S+)/.exec(info)[1]
}

module.exports = {
  name: 'BullMQ',
  packages: ['bullmq', 'ioredis'],
  server: 'redis',
  settings: 'Redis with appendonly yes, appendfsync everysec, no snapshots; keeps completed jobs',
  wake: 'its worker, blocked in Redis',

  async open(where) {
    const queue = new Queue(where.name, options(where))
    const worker = new Worker(where.name, null, options(where)) // no function: jobs are fetched by hand
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
    const token = 'worker-1'
    return {
      versions: { Redis: await versionOf(where) },
      enqueue: payload => queue.add('bench', payload),
      batch: payloads => queue.addBulk(payloads.map(data => ({ name: 'bench', data }))),
      claim: async () => {
        const job = await worker.getNextJob(token, { block: false })
        return { job, payload: job.data }
      },
      complete: ({ job }) => job.moveToCompleted('done', token, false),
      close: async () => {
        await worker.close()
        await queue.close()
      },
    }
  },

  async work(where, handle) {
    const worker = new Worker(where.name, async job => handle(job.data), options(where))
    await worker.waitUntilReady()
  },
}
