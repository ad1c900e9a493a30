import type { Answer, Snippet } from '../index.js'
import { table } from './table.js'

/**
 * What a column of scores counts, for its head: scores of different kinds must not be compared.
 * - cosine: of two vectors, up to 1
 * - fused: reciprocal ranks of two lists added up; about 0.03 at the most
 * - BM25: words in common, the rarer the more; without an upper end
 * - z-score: deviations from the mean of the catalogue
 */
export type ScoreKind = 'cosine' | 'fused' | 'BM25' | 'z-score'

/** An answer for people: what was asked, what it rests on, and the ranked items. */
export function answerTable(asked: string, answer: Answer, kind: ScoreKind): string {
  if (answer.items.length === 0) return `${asked}: nothing found.`
  return `${asked} (basis: ${answer.basis})\n\n${rankTable(answer, kind)}`
}

/** What stands in for a title, so that nobody takes it for one. */
export function quoted(snippet: Snippet | undefined): string {
  if (snippet === undefined) return ''
  return snippet.source === 'review' ? `a review: “${snippet.text}”` : `“${snippet.text}”`
}

/** Only the ranked items. Scores have four digits: those of fused answers are small. */
function rankTable(answer: Answer, kind: ScoreKind): string {
  return table(
    [
      { head: 'rank', align: 'right' },
      { head: kind, align: 'right' },
      { head: 'id', least: 12 },
      { head: 'title', least: 16 },
    ],
    answer.items.map(({ rank, score, itemId, title, snippet }) => [
      String(rank),
      score.toFixed(4),
      itemId,
      title ?? quoted(snippet),
    ]),
  )
}
