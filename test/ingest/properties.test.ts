import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDate } from '#src/dates.js'
import { DelimitedReader } from '#src/ingest/formats/delimited.js'
import { LineSplitter } from '#src/ingest/lines.js'
import { decimal } from '#src/ingest/values.js'
import { importContent } from './memory-sink.js'

/** The rows of a delimited file of `width` columns, read in chunks of `chunk` bytes. */
function read(content: Buffer, delimiter: string, width: number, chunk: number) {
  const rows: (readonly unknown[])[] = []
  const lines: number[] = []
  const refused: number[] = []
  const names = Array.from({ length: width }, (_, i) => `c${i}`)
  const sinks = {
    record: ({ values, line }: { values: readonly unknown[]; line: number }) => {
      rows.push([...values])
      lines.push(line)
    },
    refuse: (line: number) => refused.push(line),
  }
  const reader = new DelimitedReader(
    { delimiter, quoting: true },
    { names, types: 'content', width },
    sinks,
    0,
  )
  const splitter = new LineSplitter(reader.line)
  for (let at = 0; at < content.length; at += chunk) {
    splitter.push(content.subarray(at, at + chunk))
    reader.flush()
  }
  splitter.end()
  reader.end()
  return { rows, lines, refused }
}

const field = fc.oneof(
  fc.constantFrom(
    '',
    '"',
    '""',
    ',',
    '\n',
    'a"b',
    ' x ',
    '\t',
    ';',
    'é',
    '🙂',
    '\u2028',
    "'",
    '\\',
    '::',
    '|',
  ),
  fc.string({
    unit: fc.constantFrom('a', '"', ',', '\n', ';', '\t', ' ', 'é', '🙂'),
    maxLength: 12,
    size: 'max',
  }),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replaceAll('\r', '')),
)
const table = fc.integer({ min: 2, max: 5 }).chain((width) =>
  fc.array(fc.array(field, { minLength: width, maxLength: width }), {
    minLength: 1,
    maxLength: 12,
    size: 'max',
  }),
)

test('any table, written with quotes, is read back as it was, whatever the delimiter, line end and chunk size', () => {
  fc.assert(
    fc.property(
      table,
      fc.constantFrom(',', ';', '\t', '|'),
      fc.constantFrom('\n', '\r\n'),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      (rows, delimiter, end, chunk, always) => {
        const quote = (text: string) =>
          always || /["\n\r]/.test(text) || text.includes(delimiter) || text.trim() === ''
            ? `"${text.replaceAll('"', '""')}"`
            : text
        const content = Buffer.from(rows.map((row) => row.map(quote).join(delimiter) + end).join(''))
        const found = read(content, delimiter, rows[0].length, chunk)
        expect(found.refused).toEqual([])
        expect(found.rows).toEqual(rows.map((row) => row.map((text) => Buffer.from(text).toString())))
      },
    ),
    { numRuns: 500, seed: 1 },
  )
})

/**
 * The rules of delimited text once more, a character at a time: the rows with the lines they begin on, and the
 * first lines of refused records.
 */
function slowly(content: string, delimiter: string) {
  const lines = content.split('\n')
  const rows: { line: number; row: string[] }[] = []
  const refused: number[] = []
  for (let start = 0; start < lines.length; ) {
    const row = ['']
    let state: 'begin' | 'plain' | 'quoted' | 'quote' | 'broken' = 'begin'
    let end = start
    for (; end < lines.length; end++) {
      for (const char of lines[end]) {
        if (state === 'broken') break
        if (state === 'quoted' && char === '"') state = 'quote'
        else if (state === 'quote' && char === '"') {
          row[row.length - 1] += '"'
          state = 'quoted'
        } else if (state === 'begin' && char === '"') state = 'quoted'
        else if (state !== 'quoted' && char === delimiter) {
          row.push('')
          state = 'begin'
        } else if (state === 'quote') state = 'broken'
        else {
          row[row.length - 1] += char
          if (state === 'begin') state = 'plain'
        }
      }
      if (state !== 'quoted') break
      row[row.length - 1] += '\n'
    }
    const open = end === lines.length
    if (open || state === 'broken') refused.push(start + 1)
    else if (end > start || lines[start].trim() !== '') rows.push({ line: start + 1, row })
    start = open ? start + 1 : end + 1
  }
  return { rows, refused }
}

test.each([',', ';', '\t'])('any text at all, between %j, is read as the rules say', (delimiter) => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '"', '"', delimiter, delimiter, '\n', ' ', 'é', '\u0000', ';'),
    // Too short for more open quotes than are taken back.
    maxLength: 30,
    size: 'max',
  })
  const met = { rows: 0, refused: 0 }
  fc.assert(
    fc.property(
      text,
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 3 }),
      (content, chunk, width) => {
        const { rows, refused } = slowly(content, delimiter)
        const fit = rows.filter(({ row }) => row.length === width)
        const others = rows.filter(({ row }) => row.length !== width).map(({ line }) => line)
        const found = read(Buffer.from(content), delimiter, width, chunk)
        expect(found.rows).toEqual(fit.map(({ row }) => row))
        expect(found.lines).toEqual(fit.map(({ line }) => line))
        expect(found.refused).toEqual([...refused, ...others].sort((a, b) => a - b))
        met.rows += rows.length
        met.refused += refused.length
      },
    ),
    { numRuns: 1500, seed: 2 },
  )
  expect(Math.min(met.rows, met.refused)).toBeGreaterThan(500)
})

test('lines are the same however the bytes are cut, and none is lost', () => {
  // Mostly ASCII and now and then a byte that breaks UTF-8, lines around the limit of 12 bytes.
  const byte = fc.oneof(
    { weight: 40, arbitrary: fc.integer({ min: 32, max: 126 }) },
    { weight: 4, arbitrary: fc.constant(10) },
    { weight: 1, arbitrary: fc.integer({ min: 128, max: 255 }) },
  )
  const bytes = fc.array(byte, { maxLength: 120, size: 'max' }).map((values) => Buffer.from(values))
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 130 }), (content, chunk) => {
      const cut = (size: number) => {
        const lines: unknown[] = []
        // What is shown of an overlong line may depend on the cut.
        const onLine = (text: string, number: number, flaw?: string) =>
          lines.push([number, flaw === 'long' ? '' : text, flaw])
        const splitter = new LineSplitter(onLine, 12)
        for (let at = 0; at < content.length; at += size) splitter.push(content.subarray(at, at + size))
        splitter.end()
        return lines as [number, string, string | undefined][]
      }
      const lines = cut(chunk)
      expect(lines).toEqual(cut(1))
      const naive = content.toString('latin1').split('\n')
      if (naive.at(-1) === '') naive.pop()
      expect(lines.map(([number]) => number)).toEqual(naive.map((_, i) => i + 1))
      for (const [number, text, flaw] of lines) {
        const raw = Buffer.from(naive[number - 1], 'latin1')
        expect(flaw === 'long').toBe(raw.length > 12)
        if (flaw === undefined) expect(Buffer.from(text)).toEqual(raw)
      }
    }),
    { numRuns: 500, seed: 3 },
  )
})

test('an overlong line is not kept while it is read, and the line behind it is whole', () => {
  const lines: unknown[] = []
  const splitter = new LineSplitter((text, number, flaw) => lines.push([number, text.length, flaw]), 5000)
  const chunk = Buffer.alloc(1000, 'x')
  let most = 0
  for (let i = 0; i < 1000; i++) {
    splitter.push(chunk)
    most = Math.max(most, splitter.heldBytes)
  }
  splitter.push(Buffer.from('\nshort\n'))
  splitter.end()
  expect(most).toBeLessThanOrEqual(6000)
  expect(lines).toEqual([
    [1, 200, 'long'],
    [2, 5, undefined],
  ])
})

test('dates agree with Date, and impossible ones are NaN', () => {
  const date = fc.date({ min: new Date('1900-01-01'), max: new Date('2199-12-31'), noInvalidDate: true })
  fc.assert(
    fc.property(date, (when) => {
      expect(parseDate(when.toISOString())).toBe(when.getTime())
      expect(parseDate(when.toISOString().slice(0, 10))).toBe(
        Math.floor(when.getTime() / 86_400_000) * 86_400_000,
      )
    }),
    { seed: 4 },
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1900, max: 2100 }),
      fc.integer({ min: 0, max: 14 }),
      fc.integer({ min: 0, max: 33 }),
      (year, month, day) => {
        const two = (n: number) => String(n).padStart(2, '0')
        const text = `${year}-${two(month)}-${two(day)}`
        const native = new Date(`${text}T00:00:00Z`)
        const exists = !Number.isNaN(native.getTime()) && native.toISOString().startsWith(text)
        expect(Number.isNaN(parseDate(text))).toBe(!exists)
      },
    ),
    { numRuns: 1000, seed: 5 },
  )
})

test('decimal reads what Number reads of plain notation, and nothing else', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      expect(decimal(String(number))).toBe(Number(String(number)))
    }),
    { seed: 6 },
  )
  for (const text of ['', ' ', '0x1', '1_0', 'Infinity', 'NaN', '1e', '.', '--1', '1n', `${'1'.repeat(65)}`])
    expect(decimal(text)).toBeUndefined()
})

const GOOD: readonly { kind: 'items' | 'reviews' | 'interactions'; header: string; line: string }[] = [
  { kind: 'items', header: 'id,title,description,price\n', line: 'p1,"A ""b"" c",text &amp; more,$9.99\n' },
  { kind: 'interactions', header: 'userId,movieId,rating,timestamp\n', line: '12,345,4.5,964982703\n' },
  { kind: 'interactions', header: '', line: '12::345::4::964982703\n' },
  {
    kind: 'interactions',
    header: 'user_id:token\titem_id:token\ttimestamp:float\n',
    line: 'u\ti\t964982703\n',
  },
  {
    kind: 'reviews',
    header: '',
    line: '{"reviewerID":"A1","asin":"B1","overall":5.0,"reviewText":"fine \\u00e9","style":{"Size:":" 7"},"unixReviewTime":1472688000}\n',
  },
  {
    kind: 'items',
    header: '',
    line: "{'asin': 'B1', 'title': 'It\\'s', 'price': 3.5, 'categories': [['a', 'b']]}\n",
  },
]

test('mutated lines: everything read is accepted or rejected, nothing throws, nothing is polluted', async () => {
  const splice = fc.constantFrom(
    '"',
    '\n',
    ',',
    '\t',
    '::',
    '{',
    '}',
    '[',
    '\\',
    '\\ud800',
    '\u0000',
    '\r',
    '"__proto__":{"polluted":1},',
    "'",
    'NaN',
    '9'.repeat(30),
    '-',
    ' ',
    '\ufeff',
    '🙂',
    'true',
    'null',
  )
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    drop: fc.integer({ min: 0, max: 6 }),
    put: fc.oneof(splice, fc.string({ maxLength: 3 })),
    raw: fc.option(fc.integer({ min: 0, max: 255 })),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...GOOD),
      fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), { minLength: 200, maxLength: 200 }),
      async ({ kind, header, line }, mutations) => {
        const lines = mutations.map((edits) => {
          let bytes = Buffer.from(line)
          for (const { at, drop, put, raw } of edits) {
            const start = Math.floor(at * bytes.length)
            const middle = raw === null ? Buffer.from(put) : Buffer.from([raw])
            bytes = Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(start + drop)])
          }
          return bytes
        })
        const good = Buffer.from(line)
        const found = await importContent(
          kind,
          Buffer.concat([Buffer.from(header), good, ...lines.flatMap((mutant) => [mutant, good])]),
        )
        expect(found.accepted + found.rejected).toBe(found.read)
        expect(found.rejects).toHaveLength(found.rejected)
        const stored = [...found.sink.items, ...found.sink.reviews, ...found.sink.interactions]
        expect(stored).toHaveLength(found.accepted)
        expect(found.accepted).toBeGreaterThan(0)
        for (const record of stored)
          expect(Object.getPrototypeOf(record.attributes ?? {})).toBe(Object.prototype)
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
      },
    ),
    // Shrinking 200 mutants takes longer than looking at the first counterexample.
    { numRuns: 60, seed: 7, endOnFailure: true },
  )
})
