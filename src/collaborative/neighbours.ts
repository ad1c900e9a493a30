import { topK } from '../math/top-k.js'
import { byItem, type Pairs } from './pairs.js'

/** Item i's neighbours are neighbours[starts[i]] .. neighbours[starts[i + 1] - 1], most similar first. */
export interface NeighbourLists {
  readonly starts: Int32Array<ArrayBuffer>
  readonly neighbours: Int32Array<ArrayBuffer>
  readonly similarities: Float32Array<ArrayBuffer>
}

/** A person with a longer history counts with their newest items only: the work grows with the square of it. */
export const LONGEST_HISTORY = 1000

/**
 * Item-item cosine with shrinkage (Sarwar et al. 2001; shrinkage as in Bell & Koren 2007): with c_ij the people
 * who have both and c_i those who have i, similarity = c_ij / (sqrt(c_i c_j) + shrinkage). The `count` largest
 * per item are kept, equal ones by the smaller item number. Time and memory follow the pairs that occur, so
 * catalogues of any size will do.
 * @param pause awaited every few hundred items, so that a stop can be heard.
 */
export async function itemNeighbours(
  all: Pick<Pairs, 'starts' | 'items'>,
  warmCount: number,
  count: number,
  shrinkage: number,
  pause?: (share: number) => Promise<void>,
): Promise<NeighbourLists> {
  const pairs = newestOnly(all)
  const { starts: itemStarts, people } = byItem(pairs, warmCount)
  const sizes = Float64Array.from({ length: warmCount }, (_, i) => itemStarts[i + 1] - itemStarts[i])
  const together = new Float64Array(warmCount)
  const touched = new Int32Array(warmCount)
  const starts = new Int32Array(warmCount + 1)
  const lists: { items: Int32Array; similarities: Float32Array }[] = []
  for (let i = 0; i < warmCount; i++) {
    let touchedCount = 0
    for (let at = itemStarts[i]; at < itemStarts[i + 1]; at++) {
      const user = people[at]
      for (let b = pairs.starts[user]; b < pairs.starts[user + 1]; b++) {
        const j = pairs.items[b]
        if (j === i) continue
        if (together[j]++ === 0) touched[touchedCount++] = j
      }
    }
    const candidates = touched.slice(0, touchedCount).sort()
    const similarities = Float32Array.from(
      candidates,
      (j) => together[j] / (Math.sqrt(sizes[i] * sizes[j]) + shrinkage),
    )
    for (const j of candidates) together[j] = 0
    const best = topK(similarities, count)
    lists.push({
      items: Int32Array.from(best, (at) => candidates[at]),
      similarities: Float32Array.from(best, (at) => similarities[at]),
    })
    starts[i + 1] = starts[i] + best.length
    if (i % 256 === 255) await pause?.((i + 1) / warmCount)
  }
  const neighbours = new Int32Array(starts[warmCount])
  const similarities = new Float32Array(starts[warmCount])
  lists.forEach((list, i) => {
    neighbours.set(list.items, starts[i])
    similarities.set(list.similarities, starts[i])
  })
  return { starts, neighbours, similarities }
}

/** The same lists, cut to the `count` nearest. */
export function nearestOnly(lists: NeighbourLists, count: number): NeighbourLists {
  const starts = new Int32Array(lists.starts.length)
  for (let i = 0; i + 1 < starts.length; i++) {
    starts[i + 1] = starts[i] + Math.min(count, lists.starts[i + 1] - lists.starts[i])
  }
  const neighbours = new Int32Array(starts[starts.length - 1])
  const similarities = new Float32Array(neighbours.length)
  for (let i = 0; i + 1 < starts.length; i++) {
    const size = starts[i + 1] - starts[i]
    neighbours.set(lists.neighbours.subarray(lists.starts[i], lists.starts[i] + size), starts[i])
    similarities.set(lists.similarities.subarray(lists.starts[i], lists.starts[i] + size), starts[i])
  }
  return { starts, neighbours, similarities }
}

function newestOnly({ starts, items }: Pick<Pairs, 'starts' | 'items'>): Pick<Pairs, 'starts' | 'items'> {
  const cutStarts = new Int32Array(starts.length)
  const kept: Int32Array[] = []
  for (let user = 0; user + 1 < starts.length; user++) {
    const mine = items.subarray(Math.max(starts[user], starts[user + 1] - LONGEST_HISTORY), starts[user + 1])
    kept.push(mine)
    cutStarts[user + 1] = cutStarts[user] + mine.length
  }
  const cut = new Int32Array(cutStarts[starts.length - 1])
  for (const [user, mine] of kept.entries()) cut.set(mine, cutStarts[user])
  return { starts: cutStarts, items: cut }
}
