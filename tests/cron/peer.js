// peer.js - what two other cron libraries answer.
//
//   node tests/cron/peer.js FOLDER <queries >answers
//
// A query is a line of JSON, {peer, spec, zone, after, count}; an answer is a line with a list of
// milliseconds, or {error}. FOLDER has the libraries, as tools/cron-peers left them.
'use strict'
const path = require('path')
const folder = path.resolve(process.argv[2], 'node_modules')
const { Cron } = require(path.join(folder, 'croner'))
const { CronExpressionParser } = require(path.join(folder, 'cron-parser'))

const peers = {
  croner ({ spec, zone, after, count }) {
    return new Cron(spec, { timezone: zone, paused: true }).nextRuns(count, new Date(after)).map(Number)
  },
  'cron-parser' ({ spec, zone, after, count }) {
    const found = CronExpressionParser.parse(spec, { tz: zone, currentDate: new Date(after) })
    return Array.from({ length: count }, () => found.next().getTime())
  }
}

const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean)
process.stdout.write(lines.map(line => {
  const query = JSON.parse(line)
  try {
    return JSON.stringify(peers[query.peer](query))
  } catch (error) {
    return JSON.stringify({ error: String(error.message) })
  }
}).join('\n') + '\n')
