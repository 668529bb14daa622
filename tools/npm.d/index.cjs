// index.cjs - where the extension lies for this machine, and how it is loaded. index.mjs is the same.
'use strict';

const { existsSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

const prebuilds = join(__dirname, 'prebuilds');

// The path of the extension, with its ending, for whatever loads extensions. TM_SO names another one.
function getLoadablePath() {
  if (process.env.TM_SO) return process.env.TM_SO;
  const machine = `${process.platform}-${process.arch}`;
  const ending = { darwin: 'dylib', win32: 'dll' }[process.platform] ?? 'so';
  const path = join(prebuilds, machine, `tm.${ending}`);
  if (existsSync(path)) return path;
  throw new Error(
    `sqlite-tm: no extension for ${machine} in this package, only for ${readdirSync(prebuilds).join(', ')}; ` +
      'build tm.so on this machine and name it in the environment variable TM_SO',
  );
}

// Loads the extension into a connection of better-sqlite3, node:sqlite (opened with
// allowExtension: true), bun:sqlite or whatever else has loadExtension(path).
function load(db) {
  if (typeof db?.loadExtension !== 'function') {
    throw new TypeError('sqlite-tm: load(db) wants a database connection that has loadExtension()');
  }
  db.loadExtension(getLoadablePath());
}

module.exports = { getLoadablePath, load };
