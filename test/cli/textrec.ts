import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

export const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
export const SCRIPT = fileURLToPath(new URL('../../dist/scripts/index.js', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOptions {
  readonly cwd?: string
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
}

/** The environment of every child: plain text, whatever the developer's terminal is. */
const PLAIN = { NO_COLOR: '1', COLUMNS: '', TEXTREC_DEBUG: '' }

/** Runs `textrec ...args` in a child process until it ends. */
export function textrec(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return ended(start(process.execPath, [MAIN, ...args], options))
}

/** Runs the indexing script. */
export function script(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return ended(start(process.execPath, [SCRIPT, ...args], options))
}

export function start(program: string, args: readonly string[], options: RunOptions = {}): ChildProcess {
  const { cwd, input, env } = options
  const child = spawn(program, args, { cwd, env: { ...process.env, ...PLAIN, ...env } })
  child.stdin?.end(input ?? '')
  return child
}

export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** A folder that is gone after the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-cli-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The one JSON document on standard output: throws if there is anything else. */
export function document<T>({ stdout }: Ended): T {
  if (!stdout.endsWith('\n')) throw new Error(`no line on standard output: ${JSON.stringify(stdout)}`)
  return JSON.parse(stdout) as T
}
