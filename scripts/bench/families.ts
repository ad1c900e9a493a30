import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FAMILIES } from '../../src/families/catalogue.js'
import type { Family, FamilyData } from '../../src/families/family.js'
import type { FamilyName, WordTexts } from '../../src/families/index.js'
import { FAMILY_OPTIONS } from '../../src/families/options.js'
import { matrix, normalize, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import type { Batch } from '../../src/onnx/optimizer-session.js'
import { Training } from '../../src/onnx/optimizer-session.js'
import { resolveOptions } from '../../src/options.js'
import { median, pairedRatio, ratioText } from './figures.js'
import { interleaved, timed } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'
import { hasTorch, TorchProcess } from './torch-process.js'

/** Model families: an epoch of each, and LightGCN's step beside PyTorch. The sequence model's is in part train. */
export const part: BenchPart = {
  name: 'families',
  summary: 'an epoch of each model family, and LightGCN beside PyTorch',
  run: async (context) => [await epochs(context), await lightgcn(context)],
}

/** Sizes of two shared sets. */
const SHOPS = [
  { name: 'like amazon-musical-instruments', people: 1429, items: 900, events: 7 },
  { name: 'like movielens-small', people: 605, items: 6109, events: 78 },
] as const
type Shop = (typeof SHOPS)[number]

const SCRIPT = fileURLToPath(new URL('../../../scripts/bench/families-torch.py', import.meta.url))
const TEXT_DIM = 256
const RATE = 1e-3
/** Steps of one timed run. */
const STEPS = 4

async function epochs({ threads, quick, log, flags }: BenchContext): Promise<BenchTable> {
  const shops = quick ? SHOPS.slice(0, 1) : SHOPS
  const rows: Cell[][] = []
  const names = (Object.keys(FAMILIES) as FamilyName[]).filter(
    (name) => flags.families?.split(',').includes(name) ?? true,
  )
  for (const name of names) {
    log(`an epoch of ${name}`)
    const cells: Cell[] = [name]
    for (const shop of shops) {
      const held = await started(name, dataOf(shop), threads)
      const source = random(5)
      let steps = 0
      // The first pass is not counted: kernels and memory are made ready in it.
      const pass = async () => {
        steps = 0
        for (const batch of held.batches(source)) {
          await held.training.step(batch, RATE)
          steps++
        }
      }
      await pass()
      cells.push(steps, (await timed(pass)) / 1000)
      await held.training.close()
    }
    rows.push(cells)
  }
  return {
    title: 'One epoch of each family, batches drawn anew',
    columns: [
      { name: 'family' },
      ...shops.flatMap(({ name }) => [{ name: `steps, ${name}` }, { name: `epoch, ${name}`, unit: 's' }]),
    ],
    rows,
    notes: [
      '`--with families=a,b` times these alone. Made-up shops of the sizes of real ones, each family as it stands. The second of two passes; scoring is not in it.',
    ],
  }
}

async function lightgcn({ threads, quick, work, log }: BenchContext): Promise<BenchTable> {
  const rows: Cell[][] = []
  const notes: string[] = []
  const torchIsHere = hasTorch()
  if (!torchIsHere) notes.push("PyTorch is left out: Debian's python3-torch is not installed.")
  for (const shop of quick ? SHOPS.slice(0, 1) : SHOPS) {
    log(`LightGCN ${shop.name}`)
    const data = dataOf(shop)
    const held = await started('lightgcn', data, threads)
    const [batch] = held.batches(random(5))
    const start = (await held.training.weights()).nodes
    const { loss } = await held.training.step(batch, RATE)
    const folder = join(work, shop.name)
    const torch = torchIsHere ? await startTwin(folder, data, held.options, batch, start, threads) : undefined
    const [times, others] = await interleaved(
      [
        {
          name: 'textrec',
          run: async () => {
            for (let step = 0; step < STEPS; step++) await held.training.step(batch, RATE)
          },
        },
        ...(torch === undefined
          ? []
          : [{ name: 'PyTorch', run: () => torch.run(STEPS), settled: () => torch.settled() }]),
      ],
      quick ? 4 : 15,
    )
    await held.training.close()
    await torch?.close()
    if (torch !== undefined) {
      notes.push(
        `First loss ${shop.name}: ${loss.toFixed(5)} here, ${torch.firstLoss.toFixed(5)} in PyTorch ${torch.version}.`,
      )
    }
    rows.push([
      shop.name,
      data.users.length,
      median(times) / STEPS,
      others && median(others) / STEPS,
      others && ratioText(pairedRatio(times, others)),
    ])
  }
  return {
    title: 'LightGCN: a step through the whole graph, three layers, batch of 4,096 pairs',
    columns: [
      { name: 'shop' },
      { name: 'pairs' },
      { name: 'textrec', unit: 'ms' },
      { name: 'PyTorch', unit: 'ms' },
      { name: 'textrec / PyTorch' },
    ],
    rows,
    notes: [
      ...notes,
      'PyTorch multiplies by the sparse matrix in compressed rows. Ratios are paired, with 95 % intervals.',
    ],
  }
}

/** A family ready to take steps. */
async function started(name: FamilyName, data: FamilyData, threads: number) {
  const family: Family = FAMILIES[name]
  const options = resolveOptions(name, FAMILY_OPTIONS, { ...family.defaults, threads })
  const needed = {
    ...data,
    vectors: family.needsVectors?.(options) ? data.vectors : undefined,
    words: family.needsWords ? data.words : undefined,
  }
  const model = family.prepare(needed, options)
  const { seed, weightDecay, clipNorm } = options
  const training = await Training.create(model.training, { seed, threads, adam: { weightDecay, clipNorm } })
  const batches = (source: ReturnType<typeof random>) => model.batches(needed, source)
  return { options, training, batches }
}

/** Who took what in a made-up shop; small item numbers more often, events one day apart. */
function dataOf({ people, items, events }: Shop): FamilyData {
  const source = random(4)
  const users: number[] = []
  const taken: number[] = []
  for (let user = 0; user < people; user++) {
    const mine = new Set<number>()
    const length = 2 + source.integer(2 * events - 3)
    while (mine.size < Math.min(length, items)) mine.add(Math.floor(items * source.next() ** 2))
    for (const item of mine) {
      users.push(user)
      taken.push(item)
    }
  }
  const vectors = matrix(items, TEXT_DIM)
  for (let item = 0; item < items; item++) {
    for (let d = 0; d < TEXT_DIM; d++) row(vectors, item)[d] = source.normal()
    normalize(row(vectors, item))
  }
  return {
    people,
    items,
    users: Int32Array.from(users),
    taken: Int32Array.from(taken),
    times: Float64Array.from(users.keys(), (at) => (at + 1) * 86_400_000),
    timeKind: 'date',
    vectors,
    words: wordsOf(items, source),
  }
}

/** Texts of a full length, of words as long as GloVe's. */
function wordsOf(items: number, source: ReturnType<typeof random>): WordTexts {
  const length = FAMILY_OPTIONS.words.default
  const table = matrix(2000, 100)
  for (let at = table.dim; at < table.data.length; at++) table.data[at] = source.normal()
  const tokens = Int32Array.from({ length: items * length }, () => 1 + source.integer(table.rows - 1))
  return { table, length, tokens }
}

/** The same steps in PyTorch. @param folder for weights and batch @param start [nodes, factors] */
function startTwin(
  folder: string,
  { people, items, users, taken }: FamilyData,
  options: { readonly layers: number; readonly factors: number; readonly regularization: number },
  batch: Batch,
  start: Float32Array,
  threads: number,
): Promise<TorchProcess> {
  const { layers, factors, regularization } = options
  const nodes = people + items
  const tensors = [
    { name: 'nodes', shape: [nodes, factors], data: start },
    { name: 'users', shape: [users.length], data: users },
    { name: 'taken', shape: [taken.length], data: taken },
    { name: 'people', shape: [batch.people.length], data: batch.people as Int32Array },
    { name: 'items', shape: [batch.items.length], data: batch.items as Int32Array },
  ]
  const facts = { nodes, people, layers, regularization, batch: batch.people.length, threads }
  return TorchProcess.start(SCRIPT, folder, tensors, facts)
}
