import type { Reasons } from '../index.js'
import { oneLine } from './text.js'

/** Reasons for people: what was liked, with shares, and the sentences, each on a line of its own. */
export function reasonLines({ likes, sentences }: Reasons): string[] {
  const liked = likes.map(
    ({ itemId, share, title }) =>
      `${String(Math.round(100 * share)).padStart(4)} %  ${oneLine(title ?? itemId ?? 'what was said in words')}`,
  )
  const said = sentences.map(({ source, text }) => `  “${oneLine(text)}” (${source})`)
  return [
    ...(liked.length === 0 ? [] : ['Because of', ...liked]),
    ...(said.length === 0 ? [] : ['In words of the catalogue', ...said]),
  ]
}
