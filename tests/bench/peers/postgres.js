'use strict'
// The settings of the PostgreSQL server that both of its peers use.
const { Client } = require('pg')

const address = server => ({
  host: '127.0.0.1',
  port: server.port,
  user: 'bench',
  password: server.password,
  database: 'postgres',
})

const query = async (server, sql) => {
  const client = new Client(address(server))
  await client.connect()
  const { rows } = await client.query(sql)
  await client.end()
  return rows[0]
}

module.exports = {
  address,
  version: async server => (await query(server, 'SHOW server_version')).server_version.split(' ')[0],
  drop: (server, schema) => query(server, `DROP SCHEMA "${schema}" CASCADE`),
  settings: 'PostgreSQL with its defaults, fsync on and synchronous_commit on',
}
