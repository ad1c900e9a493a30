import { COLLABORATIVE_SHARES, fuseScores } from '../collaborative/index.js'
import { ndcg, recall } from '../math/metrics.js'
import { averageByPerson, bestItems, type Scorer, type TestCase } from '../ranking.js'

/** A way of scoring by text, and a share of collaborative scores; what it reached. */
export interface FusionTrial {
  /** Name of the text scorer. */
  readonly text: string
  /** Of the collaborative scores: 0 is text alone, 1 is collaborative scores alone. */
  readonly share: number
  /** Mean by person. */
  readonly value: number
  /** [people] in order of their first case. */
  readonly perPerson: Float64Array
}

/** People scored at once: bounds memory to a few matrices of [PEOPLE, items]. */
const PEOPLE = 64

const METRICS = { ndcg, recall }

/**
 * Judges every text scorer under every share at once: each scorer is asked once per case.
 * @param collaborative undefined where nothing is known of interactions: then share 0 is all there is
 */
export async function judgeFusions(
  texts: readonly Scorer[],
  collaborative: (Scorer & { readonly known: Uint8Array }) | undefined,
  cases: readonly TestCase[],
  metric: keyof typeof METRICS,
  options: { readonly k?: number; readonly shares?: readonly number[]; readonly onBatch?: () => void } = {},
): Promise<FusionTrial[]> {
  const { k = 10, onBatch } = options
  const shares = collaborative === undefined ? [0] : (options.shares ?? COLLABORATIVE_SHARES)
  const values = texts.map(() => shares.map(() => new Float64Array(cases.length)))
  for (let from = 0; from < cases.length; from += PEOPLE) {
    onBatch?.()
    const some = cases.slice(from, from + PEOPLE)
    const people = some.map(({ person }) => person)
    const opinions = await collaborative?.scores(people)
    for (const [t, text] of texts.entries()) {
      const { data, dim } = await text.scores(people)
      const fused = new Float32Array(dim)
      for (const [i, { person, targets, leaveOut }] of some.entries()) {
        const [start, end] = [i * dim, (i + 1) * dim]
        const wanted = new Set(targets)
        const seen = leaveOut === undefined ? person : { items: Int32Array.of(...person.items, ...leaveOut) }
        for (const [s, share] of shares.entries()) {
          const scores = data.slice(start, end)
          if (collaborative !== undefined && opinions !== undefined) {
            fuseScores(scores, opinions.data.subarray(start, end), collaborative.known, seen, share, fused)
            scores.set(fused)
          }
          const { items } = bestItems(scores, seen, { k })
          values[t][s][from + i] = METRICS[metric](items, wanted, k)
        }
      }
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return texts.flatMap(({ name }, t) =>
    shares.map((share, s) => {
      const perPerson = averageByPerson(cases, values[t][s]).values
      const value = perPerson.reduce((sum, one) => sum + one, 0) / Math.max(1, perPerson.length)
      return { text: name, share, value, perPerson }
    }),
  )
}

/** The best trial; the earlier of equals. */
export function bestTrial(trials: readonly FusionTrial[]): FusionTrial {
  return trials.reduce((best, trial) => (trial.value > best.value ? trial : best))
}
