import { AdapterSteps } from '../../src/adapter/steps.js'
import { matrix, normalize, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'

/** A made-up shop of the size of a real one. */
export interface EpochInput {
  readonly items: number
  readonly people: number
  /** Mean length of a history; lengths are spread evenly around it. */
  readonly events: number
  readonly threads: number
  readonly epochs: number
}

export interface EpochResult {
  /** Seconds of each epoch after the first. */
  readonly seconds: readonly number[]
  readonly events: number
  readonly steps: number
}

/** Trains the adapter's sequence model as `textrec train` does, without validation; runs in a process of its own. */
export async function trainEpochs(input: EpochInput): Promise<EpochResult> {
  const { items, threads, epochs } = input
  const source = random(3)
  const text = matrix(items, 256)
  for (let item = 0; item < items; item++) {
    for (let d = 0; d < text.dim; d++) row(text, item)[d] = source.normal()
    normalize(row(text, item))
  }
  const histories = historiesOf(input)
  const shape = {
    ...{ textDim: 256, dim: 128, hidden: 256, layers: 2, heads: 2, length: 32, idCount: items },
    encoder: 'sasrec' as const,
  }
  const steps = await AdapterSteps.create(
    shape,
    text,
    Int32Array.from({ length: items }, (_, i) => i),
    histories,
    {
      ...{ seed: 1, rows: 32, learningRate: 2e-3, weightDecay: 0.01, dropout: 0.3, idDropout: 0.3 },
      ...{ fullSoftmaxItems: 50_000, device: 'cpu', threads },
    },
  )
  const seconds: number[] = []
  let events = 0
  let count = 0
  try {
    for (let epoch = 0; epoch <= epochs; epoch++) {
      const started = performance.now()
      count = 0
      const result = await steps.epoch(
        epoch,
        (work) => {
          count++
          return work()
        },
        () => {},
      )
      events = result.events
      if (epoch > 0) seconds.push((performance.now() - started) / 1000)
    }
  } finally {
    await steps.close()
  }
  return { seconds, events, steps: count }
}

/** Every item is in some history, small numbers more often. */
function historiesOf({ items, people, events }: EpochInput): Int32Array[] {
  const source = random(4)
  return Array.from({ length: people }, () => {
    const length = 2 + source.integer(2 * events - 3)
    const taken = new Set<number>()
    while (taken.size < Math.min(length, items)) taken.add(Math.floor(items * source.next() ** 2))
    return Int32Array.from(taken)
  })
}
