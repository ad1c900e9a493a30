import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { isTextrecError } from '#src/errors.js'
import { type OpenOptions, Store } from '#src/store/index.js'

const folders: string[] = []
const stores: Store[] = []

afterEach(() => {
  for (const store of stores.splice(0)) store.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** An empty folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-store-'))
  folders.push(folder)
  return folder
}

/** A store that is closed after the test, by default a new one in a folder of its own. */
export function openStore(folder = temporaryFolder(), options: OpenOptions = { create: true }): Store {
  const store = Store.open(folder, options)
  stores.push(store)
  return store
}

/** Every byte of a project: catalogue, log, shared memory and whatever else lies there. */
export function rawBytes(folder: string): Buffer {
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))))
}

/** The code that `work` is refused with; undefined where it is not. */
export function codeOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (!isTextrecError(error)) throw error
    return error.code
  }
}

export interface Child {
  /** Lines printed so far. */
  readonly lines: string[]
  /** Resolves to the exit code, or to the signal's name. */
  readonly ended: Promise<number | string>
  kill(): void
}

/** Runs a module's source text in a Node process of its own, with `Store` imported and `folder` defined. */
export function startChild(folder: string, body: string, prefix: readonly string[] = []): Child {
  const index = new URL('../../dist/src/store/index.js', import.meta.url).href
  const source = `import { Store, textHash } from '${index}'; const folder = ${JSON.stringify(folder)}; ${body}`
  const command = [...prefix, process.execPath, '--input-type=module', '-e', source]
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    const pieces = (rest + part).split('\n')
    rest = pieces.pop() as string
    lines.push(...pieces)
  })
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? (signal as string)))
  })
  return { lines, ended, kill: () => child.kill('SIGKILL') }
}
