import {fileURLToPath} from 'node:url'

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The packages by their sources, so that nothing has to be built before it is tried. For Vite and Vitest. */
export const aliases = [
  {find: /^@unspool\/(client|react|express)$/, replacement: source('./$1/src/index.ts')},
  {find: /^@unspool\/(client|react)\/(chat|ai-sdk|zustand|query)$/, replacement: source('./$1/src/$2.ts')}
]
