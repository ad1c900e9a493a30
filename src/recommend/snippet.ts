import { itemDocument, reviewDocument } from '../profile/documents.js'
import { chooseReviews } from '../profile/item-profile.js'
import type { Store } from '../store/index.js'
import type { ItemKey, Snippet } from '../types.js'

/** Characters of a snippet: one line of a wide terminal. */
const LENGTH = 120
/** So many of an item's reviews, the newest, are looked through: an answer must not take longer for a bestseller. */
const REVIEWS_READ = 100
/** Nobody judges longer lists by eye. */
const RANKS = 100
/** Some 20 MB. */
const MOST_KEPT = 50_000

interface Kept {
  counter: number
  readonly snippets: Map<number, Snippet | undefined>
}

/** Per project, until anything is committed: what somebody wrote who is forgotten must not stay in memory. */
const memory = new WeakMap<Store, Kept>()

/**
 * What tells a person which item this is, where it has no title: the beginning of its own text, or else of the
 * review that weighs most in its profile (helpful votes, recency, rating). Undefined where nothing is written.
 * @param rank from 1; items far down a list get none
 */
export function snippetOf(store: Store, key: ItemKey, rank: number): Snippet | undefined {
  if (rank > RANKS) return undefined
  const { snippets } = remembered(store)
  if (!snippets.has(key)) snippets.set(key, makeSnippet(store, key))
  return snippets.get(key)
}

function remembered(store: Store): Kept {
  const counter = store.changeCounter()
  let kept = memory.get(store)
  if (kept === undefined || kept.counter !== counter || kept.snippets.size > MOST_KEPT) {
    kept = { counter, snippets: new Map() }
    memory.set(store, kept)
  }
  return kept
}

function makeSnippet(store: Store, key: ItemKey): Snippet | undefined {
  const [item] = store.items([key])
  const own = item === undefined ? '' : itemDocument(item)
  if (own !== '') return { text: beginning(own), source: 'description' }
  const written = store.newestReviewsOf(key, REVIEWS_READ).filter((review) => reviewDocument(review) !== '')
  const [telling] = chooseReviews(written)
  return telling && { text: beginning(reviewDocument(telling.review)), source: 'review' }
}

/** Cut after a word where there is one. Headline and text stand on one line. */
function beginning(text: string): string {
  const line = text.replace(/\n/, ': ').replace(/\s+/g, ' ').trim()
  const characters = Array.from(line)
  if (characters.length <= LENGTH) return line
  const cut = characters.slice(0, LENGTH - 1).join('')
  const space = cut.lastIndexOf(' ')
  return `${(space > LENGTH / 2 ? cut.slice(0, space) : cut).trimEnd()}…`
}
