import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Answer, type Audience, type Explanation, type PersonAnswer, sampleFiles } from 'textrec'
import { beforeAll, describe, expect, test } from 'vitest'
import { document, temporaryFolder, textrec } from './textrec.js'

const folder = temporaryFolder()
const dir = join(folder, 'books.textrec')
const USER = 'lizzie_b_reads'
const OTHER = 'tolstoyan_runner'

function ask(command: string, ...args: readonly string[]) {
  return textrec([command, '--dir', dir, ...args, '--threads', '1'], { cwd: folder })
}

beforeAll(async () => {
  const { items, reviews } = sampleFiles()
  const files = ['--items', items, '--reviews', reviews]
  expect(await textrec(['import', '--dir', dir, ...files, '--quiet'])).toMatchObject({ code: 0 })
  expect(await ask('index', '--quiet')).toMatchObject({ code: 0, stderr: '' })
})

const attribute = (name: string) =>
  new Map(
    readFileSync(sampleFiles().items, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map((row) => [row.id as string, row[name]]),
  )

describe('recommend', () => {
  test('for somebody known, with a filter and a cap', async () => {
    const rules = [
      '--filter',
      '{"year": {"$gt": 1880}}',
      '--at-most',
      'author=1',
      '--diversity',
      '0.3',
      '-k',
      '8',
    ]
    const { basis, items } = document<Answer>(await ask('recommend', '--user', USER, ...rules, '--json'))
    expect(basis).toBe('fused')
    expect(items).toHaveLength(8)
    const years = attribute('year')
    for (const { itemId } of items) expect(years.get(itemId)).toBeGreaterThan(1880)
    const authors = attribute('author')
    expect(new Set(items.map(({ itemId }) => authors.get(itemId))).size).toBe(8)
  })

  test('for somebody described, pinned, blocked, and with reasons for people', async () => {
    const who = ['--likes', 'dracula,frankenstein', '--dislikes', 'emma', '--text', 'a haunted castle']
    const rules = [
      '--pin',
      'moby-dick',
      '--block',
      'carmilla',
      '-k',
      '4',
      '--boost',
      '{"filter": {}, "by": 0}',
    ]
    const { items } = document<Answer>(await ask('recommend', ...who, ...rules, '--json'))
    const ids = items.map(({ itemId }) => itemId)
    expect(ids[0]).toBe('moby-dick')
    for (const id of ['dracula', 'frankenstein', 'emma', 'carmilla']) expect(ids).not.toContain(id)
    const { code, stdout } = await ask('recommend', ...who, '-k', '2', '--reasons')
    expect(code).toBe(0)
    expect(stdout).toContain('Items for this person (basis: fused)')
    expect(stdout).toContain('Because of')
    expect(stdout).toMatch(/^rank +z-score +id/m)
  })

  test('for several, and for everybody into a file', async () => {
    const { people } = document<{ people: PersonAnswer[] }>(
      await ask('recommend', '--users', `${USER},${OTHER}`, '-k', '3', '--json'),
    )
    expect(people.map(({ userId }) => userId)).toEqual([USER, OTHER])
    const report = document(await ask('recommend', '--all', '--out', 'all.jsonl', '-k', '3', '--json'))
    expect(report).toMatchObject({ out: 'all.jsonl', resumed: 0 })
    const lines = readFileSync(join(folder, 'all.jsonl'), 'utf8').trimEnd().split('\n')
    const mine = lines.map((line) => JSON.parse(line) as PersonAnswer).find(({ userId }) => userId === USER)
    expect(mine).toEqual(people[0])
  })

  test('refuses what cannot be', async () => {
    for (const args of [
      ['--all'],
      ['--out', 'x.jsonl'],
      ['--user', 'a', '--users', 'b'],
      ['--user', USER, '--diversity', 'much'],
      ['--user', USER, '--at-most', 'author'],
    ]) {
      expect(await ask('recommend', ...args)).toMatchObject({ code: 2, stdout: '' })
    }
    expect(existsSync(join(folder, 'x.jsonl'))).toBe(false)
    const { code, stderr } = await ask('recommend', '--user', 'nobody-here')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^textrec: NOT_FOUND: .*nobody-here/)
  })
})

test('explain names likes and sentences', async () => {
  const item = ['--item', 'dracula']
  const { likes, sentences } = document<Explanation>(await ask('explain', '--user', USER, ...item, '--json'))
  expect(likes.length).toBeGreaterThan(0)
  expect(sentences.length).toBeGreaterThan(0)
  const { stdout } = await ask('explain', '--user', USER, ...item)
  expect(stdout).toContain(sentences[0].text)
})

test('audience finds people for a stored item and for a described one', async () => {
  const { items } = document<{ items: Audience['people'] }>(
    await ask('audience', 'dracula', '-k', '4', '--json'),
  )
  expect(items.map(({ rank }) => rank)).toEqual([1, 2, 3, 4])
  const { stdout } = await ask('audience', '--text', 'A ship in the ice', '-k', '2')
  expect(stdout).toMatch(/^rank +z-score +person$/m)
  expect(await ask('audience')).toMatchObject({ code: 2 })
})

test('forget leaves nothing', async () => {
  expect(document(await ask('forget', '--user', OTHER, '--json'))).toMatchObject({
    found: true,
    retrain: false,
  })
  expect(await ask('recommend', '--user', OTHER)).toMatchObject({ code: 1 })
  expect((await ask('forget', '--user', OTHER)).stdout).toMatch(/^Nobody of that name/)
  expect(await ask('forget')).toMatchObject({ code: 2 })
})
