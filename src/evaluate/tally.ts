import {
  bootstrapMean,
  type Estimate,
  type PairedDifference,
  pairedDifference,
  type ResampleOptions,
} from '../math/statistics.js'
import type { TestCase } from '../ranking.js'

/**
 * The people of several draws of a test, each with a place; the same for every ranker and metric. A person is
 * one independent unit however many cases and draws they are in.
 */
export class People {
  private readonly places = new Map<number, number>()
  private readonly drawCounts: number[] = []
  private readonly caseCounts: number[] = []
  private readonly sizes = new Set<number>()

  /** Takes the cases of one draw. @returns for each case the place of its person. */
  add(cases: readonly TestCase[]): Int32Array {
    const places = Int32Array.from(cases, ({ user }) => this.placeOf(user))
    const counts = new Map<number, number>()
    for (const place of places) counts.set(place, (counts.get(place) ?? 0) + 1)
    for (const [place, count] of counts) {
      this.drawCounts[place]++
      this.caseCounts[place] += count
      this.sizes.add(count)
    }
    return places
  }

  /** Everyone has as many cases as everyone else, in every draw: then the mean over cases is that over people. */
  get even(): boolean {
    return this.sizes.size < 2 && new Set(this.drawCounts).size < 2
  }

  get count(): number {
    return this.places.size
  }

  /** [people] in how many draws each is. */
  get draws(): readonly number[] {
    return this.drawCounts
  }

  /** [people] how many cases each has in all draws together. */
  get cases(): readonly number[] {
    return this.caseCounts
  }

  private placeOf(user: number): number {
    const known = this.places.get(user)
    if (known !== undefined) return known
    const place = this.places.size
    this.places.set(user, place)
    this.drawCounts.push(0)
    this.caseCounts.push(0)
    return place
  }
}

/** One metric of one ranker, summed up by person over draws: two numbers per person, whatever the number of cases. */
export class Tally {
  private readonly ofDraws: number[] = []
  private readonly ofCases: number[] = []

  constructor(private readonly people: People) {}

  /** Takes the values of one draw. @param places what `people.add` returned for its cases */
  add(places: Int32Array, values: ArrayLike<number>): void {
    const sums = new Map<number, { sum: number; count: number }>()
    for (const [i, place] of places.entries()) {
      const entry = sums.get(place) ?? { sum: 0, count: 0 }
      entry.sum += values[i]
      entry.count++
      sums.set(place, entry)
    }
    for (const [place, { sum, count }] of sums) {
      this.ofDraws[place] = (this.ofDraws[place] ?? 0) + sum / count
      this.ofCases[place] = (this.ofCases[place] ?? 0) + sum
    }
  }

  /** [people] the mean over draws of the person's mean over cases. */
  byPerson(): Float64Array {
    const { draws } = this.people
    return Float64Array.from(draws, (count, place) => this.ofDraws[place] / count)
  }

  /** The mean over people with its interval. */
  mean(options: ResampleOptions): Estimate {
    return bootstrapMean(this.byPerson(), options)
  }

  /** The mean over cases, people being what is drawn for the interval. */
  meanByCase(options: ResampleOptions): Estimate {
    return bootstrapMean(this.casesByPerson(), { ...options, weights: this.people.cases })
  }

  /** This less `other`, person by person. */
  difference(other: Tally, options: ResampleOptions): PairedDifference {
    return pairedDifference(this.byPerson(), other.byPerson(), options)
  }

  differenceByCase(other: Tally, options: ResampleOptions): PairedDifference {
    const weights = this.people.cases
    return pairedDifference(this.casesByPerson(), other.casesByPerson(), { ...options, weights })
  }

  private casesByPerson(): Float64Array {
    const { cases } = this.people
    return Float64Array.from(cases, (count, place) => this.ofCases[place] / count)
  }
}
