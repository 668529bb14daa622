// index.mjs - index.cjs for `import`.
import module from './index.cjs';

export const { getLoadablePath, load } = module;
export default module;
