import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Recommender } from 'textrec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MAIN, textrec } from '../cli/textrec.js'
import { ITEMS, temporaryFolder } from './shelf.js'

const PEOPLE = 3000
const PERSON = 'person-7'
const project = temporaryFolder()
let shop: Recommender
beforeAll(async () => {
  shop = await Recommender.open(project, { threads: 1 })
  const interactions = Array.from({ length: PEOPLE }, (_, p) =>
    [p, p * 7, p * 11].map((i) => ({ userId: `person-${p}`, itemId: ITEMS[i % ITEMS.length].id })),
  ).flat()
  await shop.upsert({ items: ITEMS, interactions })
  await shop.index()
  await shop.recommend({ user: PERSON })
})
afterAll(() => shop.close())

/** The file that a run for everybody writes before it is done. */
function partialOf(out: string): string | undefined {
  const name = readdirSync(dirname(out)).find((one) => one.startsWith(`.${basename(out)}.`))
  return name === undefined ? undefined : join(dirname(out), name)
}

const runTo = (out: string) => ['recommend', '--dir', project, '--all', '--out', out, '-k', '5', '--json']

/** Runs `textrec recommend --all`, and kills it once so many bytes are written; false if it was done before. */
async function killedAfter(out: string, bytes: number): Promise<boolean> {
  const child = spawn(process.execPath, [MAIN, ...runTo(out)], { stdio: 'ignore' })
  const end = once(child, 'exit')
  while (child.exitCode === null) {
    const partial = partialOf(out)
    if (partial !== undefined && (statSync(partial, { throwIfNoEntry: false })?.size ?? 0) > bytes) {
      child.kill('SIGKILL')
      break
    }
    await wait(1)
  }
  const [, signal] = await end
  return signal === 'SIGKILL'
}

test('killed at any moment and run again, the file is that of an undisturbed run, byte for byte', async () => {
  const folder = temporaryFolder()
  const whole = join(folder, 'whole.jsonl')
  await shop.recommendAll({ out: whole, k: 5 })
  const expected = readFileSync(whole, 'utf8')
  const people = expected
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).userId)
  expect(new Set(people).size).toBe(PEOPLE)

  const out = join(folder, 'killed.jsonl')
  expect(await killedAfter(out, 0)).toBe(true)
  expect(await killedAfter(out, expected.length / 2)).toBe(true)
  const { stdout } = await textrec(runTo(out))
  expect(JSON.parse(stdout).resumed).toBeGreaterThan(PEOPLE / 3)
  expect(readFileSync(out, 'utf8')).toBe(expected)
  expect(readdirSync(folder).sort()).toEqual(['killed.jsonl', 'whole.jsonl'])
})

test('a run that is stopped among the first people keeps what it has answered', async () => {
  const folder = temporaryFolder()
  const [whole, out] = [join(folder, 'whole.jsonl'), join(folder, 'stopped.jsonl')]
  const controller = new AbortController()
  const onProgress = ({ done }: { readonly done: number }) => {
    if (done >= 3) controller.abort()
  }
  const stopped = shop.recommendAll({ out, k: 5, signal: controller.signal, onProgress })
  await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
  const { resumed } = await shop.recommendAll({ out, k: 5 })
  expect(resumed).toBeGreaterThanOrEqual(3)
  expect(resumed).toBeLessThan(64)
  await shop.recommendAll({ out: whole, k: 5 })
  expect(readFileSync(out, 'utf8')).toBe(readFileSync(whole, 'utf8'))
})

test('of two runs to one file at a time none publishes what the other has mixed in', async () => {
  const folder = temporaryFolder()
  const [whole, out] = [join(folder, 'whole.jsonl'), join(folder, 'both.jsonl')]
  await shop.recommendAll({ out: whole, k: 5 })
  const both = await Promise.allSettled([shop.recommendAll({ out, k: 5 }), shop.recommendAll({ out, k: 5 })])
  const refused = both.filter((one) => one.status === 'rejected')
  expect(refused.length).toBeGreaterThan(0)
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'PROJECT_LOCKED' })
  await shop.recommendAll({ out, k: 5 })
  expect(readFileSync(out, 'utf8')).toBe(readFileSync(whole, 'utf8'))
})

test('what an interrupted run has written is not kept when the catalogue has changed since', async () => {
  const out = join(temporaryFolder(), 'all.jsonl')
  expect(await killedAfter(out, 20_000)).toBe(true)
  await shop.remove({ items: [ITEMS[0].id] })
  const { stdout } = await textrec(runTo(out))
  expect(JSON.parse(stdout).resumed).toBe(0)
  expect(readFileSync(out, 'utf8')).not.toContain(`"${ITEMS[0].id}"`)
})

test('forgetting somebody takes what interrupted runs have written of them as well', async () => {
  const out = join(temporaryFolder(), 'all.jsonl')
  expect(await killedAfter(out, 20_000)).toBe(true)
  const partial = partialOf(out) as string
  expect(readFileSync(partial, 'utf8')).toContain(`"${PERSON}"`)
  expect(await shop.forget({ user: PERSON })).toMatchObject({ found: true })
  expect(readdirSync(dirname(out))).toEqual([])
  await shop.recommendAll({ out, k: 5 })
  expect(readFileSync(out, 'utf8')).not.toContain(`"${PERSON}"`)
})
