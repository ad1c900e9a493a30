#!/usr/bin/env node
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { measureCeilings } from './ceilings.js'
import type { BenchContext, BenchTable, Ceilings } from './part.js'
import { PARTS } from './parts.js'
import { benchPage } from './plot.js'
import { ceilingsTable, printed } from './print.js'

/**
 * How fast textrec is beside what one would take in its place, in one run, on the same inputs and threads.
 *
 *     npm run bench -- encode --quick
 */

interface Flags {
  readonly quick?: boolean
  readonly threads: number
  readonly json?: string
  readonly plot?: string
  readonly data?: string
  readonly size?: string
  readonly with: { readonly [name: string]: string }
}

interface PartResult {
  readonly part: string
  readonly seconds: number
  readonly tables: readonly BenchTable[]
}

const SHARED_DATA = fileURLToPath(new URL('../../../../shared/data', import.meta.url))

const log = (line: string) => process.stderr.write(`${line}\n`)

function countOf(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It is a number from 1 on.')
  return count
}

/** Sizes as they were written, once each of them is known to be one. */
function sizesOf(text: string): string {
  for (const size of text.split(',')) countOf(size)
  return text
}

function addPair(text: string, pairs: { readonly [name: string]: string }): { [name: string]: string } {
  const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError('It is name=value.')
  return { ...pairs, [name]: value }
}

async function main(asked: readonly string[], flags: Flags): Promise<void> {
  const unknown = asked.filter((name) => !(name in PARTS))
  if (unknown.length > 0) {
    throw new Error(`There is no part '${unknown[0]}': the parts are ${Object.keys(PARTS).join(', ')}.`)
  }
  const names = Object.keys(PARTS).filter((name) => asked.length === 0 || asked.includes(name))
  const quick = flags.quick === true
  const { threads } = flags
  log('Measuring what this machine can do ...')
  const ceilings = await measureCeilings(threads, quick)
  process.stdout.write(`${printed(ceilingsTable(ceilings, threads))}\n`)
  const own = flags.size === undefined ? flags.with : { ...flags.with, sizes: flags.size }
  const results: PartResult[] = []
  for (const name of names) {
    const result = await runPart(name, { quick, threads, ceilings, data: dataFolder(flags.data) }, own)
    results.push(result)
    for (const one of result.tables) process.stdout.write(`\n${printed(one)}\n`)
  }
  await save(flags, ceilings, results)
}

type Setting = Pick<BenchContext, 'quick' | 'threads' | 'ceilings' | 'data'>

async function runPart(name: string, setting: Setting, flags: Flags['with']): Promise<PartResult> {
  const { part } = await PARTS[name]()
  log(`${name}: ${part.summary} ...`)
  const work = mkdtempSync(join(tmpdir(), `textrec-bench-${name}-`))
  const started = performance.now()
  try {
    const tables = await part.run({ ...setting, work, flags, log: (line) => log(`${name}: ${line}`) })
    return { part: name, seconds: (performance.now() - started) / 1000, tables }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** @throws Error for a folder that was named and is not there */
function dataFolder(named: string | undefined): string | undefined {
  if (named !== undefined && !existsSync(named)) throw new Error(`There is no folder ${resolve(named)}.`)
  return named ?? (existsSync(SHARED_DATA) ? SHARED_DATA : undefined)
}

async function save(flags: Flags, ceilings: Ceilings, parts: readonly PartResult[]): Promise<void> {
  const { threads, quick = false } = flags
  const machine = { processor: cpus()[0]?.model, processors: cpus().length, node: process.version }
  if (flags.json !== undefined) {
    const document = { machine, threads, quick, ceilings, parts }
    write(flags.json, `${JSON.stringify(document, null, 1)}\n`)
  }
  if (flags.plot !== undefined) {
    const tables = [ceilingsTable(ceilings, threads), ...parts.flatMap((one) => one.tables)]
    write(flags.plot, await benchPage('textrec benchmark', tables))
  }
}

function write(path: string, text: string): void {
  mkdirSync(resolve(path, '..'), { recursive: true })
  writeFileSync(path, text)
  log(`Wrote ${path}`)
}

const program = new Command('bench')
  .description('Measures textrec beside its alternatives; all parts unless some are named.')
  .argument('[part...]', `of ${Object.keys(PARTS).join(', ')}`)
  .option('--quick', 'smaller sizes and fewer rounds')
  .option('--threads <n>', 'threads inside one operator, for all', countOf, availableParallelism())
  .option('--json <file>', 'write all figures')
  .option('--plot <file>', 'write an HTML page with tables and plots')
  .option('--data <folder>', 'where the data sets lie; default: shared/data beside the checkout')
  .option('--size <n,...>', 'items for the part index, rows for import, instead of its own sizes', sizesOf)
  .option('--with <name=value>', 'what only one part knows, more than once if need be', addPair, {})
  .action(main)

try {
  await program.parseAsync()
} catch (error) {
  log(error instanceof Error ? error.message : String(error))
  if (process.env.TEXTREC_DEBUG === '1' && error instanceof Error) log(error.stack ?? '')
  process.exitCode = 1
}
