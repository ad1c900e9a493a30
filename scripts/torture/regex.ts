import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createContext, Script } from 'node:vm'
import { builtExpressions, type Found, regularExpressions, worstInputs } from './regular-expressions.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'

/** Every regular expression of the library on the worst input that can be made for it. */
export const test: TortureTest = {
  name: 'regex',
  promise: 'No regular expression takes more than 50 ms for 100 KB of its worst input.',
  run,
}

const LENGTH = 100_000
const MOST_MILLISECONDS = 50
/** After so long by the clock an expression is stopped, milliseconds. */
const PATIENCE = 5000

/** Sources of the library; expressions are read from there, so that none is forgotten. */
const SOURCES = fileURLToPath(new URL('../../../src/', import.meta.url))

async function run({ short, signal, log }: TortureContext) {
  const started = performance.now()
  const found = regularExpressions(SOURCES)
  const distinct = new Map<string, Found>()
  for (const one of found) distinct.set(`/${one.source}/${one.flags}`, one)
  const counts = { expressions: distinct.size, inputs: 0, slow: 0 }
  const complaints = builtExpressions(SOURCES).map(
    (path) => `${relative(SOURCES, path)} builds an expression while it runs.`,
  )
  let worst = { milliseconds: 0, text: '' }
  for (const [text, { place, source, flags }] of distinct) {
    signal.throwIfAborted()
    let slowest = 0
    for (const input of worstInputs(source, LENGTH)) {
      if (short && counts.inputs % 4 !== 0) {
        counts.inputs++
        continue
      }
      counts.inputs++
      const milliseconds = fastest(source, flags, input)
      slowest = Math.max(slowest, milliseconds)
      if (milliseconds <= MOST_MILLISECONDS) continue
      counts.slow++
      const shown = JSON.stringify(input.slice(0, 6))
      complaints.push(
        `${text} takes ${milliseconds.toFixed(0)} ms for ${shown}..., ${relative(SOURCES, place)}`,
      )
      break
    }
    if (slowest > worst.milliseconds) worst = { milliseconds: slowest, text }
  }
  log(`${distinct.size} expressions`)
  const notes = [`slowest: ${worst.milliseconds.toFixed(1)} ms, ${worst.text}`]
  return lineOf('regex', started, counts, ['slow'], complaints, notes)
}

const sandbox = createContext({})
const script = new Script('global ? text.replace(expression, "") : expression.exec(text)')

/** The best of up to three runs, milliseconds of processor time: a loaded machine is no fault of the expression. */
function fastest(source: string, flags: string, text: string): number {
  let best = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 3 && best > MOST_MILLISECONDS; attempt++) {
    Object.assign(sandbox, { text, expression: new RegExp(source, flags), global: flags.includes('g') })
    const started = process.cpuUsage()
    try {
      script.runInContext(sandbox, { timeout: PATIENCE })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      return PATIENCE
    }
    const { user, system } = process.cpuUsage(started)
    best = Math.min(best, (user + system) / 1000)
  }
  return best
}
