'use strict'
const { Pool } = require('pg')
const { Logger, makeWorkerUtils, run, runOnce } = require('graphile-worker')
const postgres = require('./postgres.js')

const logger = new Logger(() => (level, message) => level === 'error' && console.error(message))

const options = ({ name, server }) => {
  const pgPool = new Pool(postgres.address(server))
  pgPool.on('error', console.error)
  pgPool.on('connect', client => client.on('error', console.error))
  return { pgPool, schema: name, logger, noHandleSignals: true }
}

module.exports = {
  name: 'graphile-worker',
  packages: ['graphile-worker', 'pg'],
  server: 'postgresql',
  settings: `${postgres.settings}; claims and completes in its worker only; deletes a completed job`,
  wake: 'its worker, by LISTEN and NOTIFY',

  async open(where) {
    const mine = options(where)
    const utils = await makeWorkerUtils(mine)
    await utils.migrate()
    let done = 0
    return {
      versions: { PostgreSQL: await postgres.version(where.server) },
      enqueue: payload => utils.addJob('bench', payload),
      batch: payloads => utils.addJobs(payloads.map(payload => ({ identifier: 'bench', payload }))),
      drain: async () => {
        done = 0
        await runOnce({ ...mine, taskList: { bench: async () => { done++ } } })
        return done
      },
      close: async () => {
        await utils.release()
        await mine.pgPool.end()
        await postgres.drop(where.server, where.name)
      },
    }
  },

  async work(where, handle) {
    await run({ ...options(where), taskList: { bench: async payload => handle(payload) } })
  },
}
