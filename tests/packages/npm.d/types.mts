// types.mts - the types as `import` gives them.
import { getLoadablePath, load, type Connection } from 'sqlite-tm';

const connection: Connection = { loadExtension(file: string): void { file satisfies string; } };
load(connection);
// @ts-expect-error: a path is a text
const path: number = getLoadablePath();
