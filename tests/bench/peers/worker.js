'use strict'
// A process with one peer's own worker in it. It tells its parent when each handler was called.
const [, , file, where] = process.argv
const peer = require(file)

process.on('disconnect', () => process.exit()) // the parent is gone
const failed = error => {
  console.error(error)
  process.exit(1)
}

const handle = payload => process.send({ n: payload.n, at: Number(process.hrtime.bigint()) / 1000 })
Promise.resolve(peer.work(JSON.parse(where), handle)).catch(failed)
