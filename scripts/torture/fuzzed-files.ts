import type { Random } from '../../src/math/random.js'

/** A sound file of one format: its header and lines, to be mutated. */
export interface FuzzedFormat {
  readonly name: string
  readonly kind: 'items' | 'reviews' | 'interactions'
  readonly header: string
  /** A sound line by number. */
  readonly line: (number: number) => string
  /** Quoted fields may span lines, so that lines are not records. */
  readonly quoted: boolean
}

const day = (number: number) => 1_500_000_000 + 86_400 * (number % 900)

export const FORMATS: readonly FuzzedFormat[] = [
  {
    name: 'csv',
    kind: 'items',
    header: 'id,title,description,price,brand\n',
    line: (n) => `i${n},"Title, ${n}","A ""good"" thing",${n % 90}.50,b${n % 7}\n`,
    quoted: true,
  },
  {
    name: 'csv with semicolons',
    kind: 'interactions',
    header: 'user;item;rating;timestamp\n',
    line: (n) => `u${n % 99};i${n};${1 + (n % 5)};${day(n)}\n`,
    quoted: true,
  },
  {
    name: 'tsv',
    kind: 'reviews',
    header: 'user_id\titem_id\trating\ttext\ttimestamp\n',
    line: (n) => `u${n % 99}\ti${n}\t4\tGood for item ${n}.\t${day(n)}\n`,
    quoted: true,
  },
  {
    name: 'jsonl',
    kind: 'items',
    header: '',
    line: (n) =>
      `${JSON.stringify({ id: `j${n}`, title: `Thing ${n}`, tags: ['a', 'b'], size: { w: n, h: [1, 2] }, isbn: n })}\n`,
    quoted: false,
  },
  {
    name: 'amazon 2018',
    kind: 'reviews',
    header: '',
    line: (n) =>
      `${JSON.stringify({ overall: 5, verified: true, reviewerID: `A${n % 99}`, asin: `B${n}`, reviewText: 'Fine & good', summary: 'ok', unixReviewTime: day(n), style: { 'Size:': ' 7' } })}\n`,
    quoted: false,
  },
  {
    name: 'amazon 2014 (Python)',
    kind: 'items',
    header: '',
    line: (n) =>
      `{'asin': 'P${n}', 'title': 'It\\'s ${n}', 'price': 9.99, 'categories': [['x', 'y']], 'brand': None}\n`,
    quoted: false,
  },
  {
    name: 'movielens ::',
    kind: 'interactions',
    header: '',
    line: (n) => `${n % 99}::${n}::${1 + (n % 5)}::${day(n)}\n`,
    quoted: false,
  },
  {
    name: 'recbole',
    kind: 'interactions',
    header: 'user_id:token\titem_id:token\trating:float\ttimestamp:float\n',
    line: (n) => `r${n % 99}\ts${n}\t3.5\t${day(n)}\n`,
    quoted: false,
  },
]

const SPLICES = [
  ...[
    '"',
    '\n',
    ',',
    '\t',
    ';',
    '::',
    '{',
    '}',
    '[',
    ']',
    '\\',
    "'",
    ':',
    '|',
    '-',
    ' ',
    '\r',
    '\ufeff',
    '\u2028',
  ],
  ...[
    '\\ud800',
    '\u0000',
    '"__proto__":{"polluted":1},',
    '"constructor":{"prototype":{"polluted":1}},',
    '__proto__',
  ],
  ...[
    'NaN',
    'Infinity',
    '1e999',
    '9'.repeat(30),
    '-0',
    '0x10',
    'true',
    'null',
    '[]',
    '🙂',
    'e\u0301',
    '&amp;',
    '\u202e',
  ],
].map((text) => Buffer.from(text))

/** One to three edits: bytes dropped, something put in their place. */
export function mutatedLine(line: string, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(line)
  for (let edits = 1 + random.integer(3); edits > 0; edits--) {
    const at = random.integer(bytes.length)
    const put =
      random.next() < 0.3 ? Buffer.from([random.integer(256)]) : SPLICES[random.integer(SPLICES.length)]
    bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + random.integer(6))])
  }
  return bytes.at(-1) === 10 ? bytes : Buffer.concat([bytes, Buffer.from('\n')])
}
