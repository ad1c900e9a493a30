import { expect, test } from 'vitest'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { chooseDecay } from '#src/project/decay-choice.js'

/** Item i is near i + 8, its likeness; what is taken in one go are items of eight kinds. */
const texts = matrix(16, 8)
for (let i = 0; i < 16; i++) {
  row(texts, i)[i % 8] = 1
  row(texts, i)[(i + 1) % 8] = 0.01 * i
  normalize(row(texts, i))
}

/** Everybody took `items`, and then the likeness of the one at `at`. */
const cases = (at: (items: number[]) => number) =>
  Array.from({ length: 8 }, (_, user) => {
    const items = [0, 0, 0, 1, 2].map((kind) => (user + kind) % 8)
    return { user, person: { items: Int32Array.from(items) }, targets: Int32Array.of(8 + at(items)) }
  })

test('a history fades fast where the last item leads to the next, and not where the whole does', async () => {
  expect(
    await chooseDecay(
      texts,
      cases((items) => items[4]),
    ),
  ).toBeLessThan(0.7)
  expect(
    await chooseDecay(
      texts,
      cases((items) => items[0]),
    ),
  ).toBe(1)
  expect(await chooseDecay(texts, [])).toBe(1)
})

test('it stops when told to', async () => {
  const stop = () => {
    throw new Error('stop')
  }
  await expect(
    chooseDecay(
      texts,
      cases((items) => items[0]),
      stop,
    ),
  ).rejects.toThrow('stop')
})
