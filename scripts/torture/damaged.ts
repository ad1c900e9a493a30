import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { trainAdapter } from '../../src/adapter/index.js'
import { type ManifestFile, serializeManifest } from '../../src/artifact/manifest.js'
import { liveState } from '../../src/project/live-index.js'
import { Store } from '../../src/store/index.js'
import { makeBase } from './export-project.js'
import { DAMAGES, mutant } from './mutants.js'
import { type Outcome, Prober } from './prober.js'
import { lineOf, type TortureContext, type TortureTest } from './test.js'
import { writeTinyModel } from './tiny-model.js'
import { toyShop } from './toy-adapter.js'

/** Files as a failing disk, a broken copy or a wrong hand leaves them. */
export const test: TortureTest = {
  name: 'damaged',
  promise:
    'A damaged index, manifest, adapter, graph or model file never ends the process and never answers: it is refused with its code, or made anew where that needs nobody. What a project can rebuild, `doctor --repair` does.',
  run: (context) => new DamagedTest(context).run(),
}

/** One kind of file under test: where it lies, how it is asked, and what is right. */
interface Subject {
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

class DamagedTest {
  private readonly prober = new Prober()
  private readonly counts = {
    mutants: 0,
    signals: 0,
    wrong: 0,
    untyped: 0,
    refused: 0,
    harmless: 0,
    pages: 0,
    otherwise: 0,
    silent: 0,
    repairs: 0,
    unrepaired: 0,
  }
  private readonly complaints: string[] = []
  private readonly notes: string[] = []
  private readonly codes = new Map<string, number>()

  constructor(private readonly context: TortureContext) {}

  async run() {
    const started = performance.now()
    const { work, short } = this.context
    const projects = [join(work, 'shop'), join(work, 'other')] as const
    await makeBase(projects[0], 'hnsw')
    await makeBase(projects[1], 'hnsw', 4)
    try {
      for (const subject of await this.subjects(projects)) await this.mutants(subject, short ? 30 : 1000)
      await this.forged(projects[0], short ? 10 : 200)
      await this.pages(projects, short ? 20 : 200)
      await this.repairs(projects[0], short ? 3 : 40)
    } finally {
      this.prober.end()
    }
    const codes = [...this.codes].map(([code, count]) => `${count} ${code}`).join(', ')
    this.notes.push(`refused as ${codes}`)
    return lineOf(
      'damaged',
      started,
      this.counts,
      ['signals', 'wrong', 'untyped', 'unrepaired'],
      this.complaints,
      this.notes,
    )
  }

  private async subjects([shop, other]: readonly [string, string]): Promise<Subject[]> {
    const { work } = this.context
    const index = indexOf(shop)
    const foreignIndex = indexOf(other)
    const adapters = [join(work, 'adapters', 'one'), join(work, 'adapters', 'two')] as const
    for (const [i, folder] of adapters.entries()) await trainToy(folder, i + 1)
    const models = [join(work, 'models', 'one'), join(work, 'models', 'two')] as const
    writeTinyModel(models[0])
    writeTinyModel(models[1], 10)
    const caches = [join(work, 'caches', 'one'), join(work, 'caches', 'two')] as const
    for (const i of [0, 1]) {
      const opened = await this.prober.ask('model', { folder: models[i], cacheDirectory: caches[i] })
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
        ask: (prober, folder) =>
          prober.ask('model', { folder, cacheDirectory: join(folder, 'cache'), sha256 }),
        isRight: same,
      },
    ]
  }

  private async mutants(subject: Subject, count: number): Promise<void> {
    const { random, work, signal, log } = this.context
    const before = { ...this.counts }
    const copy = join(work, 'mutant')
    const refresh = () => {
      rmSync(copy, { recursive: true, force: true })
      cpSync(subject.folder, copy, { recursive: true })
    }
    refresh()
    const whole = await subject.ask(this.prober, copy)
    if (whole.kind !== 'answer') throw new Error(`The undamaged ${subject.name} is refused: ${whole.fact}`)
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted()
      const file = subject.files[random.integer(subject.files.length)]
      const damage = DAMAGES[i % DAMAGES.length]
      const foreign = foreignBytes(subject, file)
      refresh()
      writeFileSync(
        join(copy, file),
        mutant(readFileSync(join(subject.folder, file)), damage, foreign, random),
      )
      const outcome = await subject.ask(this.prober, copy)
      this.counts.mutants++
      this.judge(`${subject.name}, ${damage} of ${file}`, outcome, (answer) =>
        subject.isRight(answer, whole.result),
      )
    }
    const { refused, harmless } = this.counts
    this.notes.push(
      `${subject.name}: ${count} mutants, ${refused - before.refused} refused, ${harmless - before.harmless} harmless (made anew, or nothing that counts was changed)`,
    )
    log(this.notes.at(-1) as string)
  }

  /** Keeps what went wrong, so that it can be looked at. */
  private judge(what: string, outcome: Outcome, isRight: (answer: string) => boolean): void {
    if (outcome.kind === 'refused') {
      this.counts.refused++
      this.codes.set(outcome.code, (this.codes.get(outcome.code) ?? 0) + 1)
    } else if (outcome.kind === 'answer' && isRight(outcome.result)) {
      this.counts.harmless++
    } else {
      const kind = { answer: 'wrong', untyped: 'untyped', signal: 'signals', hung: 'signals' } as const
      const counted = kind[outcome.kind]
      this.counts[counted]++
      const said = outcome.kind === 'answer' ? outcome.result : outcome.fact
      this.complaints.push(`${what}: ${counted}: ${said.slice(0, 300)}`)
    }
  }

  /**
   * Graph files whose hash was forged as well. Nothing is promised here: hashes protect against damage, not
   * against somebody who may write into the project. What happens is counted and said.
   */
  private async forged(shop: string, count: number): Promise<void> {
    const { random, work } = this.context
    const name = liveIndex(shop)
    const folder = indexOf(shop)
    const copy = join(work, 'forged')
    const seen = { refused: 0, ended: 0, answered: 0 }
    for (let i = 0; i < count; i++) {
      rmSync(copy, { recursive: true, force: true })
      cpSync(folder, copy, { recursive: true })
      const graph = readFileSync(join(folder, 'graph.hnsw'))
      const bytes = mutant(graph, DAMAGES[i % 4], [graph], random)
      writeFileSync(join(copy, 'graph.hnsw'), bytes)
      const { format, kind, files, fields } = JSON.parse(readFileSync(join(copy, 'manifest.json'), 'utf8'))
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const forged: ManifestFile = { bytes: bytes.length, sha256 }
      writeFileSync(
        join(copy, 'manifest.json'),
        serializeManifest({ format, kind, files: { ...files, 'graph.hnsw': forged }, fields }),
      )
      const { kind: outcome } = await this.prober.ask('index', { folder: copy, name })
      if (outcome === 'answer') seen.answered++
      else if (outcome === 'refused') seen.refused++
      else seen.ended++
    }
    this.notes.push(
      `forged hashes (nothing is promised): of ${count} damaged graphs ${seen.refused} were refused, ${seen.answered} answered, ${seen.ended} ended the process`,
    )
  }

  /** Pages of the catalogue. SQLite has no checksums: what it cannot see is counted as silent, and said. */
  private async pages([shop, other]: readonly [string, string], count: number): Promise<void> {
    const { random, work, signal } = this.context
    const whole = await this.prober.ask('project', shop)
    if (whole.kind !== 'answer') throw new Error(`The undamaged project is refused: ${whole.fact}`)
    const right = (JSON.parse(whole.result) as ProjectSaid).answers
    const original = readFileSync(join(shop, 'catalog.db'))
    const foreign = readFileSync(join(other, 'catalog.db'))
    const size = original.readUInt16BE(16) === 1 ? 65_536 : original.readUInt16BE(16)
    const pages = original.length / size
    const copy = join(work, 'pages')
    const noticed = { asking: 0, doctor: 0, unused: 0 }
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted()
      rmSync(copy, { recursive: true, force: true })
      cpSync(shop, copy, { recursive: true })
      const page = i % 10 === 0 ? 0 : random.integer(pages)
      writeFileSync(join(copy, 'catalog.db'), damagedPage(original, foreign, page, size, i, random))
      const outcome = await this.prober.ask('project', copy)
      this.counts.pages++
      if (outcome.kind !== 'answer') {
        this.judge(`catalogue, page ${page}`, outcome, () => false)
        noticed.asking++
        continue
      }
      const { answers, doctor } = JSON.parse(outcome.result) as ProjectSaid
      if (answers.startsWith('refused')) noticed.asking++
      else if (doctor !== 'healthy') noticed.doctor++
      else if (answers === right) noticed.unused++
      else {
        this.counts.silent++
        this.context.log(`silent: page ${page}, damage ${i % 6}`)
      }
      if (!answers.startsWith('refused') && answers !== right) this.counts.otherwise++
    }
    this.notes.push(
      `${count} damaged pages: ${noticed.asking} refused on asking, ${noticed.doctor} found by the doctor, ${noticed.unused} changed no answer, ${this.counts.silent} changed content that nothing checks; ${this.counts.otherwise} answered otherwise before the doctor was asked`,
    )
  }

  private async repairs(shop: string, count: number): Promise<void> {
    const { random, work, signal } = this.context
    const whole = await this.prober.ask('project', shop)
    if (whole.kind !== 'answer') throw new Error(`The undamaged project is refused: ${whole.fact}`)
    const copy = join(work, 'repair')
    const index = join('indexes', liveIndex(shop))
    const files = [
      ...['graph.hnsw', 'keys.i32', 'vectors.f32', 'manifest.json'].map((file) => join(index, file)),
      ...['manifest.json', 'keys.i32', 'counts.i32'].map((file) => join('crowd', 'current', file)),
    ].filter((file) => existsSync(join(shop, file)))
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted()
      rmSync(copy, { recursive: true, force: true })
      cpSync(shop, copy, { recursive: true })
      const file = files[random.integer(files.length)]
      const bytes = readFileSync(join(shop, file))
      writeFileSync(join(copy, file), mutant(bytes, DAMAGES[i % 4], [bytes], random))
      const outcome = await this.prober.ask('repair', copy)
      this.counts.repairs++
      if (outcome.kind === 'answer' && outcome.result === whole.result) continue
      this.counts.unrepaired++
      const said = outcome.kind === 'answer' ? outcome.result : outcome.fact
      this.complaints.push(`repair of ${file}: ${said.slice(0, 300)}`)
    }
  }
}

interface ProjectSaid {
  readonly doctor: string
  readonly answers: string
}

function liveIndex(project: string): string {
  const store = Store.open(project)
  try {
    return liveState(store)?.indexId as string
  } finally {
    store.close()
  }
}

function indexOf(project: string): string {
  return join(project, 'indexes', liveIndex(project))
}

function foreignBytes({ foreign, folder, files }: Subject, file: string): Buffer[] {
  const others = files.filter((name) => name !== file)
  return [
    readFileSync(join(foreign, file)),
    ...others.map((name) => readFileSync(join(folder, name))),
    Buffer.alloc(0),
    Buffer.from('<html>404</html>'),
  ]
}

async function trainToy(folder: string, seed: number): Promise<void> {
  const { adapter, judged } = await trainAdapter(toyShop(seed), {
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

/** The catalogue with one page zeroed, randomized, turned, torn, replaced by another of its own or of another's. */
function damagedPage(
  original: Buffer,
  foreign: Buffer,
  page: number,
  size: number,
  way: number,
  random: TortureContext['random'],
): Buffer {
  const copy = Buffer.from(original)
  const target = copy.subarray(page * size, (page + 1) * size)
  const other = random.integer(original.length / size) * size
  const stranger = random.integer(foreign.length / size) * size
  const ways = [
    () => target.fill(0),
    () => {
      for (let i = 0; i < size; i++) target[i] = random.integer(256)
    },
    () => {
      target[random.integer(size)] ^= 1 << random.integer(8)
    },
    () => original.copy(target, size >> 1, other + (size >> 1), other + size),
    () => original.copy(target, 0, other, other + size),
    () => foreign.copy(target, 0, stranger, stranger + size),
  ]
  ways[way % ways.length]()
  return copy
}
