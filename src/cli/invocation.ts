import { relative, sep } from 'node:path'
import { shellWord } from './text.js'

/** How the person at the terminal calls this program, for commands that they may copy. */
export function invocation(script = process.argv[1], folder = process.cwd()): string {
  if (script === undefined || script.includes(`node_modules${sep}.bin`)) return 'npx textrec'
  if (!script.endsWith('.js')) return 'textrec'
  const near = relative(folder, script)
  return `node ${shellWord(near.startsWith('..') ? script : near)}`
}
