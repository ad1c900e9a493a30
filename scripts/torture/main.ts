/**
 * `npm run torture`: textrec's promises put to the test, one line of figures each.
 *
 *     npm run torture                       # everything, at length (hours)
 *     npm run torture -- --short            # what CI runs: a fixed seed, under ten minutes on two cores
 *     npm run torture -- --only kill,disk --stages train,index --seed 7 --json
 *
 * Exit codes: 0 every promise held, 1 one did not, 2 wrong usage, 130 interrupted. What a failed test left behind
 * is kept, and its notes say where.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { random } from '../../src/math/random.js'
import { CATALOGUE, type CatalogueEntry } from './catalogue.js'
import { STAGES, type Stage } from './stages.js'
import { failsWhereSkipped, type TortureLine, Unavailable } from './test.js'

interface Flags {
  readonly short: boolean
  readonly only?: readonly CatalogueEntry[]
  readonly stages: readonly Stage[]
  readonly seed: number
  readonly work?: string
  readonly json: boolean
  readonly list: boolean
}

function entriesNamed(text: string): readonly CatalogueEntry[] {
  const names = text.split(',')
  const unknown = names.find((name) => !CATALOGUE.some((entry) => entry.name === name))
  if (unknown !== undefined) {
    const known = CATALOGUE.map(({ name }) => name).join(', ')
    throw new InvalidArgumentError(`There is no test '${unknown}'. Tests: ${known}.`)
  }
  return CATALOGUE.filter(({ name }) => names.includes(name))
}

function stagesNamed(text: string): readonly Stage[] {
  const names = text.split(',')
  const unknown = names.find((name) => !STAGES.some((stage) => stage === name))
  if (unknown !== undefined)
    throw new InvalidArgumentError(`There is no stage '${unknown}'. Stages: ${STAGES.join(', ')}.`)
  return STAGES.filter((stage) => names.includes(stage))
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('A whole number, please.')
  return Number(text)
}

/** FNV-1a: a test's draws depend on its own name and the seed, not on what ran before it. */
function seedOf(name: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

function printed({ name, counts, failed, skipped, seconds, notes }: TortureLine): string {
  const figures = Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(' / ')
  const verdict = failed ? 'FAILED ' : skipped ? 'skipped' : 'ok     '
  const line = `${verdict}  ${name.padEnd(9)}  ${figures}  (${seconds.toFixed(1)} s)`
  return [line, ...notes.map((note) => `        ${note}`)].join('\n')
}

async function runOne(
  { name, load }: CatalogueEntry,
  { short, seed, stages }: Flags,
  folder: string,
  signal: AbortSignal,
): Promise<TortureLine> {
  const started = performance.now()
  const work = join(folder, name)
  mkdirSync(work)
  const log = (line: string) => process.stderr.write(`${name}: ${line}\n`)
  try {
    const { test } = await load()
    const line = await test.run({ short, stages, random: random(seedOf(name, seed)), work, signal, log })
    if (!line.failed) rmSync(work, { recursive: true, force: true })
    return line.failed ? { ...line, notes: [...line.notes, `Its remains: ${work}`] } : line
  } catch (error) {
    const seconds = (performance.now() - started) / 1000
    if (error instanceof Unavailable) {
      return {
        name,
        counts: {},
        failed: failsWhereSkipped(),
        skipped: true,
        seconds,
        notes: [error.message],
      }
    }
    const why = (error as Error).stack ?? String(error)
    return { name, counts: {}, failed: true, seconds, notes: [`${why}\nIts remains: ${work}`] }
  }
}

/** What each test holds, for people. */
async function list(entries: readonly CatalogueEntry[]): Promise<void> {
  for (const { load } of entries) {
    const { test } = await load()
    process.stdout.write(`${test.name}: ${test.promise}\n`)
  }
}

async function main(flags: Flags): Promise<number> {
  if (flags.list) {
    await list(flags.only ?? CATALOGUE)
    return 0
  }
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort())
  const parent = flags.work ?? tmpdir()
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'textrec-torture-'))
  const lines: TortureLine[] = []
  for (const entry of flags.only ?? CATALOGUE) {
    if (controller.signal.aborted) break
    const line = await runOne(entry, flags, folder, controller.signal)
    lines.push(line)
    if (!flags.json) process.stdout.write(`${printed(line)}\n`)
  }
  const failed = lines.some((line) => line.failed)
  if (!failed) rmSync(folder, { recursive: true, force: true })
  const seconds = lines.reduce((sum, line) => sum + line.seconds, 0)
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ seed: flags.seed, short: flags.short, seconds, lines })}\n`)
  }
  if (controller.signal.aborted) return 130
  return failed ? 1 : 0
}

const program = new Command('torture')
  .description("Puts textrec's promises to the test and prints one line of figures for each.")
  .option('--short', 'fewer of each, under ten minutes: what CI runs', false)
  .option('--only <name,...>', `some tests of: ${CATALOGUE.map(({ name }) => name).join(', ')}`, entriesNamed)
  .option(
    '--stages <name,...>',
    `of kill, points, disk and stop; some of: ${STAGES.join(', ')}`,
    stagesNamed,
    STAGES,
  )
  .option('--seed <number>', 'of every random choice', wholeNumber, 1)
  .option('--work <folder>', "where the tests' folders are made (default: the system's temporary folder)")
  .option('--list', 'only say what each test promises', false)
  .option('--json', 'one document on standard output', false)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

process.exitCode = await main(program.opts<Flags>())
