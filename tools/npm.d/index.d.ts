// What sqlite-tm needs of a database connection: better-sqlite3, node:sqlite and bun:sqlite have it.
export interface Connection {
  loadExtension(path: string): unknown;
}

/** The path of the extension for this machine; the environment variable TM_SO names another one. */
export declare function getLoadablePath(): string;

/** Loads the extension into a connection: then `SELECT tm_init()` once, and the functions are there. */
export declare function load(db: Connection): void;
