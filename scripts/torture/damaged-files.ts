import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { trainAdapter } from '../../src/adapter/index.js'
import { writeTinyModel } from '../toys/tiny-folder.js'
import { SMALL, toyShop } from '../toys/toy-shop.js'
import { indexOf, liveIndex } from './damaged-project.js'
import type { Outcome, Prober } from './prober.js'

/** One kind of file under test: where it lies, how it is asked, and what is right. */
export interface Subject {
  readonly name: string
  /** The folder that is copied for every mutant. */
  readonly folder: string
  /** Files of it that are damaged, by path inside the folder. */
  readonly files: readonly string[]
  /** Another folder of the same layout: its files are the foreign ones. */
  readonly foreign: string
  readonly ask: (prober: Prober, copy: string) => Promise<Outcome>
  /** Whether an answer of a mutant is right, `whole` being that of the undamaged folder. */
  readonly isRight: (answer: string, whole: string) => boolean
}

const same = (answer: string, whole: string) => answer === whole

/** The kinds of files that are damaged, each made new under `work` and asked once. @param projects two shops with an index */
export async function subjectsIn(
  work: string,
  [shop, other]: readonly [string, string],
  prober: Prober,
): Promise<Subject[]> {
  const index = indexOf(shop)
  const foreignIndex = indexOf(other)
  const adapters = [join(work, 'adapters', 'one'), join(work, 'adapters', 'two')] as const
  for (const [i, folder] of adapters.entries()) await trainToy(folder, i + 1)
  const models = [join(work, 'models', 'one'), join(work, 'models', 'two')] as const
  writeTinyModel(models[0])
  writeTinyModel(models[1], 10)
  const caches = [join(work, 'caches', 'one'), join(work, 'caches', 'two')] as const
  for (const i of [0, 1]) {
    const opened = await prober.ask('model', { folder: models[i], cacheDirectory: caches[i] })
    if (opened.kind !== 'answer') throw new Error(`The tiny model does not open: ${opened.fact}`)
  }
  const [graph] = readdirSync(join(caches[0], 'graphs'))
  const [foreignGraph] = readdirSync(join(caches[1], 'graphs'))
  const graphFolder = join(caches[0], 'graphs', graph)
  const name = liveIndex(shop)
  const askIndex: Subject['ask'] = (prober, folder) => prober.ask('index', { folder, name })
  const sha256 = createHash('sha256')
    .update(readFileSync(join(models[0], 'model.safetensors')))
    .digest('hex')
  const modelFiles = { folder: models[0], foreign: models[1], files: ['model.safetensors'] }
  return [
    {
      name: 'index',
      folder: index,
      foreign: foreignIndex,
      files: ['graph.hnsw', 'keys.i32', 'vectors.f32'],
      ask: askIndex,
      isRight: same,
    },
    {
      name: 'manifest',
      folder: index,
      foreign: foreignIndex,
      files: ['manifest.json'],
      ask: askIndex,
      isRight: same,
    },
    {
      name: 'adapter',
      folder: adapters[0],
      foreign: adapters[1],
      files: ['tensors.f32', 'items.json', 'manifest.json'],
      ask: (prober, folder) => prober.ask('adapter', folder),
      // A whole adapter of another training is sound: the live pointer names another fingerprint.
      isRight: (answer, whole) => answer === whole,
    },
    {
      name: 'graph cache',
      folder: graphFolder,
      foreign: join(caches[1], 'graphs', foreignGraph),
      files: ['model.onnx', 'manifest.json'],
      ask: (prober, folder) => {
        const directory = `${folder}-cache`
        rmSync(directory, { recursive: true, force: true })
        cpSync(folder, join(directory, 'graphs', graph), { recursive: true })
        return prober.ask('graph', {
          directory,
          fingerprint: graph,
          source: join(graphFolder, 'model.onnx'),
        })
      },
      // Built anew or kept, it must be the same graph and compute the same.
      isRight: (answer, whole) => answer.split(' ')[1] === whole.split(' ')[1],
    },
    {
      name: 'safetensors',
      ...modelFiles,
      ask: (prober, folder) => prober.ask('model', { folder, cacheDirectory: join(folder, 'cache') }),
      // Weights without a known hash are another model when they are damaged: what must not happen is that its
      // vectors pass for those of the first one.
      isRight: (answer, whole) => answer === whole || answer.split(' ')[0] !== whole.split(' ')[0],
    },
    {
      name: 'safetensors of a known hash',
      ...modelFiles,
      ask: (prober, folder) => {
        // Where there is a graph of the known weights, nobody reads what lies in their place.
        const cacheDirectory = join(folder, 'cache')
        rmSync(cacheDirectory, { recursive: true, force: true })
        return prober.ask('model', { folder, cacheDirectory, sha256 })
      },
      isRight: same,
    },
  ]
}

/** What a wrong hand might put in the file's place. */
export function foreignBytes({ foreign, folder, files }: Subject, file: string): Buffer[] {
  const others = files.filter((name) => name !== file)
  return [
    readFileSync(join(foreign, file)),
    ...others.map((name) => readFileSync(join(folder, name))),
    Buffer.alloc(0),
    Buffer.from('<html>404</html>'),
  ]
}

async function trainToy(folder: string, seed: number): Promise<void> {
  const { adapter, judged } = await trainAdapter(toyShop(60, seed), {
    ...SMALL,
    epochs: 1,
    patience: 1,
    ids: 'off',
    dim: 8,
    textDim: 12,
    hidden: 8,
    layers: 1,
    length: 4,
    rows: 16,
    threads: 1,
    seed,
  })
  mkdirSync(join(folder, '..'), { recursive: true })
  await adapter.save(folder)
  await Promise.all([adapter.close(), judged.close()])
}
