import { throwIfAborted } from '../../errors.js'
import { random } from '../../math/random.js'
import { Training } from '../../onnx/optimizer-session.js'
import { type CallContext, nativeStep, serveWorker } from '../../onnx/worker-server.js'
import { bprModel } from './bpr-model.js'

export interface BprRequest {
  readonly people: number
  readonly items: number
  /** [pairs] dense numbers of who took what, each pair once, sorted by person. */
  readonly users: Int32Array
  readonly taken: Int32Array
  readonly factors: number
  readonly regularization: number
  readonly rate: number
  /** Steps after which the factors are wanted, ascending. */
  readonly snapshots: readonly number[]
  readonly batch: number
  readonly seed: number
  readonly threads: number
}
export interface BprFactors {
  /** [people, factors], [items, factors], [items] */
  readonly people: Float32Array
  readonly items: Float32Array
  readonly bias: Float32Array
}

async function train(request: BprRequest, context: CallContext): Promise<BprFactors[]> {
  const { batch, seed, rate, snapshots, threads } = request
  const training = await nativeStep(() =>
    Training.create(bprModel(request), { seed, threads, adam: { weightDecay: 0, clipNorm: 0 } }),
  )
  const source = random(seed + 1)
  const has = new Set(request.users.map((user, i) => user * request.items + request.taken[i]))
  const found: BprFactors[] = []
  const last = snapshots[snapshots.length - 1]
  try {
    for (let step = 1; step <= last; step++) {
      throwIfAborted(context.signal, 'Training the baseline bpr')
      const triples = { people: new Int32Array(batch), pairs: new Int32Array(2 * batch) }
      for (let i = 0; i < batch; i++) {
        const pair = source.integer(request.users.length)
        const user = request.users[pair]
        let other = source.integer(request.items)
        // Who has everything has no item to rank below: after some tries any item will do.
        for (let tries = 0; tries < 20 && has.has(user * request.items + other); tries++) {
          other = source.integer(request.items)
        }
        triples.people[i] = user
        triples.pairs[i] = request.taken[pair]
        triples.pairs[batch + i] = other
      }
      await nativeStep(() => training.step(triples, rate))
      if (!snapshots.includes(step)) continue
      const { people, items, bias } = await training.weights()
      found.push({ people, items, bias })
      context.progress(step / last)
    }
  } finally {
    await nativeStep(() => training.close())
  }
  return found
}

serveWorker(
  { train: async (request: BprRequest, context) => ({ result: await train(request, context) }) },
  async () => {},
)
