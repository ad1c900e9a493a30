import { expect, test } from 'vitest'
import { Inference } from '#src/adapter/inference.js'
import type { AdapterShape } from '#src/adapter/model.js'
import { matrix, normalize, row } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'

const D = 4
const [ITEMS, TEXT, HIDDEN] = [6, 3, 5]
const shape: AdapterShape = {
  ...{ textDim: TEXT, dim: D, hidden: HIDDEN, layers: 2, heads: 1, length: 3, idCount: 0 },
  encoder: 'gru',
}
const source = random(7)
const drawn = (size: number) => Float32Array.from({ length: size }, () => source.normal() / 2)
const layer = (at: number) => ({
  [`person.${at}.input`]: drawn(D * 3 * D),
  [`person.${at}.bias`]: drawn(3 * D),
  [`person.${at}.state`]: drawn(D * 3 * D),
  [`person.${at}.stateBias`]: drawn(3 * D),
})
const weights: { readonly [name: string]: Float32Array } = {
  'item.direct': drawn(TEXT * D),
  'item.inner': drawn(TEXT * HIDDEN),
  'item.innerBias': drawn(HIDDEN),
  'item.outer': drawn(HIDDEN * D),
  'item.outerBias': drawn(D),
  ...layer(0),
  ...layer(1),
  'person.out': drawn(D * D),
  'person.outBias': drawn(D),
}

/** x W + b for one vector. */
function linear(x: readonly number[], weight: string, bias: string): number[] {
  const b = weights[bias]
  return Array.from(b, (start, j) =>
    x.reduce((sum, value, i) => sum + value * weights[weight][i * b.length + j], start),
  )
}
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

/** GRU4Rec's equations, one event and one number at a time. */
function slowGru(events: readonly (readonly number[])[]): Float32Array {
  let inputs = events.map((event) => event.map((value) => value * Math.sqrt(D)))
  for (const at of [0, 1]) {
    let h = new Array<number>(D).fill(0)
    inputs = inputs.map((x) => {
      const [w, u] = [
        linear(x, `person.${at}.input`, `person.${at}.bias`),
        linear(h, `person.${at}.state`, `person.${at}.stateBias`),
      ]
      h = h.map((before, d) => {
        const reset = sigmoid(w[d] + u[d])
        const update = sigmoid(w[D + d] + u[D + d])
        const fresh = Math.tanh(w[2 * D + d] + reset * u[2 * D + d])
        return (1 - update) * fresh + update * before
      })
      return h
    })
  }
  return normalize(Float32Array.from(linear(inputs.at(-1)!, 'person.out', 'person.outBias')))
}

test('a person is what the equations say of their last events, whoever shares the row', async () => {
  const inference = await Inference.open(shape, 1)
  try {
    const items = await inference.itemVectors(weights, matrix(ITEMS, TEXT, drawn(ITEMS * TEXT)), undefined)
    const histories = [[0, 1], [2], [3, 4, 5], [5, 4, 3, 2, 1], []].map((items) => Int32Array.from(items))
    const people = await inference.personVectors(weights, items, histories)
    for (const [i, history] of histories.entries()) {
      const events = Array.from(history.slice(-shape.length), (item) => [...row(items, item)])
      const expected = events.length === 0 ? new Float32Array(D) : slowGru(events)
      for (let d = 0; d < D; d++) expect(row(people, i)[d]).toBeCloseTo(expected[d], 5)
    }
  } finally {
    await inference.close()
  }
})
