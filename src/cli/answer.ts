import type { Answer } from '../index.js'
import { table } from './table.js'

/** An answer for people: what was asked, what it rests on, and the ranked items. */
export function answerTable(asked: string, answer: Answer): string {
  if (answer.items.length === 0) return `${asked}: nothing found.`
  return `${asked} (basis: ${answer.basis})\n\n${rankTable(answer)}`
}

/** Only the ranked items. Scores have four digits: those of fused answers are small. */
export function rankTable(answer: Answer): string {
  return table(
    [
      { head: 'rank', align: 'right' },
      { head: 'score', align: 'right' },
      { head: 'id', least: 12 },
      { head: 'title', least: 16 },
    ],
    answer.items.map(({ rank, score, itemId, title }) => [
      String(rank),
      score.toFixed(4),
      itemId,
      title ?? '',
    ]),
  )
}
