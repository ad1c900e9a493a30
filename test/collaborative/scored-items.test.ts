import { expect, test } from 'vitest'
import { type CollaborativeParameters, EaseScorer, NeighbourScorer } from '#src/collaborative/index.js'

const recency = 0.7
const EASE: CollaborativeParameters = { kind: 'ease', lambda: 2, recency }
const NEIGHBOURS: CollaborativeParameters = { kind: 'neighbours', count: 3, shrinkage: 1, recency }
/** Items 0 and 3 have no interactions; what 1 says about 4 is what 2 takes back. */
const WARM = Int32Array.of(1, 2, 4, 5)
const scorers = [
  new EaseScorer(WARM, 6, Float32Array.of(0, 2, 0.7, 0, 2, 0, -1, 0, 3, -1, 0, 0, 0, 0.5, 0, 0), EASE),
  new NeighbourScorer(
    WARM,
    6,
    {
      starts: Int32Array.of(0, 2, 4, 6, 7),
      neighbours: Int32Array.of(1, 2, 0, 2, 0, 1, 2),
      similarities: Float32Array.of(2, 0.7, 2, -1, 3, -1, 0.5),
    },
    NEIGHBOURS,
  ),
]

test.each(scorers.map((scorer) => [scorer.name, scorer] as const))(
  '%s: the items that a history says something about are those with a score, one history after the other',
  (_, scorer) => {
    for (const items of [[1], [5, 1, 5], [3], [2, 1], [2, 0, 4, 2, 5], [], [1]].map((some) =>
      Int32Array.from(some),
    )) {
      const all = scorer.scoresOf({ items })
      const expected = [...all.keys()].filter((item) => all[item] !== 0)
      const found = scorer.scoredItems({ items })
      expect([...found.items]).toEqual(expected)
      expect([...found.scores]).toEqual(expected.map((item) => all[item]))
    }
  },
)
