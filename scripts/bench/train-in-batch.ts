import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Graph, type Node } from '../../src/onnx/graph.js'
import { Ops } from '../../src/onnx/ops.js'
import { type Batch, SPIN_MICROSECONDS, Training } from '../../src/onnx/optimizer-session.js'
import { serializeModel } from '../../src/onnx/protobuf.js'
import { type Feeds, Session, tensor } from '../../src/onnx/session.js'
import { atLeast, barsTable } from './bars.js'
import { productRunner } from './ceilings.js'
import { median, pairedRatio, type Ratio, ratioText } from './figures.js'
import { interleaved, type Subject, timed } from './measure.js'
import type { BenchContext, BenchTable, Cell } from './part.js'
import { startTorch } from './torch.js'
import { hasTorch } from './torch-process.js'
import { inBatchCase, matrixOperations, operationsOf } from './train-models.js'

export const IN_BATCH = { batch: 1024, dim: 384, hidden: 256 } as const
/** Steps in one graph, as training takes them where candidates are a sample. */
export const UNROLLED = 4
export const IN_ONE_GRAPH = `${UNROLLED} steps in one graph, as training takes them`
export const ONE_A_GRAPH = 'one step a graph'
const CEILING = "as many operations of the ceiling's product"
/** Share of the ceiling that the step is to reach, %. */
const WANTED = 70
/** Which of the others is the step's own products. */
const OWN = 1

/** The in-batch step beside what the machine can do with matrix products, and beside PyTorch. */
export async function inBatch({ threads, ceilings, quick, work, log }: BenchContext): Promise<BenchTable[]> {
  const one = inBatchCase(IN_BATCH)
  const training = await Training.create(one.model, { threads, unroll: UNROLLED })
  const { graph } = training.definition
  const operations = matrixOperations(graph)
  const taken: Subject = { name: IN_ONE_GRAPH, run: stepsOf(training, one.batch, UNROLLED) }
  const single = stepsOf(training, one.batch, 1)
  const { loss } = await training.step(one.batch, 1e-3)
  await taken.run()
  const milliseconds = await timed(taken.run)
  const ceiling = await productRunner('MatMul', threads, {
    milliseconds,
    spinMicroseconds: SPIN_MICROSECONDS,
  })
  const own = await ownProducts(graph.nodes, threads)
  const torch = hasTorch() ? await startTorch(one, folderOf(work, 'torch'), threads) : undefined
  if (torch === undefined) log("Debian's python3-torch is not installed: PyTorch is left out.")
  try {
    const product: Subject = { name: CEILING, run: ceiling.run }
    const others: Subject[] = [
      { name: ONE_A_GRAPH, run: () => repeat(UNROLLED, single) },
      { name: "the step's own matrix products alone", run: () => repeat(UNROLLED, own.run) },
      ...(torch === undefined
        ? []
        : [
            {
              name: `PyTorch ${torch.version}`,
              run: () => torch.run(UNROLLED),
              settled: () => torch.settled(),
            },
          ]),
    ]
    // The bar's two alone in turn: what runs between them would disturb the one that comes after it.
    const [steps, products] = await interleaved([taken, product], quick ? 6 : 30)
    const [again, ...times] = await interleaved([taken, ...others], quick ? 4 : 15)
    // Operations of a run of the steps to those of a run of the product.
    const stretch = (UNROLLED * operations) / ceiling.gigaOperations / 1e9
    const share = percent(pairedRatio(products, steps), stretch)
    const row = (
      { name }: Subject,
      ms: number,
      ofCeiling?: number,
      ofOwn?: number,
      toTaken?: string,
    ): Cell[] => [
      name,
      ms,
      (one.examples / ms) * 1000,
      (100 * operations) / ms / 1e6 / ceilings.fp32Gflops,
      ofCeiling,
      ofOwn,
      toTaken,
    ]
    const rows = [
      row(taken, median(steps) / UNROLLED, share.ratio, percent(pairedRatio(times[OWN], again)).ratio),
      row(product, (median(products) * stretch) / UNROLLED, 100),
      ...others.map((other, i) =>
        row(
          other,
          median(times[i]) / UNROLLED,
          undefined,
          percent(pairedRatio(times[OWN], times[i])).ratio,
          ratioText(pairedRatio(times[i], again)),
        ),
      ),
    ]
    return [
      {
        title: `In-batch softmax step: ${IN_BATCH.batch} examples, ${IN_BATCH.dim} numbers, residual head of ${IN_BATCH.hidden}, logQ`,
        columns: [
          { name: 'step' },
          { name: 'time', unit: 'ms' },
          { name: 'examples', unit: '/s' },
          { name: 'of the ceiling printed first', unit: '%' },
          { name: "of the ceiling's product beside it (the bar)", unit: '%' },
          { name: 'of its own products beside it', unit: '%' },
          { name: 'time / as training' },
        ],
        rows,
        notes: [
          `${(operations / 1e9).toFixed(2)} GFLOP of matrix products a step: forward, backward, clipping and AdamW. Medians of rounds in turn; ratios are paired, with 95 % intervals.`,
          "The bar is judged by the ceiling's product run in turn with the step and nothing between them, as long at a time, with as many threads that wait alike. The ceiling printed first is the same product, but the fastest of its runs and some time ago: on a machine that others share, a share of it is a figure of what they did meanwhile. The step's own products are no ceiling: they say what is lost outside them, not what their shapes lose.",
          ...(torch === undefined
            ? ["PyTorch is left out: Debian's python3-torch is not installed."]
            : [
                `First loss from the same weights and batch: ${loss.toFixed(5)} here, ${torch.firstLoss.toFixed(5)} in PyTorch, with ${torch.products}. Its threads are waited for until they sleep before anything else is timed.`,
              ]),
        ],
      },
      barsTable('In-batch softmax step against its bar', [
        atLeast("of the ceiling's product beside it", WANTED, share, ' %'),
      ]),
    ]
  } finally {
    for (const held of [training, ceiling, own, torch]) await held?.close()
  }
}

/** In percent. @param stretch what to multiply by, so that both stand for as much work */
function percent({ ratio, low, high }: Ratio, stretch = 1): Ratio {
  const by = 100 * stretch
  return { ratio: by * ratio, low: by * low, high: by * high }
}

/** The matrix products of a graph and nothing else, each on numbers of its own. */
async function ownProducts(nodes: readonly Node[], threads: number) {
  const graph = new Graph('own-products')
  const ops = new Ops(graph)
  const feeds: { [name: string]: Feeds[string] } = {}
  for (const [i, node] of nodes.filter((one) => operationsOf(one) > 0).entries()) {
    const factors = node.inputs.map((input, place) => {
      const shape = input!.shape as readonly number[]
      const name = `factor${i}-${place}`
      const size = shape.reduce((product, dim) => product * dim, 1)
      feeds[name] = tensor('float32', new Float32Array(size).fill(0.5), shape)
      return graph.input(name, 'float32', shape)
    })
    const { op, attributes, outputs } = node
    const product = graph.node(op, factors, { attributes, shape: outputs[0].shape })
    // One number of each, or all of them would be copied out.
    const flat = ops.reshape(product, [product.shape!.reduce<number>((all, dim) => all * Number(dim), 1)])
    graph.output(`one${i}`, ops.slice(flat, 0, 0, 1))
  }
  const session = await Session.create(serializeModel(graph), {
    threads,
    spinMicroseconds: SPIN_MICROSECONDS,
  })
  return { run: () => session.run(feeds), close: () => session.close() }
}

/** Some steps in one run, over and over with the same batch. */
export function stepsOf(training: Training, batch: Batch, count: number): () => Promise<unknown> {
  const batches = new Array<Batch>(count).fill(batch)
  const rates = new Array<number>(count).fill(1e-3)
  return () => training.several(batches, rates)
}

export async function repeat(times: number, job: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < times; i++) await job()
}

export function folderOf(work: string, name: string): string {
  const folder = join(work, name)
  mkdirSync(folder, { recursive: true })
  return folder
}
