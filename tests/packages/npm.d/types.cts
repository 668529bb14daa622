// types.cts - the types as `require` gives them.
import tm = require('sqlite-tm');

const path: string = tm.getLoadablePath();
tm.load({ loadExtension(file: string) { return file + path; } });
// @ts-expect-error: no connection
tm.load(path);
