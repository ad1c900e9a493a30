import { describe, expect, test } from 'vitest'
import { nearest, resolveOptions, show } from '#src/options.js'
import { LONG, type LongOptions } from '#src/project/defaults.js'

describe('options of long calls', () => {
  const given = (options: object) => () => resolveOptions('index', LONG, options as Partial<LongOptions>)

  test('are a signal and a function, or nothing', () => {
    const { signal } = new AbortController()
    const onProgress = () => undefined
    expect(given({ signal, onProgress })()).toEqual({ signal, onProgress })
    expect(given({ signal: undefined })()).toEqual({})
  })

  test.each([
    [{ onProgress: 5 }, "index: option 'onProgress' is 5. It must be a function."],
    [{ signal: 5 }, "index: option 'signal' is 5. It must be an AbortSignal."],
    [{ signal: new AbortController() }, "index: option 'signal' is an object. It must be an AbortSignal."],
  ])('%j is refused before anything is begun', (options, message) => {
    expect(given(options)).toThrow(message)
  })
})

test.each([
  ['x', '"x"'],
  [['a', 5, null], '["a", 5, null]'],
  [[], 'an array of 0'],
  [[1, 2, 3, 4, 5, 6], 'an array of 6'],
  [[{}], 'an array of 1'],
  [{}, 'an object'],
  [{ attribute: 'brand', n: 0 }, 'an object { attribute, n }'],
  [Object.fromEntries([...'abcdef'].map((name) => [name, 1])), 'an object { a, b, c, d, e, ... }'],
  [() => 1, 'a function'],
  [undefined, 'undefined'],
])('%j is shown as %s', (value, shown) => expect(show(value)).toBe(shown))

test.each([
  ['modles', 'models'],
  ['K', 'k'],
  ['', undefined],
  ['ab', undefined],
  ['budgets', undefined],
])('the name meant by %j is %s', (name, meant) => {
  expect(nearest(name, ['k', 'we', 'models'])).toBe(meant)
})
