import { expect, test } from 'vitest'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import { chooseDirections } from '#src/project/whitening-choice.js'
import { tableOf } from '../support/tables.js'

/** 75 groups of four items: 24 of 200 directions tell the groups apart, `loud` stronger ones say nothing. */
function textsWith(loud: number) {
  const source = random(5)
  const texts = matrix(300, 200)
  for (let group = 0; group < 75; group++) {
    const code = Float32Array.from({ length: 24 }, () => source.normal())
    for (let n = 0; n < 4; n++) {
      const text = row(texts, 4 * group + n)
      for (let d = 0; d < 200; d++) text[d] = (d < loud ? 3 : 0.2) * source.normal()
      for (let d = 0; d < 24; d++) text[loud + d] += code[d]
      normalize(text)
    }
  }
  return texts
}

const people = Array.from({ length: 75 }, (_, u) => u)
const fitting = tableOf(
  people.flatMap((u) => [0, 1, 2, 3].map((n): [number, number, number] => [u, 4 * u + n, n])),
  { items: 300 },
)
/** The fourth item of a group is asked for from the first. */
const cases = people.map((user) => ({
  user,
  person: { items: Int32Array.of(4 * user) },
  targets: Int32Array.of(4 * user + 3),
}))

test('as many directions are kept as tell items apart, and no noise beyond', async () => {
  expect(await chooseDirections(textsWith(0), fitting, cases)).toBe(32)
  expect(await chooseDirections(textsWith(40), fitting, cases)).toBe(64)
  // Without anything to choose by, all are kept.
  expect(await chooseDirections(textsWith(0), fitting, [])).toBe(256)
})
