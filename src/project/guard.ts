import { bootstrapMean, type Estimate, type PairedDifference, pairedDifference } from '../math/statistics.js'
import type { FusionTrial } from './fusion-choice.js'

/** What one way of scoring reached on validation. */
export interface Judged {
  readonly name: string
  /** Of collaborative scores; 0 is text alone. */
  readonly share: number
  /** NDCG@10 by person, over all of validation. */
  readonly overall: Estimate
  /** Recall@10 by person on items hidden on purpose; absent where it cannot be known. */
  readonly cold?: Estimate
}

/** How the candidate compares with one thing that it has to beat. */
export interface Contest {
  readonly against: string
  /** Candidate less this, by person. */
  readonly overall: PairedDifference
  readonly cold?: PairedDifference
  readonly won: boolean
  /** `won` for people, who also want to know whether chance alone would explain it. */
  readonly verdict: 'better' | 'better, perhaps by chance' | 'not better'
}

export interface Decision {
  readonly publish: boolean
  /** One sentence for people. */
  readonly why: string
  /** The best of all candidates that may be published, or else the best of all. */
  readonly candidate: Judged
  readonly contests: readonly Contest[]
}

/** A way of scoring under judgement: figures of the same people, in the same order, for everything that is compared. */
export interface Contender {
  readonly name: string
  readonly share: number
  readonly overall: FusionTrial
  readonly cold: FusionTrial | undefined
}

/**
 * What may be published: a candidate that is better on validation than everything in `against`, and on hidden
 * items not worse than any of it that can be judged there. Of several, the best on validation. By how much is asked of
 * the mean and not of its interval: with some 70 people hardly any interval leaves out zero, and a small shop would go on
 * with what is probably worse. What may be chance is called so.
 */
export function decide(
  candidates: readonly Contender[],
  against: readonly Contender[],
  seed: number,
): Decision {
  const ranked = [...candidates].sort((a, b) => b.overall.value - a.overall.value)
  const winner = ranked.find((candidate) => against.every((other) => beats(candidate, other)))
  const candidate = winner ?? ranked[0]
  const contests = against.map((other): Contest => {
    const cold =
      candidate.cold === undefined || other.cold === undefined
        ? undefined
        : pairedDifference(candidate.cold.perPerson, other.cold.perPerson, { seed })
    const overall = pairedDifference(candidate.overall.perPerson, other.overall.perPerson, { seed })
    const won = beats(candidate, other)
    const better = overall.significant ? 'better' : 'better, perhaps by chance'
    const verdict = won ? better : 'not better'
    return { against: other.name, overall, ...(cold === undefined ? {} : { cold }), won, verdict }
  })
  const lost = contests.filter(({ won }) => !won).map(nameOfLost)
  const onNew = contests.some(({ cold }) => cold !== undefined)
    ? ', and not worse on new items'
    : '; new items could not be judged'
  const why =
    winner === undefined
      ? `Published nothing: ${candidate.name} did not beat ${lost.join(' and ')}.`
      : `Published ${candidate.name}: better than ${contests.map(nameOf).join(', ')}${onNew}.`
  return { publish: winner !== undefined, why, candidate: judged(candidate, seed), contests }
}

function nameOf({ against, overall }: Contest): string {
  return overall.significant ? against : `${against} (perhaps by chance)`
}

function nameOfLost({ against, overall, cold }: Contest): string {
  return overall.mean > 0 && cold !== undefined ? `${against} on new items` : against
}

function beats(candidate: Contender, other: Contender): boolean {
  const isBetter = candidate.overall.value > other.overall.value
  const isNotWorse =
    candidate.cold === undefined || other.cold === undefined || candidate.cold.value >= other.cold.value
  return isBetter && isNotWorse
}

export function judged({ name, share, overall, cold }: Contender, seed: number): Judged {
  return {
    name,
    share,
    overall: bootstrapMean(overall.perPerson, { seed }),
    ...(cold === undefined ? {} : { cold: bootstrapMean(cold.perPerson, { seed }) }),
  }
}
