import type { KeySet, Store, StoredItem } from '../store/index.js'
import type { Basis, RecommendedItem } from '../types.js'
import type { Neighbours, VectorIndex } from '../vector-index/index.js'
import { namesOf } from './answers.js'
import type { Crowd } from './crowd.js'
import { type Depth, gather, nearestForMany, type Pool, type Range, textScore } from './pool.js'
import { applyRules, type ItemFacts, type Picked, type Rules } from './rules.js'
import { scoreOf, type Taste } from './taste.js'

/** What a recommendation is looked up in. */
export interface Shelf {
  readonly store: Store
  readonly index: VectorIndex
  readonly crowd: Crowd
}

export interface Question extends Omit<Rules, 'hidden'> {
  /** What may answer; all may when absent. */
  readonly allowed: KeySet | undefined
  readonly blocked: ReadonlySet<number>
  readonly excludeSeen: boolean
}

/** An answer before ids are named: keys with scores, best first. */
export interface Recommended {
  readonly basis: Basis
  readonly picks: readonly Picked[]
}

/** Candidates by text, and as many by interactions, beyond what is wanted: room for the two to differ. */
const DEPTH = 50
/** Where those do not make sure of the best k, up to so many times as many are looked at. */
const DEEPENING = 16
/** Rules that pass over items need more to choose from. */
const DEPTH_WITH_RULES = 200
/**
 * What popularity gives somebody without any signal is spread out at least so much. Scores descend all the same, so a short
 * list is not the beginning of a long one: whatever is passed over for variety has to come in before others some time.
 */
const POPULAR_DIVERSITY = 0.3

/**
 * The best k items for each person, under the rules. Candidates are fetched until no other item can score higher
 * than the last of the list: over an exact index the answer is that of scoring the whole catalogue. It need not be
 * where that takes more than DEEPENING times the first depth, where a boost, diversity or novelty moves scores (the
 * best of the candidates, 200 or more by text and by interactions each, are taken then), and over a graph, which
 * finds what its measured recall says. Never fewer than k while k items may answer: when the candidates do not
 * suffice, more are fetched, at last all of them; items about which nothing is known come last, with the lowest
 * score of the others (where popularity decides, with that of what nobody took).
 */
export async function recommendFor(
  shelf: Shelf,
  tastes: readonly Taste[],
  question: Question,
): Promise<Recommended[]> {
  const depth = firstDepth(question)
  const hidden = tastes.map((taste) => hiddenKeys(taste, question))
  const fetched = hidden.map(({ size }) => depth + size)
  const nearest =
    tastes.length > 1 ? await nearestForMany(shelf.index, tastes, fetched, question.allowed) : [undefined]
  const facts = new Facts(shelf)
  const answers: Recommended[] = []
  for (const [i, taste] of tastes.entries()) {
    const picks = await recommendOne(shelf, taste, question, hidden[i], facts, nearest[i])
    answers.push({ basis: taste.basis, picks })
  }
  return answers
}

async function recommendOne(
  shelf: Shelf,
  taste: Taste,
  question: Question,
  hidden: ReadonlySet<number>,
  facts: Facts,
  nearest: Neighbours | undefined,
): Promise<readonly Picked[]> {
  const { index, store } = shelf
  const { allowed, boosts, k, minScore } = question
  const diversity =
    taste.basis === 'popular' ? Math.max(question.diversity, POPULAR_DIVERSITY) : question.diversity
  const gone = new Set(hidden)
  let rules: Rules = { ...question, diversity, hidden: gone }
  const lifted = boosts.filter(({ by }) => by > 0).map(({ keys }) => keys)
  const range: Range = { allowed, lifted, hidden: hidden.size }
  const pinned = () => rules.pins.map((key) => scoreOf(taste, key, textScore(index, taste.vector, key)))
  const highestBoost = boosts.reduce((sum, { by }) => sum + Math.max(0, by), 0)
  const first = firstDepth(question)
  const deepest = DEEPENING * first
  let depth: Depth = { text: first, crowd: first }
  let pool = await gather(index, taste, range, depth, nearest)
  for (;;) {
    let picks = applyRules(pool, rules, facts, pinned())
    if (picks.length < k && pool.complete) {
      const rest = withTheRest(pool, taste, allowed?.keys ?? store.filterItems({}))
      picks = applyRules(rest, rules, facts, pinned())
    }
    const removed = picks.filter(({ key }) => !facts.exists(key))
    if (removed.length > 0) {
      // Items that went since the interactions were counted, or were pinned: look again without them.
      for (const { key } of removed) gone.add(key)
      rules = { ...rules, pins: rules.pins.filter((key) => facts.exists(key)) }
      continue
    }
    if (pool.complete) return picks
    if (picks.length >= k && (depth.text >= deepest || isCertain(picks, pool.bound, rules))) return picks
    // What is left cannot reach the minimum, unless popularity (which novelty turns round) says otherwise.
    if (minScore !== undefined && rules.novelty === 0 && pool.bound + highestBoost < minScore) return picks
    // Where only what the interactions say leaves a doubt, more of that is quicker to get than more neighbours.
    const isByCrowd = picks.length >= k && pool.hasMoreByCrowd && isCertain(picks, pool.textBound, rules)
    if (isByCrowd && depth.crowd < deepest) {
      depth = { ...depth, crowd: 4 * depth.crowd }
      pool = await gather(index, taste, range, depth, pool.nearest)
    } else {
      depth = { text: 4 * depth.text, crowd: Math.max(depth.crowd, 4 * depth.text) }
      pool = await gather(index, taste, range, depth)
    }
  }
}

/** Whether no item below the bound can belong into the list. Where a rule moves scores, the pool as it is has to do. */
function isCertain(picks: readonly Picked[], bound: number, { boosts, diversity, novelty }: Rules): boolean {
  if (boosts.length > 0 || diversity > 0 || novelty > 0) return true
  const last = picks[picks.length - 1]
  return last === undefined || last.pinned || last.score >= bound
}

/** Everything that may answer: what nothing is known about gets the lowest score. */
function withTheRest(pool: Pool, taste: Taste, keys: Int32Array): Pick<Pool, 'keys' | 'scores'> {
  const known = new Set(pool.keys)
  const unpopular = taste.basis === 'popular' ? (taste.opinions?.unknown ?? 0) : 0
  const lowest = pool.scores.reduce((least, score) => Math.min(least, score), unpopular)
  const rest = Array.from(keys).filter((key) => !known.has(key))
  return { keys: [...pool.keys, ...rest], scores: [...pool.scores, ...rest.map(() => lowest)] }
}

function firstDepth({ atMostPer, boosts, diversity, k, minScore, novelty }: Question): number {
  const ruled = atMostPer.length > 0 || boosts.length > 0 || diversity > 0 || novelty > 0
  const least = ruled ? DEPTH_WITH_RULES : DEPTH
  return minScore === undefined ? Math.max(2 * k, least) : Math.max(k, least)
}

function hiddenKeys(taste: Taste, { blocked, excludeSeen }: Question): ReadonlySet<number> {
  if (!excludeSeen) return blocked
  return blocked.size === 0 ? taste.seen : new Set([...taste.seen, ...blocked])
}

/** Looks items up once per question, however many people it is about. */
class Facts implements ItemFacts {
  private readonly read = new Map<number, StoredItem | undefined>()

  constructor(private readonly shelf: Shelf) {}

  exists(key: number): boolean {
    return this.shelf.index.has(key) || this.item(key) !== undefined
  }

  popularityOf = (key: number): number => this.shelf.crowd.popularityOf(key)

  vectorOf = (key: number): Float32Array | undefined => this.shelf.index.vector(key)

  valuesOf = (key: number, attribute: string): readonly string[] => {
    const attributes = this.item(key)?.attributes ?? {}
    // An attribute may be called 'constructor': what every object inherits is no value of it.
    const own = Object.hasOwn(attributes, attribute) ? attributes[attribute] : undefined
    const value = own ?? this.shelf.store.derived.of(key, attribute)
    if (value === undefined) return []
    return Array.isArray(value) ? [...new Set(value.map(String))] : [String(value)]
  }

  private item(key: number): StoredItem | undefined {
    if (!this.read.has(key)) this.read.set(key, this.shelf.store.items([key])[0])
    return this.read.get(key)
  }
}

/** The public form: ids and titles for keys, ranks from 1. */
export function toItems(store: Store, picks: readonly Picked[]): RecommendedItem[] {
  const names = namesOf(
    store,
    picks.map(({ key }) => key),
  )
  return picks.flatMap(({ score, pinned }, i) => {
    const name = names[i]
    if (name === undefined) return []
    const { itemId, ...words } = name
    return [{ itemId, score, rank: i + 1, ...words, ...(pinned ? { pinned: true as const } : {}) }]
  })
}
