import { catalogueCoverage, exposure, gini, intraListDiversity, novelty } from '../math/metrics.js'
import { mean, type PairedDifference, type ResampleOptions } from '../math/statistics.js'
import type { TestCase } from '../ranking.js'
import type { Matrix, Ranking } from '../types.js'
import { METRICS, type MetricName } from './case-metrics.js'
import type { Figures, SeedResult, SliceResult } from './comparison.js'
import type { Slice } from './slices.js'
import type { Split } from './split.js'
import { itemCounts } from './table.js'
import { People, Tally } from './tally.js'

/** The people of the whole test and of each slice, over the draws so far. */
export class TestedPeople {
  readonly all = new People()
  readonly slices = new Map<
    string,
    { readonly by: string; readonly slice: string; readonly people: People }
  >()

  /** Takes one draw. @returns where its cases belong, for `RankerTally.add`. */
  add(split: Split, slices: readonly Slice[]): DrawPlaces {
    return {
      all: this.all.add(split.test),
      slices: slices.map((slice) => {
        const key = keyOf(slice)
        const entry = this.slices.get(key) ?? { by: slice.by, slice: slice.name, people: new People() }
        this.slices.set(key, entry)
        return { key, slice, places: entry.people.add(slice.cases.map(({ one }) => one)) }
      }),
    }
  }
}

export interface DrawPlaces {
  readonly all: Int32Array
  readonly slices: readonly { readonly key: string; readonly slice: Slice; readonly places: Int32Array }[]
}

/** What a ranker made of the cases of one draw. */
export interface CaseRankings {
  readonly rankings: readonly Ranking[]
  /**
   * The same cases with the hidden items alone to be ranked, where the split hides items: tells a ranker that knows
   * which new item suits a person from one that lifts new items as a class.
   */
  readonly amongHidden?: readonly Ranking[]
}

/** How the lists of one draw are judged. */
export interface Judging {
  readonly k: number
  readonly cutoffs: readonly number[]
  /** [items, dim] unit vectors for intra-list diversity. */
  readonly vectors: Matrix | undefined
}

/** All figures of one ranker, summed up over draws. */
export class RankerTally {
  private readonly tallies = new Map<string, Tally>()
  private readonly slices = new Map<string, Map<string, Tally>>()
  private readonly lists: Figures<number>[] = []
  private fitSeconds = 0
  private rankSeconds = 0

  constructor(
    readonly name: string,
    private readonly people: TestedPeople,
  ) {}

  /** Takes the rankings of one draw's cases. */
  add(
    { rankings, amongHidden }: CaseRankings,
    split: Split,
    places: DrawPlaces,
    judging: Judging,
    seconds: { readonly fit: number; readonly rank: number },
  ): void {
    for (const [metric, values] of caseValues(rankings, split.test, judging.cutoffs)) {
      tallyOf(this.tallies, metric, this.people.all).add(places.all, values)
    }
    if (amongHidden !== undefined) {
      for (const [metric, values] of caseValues(amongHidden, split.test, judging.cutoffs)) {
        tallyOf(this.tallies, amongHiddenKey(metric), this.people.all).add(places.all, values)
      }
    }
    for (const { key, slice, places: at } of places.slices) {
      const tallies = this.slices.get(key) ?? new Map<string, Tally>()
      this.slices.set(key, tallies)
      const cases = slice.cases.map(({ one }) => one)
      const lists = slice.cases.map(({ index }) => rankings[index])
      for (const [metric, values] of caseValues(lists, cases, [judging.k])) {
        tallyOf(tallies, metric, this.people.slices.get(key)!.people).add(at, values)
      }
    }
    this.lists.push(listFigures(rankings, split, judging))
    this.fitSeconds += seconds.fit
    this.rankSeconds += seconds.rank
  }

  /** The figures so far. @param reference the baseline, or this ranker itself if it is that */
  result(reference: RankerTally, options: ResampleOptions): SeedResult {
    const { even } = this.people.all
    const figures = <T>(of: (tally: Tally, metric: string) => T) =>
      Object.fromEntries([...this.tallies].map(([metric, tally]) => [metric, of(tally, metric)]))
    const metrics = figures((tally) => tally.mean(options))
    const against = (of: (tally: Tally, other: Tally) => PairedDifference) =>
      figures((tally, metric) => of(tally, reference.tallies.get(metric)!))
    const difference = reference === this ? {} : against((tally, other) => tally.difference(other, options))
    return {
      name: this.name,
      fitSeconds: this.fitSeconds,
      rankSeconds: this.rankSeconds,
      metrics,
      byCase: even ? metrics : figures((tally) => tally.meanByCase(options)),
      lists: Object.fromEntries(
        Object.keys(this.lists[0]).map((name) => [name, mean(this.lists.map((draw) => draw[name]))]),
      ),
      ...(reference === this
        ? {}
        : {
            difference,
            differenceByCase: even
              ? difference
              : against((tally, other) => tally.differenceByCase(other, options)),
          }),
    }
  }

  sliceResults(options: ResampleOptions): SliceResult[] {
    return [...this.people.slices].map(([key, { by, slice, people }]) => ({
      by,
      slice,
      people: people.count,
      cases: people.cases.reduce((sum, count) => sum + count, 0),
      metrics: Object.fromEntries(
        [...this.slices.get(key)!].map(([metric, tally]) => [metric, tally.mean(options)]),
      ),
    }))
  }

  /** [people] one metric of each. */
  byPerson(metric: string): number[] {
    return Array.from(this.tallies.get(metric)!.byPerson())
  }
}

/** 'recall@10' to 'recallAmongHidden@10'. */
export function amongHiddenKey(metric: string): string {
  return metric.replace('@', 'AmongHidden@')
}

function keyOf({ by, name }: Slice): string {
  return `${by}: ${name}`
}

function tallyOf(tallies: Map<string, Tally>, metric: string, people: People): Tally {
  const tally = tallies.get(metric) ?? new Tally(people)
  tallies.set(metric, tally)
  return tally
}

/** Every metric at every cut-off, one value per case. */
function* caseValues(
  rankings: readonly Ranking[],
  cases: readonly TestCase[],
  cutoffs: readonly number[],
): Generator<[metric: string, values: Float64Array]> {
  const targets = cases.map((one) => new Set(one.targets))
  for (const cutoff of cutoffs) {
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const measureOne = METRICS[name]
      yield [
        `${name}@${cutoff}`,
        Float64Array.from(rankings, ({ items }, i) => measureOne(items, targets[i], cutoff)),
      ]
    }
  }
}

function listFigures(rankings: readonly Ranking[], split: Split, { k, vectors }: Judging): Figures<number> {
  const lists = rankings.map(({ items }) => items)
  const itemCount = split.table.itemIds.length
  const holders = itemCounts(split.training)
  const people = new Set(split.training.users).size
  return {
    coverage: catalogueCoverage(lists, itemCount, k),
    gini: gini(exposure(lists, itemCount, k)),
    novelty: mean(lists.map((list) => novelty(list, holders, people, k))),
    ...(vectors === undefined
      ? {}
      : { diversity: mean(lists.map((list) => intraListDiversity(list, vectors, k))) }),
  }
}
