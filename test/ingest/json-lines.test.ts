import { describe, expect, test } from 'vitest'
import { parseRecord } from '#src/ingest/formats/json-lines.js'
import { MAX_JSON_DEPTH, MAX_JSON_PARTS } from '#src/ingest/rules.js'

describe('long lines', () => {
  const list = (length: number) => `{"a": [${new Array(length).fill('1').join(',')}]}`

  test('of as many values as a record may have are read, and of more refused', () => {
    // The object and the list count as well.
    expect((parseRecord(list(MAX_JSON_PARTS - 1)) as { a: number[] }).a).toHaveLength(MAX_JSON_PARTS - 1)
    expect(parseRecord(list(MAX_JSON_PARTS))).toBeUndefined()
  })

  test('of brackets or nested objects are refused', () => {
    expect(parseRecord('['.repeat(1_000_000))).toBeUndefined()
    expect(parseRecord(`{"a":${'{"a":'.repeat(100_000)}`)).toBeUndefined()
    const deep = (levels: number) => `{"a": ${'['.repeat(levels)}${' '.repeat(70_000)}${']'.repeat(levels)}}`
    expect(parseRecord(deep(MAX_JSON_DEPTH - 1))).toBeDefined()
    expect(parseRecord(deep(MAX_JSON_DEPTH))).toBeUndefined()
  })

  test('what stands in a string counts for nothing', () => {
    const text = '[{,}]\\"'.repeat(200_000)
    expect(parseRecord(JSON.stringify({ text }))).toEqual({ text })
  })

  test('Python strings of many escapes keep every character', () => {
    const escapes = 'It\\\'s\\n\\x41\\\\ "so" '.repeat(20_000)
    const text = 'It\'s\nA\\ "so" '.repeat(20_000)
    expect(parseRecord(`{'text': '${escapes}', 'n': ${'1'.repeat(10)}}`)).toEqual({ text, n: 1111111111 })
  })
})
