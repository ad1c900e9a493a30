/** Which texts go to a thread together, and which of their windows are computed together. */

/** How much is taken together; a text that is longer is alone. */
export interface Limit {
  readonly texts: number
  readonly characters: number
}
/** What one commit stores, a second or two of work. */
export const PER_COMMIT: Limit = { texts: 128, characters: 65_536 }
/** What a thread gets at a time, in characters as `costOf` counts them: some two tenths of a second of work. */
export const PER_CALL = 8192
/** Less than this is not divided among threads. */
const LEAST_DIVIDED = 2048
/**
 * Tokens in one batch, padding included, on the CPU. What one layer of so many tokens passes to the next stays in
 * the second-level cache: 512 take 20 % less time per token than 2,048, and 256 again 5 % less where windows have
 * 128 tokens. The smaller a batch is, the less its members share an 8-bit scale, too.
 */
export const TOKENS_PER_BATCH = 256
/** The same where a GPU computes, which wants to be filled. */
export const TOKENS_PER_GPU_BATCH = 2048
/** Padding that is tolerated in a batch, as a share of its tokens, where the network knows padding at all. */
export const PADDING_SHARE = 0.05
/** In characters: what a text costs beside its length, special tokens and all, is that of some ten more. */
export const costOf = (text: string) => text.length + 10

/**
 * Portions of texts of like length, the longest texts first, so that a lack of memory shows at the start.
 * The same texts always give the same portions, which is what makes an int8 run repeatable.
 * @returns indices into `texts`, per portion.
 */
export function portionsByLength(texts: readonly string[], limit: Limit): number[][] {
  const order = longestFirst(texts)
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
 * Portions for two threads, each of texts of like length, the longest first: an even number of portions that cost about
 * the same, PER_CALL at most and what its last text is beyond that. Where there are more than two, the last two are
 * quartered, so that both threads end at about the same time. Few texts are one portion.
 * The same texts always give the same portions, however many threads there are.
 * @returns indices into `texts`, per portion.
 */
export function portionsForTwo(texts: readonly string[]): number[][] {
  const total = texts.reduce((sum, text) => sum + costOf(text), 0)
  const count = total <= LEAST_DIVIDED ? 1 : 2 * Math.ceil(total / (2 * PER_CALL))
  // Where each portion ends, in portions of full size.
  const ends = Array.from({ length: count }, (_, i) => i + 1)
  if (count > 2) ends.splice(-2, 2, ...Array.from({ length: 8 }, (_, i) => count - 2 + (i + 1) / 4))
  const portions: number[][] = ends.map(() => [])
  let before = 0
  let at = 0
  for (const i of longestFirst(texts)) {
    const cost = costOf(texts[i])
    const middle = ((before + cost / 2) / total) * count
    while (middle > ends[at] && at < ends.length - 1) at++
    portions[at].push(i)
    before += cost
  }
  return portions.filter((portion) => portion.length > 0)
}

function longestFirst(texts: readonly string[]): number[] {
  return texts.map((_, i) => i).sort((a, b) => texts[b].length - texts[a].length || a - b)
}

/**
 * Groups windows of like length: sorted by length, cut where the budget is spent or padding grows too much.
 * The same lengths always give the same batches, which is what makes an int8 run repeatable.
 * @param lengths tokens per window, special ones included.
 * @param most padding in a batch, as a share of its tokens; with 0, the default, its windows are of one length
 * @returns indices into `lengths`, per batch.
 */
export function batchByLength(lengths: readonly number[], budget = TOKENS_PER_BATCH, most = 0): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b)
  const batches: number[][] = []
  let batch: number[] = []
  let tokens = 0
  for (const i of order) {
    const longest = batch.length === 0 ? lengths[i] : lengths[batch[0]]
    const padded = longest * (batch.length + 1)
    const padding = 1 - (tokens + lengths[i]) / padded
    if (batch.length > 0 && (padded > budget || padding > most)) {
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
