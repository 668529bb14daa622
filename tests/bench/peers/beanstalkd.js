'use strict'
const Jackd = require('jackd')

const connect = async ({ server }) => new Jackd().connect({ host: '127.0.0.1', port: server.port })

const reserve = async client => {
  const { id, payload } = await client.reserve()
  return { id, payload: JSON.parse(payload) }
}

module.exports = {
  name: 'beanstalkd',
  packages: ['jackd'],
  server: 'beanstalkd',
  settings: 'through jackd; with its log (-b), fsync at most every 50 ms, its default; forgets a deleted job',
  wake: 'a client, blocked in reserve',

  async open(where) {
    const client = await connect(where)
    await client.use(where.name)
    await client.watch(where.name)
    return {
      versions: { beanstalkd: /^version: "?([^"\s]+)/m.exec(await client.stats())[1] },
      enqueue: payload => client.put(payload),
      claim: () => reserve(client),
      complete: job => client.delete(job.id),
      close: () => client.close(),
    }
  },

  async work(where, handle) {
    const client = await connect(where)
    await client.watch(where.name)
    const loop = async () => {
      for (;;) {
        const job = await reserve(client)
        handle(job.payload)
        await client.delete(job.id)
      }
    }
    loop()
  },
}
