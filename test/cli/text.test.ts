import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { invocation } from '#src/cli/invocation.js'
import { facts, table } from '#src/cli/table.js'
import { bytes, displayWidth, duration, ellipsis, oneLine, shellWord, wrap } from '#src/cli/text.js'

test('a shell reads back every word of a command that may be copied', () => {
  expect(shellWord('books.textrec')).toBe('books.textrec')
  expect(shellWord('p r')).toBe('"p r"')
  const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(
      fc.array(fc.oneof(word, fc.constantFrom("it's", '$HOME', '`id`', '\\', '"', '!!', '*', ''))),
      (words) => {
        const command = `printf '%s\\0' - ${words.map(shellWord).join(' ')}`
        const read = execFileSync('sh', ['-c', command], { encoding: 'utf8' })
        expect(read.split('\0').slice(1, -1)).toEqual(words)
      },
    ),
    { numRuns: 30 },
  )
})

describe('oneLine', () => {
  test('takes terminal escapes and line breaks out of what a catalogue says', () => {
    expect(oneLine('a\r\nb\u001B[31mred\u001B[0m\u0007\u202Eevil')).toBe('a b[31mred[0mevil')
  })

  test('leaves joined emoji and accents alone', () => {
    expect(oneLine('👩‍👧 Gösta é')).toBe('👩‍👧 Gösta é')
  })
})

describe('ellipsis', () => {
  test('cuts to the width, counting wide letters twice', () => {
    expect(ellipsis('Moby-Dick', 9)).toBe('Moby-Dick')
    expect(ellipsis('Moby-Dick', 6)).toBe('Moby-…')
    expect(ellipsis('吾輩は猫である', 7)).toBe('吾輩は…')
  })

  test('never takes more room than it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), (text, width) => {
        expect(displayWidth(ellipsis(text, width))).toBeLessThanOrEqual(width)
      }),
    )
  })
})

test('durations and sizes', () => {
  expect([0.04, 9.9, 59.4, 61, 3599, 7500].map(duration)).toEqual([
    '0.0 s',
    '9.9 s',
    '59 s',
    '1 min 1 s',
    '59 min 59 s',
    '2 h 5 min',
  ])
  expect([0, 1023, 1536, 200 * 1024, 3 * 1024 ** 3].map(bytes)).toEqual([
    '0 bytes',
    '1,023 bytes',
    '1.5 KiB',
    '200 KiB',
    '3.0 GiB',
  ])
})

test('wrap keeps lines within the width and loses no word', () => {
  const text = 'Two sisters, one prudent and one all feeling'
  const lines = wrap(text, 20).split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(20)
  expect(lines.join(' ')).toBe(text)
  expect(wrap(text, Number.POSITIVE_INFINITY)).toBe(text)
})

describe('table', () => {
  const columns = [
    { head: 'rank', align: 'right' as const },
    { head: 'id', least: 4 },
    { head: 'title', least: 6 },
  ]

  test('aligns and keeps everything where the width allows', () => {
    expect(
      table(
        columns,
        [
          ['1', 'a', 'First'],
          ['10', 'bb', ''],
        ],
        80,
      ),
    ).toBe('rank  id  title\n   1  a   First\n  10  bb')
  })

  test('squeezes the last column first, then the one before it, and never below the least', () => {
    const rows = [['1', 'identifier', 'A long title that is cut']]
    expect(table(columns, rows, 30).split('\n')[1]).toBe('   1  identifier  A long titl…')
    expect(table(columns, rows, 22).split('\n')[1]).toBe('   1  identif…  A lon…')
    expect(table(columns, rows, 5).split('\n')[1]).toBe('   1  ide…  A lon…')
  })

  test('no line is wider than the terminal', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'é', '猫', ' ', '\n', '\u001B') })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constant('1'), cell, cell)), (rows) => {
        for (const line of table(columns, rows, 30).split('\n'))
          expect(displayWidth(line)).toBeLessThanOrEqual(30)
      }),
    )
  })
})

test('facts line their values up', () => {
  expect(
    facts([
      ['a', '1'],
      ['longer', '2'],
    ]),
  ).toBe('a       1\nlonger  2')
})

test('invocation names the program as it was called', () => {
  expect(invocation('/home/me/shop/node_modules/.bin/textrec', '/home/me/shop')).toBe('npx textrec')
  expect(invocation('/usr/bin/textrec', '/home/me')).toBe('textrec')
  expect(invocation('/src/textrec/dist/src/cli/main.js', '/src/textrec')).toBe('node dist/src/cli/main.js')
  expect(invocation('/src/textrec/dist/src/cli/main.js', '/home')).toBe(
    'node /src/textrec/dist/src/cli/main.js',
  )
})
