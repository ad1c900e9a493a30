import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  MAX_ID_BYTES,
  MAX_LINE_BYTES,
  MAX_QUOTE_RECOVERIES,
  MAX_RECORD_LINES,
  MAX_TEXT,
} from '#src/ingest/rules.js'
import { random } from '#src/math/random.js'
import { importContent, jsonLines } from './memory-sink.js'

// One test for each rule that src/ingest/rules.ts states.

const item = (id: unknown, more: object = {}) => ({ id, ...more })
const noise = random(7)
const ids = (items: readonly { id: string }[]) => items.map(({ id }) => id)

describe('files', () => {
  test('a UTF-8 byte order mark is dropped', async () => {
    const csv = await importContent('items', '\ufeffid,title\n1,A\n')
    expect(csv.sink.items).toEqual([{ id: '1', title: 'A' }])
    const json = await importContent('items', Buffer.from(`\ufeff${jsonLines(item('1'))}`))
    expect(json.sink.items).toEqual([{ id: '1' }])
  })

  test.each([
    ['UTF-16', Buffer.from('\ufeffid,title\n1,A\n', 'utf16le'), /UTF-16.*iconv/],
    ['UTF-16 without a mark', Buffer.from('id,title\n1,A\n', 'utf16le'), /NUL/],
    ['zip', Buffer.from('504b0304140000000800', 'hex'), /zip/],
    ['zstd', Buffer.from('28b52ffd0458', 'hex'), /zstd -d/],
    ['lone carriage returns', Buffer.from('id,title\r1,A\r2,B\r'), /carriage return.*tr/],
    ['a JSON array', Buffer.from('[{"id":1},\n{"id":2}]\n'), /JSON array.*jq/],
    ['random bytes', Buffer.from(Array.from({ length: 4000 }, () => noise.integer(256))), /no column|NUL/],
  ])('%s is refused whole, with a remedy', async (_, content, message) => {
    await expect(importContent('items', content)).rejects.toMatchObject({
      code: 'FORMAT_UNKNOWN',
      message: expect.stringMatching(message),
    })
  })

  test('CRLF ends a line, and is LF inside a text', async () => {
    const { sink } = await importContent('items', 'id,title,description\r\n1,A,"x\r\ny"\r\n2,B,\r\n')
    expect(sink.items).toEqual([
      { id: '1', title: 'A', description: 'x\ny' },
      { id: '2', title: 'B' },
    ])
    const json = await importContent('items', `${JSON.stringify(item('1', { title: 'x\r\ny' }))}\r\n`)
    expect(json.sink.items).toEqual([{ id: '1', title: 'x\ny' }])
  })

  test('blank lines are no records; the last line needs no line feed; an empty file has no records', async () => {
    const { sink, read } = await importContent('items', '\nid,title\n\n1,A\n  \n2,B')
    expect(ids(sink.items)).toEqual(['1', '2'])
    expect(read).toBe(2)
    expect(await importContent('items', '')).toMatchObject({ read: 0, format: 'empty' })
    expect(await importContent('items', 'id,title\n')).toMatchObject({ read: 0, format: 'csv' })
  })

  test.each(['csv', 'jsonl'])(
    '%s: a line that is not UTF-8 is refused, those around it are not',
    async (format) => {
      const line = (id: string) =>
        format === 'csv' ? `${id},café\n` : jsonLines(item(id, { title: 'café' }))
      const bytes = Buffer.concat([
        Buffer.from(format === 'csv' ? 'id,title\n' : ''),
        Buffer.from(line('1')),
        Buffer.from(line('2'), 'latin1'),
        Buffer.from(line('3')),
      ])
      const { sink, rejects } = await importContent('items', bytes)
      expect(sink.items.map(({ id, title }) => [id, title])).toEqual([
        ['1', 'café'],
        ['3', 'café'],
      ])
      expect(rejects).toMatchObject([{ line: format === 'csv' ? 3 : 2, field: 'line' }])
      expect(rejects[0].expected).toMatch(/UTF-8/)
    },
  )

  test('a quoted record is refused for one line that is not UTF-8', async () => {
    const bytes = Buffer.from('id,title\n1,"caf\u00e9\nbar"\n2,"bar\ncaf\u00e9"\n3,"x"\n', 'latin1')
    const { sink, rejects } = await importContent('items', bytes)
    expect(ids(sink.items)).toEqual(['3'])
    expect(rejects.map(({ line, field }) => [line, field])).toEqual([
      [2, 'line'],
      [4, 'line'],
    ])
  })

  test('a 50 MB line is refused without being held', async () => {
    // Gzipped, so that the file itself is small; the line is all one word.
    const long = Buffer.alloc(50 * 2 ** 20, 'x')
    const content = gzipSync(
      Buffer.concat([Buffer.from(jsonLines(item('1'))), long, Buffer.from(`\n${jsonLines(item('2'))}`)]),
    )
    const { sink, rejects } = await importContent('items', content)
    expect(ids(sink.items)).toEqual(['1', '2'])
    expect(rejects).toHaveLength(1)
    expect(rejects[0]).toMatchObject({ line: 2, field: 'line', expected: `at most ${MAX_LINE_BYTES} bytes` })
    expect(rejects[0].received.length).toBeLessThan(300)
  })

  test('a record with another number of fields than the header is refused', async () => {
    const { sink, rejects } = await importContent('items', 'id,title\n1,A,x\n2\n3,C\n')
    expect(ids(sink.items)).toEqual(['3'])
    expect(rejects.map(({ line, received }) => [line, received])).toEqual([
      [2, '3 fields: 1,A,x'],
      [3, '1 fields: 2'],
    ])
  })

  test('a quote that does not begin a field is an ordinary character', async () => {
    const { sink } = await importContent('items', 'id,title\n1,12" pipe\n2,a "b" c\n')
    expect(sink.items.map(({ title }) => title)).toEqual(['12" pipe', 'a "b" c'])
  })

  test('text behind a closing quote refuses that record only', async () => {
    const { sink, rejects } = await importContent('items', 'id,title,x\n1,"A" B\n2,C,D\n')
    expect(ids(sink.items)).toEqual(['2'])
    expect(rejects).toMatchObject([
      { line: 2, field: 'record', expected: 'a delimiter after the closing quote of a field' },
    ])
  })

  test('an unterminated quote refuses the line that opens it, not the rest of the file', async () => {
    const { sink, rejects, read } = await importContent('items', 'id,title\n1,A\n2,"B\n3,C\n4,D\n')
    expect(ids(sink.items)).toEqual(['1', '3', '4'])
    expect(rejects).toMatchObject([{ line: 3, expected: 'a closing quote', received: '2,"B' }])
    expect(read).toBe(4)
  })

  test('a quoted field spans at most so many lines: a quote closed further on was not meant', async () => {
    const texts = (lines: number) => `id,title\n1,"A${'\n'.repeat(lines - 1)}"\n2,B\n`
    const longest = await importContent('items', texts(MAX_RECORD_LINES))
    expect([longest.accepted, longest.rejected]).toEqual([2, 0])
    const lines = Array.from({ length: MAX_RECORD_LINES + 50 }, (_, i) => `${i},C\n`).join('')
    const { accepted, rejects } = await importContent('items', `id,title\nx,"A\n${lines}y,"B"\n`)
    expect(accepted).toBe(MAX_RECORD_LINES + 51)
    expect(rejects).toMatchObject([{ line: 2, expected: 'a closing quote' }])
  })

  test('after many unterminated quotes the rest is one refused record, so that time stays bounded', async () => {
    // Each line opens a quote whether the one before is open or not: every restart would read to the end.
    const { rejects, read, accepted } = await importContent(
      'items',
      `id,title,a\n${'x,""",y","\n'.repeat(2000)}`,
    )
    expect(accepted).toBe(0)
    expect(rejects).toHaveLength(MAX_QUOTE_RECOVERIES + 1)
    expect(rejects.at(-1)?.received).toMatch(/^lines 18 to 2001/)
    expect(read).toBe(MAX_QUOTE_RECOVERIES + 1)
  })

  test.each(['not json', '[1,2]', '"text"', '42', 'null', '{"id":"1"', '{"id":NaN}', '{"id":"1"}{"id":"2"}'])(
    'JSON lines: %s is no object',
    async (line) => {
      const { sink, rejects } = await importContent('items', `${jsonLines(item('a'), item('b'))}${line}\n`)
      expect(ids(sink.items)).toEqual(['a', 'b'])
      expect(rejects).toMatchObject([{ line: 3, field: 'record', expected: 'one JSON object on the line' }])
    },
  )

  test('deep nesting is refused and does not end the process', async () => {
    const deep = `{"id":"1","a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    const objects = `{"id":"2","a":${'{"b":'.repeat(50_000)}1${'}'.repeat(50_000)}}`
    const mixed = `{"id":"3","a":[${'{"b":['.repeat(50_000)}${']}'.repeat(50_000)}]}`
    const { sink, read, rejected } = await importContent(
      'items',
      `${deep}\n${objects}\n${mixed}\n${jsonLines(item('4'))}`,
    )
    expect(ids(sink.items)).toEqual(['4'])
    expect([read, rejected]).toEqual([4, 3])
  })
})

describe('ids', () => {
  test('are taken exactly as they are: NFC and NFD forms, case and inner spaces are different ids', async () => {
    const given = [
      'caf\u00e9',
      'cafe\u0301',
      'CAF\u00c9',
      'a b',
      'a  b',
      '007',
      '7',
      'a&amp;b',
      '🙂',
      'א',
      'a\u200db',
    ]
    const { sink } = await importContent('items', jsonLines(...given.map((id) => item(id))))
    expect(ids(sink.items)).toEqual(given)
    expect(new Set(ids(sink.items)).size).toBe(given.length)
  })

  test.each([
    ['empty', ''],
    ['white space', '  '],
    ['white space around', ' a'],
    ['a NUL', 'a\u0000b'],
    ['a line break', 'a\nb'],
    ['a lone surrogate', 'a\ud800'],
    ['too long', 'x'.repeat(MAX_ID_BYTES + 1)],
    ['64 KB', 'x'.repeat(65536)],
    ['too long in UTF-8', 'é'.repeat(MAX_ID_BYTES / 2 + 1)],
    ['a fraction', 1.5],
    ['beyond what a double tells apart', 1e21],
    ['a boolean', true],
    ['a list', ['a']],
    ['null', null],
  ])('%s: refused', async (_, id) => {
    const { sink, rejects } = await importContent('items', jsonLines(item('ok'), item(id, { title: 'x' })))
    expect(ids(sink.items)).toEqual(['ok'])
    expect(rejects).toMatchObject([{ line: 2, field: 'id' }])
    expect(rejects[0].received.length).toBeLessThan(300)
  })

  test('an id of the greatest length is accepted', async () => {
    const { sink } = await importContent(
      'items',
      jsonLines(item('é'.repeat(MAX_ID_BYTES / 2)), item('y'.repeat(MAX_ID_BYTES))),
    )
    expect(sink.items).toHaveLength(2)
  })

  test('numeric ids become text, and those beyond 2^53 keep every digit', async () => {
    const lines = ['9007199254740993', '9007199254740992', '-12345678901234567890123', '42', '1e3', '-0']
    const { sink } = await importContent(
      'items',
      lines.map((id) => `{"title":"\\"9007199254740995","id":${id}}\n`).join(''),
    )
    expect(ids(sink.items)).toEqual([
      '9007199254740993',
      '9007199254740992',
      '-12345678901234567890123',
      '42',
      '1000',
      '0',
    ])
    expect(sink.items[0].title).toBe('"9007199254740995')
    const csv = await importContent('interactions', 'user,item\n9007199254740993,9007199254740992\n')
    expect(csv.sink.interactions).toEqual([{ userId: '9007199254740993', itemId: '9007199254740992' }])
  })
})

describe('texts', () => {
  const title = async (text: unknown) =>
    (await importContent('items', jsonLines(item('1', { title: text })))).sink.items[0]?.title

  test('HTML entities are decoded exactly once, and only those that end in a semicolon', async () => {
    expect(await title('5&#34; &amp; &eacute; &#x1F642; &lt;b&gt;')).toBe('5" & é 🙂 <b>')
    expect(await title('&amp;lt;b&amp;gt; &amp;amp;')).toBe('&lt;b&gt; &amp;')
    expect(await title('R&D, AT&T, a?b=1&copy=2')).toBe('R&D, AT&T, a?b=1&copy=2')
    expect(await title('&#0;&#xD800;x')).toBe('\ufffd\ufffdx')
  })

  test('NUL becomes a space, a lone surrogate U+FFFD; pairs stay', async () => {
    expect(await title('a\u0000b \ud800 🙂 \udc00')).toBe('a b \ufffd 🙂 \ufffd')
  })

  test('white space around is dropped, an empty text is no text', async () => {
    expect(await title('  a b\n')).toBe('a b')
    expect(await title(' \n ')).toBeUndefined()
    expect(await title('\u0000')).toBeUndefined()
    expect(await title('a\rb')).toBe('a\rb')
    expect(await title(1984)).toBe('1984')
  })

  test('a million characters are accepted, one more is refused', async () => {
    const { sink, rejects } = await importContent(
      'items',
      jsonLines(
        item('1', { description: 'x'.repeat(MAX_TEXT) }),
        item('2', { description: 'x'.repeat(MAX_TEXT + 1) }),
      ),
    )
    expect(ids(sink.items)).toEqual(['1'])
    expect(rejects).toMatchObject([
      { line: 2, field: 'description', expected: `a text of at most ${MAX_TEXT} characters` },
    ])
  })

  test.each([[true], [{ a: 1 }], [[1, 2]]])('%j is no text', async (value) => {
    const { rejects } = await importContent('items', jsonLines(item('1', { title: value })))
    expect(rejects).toMatchObject([{ field: 'title', expected: 'a text' }])
  })
})

describe('numbers', () => {
  test.each(['NaN', 'Infinity', '-Infinity', 'inf', '1e400', '5 stars', '0x10', '1,5', '1_000'])(
    'the rating %s is refused',
    async (rating) => {
      const { sink, rejects } = await importContent('reviews', `user,item,rating\nu,i,"${rating}"\nu,i,4\n`)
      expect(sink.reviews.map((review) => review.rating)).toEqual([4])
      expect(rejects).toMatchObject([{ line: 2, field: 'rating', received: rating }])
    },
  )

  test('an empty rating is none', async () => {
    const { sink } = await importContent('reviews', 'user,item,rating,text\nu,i,,fine\nu,j,-0.5,\n')
    expect(sink.reviews).toEqual([
      { userId: 'u', itemId: 'i', text: 'fine' },
      { userId: 'u', itemId: 'j', rating: -0.5 },
    ])
  })

  test('helpful votes: plain, grouped, Amazon pairs; never negative or broken', async () => {
    const votes = [12, '12', '1,234', [3, 4], '[3, 4]', '', null]
    const good = await importContent(
      'reviews',
      jsonLines(...votes.map((vote) => ({ user: 'u', item: 'i', vote }))),
    )
    expect(good.sink.reviews.map(({ helpful }) => helpful)).toEqual([
      12,
      12,
      1234,
      3,
      3,
      undefined,
      undefined,
    ])
    const bad = await importContent(
      'reviews',
      jsonLines(...[-1, 1.5, 'many', [1], '1,23'].map((vote) => ({ user: 'u', item: 'i', vote }))),
    )
    expect(bad.rejects.map(({ field }) => field)).toEqual(Array(5).fill('helpful'))
  })
})

describe('times', () => {
  const times = async (...given: unknown[]) =>
    importContent('interactions', jsonLines(...given.map((time) => ({ user: 'u', item: 'i', time }))))

  test('seconds, milliseconds, microseconds and written dates are milliseconds', async () => {
    const at = Date.UTC(2014, 1, 28)
    const { sink, rejects } = await times(
      at / 1000,
      at,
      at * 1000,
      String(at),
      '2014-02-28',
      '2014-02-28 00:00:00',
      '2014-02-28T01:00:00+01:00',
      '2014-02-27T18:30:00-0530',
      '2014/2/28',
      '02 28, 2014',
      '2014-02-28T00:00:00.000Z',
    )
    expect(rejects).toEqual([])
    expect(new Set(sink.interactions.map(({ time }) => time))).toEqual(new Set([at]))
    const edges = await times(99_999_999_999, 100_000_000_000, 99_999_999_999_999, 100_000_000_000_000)
    expect(edges.sink.interactions.map(({ time }) => time)).toEqual([
      99_999_999_999_000, 100_000_000_000, 99_999_999_999_999, 100_000_000_000,
    ])
  })

  test('numbers below 1e8 are positions', async () => {
    const { sink } = await times(1, '2', 99_999_999)
    expect(sink.interactions.map(({ time }) => time)).toEqual([1, 2, 99_999_999])
    expect((await times(100_000_000)).sink.interactions[0].time).toBe(100_000_000_000)
  })

  test.each([
    '2023-02-30',
    '2023-13-01',
    '2023-00-10',
    '2023-02-29',
    '2023-01-01T25:00:00Z',
    '2023-01-01T10:61:00Z',
    '02 30, 2014',
    '2023-01-01T10:00:00+99:00',
    '1969-12-31',
    '1970-01-01',
    'yesterday',
    '12/31/2023',
    -1,
    '-5',
    1e17,
    1.5,
    'NaN',
    '2023-02-2',
    true,
    [1],
  ])('%s is refused', async (time) => {
    const allowed = time === '2023-02-2' // one digit is enough for a day
    const { rejects } = await times(time)
    expect(rejects.map(({ field }) => field)).toEqual(allowed ? [] : ['time'])
  })

  test('a leap day exists', async () => {
    expect((await times('2024-02-29')).sink.interactions[0].time).toBe(Date.UTC(2024, 1, 29))
  })

  test('most of the first times decide between dates and positions, of as many the first; the odd ones are refused', async () => {
    const order = await times(1, 1393545600, 2, '2014-02-28')
    expect(order.sink.interactions.map(({ time }) => time)).toEqual([1, 2])
    expect(order.rejects).toMatchObject([
      { line: 2, field: 'time', received: '1393545600' },
      { line: 4, field: 'time', received: '2014-02-28' },
    ])
    const refusedFirst = await importContent(
      'interactions',
      jsonLines({ user: '', item: 'i', time: 1 }, { user: 'u', item: 'i', time: 1393545600 }),
    )
    expect(refusedFirst.accepted).toBe(1)
  })

  test.each([
    ['jsonl', (time: unknown, i: number) => jsonLines({ user: 'u', item: `i${i}`, time })],
    ['csv', (time: unknown, i: number) => `${i === 0 ? 'user,item,time\n' : ''}u,i${i},${time}\n`],
  ])('%s: one odd time among many is one refused record, wherever it stands', async (_, line) => {
    for (const at of [0, 1, 5000]) {
      const dates = Array.from({ length: 5001 }, (_, i) => (i === at ? 7 : 1393545600 + i))
      const positions = Array.from({ length: 5001 }, (_, i) => (i === at ? 1393545600 : i))
      for (const given of [dates, positions]) {
        const { accepted, rejects } = await importContent('interactions', given.map(line).join(''))
        expect(accepted).toBe(5000)
        expect(rejects).toMatchObject([{ field: 'time', received: String(given[at]) }])
      }
    }
  })

  test('what the project already holds decides before the file does', async () => {
    const found = await importContent('interactions', 'user,item,time\nu,i,1\nu,i,1393545600\nu,i,\n', {
      timeKind: 'date',
    })
    expect(found.sink.interactions.map(({ time }) => time)).toEqual([1393545600000, undefined])
    expect(found.rejects).toMatchObject([{ line: 2, field: 'time' }])
  })
})

describe('attributes', () => {
  const attributes = async (record: object) =>
    (await importContent('items', jsonLines({ id: '1', ...record }))).sink.items[0]?.attributes
  const csv = async (text: string, name = 'x') =>
    (await importContent('items', `id,${name}\n1,"${text.replaceAll('"', '""')}"\n`)).sink.items[0]
      ?.attributes?.[name]

  test('JSON keeps its types; null, empty text and empty lists are no attribute', async () => {
    expect(
      await attributes({
        n: 9.99,
        b: false,
        s: '12',
        list: ['a', 'b', 'a', 1],
        empty: '',
        none: null,
        nothing: [],
        deep: { er: { x: 1 } },
      }),
    ).toEqual({ n: 9.99, b: false, s: '12', list: ['a', 'b', '1'], 'deep.er.x': 1 })
  })

  test.each([
    ['9.99', 9.99],
    ['-3', -3],
    ['0', 0],
    ['0.5', 0.5],
    ['1e-05', 0.00001],
    ['12E4', '12E4'],
    ['007', '007'],
    ['1.', '1.'],
    ['9007199254740992', '9007199254740992'],
    ['9007199254740991', 9007199254740991],
    ['$1,299.00', 1299],
    ['€5', 5],
    ['$5 - $9', '$5 - $9'],
    ['True', true],
    ['false', false],
    ['yes', 'yes'],
    ['NaN', 'NaN'],
    ['2016-10-01', new Date('2016-10-01')],
    ['2016-02-30', '2016-02-30'],
    ['02 28, 2014', '02 28, 2014'],
    ['a|b', 'a|b'],
    ['["a","b"]', ['a', 'b']],
    ['[1, 2]', ['1', '2']],
    ['[]', undefined],
    ['[not json]', '[not json]'],
    ['Barnes &amp; Noble', 'Barnes & Noble'],
    ['  ', undefined],
  ])('CSV text %s', async (text, value) => {
    expect(await csv(text)).toEqual(value)
  })

  test('a JSON price in quotes is a number, other digits in quotes stay text', async () => {
    expect(await attributes({ list_price: '9.99', model: '9.99', since: '2016-10-01' })).toEqual({
      list_price: 9.99,
      model: '9.99',
      since: new Date('2016-10-01'),
    })
  })

  test('whole numbers beyond 2^53 are kept as text', async () => {
    const { sink } = await importContent(
      'items',
      '{"id":"1","big":9007199254740993,"list":[9007199254740993]}\n',
    )
    expect(sink.items[0].attributes).toEqual({ big: '9007199254740993', list: ['9007199254740993'] })
  })

  test('__proto__ refuses the record, at any depth; constructor is a name like any other; nothing is polluted', async () => {
    const lines = [
      '{"id":"1","__proto__":{"polluted":1}}',
      '{"id":"2","a":{"__proto__":{"polluted":1}}}',
      '{"id":"3","constructor":{"prototype":{"polluted":1}},"toString":"x"}',
      '{"id":"4","a":[{"__proto__":{"polluted":1}}]}',
    ]
    const { sink, rejects } = await importContent('items', `${lines.join('\n')}\n`)
    expect(rejects.map(({ line, field }) => [line, field])).toEqual([
      [1, '__proto__'],
      [2, 'a.__proto__'],
    ])
    expect(sink.items[0]).toEqual({
      id: '3',
      attributes: { 'constructor.prototype.polluted': 1, toString: 'x' },
    })
    const table = await importContent('items', 'id,constructor,__proto__\n1,Ferrari,\n2,Lotus,x\n')
    expect(table.sink.items).toEqual([{ id: '1', attributes: { constructor: 'Ferrari' } }])
    expect(table.rejects).toMatchObject([{ line: 3, field: '__proto__' }])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(sink.items[0].attributes)).toBe(Object.prototype)
  })

  test('limits: name, text, number of attributes', async () => {
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`a${i}`, i]))
    const { rejects, accepted } = await importContent(
      'items',
      jsonLines(
        item('1', { ['n'.repeat(201)]: 1 }),
        item('2', { t: 'x'.repeat(100_001) }),
        item('3', many),
        item('4', { list: ['y'.repeat(100_001)] }),
        item('5'),
      ),
    )
    expect(accepted).toBe(1)
    expect(rejects.map(({ line }) => line)).toEqual([1, 2, 3, 4])
  })
})
