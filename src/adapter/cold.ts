import { addScaled, matrix, normalize, row } from '../math/matrix.js'
import { topK } from '../math/top-k.js'
import type { Matrix } from '../types.js'
import type { Inference, Weights } from './inference.js'

/** The warm items as cold items see them. Row i of both is the i-th warm item. */
export interface Anchors {
  /** [warm, textDim] whitened texts. */
  readonly white: Matrix
  /** [warm, dim] trained vectors. */
  readonly head: Matrix
}

/** How sharply nearness in text counts among the neighbours: weights are exp(SHARPNESS * cosine). */
const SHARPNESS = 5
/** Cold items compared with all warm ones at once. */
const ROWS = 256

/** The rows of `matrix` that `rows` names. */
export function rowsAt(from: Matrix, rows: ArrayLike<number>): Matrix {
  const result = matrix(rows.length, from.dim)
  for (let i = 0; i < rows.length; i++) row(result, i).set(row(from, rows[i]))
  return result
}

/**
 * Trained vectors of a catalogue. A warm item has the head's own. What the head says about a text that it was
 * never trained on is little more than noise, so a cold item takes the mean of its `neighbours` nearest warm
 * items' trained vectors instead, nearest by whitened text; with 0 neighbours it has the head's own too.
 * @param white [items, textDim] @param index [items] place among the warm items, -1 for cold ones
 * @param step called around everything that blocks
 * @returns [items, dim] unit rows; zeros for a cold item without text, if neighbours are asked
 */
export async function headVectors(
  inference: Inference,
  weights: Weights,
  white: Matrix,
  index: Int32Array,
  anchors: Anchors,
  neighbours: number,
  step: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<Matrix> {
  const head = await step(() => inference.itemVectors(weights, white, index))
  if (neighbours === 0) return head
  const cold = Array.from(index.keys()).filter((i) => index[i] < 0)
  for (let from = 0; from < cold.length; from += ROWS) {
    const some = cold.slice(from, from + ROWS)
    const nearness = await step(() => inference.scores(rowsAt(white, some), anchors.white))
    for (const [i, item] of some.entries()) {
      const target = row(head, item)
      target.fill(0)
      if (row(white, item).every((value) => value === 0)) continue
      const cosines = row(nearness, i)
      for (const anchor of topK(cosines, neighbours)) {
        addScaled(target, row(anchors.head, anchor), Math.exp(SHARPNESS * cosines[anchor]))
      }
      normalize(target)
    }
  }
  return head
}
