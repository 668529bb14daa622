'use strict'
// Measures every peer that can be had, in rounds that go through all of them, and prints one table.
//
//   node run.js FOLDER RESULT.json     databases go into FOLDER, which must be empty
//
// tools/bench-peers calls it, and has started the servers. README.md says what is measured.
const { fork } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const setting = (name, usual) => Number(process.env[`TM_BENCH_${name}`] || usual)
const rounds = setting('ROUNDS', 5)
const operations = setting('OPERATIONS', 500)
const batchSize = setting('BATCH', 1000)
const wakes = setting('WAKES', 30)
const pollSeconds = setting('POLL_SECONDS', 6)
const wanted = (process.env.TM_BENCH_PEERS || '').split(/[ ,]+/).filter(Boolean)
const longestWake = 15000
const longestRound = 60000 + 100 * operations

const [, , folder, resultFile] = process.argv
const steps = ['enqueue', 'claim', 'complete', 'cycle', 'batch']
const files = ['sqlite-tm', 'by-hand', 'plainjob', 'liteque', 'bullmq', 'beanstalkd', 'graphile-worker', 'pg-boss']

const now = () => Number(process.hrtime.bigint()) / 1000 // µs, of a clock that all processes share
const payload = n => ({ n, customer: 'a customer', text: 'x'.repeat(64) })

const quantile = (values, q) => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
}
const median = values => quantile(values, 0.5)

const versionOf = name =>
  JSON.parse(fs.readFileSync(path.join(process.env.NODE_PATH, name, 'package.json'))).version

// The peer's module and its results, or why there are none.
function load(file) {
  const entry = { file: path.join(__dirname, `${file}.js`), name: file, versions: {}, rounds: [], wakes: [] }
  try {
    entry.peer = require(entry.file)
    entry.name = entry.peer.name
    for (const name of entry.peer.packages) entry.versions[name] = versionOf(name)
  } catch (error) {
    entry.missing = error.message.split('\n')[0]
    return entry
  }
  const kind = entry.peer.server
  if (kind) {
    const port = process.env[`TM_BENCH_${kind.toUpperCase()}_PORT`]
    entry.server = { port: Number(port), password: process.env.TM_BENCH_SECRET }
    if (!port) entry.missing = process.env[`TM_BENCH_${kind.toUpperCase()}_MISSING`] || `no ${kind} was started`
  }
  return entry
}

// A queue of its own for each peer and round: a name, and a folder for the peers that are a file.
function place(entry, label) {
  const name = `bench_${path.basename(entry.file, '.js').replace('-', '_')}_${label}`
  const own = path.join(folder, name)
  fs.mkdirSync(own)
  return { name, folder: own, server: entry.server }
}

// µs for each of `count` operations, one after the other.
async function timed(count, operation) {
  const start = now()
  for (let n = 0; n < count; n++) await operation(n)
  return (now() - start) / count
}

function expect(is, should) {
  if (is !== should) throw new Error(`got task ${is} where ${should} was next`)
}

async function round(entry, label) {
  const where = place(entry, label)
  const queue = await entry.peer.open(where)
  Object.assign(entry.versions, queue.versions)
  const times = {}
  times.enqueue = await timed(operations, n => queue.enqueue(payload(n)))
  if (queue.drain) {
    // Its own worker for all that was enqueued: each task's share, and the share of its enqueue.
    const worker = await timed(1, async () => expect(await queue.drain(), operations))
    times.cycle = times.enqueue + worker / operations
  } else {
    const claimed = []
    times.claim = await timed(operations, async () => claimed.push(await queue.claim()))
    expect(new Set(claimed.map(task => task.payload.n)).size, operations)
    times.complete = await timed(operations, n => queue.complete(claimed[n]))
    times.cycle = await timed(operations, async n => {
      await queue.enqueue(payload(n))
      const task = await queue.claim()
      expect(task.payload.n, n)
      await queue.complete(task)
    })
  }
  if (queue.batch) {
    const many = Array.from({ length: batchSize }, (_, n) => payload(n))
    times.batch = await timed(1, () => queue.batch(many)) / batchSize
  }
  await queue.close()
  fs.rmSync(where.folder, { recursive: true })
  entry.rounds.push(times)
}

// From the moment the enqueue came back (it is committed) to the call of the handler, in a worker
// process of the peer's own. The first task says that the worker is up, and does not count. The
// pauses are random, so that no poll is met at the same moment each time.
async function wakeUps(entry, label) {
  const where = place(entry, label)
  const queue = await entry.peer.open(where)
  const worker = fork(path.join(__dirname, 'worker.js'), [entry.file, JSON.stringify(where)])
  const handled = n => new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('a worker was not woken up')), longestWake)
    worker.once('exit', () => reject(new Error('its worker ended')))
    worker.on('message', function listen(message) {
      if (message.n !== n) return
      clearTimeout(late)
      worker.removeAllListeners()
      resolve(message.at)
    })
  })
  try {
    const end = Date.now() + pollSeconds * 1000
    for (let n = 0; entry.peer.polls ? Date.now() < end : n <= wakes; n++) {
      await sleep(Math.random() * (entry.peer.polls ? 1000 : 60) + 5)
      const seen = handled(n)
      await queue.enqueue(payload(n))
      const committed = now()
      const latency = Math.max(0, await seen - committed)
      if (n > 0) entry.wakes.push(latency)
    }
  } finally {
    worker.removeAllListeners()
    worker.kill('SIGKILL')
  }
  await queue.close()
  fs.rmSync(where.folder, { recursive: true })
}

// A peer that breaks is named in the table, and the others go on. So is one that waits for ever, as
// clients do for a server that died.
async function guarded(entry, measure, label) {
  if (entry.missing || entry.failed) return
  const late = sleep(longestRound, null, { ref: false }).then(() => {
    throw new Error(`no end after ${longestRound / 1000} s`)
  })
  try {
    await Promise.race([measure(entry, label), late])
  } catch (error) {
    entry.failed = error.message.split('\n')[0]
    console.error(`${entry.name}:`, error)
  }
}

async function measureAll(entries) {
  for (let r = 0; r < rounds; r++) {
    console.error(`round ${r + 1} of ${rounds}`)
    const order = [...entries.slice(r % entries.length), ...entries.slice(0, r % entries.length)]
    for (const entry of order) await guarded(entry, round, `round_${r}`)
    const waking = order.filter(entry => entry.peer?.wake)
    for (const entry of waking.filter(({ peer }) => !peer.polls)) await guarded(entry, wakeUps, `wake_${r}`)
    // Pollers sleep nearly all the time: together they disturb each other by less than they wait.
    await Promise.all(waking.filter(({ peer }) => peer.polls).map(entry => guarded(entry, wakeUps, `wake_${r}`)))
  }
}

function summary(entry) {
  const { name, peer, missing, failed, versions } = entry
  if (missing) return { name, missing }
  const us = {}
  for (const step of steps) {
    const each = entry.rounds.map(times => times[step]).filter(Number.isFinite)
    if (each.length === 0) continue
    us[step] = { median: median(each), rounds: each, operations: step === 'batch' ? batchSize : operations }
  }
  const result = { name, versions, settings: peer.settings, own_worker: !us.claim, us }
  if (entry.wakes.length > 0) {
    result.wake_up = {
      how: peer.wake,
      p50: quantile(entry.wakes, 0.5),
      p99: quantile(entry.wakes, 0.99),
      samples: entry.wakes.length,
    }
  }
  if (failed) result.failed = failed
  return result
}

const number = value =>
  value === undefined ? '–' : value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en')

function table(results) {
  const first = results.find(({ name }) => name === 'sqlite-tm')?.us?.cycle?.median
  const rows = [['', 'enqueue', 'claim', 'complete', 'cycle', '× sqlite-tm', 'batch', 'wake p50', 'p99', 'n']]
  for (const { name, us = {}, own_worker: own, wake_up: wake } of results.filter(({ us }) => us?.cycle)) {
    const cycle = us.cycle.median
    rows.push([
      name,
      number(us.enqueue?.median),
      number(us.claim?.median),
      number(us.complete?.median),
      number(cycle) + (own ? '*' : ''),
      first ? (cycle / first).toFixed(1) : '–',
      number(us.batch?.median),
      number(wake?.p50),
      number(wake?.p99),
      String(wake?.samples ?? '–'),
    ])
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)))
  return rows.map(row => row.map((cell, column) =>
    column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join('  '))
}

function footer(results, fileSystem) {
  const lines = [
    `µs for each operation, one at a time; medians of ${rounds} rounds with ${operations} operations each.`,
    'cycle: enqueue, claim and complete one task through an empty queue.',
    `batch: each of ${batchSize.toLocaleString('en')} that are enqueued together, once a round.`,
    'wake: from the commit to the handler in a worker process, n times, with the defaults of the peer.',
    `Payload: 100 bytes of JSON. Node ${process.versions.node}, ${os.availableParallelism()} processors, data on ${fileSystem}.`,
  ]
  if (results.some(({ own_worker: own }) => own)) {
    lines.push("* its enqueue, and a task's share of the peer's own worker, which takes them one at a time")
  }
  for (const { name, versions, settings, wake_up: wake, missing, failed } of results) {
    if (missing) {
      lines.push('', `${name}: not installed: ${missing}`)
      continue
    }
    const of = Object.entries(versions).map(pair => pair.join(' ')).join(', ')
    lines.push('', `${name}: ${of}`, `  ${settings}`)
    if (wake) lines.push(`  wake: ${wake.how}`)
    if (failed) lines.push(`  FAILED: ${failed}`)
  }
  return lines
}

async function main() {
  const chosen = files.filter(file => wanted.length === 0 || wanted.includes(file))
  const entries = chosen.map(load)
  await measureAll(entries)
  const results = entries.map(summary)
  const fileSystem = process.env.TM_BENCH_FILE_SYSTEM || 'an unknown file system'
  const machine = { node: process.versions.node, processors: os.availableParallelism(), file_system: fileSystem }
  const sizes = { rounds, operations, batch: batchSize, wakes, poll_seconds: pollSeconds }
  fs.writeFileSync(resultFile, JSON.stringify({ machine, sizes, peers: results }, null, 2) + '\n')
  console.log(['', ...table(results), '', ...footer(results, fileSystem)].join('\n'))
  process.exit(results.some(({ failed }) => failed) ? 1 : 0)
}

main()
