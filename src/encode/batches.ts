/** Which texts go to a thread together, and which of their windows are computed together. */

/** How much is taken together; a text that is longer is alone. */
export interface Limit {
  readonly texts: number
  readonly characters: number
}
/** What one commit stores, a second or two of work. */
export const PER_COMMIT: Limit = { texts: 128, characters: 65_536 }
/** What a thread gets at a time: two tenths of a second of work, so that two of them end at about the same time. */
export const PER_CALL: Limit = { texts: 32, characters: 8192 }
/**
 * Tokens in one batch, padding included, on the CPU. What one layer of so many tokens passes to the next stays in
 * the second-level cache: 512 take 20 % less time per token than 2,048, and 256 again 5 % less where windows have
 * 128 tokens. The smaller a batch is, the less its members share an 8-bit scale, too.
 */
export const TOKENS_PER_BATCH = 256
/** The same where a GPU computes, which wants to be filled. */
export const TOKENS_PER_GPU_BATCH = 2048
/** Padding that is tolerated in a batch, as a share of its tokens. */
const PADDING_SHARE = 0.05

/**
 * Portions of texts of like length, the longest texts first, so that a lack of memory shows at the start.
 * The same texts always give the same portions, which is what makes an int8 run repeatable.
 * @returns indices into `texts`, per portion.
 */
export function portionsByLength(texts: readonly string[], limit: Limit): number[][] {
  const order = texts.map((_, i) => i).sort((a, b) => texts[b].length - texts[a].length || a - b)
  const portions: number[][] = []
  let portion: number[] = []
  let characters = 0
  for (const i of order) {
    const { length } = texts[i]
    const full = portion.length === limit.texts || characters + length > limit.characters
    if (portion.length > 0 && full) {
      portions.push(portion)
      portion = []
      characters = 0
    }
    portion.push(i)
    characters += length
  }
  if (portion.length > 0) portions.push(portion)
  return portions
}

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
