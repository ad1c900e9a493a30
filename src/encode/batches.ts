/** Which windows are computed together. */

/**
 * Tokens in one batch, padding included. Beyond some 2,000 tokens a batch gains no speed, and the smaller a
 * batch is, the less its members share an 8-bit scale.
 */
export const TOKENS_PER_BATCH = 2048
/** Padding that is tolerated in a batch, as a share of its tokens. */
const PADDING_SHARE = 0.125

/**
 * Groups windows of like length: sorted by length, cut where the budget is spent or padding grows too much.
 * The same lengths always give the same batches, which is what makes an int8 run repeatable.
 * @param lengths tokens per window, special ones included.
 * @returns indices into `lengths`, per batch.
 */
export function batchByLength(lengths: readonly number[], budget = TOKENS_PER_BATCH): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b)
  const batches: number[][] = []
  let batch: number[] = []
  let tokens = 0
  for (const i of order) {
    const longest = batch.length === 0 ? lengths[i] : lengths[batch[0]]
    const padded = longest * (batch.length + 1)
    const padding = 1 - (tokens + lengths[i]) / padded
    if (batch.length > 0 && (padded > budget || padding > PADDING_SHARE)) {
      batches.push(batch)
      batch = []
      tokens = 0
    }
    batch.push(i)
    tokens += lengths[i]
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}
