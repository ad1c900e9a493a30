/**
 * The indices of the k largest scores, best first; equal scores go to the smaller index, so that the order of
 * a tie never depends on how it was found. NaN is never returned. O(n log k).
 * @param allowed [scores] 1 where an index may be returned.
 */
export function topK(scores: Float32Array | Float64Array, k: number, allowed?: Uint8Array): Int32Array {
  const heap = new Int32Array(Math.min(k, scores.length)) // a min-heap of indices: the worst kept one on top
  let size = 0
  const worse = (i: number, j: number) => scores[i] < scores[j] || (scores[i] === scores[j] && i > j)
  const sift = (start: number) => {
    let at = start
    for (;;) {
      let least = at
      const left = 2 * at + 1
      if (left < size && worse(heap[left], heap[least])) least = left
      if (left + 1 < size && worse(heap[left + 1], heap[least])) least = left + 1
      if (least === at) return
      const held = heap[at]
      heap[at] = heap[least]
      heap[least] = held
      at = least
    }
  }
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i]) || (allowed !== undefined && allowed[i] === 0)) continue
    if (size < heap.length) {
      heap[size++] = i
      if (size === heap.length) for (let parent = (size >> 1) - 1; parent >= 0; parent--) sift(parent)
    } else if (size > 0 && worse(heap[0], i)) {
      heap[0] = i
      sift(0)
    }
  }
  const kept = heap.subarray(0, size)
  return kept.sort((i, j) => (worse(i, j) ? 1 : -1)).slice()
}
