import { find } from './crowd.js'
import { type Candidate, diversify } from './diversity.js'
import type { Pool } from './pool.js'

/** What the caller wants of the list beside the scores. Keys, not ids. */
export interface Rules {
  readonly k: number
  /** 0: by score alone; 1: as unlike each other as can be. */
  readonly diversity: number
  /** At most `n` items of any one value of an attribute; items without it count nowhere. */
  readonly atMostPer: readonly { readonly attribute: string; readonly n: number }[]
  /** Added to the score of the items in `keys` (ascending). */
  readonly boosts: readonly { readonly keys: Int32Array; readonly by: number }[]
  /** First in the list, in this order. */
  readonly pins: readonly number[]
  /** Never in the list. */
  readonly hidden: ReadonlySet<number>
  readonly minScore: number | undefined
  /** So many deviations of popularity are taken off the score. */
  readonly novelty: number
}

/** What rules must know of items. */
export interface ItemFacts {
  readonly popularityOf: (key: number) => number
  readonly vectorOf: (key: number) => Float32Array | undefined
  /** The values of an attribute, none where it is missing. */
  readonly valuesOf: (key: number, attribute: string) => readonly string[]
}

export interface Picked {
  readonly key: number
  readonly score: number
  readonly pinned: boolean
}

/** Candidates beyond this many times k, or this many, whichever is more, have no chance in a diverse list. */
const DIVERSE_TIMES_K = 5
const DIVERSE_AT_LEAST = 100

/** The score of an item after the rules that move scores. */
export function ruledScore(rules: Rules, facts: ItemFacts, key: number, score: number): number {
  let ruled = rules.novelty === 0 ? score : score - rules.novelty * facts.popularityOf(key)
  for (const { keys, by } of rules.boosts) if (find(keys, key) !== -1) ruled += by
  return ruled
}

/**
 * The best of a pool under the rules, scores descending, equal ones by the smaller key. Diversity decides which
 * items are in the list, not their order. Pinned items come first in the order given, count for the caps, and
 * have at least the score of what follows them.
 * @param pinnedScores [pins] before rules
 */
export function applyRules(
  pool: Pick<Pool, 'keys' | 'scores'>,
  rules: Rules,
  facts: ItemFacts,
  pinnedScores: readonly number[],
): Picked[] {
  const caps = rules.atMostPer.map(({ attribute, n }) => new Cap(attribute, n, facts))
  for (const key of rules.pins) for (const cap of caps) cap.take(key)
  const admits = ({ key }: Candidate) => {
    if (!caps.every((cap) => cap.hasRoomFor(key))) return false
    for (const cap of caps) cap.take(key)
    return true
  }
  const room = Math.max(0, rules.k - rules.pins.length)
  const chosen = diversify(candidatesOf(pool, rules, facts), room, rules.diversity, admits)
  const picked: Picked[] = chosen
    .map(({ key, score }) => ({ key, score, pinned: false }))
    .sort((a, b) => b.score - a.score || a.key - b.key)
  for (let i = Math.min(rules.pins.length, rules.k) - 1; i >= 0; i--) {
    const own = ruledScore(rules, facts, rules.pins[i], pinnedScores[i])
    picked.unshift({ key: rules.pins[i], score: Math.max(own, picked[0]?.score ?? own), pinned: true })
  }
  return picked
}

/** What may be picked, best first, with vectors where diversity looks at them. */
function candidatesOf(
  pool: Pick<Pool, 'keys' | 'scores'>,
  rules: Rules,
  facts: ItemFacts,
): readonly Candidate[] {
  const pins = new Set(rules.pins)
  const candidates: Candidate[] = []
  pool.keys.forEach((key, i) => {
    if (rules.hidden.has(key) || pins.has(key)) return
    const score = ruledScore(rules, facts, key, pool.scores[i])
    if (rules.minScore !== undefined && score < rules.minScore) return
    candidates.push({ key, score, vector: undefined })
  })
  candidates.sort((a, b) => b.score - a.score || a.key - b.key)
  if (rules.diversity === 0) return candidates
  // A cap may pass over many: then the tail stays, in case it is needed.
  const enough = Math.max(DIVERSE_TIMES_K * rules.k, DIVERSE_AT_LEAST)
  const best = rules.atMostPer.length === 0 ? candidates.slice(0, enough) : candidates
  return best.map((candidate) => ({ ...candidate, vector: facts.vectorOf(candidate.key) }))
}

/** Counts how many picks have each value of one attribute. */
class Cap {
  private readonly counts = new Map<string, number>()

  constructor(
    private readonly attribute: string,
    private readonly n: number,
    private readonly facts: ItemFacts,
  ) {}

  hasRoomFor(key: number): boolean {
    return this.values(key).every((value) => (this.counts.get(value) ?? 0) < this.n)
  }

  take(key: number): void {
    for (const value of this.values(key)) this.counts.set(value, (this.counts.get(value) ?? 0) + 1)
  }

  private values(key: number): readonly string[] {
    return this.facts.valuesOf(key, this.attribute)
  }
}
