import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer, DoctorReport, ImportReport, IndexReport, Stats, UpsertReport } from 'textrec'
import { sampleFiles } from 'textrec'
import { beforeAll, describe, expect, test } from 'vitest'
import { document, ended, MAIN, start, temporaryFolder, textrec } from './textrec.js'

/** One indexed project of the sample's books, without reviews, for all tests here; each leaves it as it was. */
const folder = temporaryFolder()
const dir = join(folder, 'books.textrec')
const THREADS = ['--threads', '1']

function ask(command: string, ...args: readonly string[]) {
  return textrec([command, '--dir', dir, ...args], { cwd: folder })
}

beforeAll(async () => {
  const imported = await ask('import', '--items', sampleFiles().items, '--json')
  expect(imported).toMatchObject({ code: 0, stderr: '' })
  const indexed = await ask('index', '--json', '--quiet', ...THREADS)
  expect(indexed).toMatchObject({ code: 0, stderr: '' })
})

describe('import', () => {
  test('a second time changes nothing, and --json prints one document', async () => {
    const report = document<ImportReport>(await ask('import', '--items', sampleFiles().items, '--json'))
    expect(report.files.map(({ kind }) => kind)).toEqual(['items'])
    for (const file of report.files) {
      expect(file).toMatchObject({ rejected: 0, added: 0, replaced: 0, unchanged: file.read })
    }
    expect(report.accepted + report.rejected).toBe(report.read)
  })

  test('tells people what became of each file and where the refused records are', async () => {
    const other = join(folder, 'tools.textrec')
    writeFileSync(join(folder, 'tools.csv'), 'sku,name,price\na1,Hammer,9.99\n,No id,1\na2,Saw,12\n')
    writeFileSync(join(folder, 'more.csv'), 'sku,name\na3,Nail\n')
    const args = ['--items', 'tools.csv', 'more.csv', '--map', 'id=sku', '--map', 'title=name']
    const { code, stdout } = await textrec(['import', '--dir', other, ...args], { cwd: folder })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^tools\.csv +items +csv +3 +2 +1 +2 +0 +0$/m)
    expect(stdout).toMatch(/^more\.csv +items +csv +1 +1 +0 +1 +0 +0$/m)
    const rejects = /^1 record of tools\.csv refused, with reasons: (.+)$/m.exec(stdout)?.[1] as string
    expect(readFileSync(rejects, 'utf8').trim().split('\n')).toHaveLength(1)
    const stats = document<Stats>(await textrec(['stats', '--dir', other, '--json']))
    expect(stats).toMatchObject({ items: 3, itemsWithVector: 0 })
    expect(stats.live).toBeUndefined()
    const asked = await textrec(['search', '--dir', other, 'hammer'])
    expect(asked).toMatchObject({ code: 1, stdout: '' })
    expect(asked.stderr).toMatch(/^textrec: NOTHING_INDEXED: /)
  })

  test('fails when every record was refused, and names the reject file', async () => {
    const other = join(folder, 'none of it.textrec')
    writeFileSync(join(folder, 'bad.csv'), 'sku,name\n,Hammer\n,Saw\n')
    const bad = ['import', '--dir', other, '--items', 'bad.csv', '--map', 'id=sku', '--map', 'title=name']
    const { code, stdout, stderr } = await textrec(bad, { cwd: folder })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^bad\.csv +items +csv +2 +0 +2 +0 +0 +0$/m)
    expect(stdout).not.toContain('Next:')
    const line = /^textrec: RECORD_INVALID: All 2 records were refused\. The reasons are in (.+); [^\n]+\n$/
    expect(readFileSync(line.exec(stderr)?.[1] as string, 'utf8')).toContain('"field":"id"')
    const json = await textrec([...bad, '--json'], { cwd: folder })
    expect(json.code).toBe(1)
    expect(document<ImportReport>(json)).toMatchObject({ read: 2, accepted: 0 })
  })

  test('says what comes next, in words that a shell reads, but not with --quiet', async () => {
    const args = ['import', '--dir', 'p r', '--items', 'one.csv']
    writeFileSync(join(folder, 'one.csv'), 'id,title\na,Hammer\n')
    const { stdout } = await textrec(args, { cwd: folder })
    expect(stdout).toMatch(/\n\nNext: textrec index --dir "p r"\n$/)
    expect((await textrec([...args, '-q'], { cwd: folder })).stdout).not.toContain('Next:')
  })

  test('names the file that cannot be read', async () => {
    const { code, stdout, stderr } = await ask('import', '--items', 'nowhere.csv')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^textrec: FILE_UNREADABLE: [^\n]*nowhere\.csv[^\n]*\n$/)
  })

  test('takes a value that the library refuses as wrong usage', async () => {
    const { code, stderr } = await ask('import', '--items', sampleFiles().items, '--map', 'colour=c')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^textrec: OPTION_INVALID: [^\n]*'colour'[^\n]*\n$/)
  })
})

describe('index', () => {
  test('finds nothing to do the second time', async () => {
    const report = document<IndexReport>(await ask('index', '--json', ...THREADS))
    expect(report.vectors).toMatchObject({ items: 0, encoded: 0 })
    expect(report.index).toMatchObject({ built: false, recall: 1 })
  })

  test('tells people encoder, device, precision and recall', async () => {
    const { stdout } = await ask('index', '--rebuild', ...THREADS)
    expect(stdout).toMatch(/^encoder +all-MiniLM-L6-v2, (int8|fp32) on cpu \(.+\)$/m)
    expect(stdout).toMatch(/^index +exact, \d+ items, recall@10 1\.0000/m)
  })
})

describe('similar', () => {
  test('by id: ranked, without the item itself', async () => {
    const answer = document<Answer>(await ask('similar', 'dracula', '--json', '-k', '5'))
    expect(answer.basis).toBe('frozen text')
    expect(answer.items.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5])
    expect(answer.items.map(({ itemId }) => itemId)).not.toContain('dracula')
    const scores = answer.items.map(({ score }) => score)
    expect(scores).toEqual([...scores].sort((a, b) => b - a))
  })

  test('by text and by an item described in JSON, from a file or standard input', async () => {
    const described = { title: 'Dracula', description: 'A vampire count comes to England by ship.' }
    writeFileSync(join(folder, 'item.json'), JSON.stringify(described))
    const byFile = await ask('similar', '--item-file', 'item.json', '--json')
    const args = ['similar', '--dir', dir, '--item-file', '-', '--json']
    const byInput = await textrec(args, { input: JSON.stringify(described) })
    expect(document<Answer>(byFile).items[0].itemId).toBe('dracula')
    expect(byInput.stdout).toBe(byFile.stdout)
    const byText = document<Answer>(await ask('similar', '--text', described.description, '--json'))
    expect(byText.items.slice(0, 3).map(({ itemId }) => itemId)).toContain('dracula')
  })

  test('an unknown id is a known failure, on one line, also as JSON', async () => {
    const people = await ask('similar', 'no-such-book')
    expect(people).toMatchObject({ code: 1, stdout: '' })
    expect(people.stderr).toMatch(/^textrec: NOT_FOUND: [^\n]*no-such-book[^\n]*\n$/)
    expect(people.stderr).toContain("'textrec similar' with --text or --item-file asks about an item")
    expect(people.stderr).not.toContain('()')
    const json = await ask('similar', 'no-such-book', '--json')
    expect(json).toMatchObject({ code: 1, stdout: '' })
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'NOT_FOUND' } })
  })

  test('--item-file with a field that does not exist names the nearest', async () => {
    const input = '{"titel": "x"}'
    const { stderr, stdout } = await textrec(['similar', '--dir', dir, '--item-file', '-'], { input })
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^textrec: OPTION_UNKNOWN: [^\n]*'titel'[^\n]*'title'[^\n]*\n$/)
  })

  test.each([
    ['nowhere.json', undefined, 'FILE_UNREADABLE'],
    ['-', '{"title": ', 'RECORD_INVALID'],
    ['-', '["title"]', 'RECORD_INVALID'],
    ['-', '{"title": 5}', 'RECORD_INVALID'],
    ['-', '{"title": "x", "reviews": "great"}', 'RECORD_INVALID'],
    ['-', '{"title": "x", "attributes": 3}', 'RECORD_INVALID'],
    ['-', '{}', 'NOT_ENOUGH_DATA'],
  ])('--item-file %s with %j is %s', async (file, input, code) => {
    const result = await textrec(['similar', '--dir', dir, '--item-file', file], { cwd: folder, input })
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(new RegExp(`^textrec: ${code}: [^\n]+\n$`))
  })
})

describe('search', () => {
  test('takes several words, a filter and a mode', async () => {
    const found = await ask('search', 'a', 'white', 'whale', '--mode', 'text', '--json')
    expect(document<Answer>(found).items.map(({ itemId }) => itemId)).toContain('moby-dick')
    expect((await ask('search', 'whale', '--mode', 'text')).stdout).toMatch(/^rank +BM25 +id/m)
    expect((await ask('similar', 'moby-dick')).stdout).toMatch(/^rank +cosine +id/m)
    const early = await ask(
      'search',
      'a ghost story',
      '--filter',
      '{"year": {"$lt": 1800}}',
      '--json',
      '-k',
      '3',
    )
    const { items } = document<Answer>(early)
    const years = new Map(
      readFileSync(sampleFiles().items, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: string; year: number })
        .map(({ id, year }) => [id, year]),
    )
    expect(items).toHaveLength(3)
    for (const { itemId } of items) expect(years.get(itemId)).toBeLessThan(1800)
  })

  test('fits its table to the width and names the basis', async () => {
    const args = ['search', '--dir', dir, 'travels', '-k', '20']
    const { stdout, stderr } = await textrec(args, { env: { COLUMNS: '44' } })
    expect(stderr).toBe('')
    expect(stdout).toContain('(basis: frozen text)')
    const rows = stdout.split('\n').slice(2)
    expect(rows[0]).toMatch(/^rank +fused +id +title$/)
    expect(Math.max(...rows.map((row) => [...row].length))).toBeLessThanOrEqual(44)
    expect(stdout).toContain('…')
    expect(stdout).not.toContain('\u001B')
  })

  test('of nothing says so', async () => {
    const { code, stdout } = await ask('search', '   ')
    expect(code).toBe(0)
    expect(stdout).toMatch(/nothing found/)
  })

  test('into a pipe that nobody reads to the end is no failure', async () => {
    const command = '"$NODE" "$MAIN" search --dir "$DIR" sea --json; echo "code $?" >&2'
    const shell = start('sh', ['-c', `(${command}) | true`], {
      env: { NODE: process.execPath, MAIN, DIR: dir },
    })
    expect(await ended(shell)).toEqual({ code: 0, stdout: '', stderr: 'code 0\n' })
    const head = '"$NODE" "$MAIN" search --dir "$DIR" sea | head -1'
    const first = await ended(start('sh', ['-c', head], { env: { NODE: process.execPath, MAIN, DIR: dir } }))
    expect(first).toEqual({ code: 0, stdout: 'Items for "sea" (basis: frozen text)\n', stderr: '' })
  })
})

describe('add and remove', () => {
  test('an item by hand answers at once, and is gone at once', async () => {
    const text = 'Zeppelin pilots race a hurricane over the Arctic ice.'
    const attributes = ['--attribute', 'year=1931', '--attribute', 'code=007']
    const args = ['--id', 'zeppelin', '--title', 'Airship', '--description', text, ...attributes]
    const added = document<UpsertReport>(await ask('add', ...args, '--json', ...THREADS))
    expect(added).toMatchObject({ items: { added: 1, replaced: 0, unchanged: 0 }, encoded: 1 })
    const filter = '{"year": {"$gt": 1930}, "code": "007"}'
    const found = document<Answer>(await ask('similar', '--text', text, '--filter', filter, '--json'))
    expect(found.items.map(({ itemId }) => itemId)).toEqual(['zeppelin'])
    const replaced = await ask('add', '--id', 'zeppelin', '--title', 'Zeppelin', ...THREADS)
    expect(replaced.stdout).toMatch(
      /^zeppelin: replaced as a whole: it has no description and no attributes now/,
    )
    const removed = await ask('remove', 'zeppelin', '--items', 'zeppelin,never-there', '--json')
    expect(document(removed)).toEqual({ items: 1, unknown: 1 })
    expect(await ask('similar', 'zeppelin')).toMatchObject({ code: 1, stdout: '' })
  })

  test('files, and standard input as a file', async () => {
    writeFileSync(join(folder, 'new.jsonl'), '{"id": "n1", "title": "Lighthouse at the end of the world"}\n')
    const items = document<ImportReport & { encoded: number }>(
      await ask('add', '--items', 'new.jsonl', '--json', ...THREADS),
    )
    expect(items).toMatchObject({ read: 1, accepted: 1, encoded: 1 })
    const review = '{"user_id": "me", "item_id": "n1", "rating": 5, "text": "Pirates and a lamp."}\n'
    const reviews = await textrec(['add', '--dir', dir, '--reviews', '-', '--json', ...THREADS], {
      input: review,
    })
    expect(document(reviews)).toMatchObject({ read: 1, encoded: 1, files: [{ path: '-', kind: 'reviews' }] })
    const again = await textrec(['add', '--dir', dir, '--reviews', '-', ...THREADS], { input: review })
    expect(again.stdout).toMatch(/No vector had to be made\.\n$/)
    expect(await ask('remove', 'n1')).toMatchObject({ code: 0, stdout: '1 removed.\n' })
  })
})

describe('stats and doctor', () => {
  test('stats', async () => {
    const stats = document<Stats>(await ask('stats', '--json'))
    expect(stats.items).toBeGreaterThanOrEqual(150)
    expect(stats).toMatchObject({
      timeKind: 'none',
      itemsStale: 0,
      live: { kind: 'exact', recall: 1, dim: 384 },
    })
    const { stdout } = await ask('stats')
    expect(stdout).toMatch(new RegExp(`^items +${stats.items}$`, 'm'))
    expect(stdout).toMatch(/^encoder +all-MiniLM-L6-v2/m)
  })

  test('doctor finds a sound project sound, and mends one that is not', async () => {
    const sound = await ask('doctor')
    expect(sound.code).toBe(0)
    expect(sound.stdout).not.toContain('✗')
    const { live } = document<Stats>(await ask('stats', '--json'))
    const broken = join(dir, 'indexes', (live as NonNullable<Stats['live']>).indexId, 'manifest.json')
    writeFileSync(broken, '{}')
    const damaged = await ask('doctor', '--json')
    expect(damaged.code).toBe(1)
    expect(document<DoctorReport>(damaged).healthy).toBe(false)
    expect((await ask('doctor')).stdout).toMatch(/^✗ .+/m)
    expect(await ask('similar', 'dracula')).toMatchObject({ code: 1, stdout: '' })
    expect(await ask('doctor', '--repair')).toMatchObject({ code: 0 })
    expect(await ask('similar', 'dracula')).toMatchObject({ code: 0 })
    expect(existsSync(broken)).toBe(false)
  })
})
