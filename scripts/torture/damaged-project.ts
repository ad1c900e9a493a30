import { createHash } from 'node:crypto'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ManifestFile, serializeManifest } from '../../src/artifact/manifest.js'
import { liveState } from '../../src/project/live-index.js'
import { Store } from '../../src/store/index.js'
import type { Findings } from './damaged-findings.js'
import { DAMAGES, mutant } from './mutants.js'
import type { Prober } from './prober.js'
import type { TortureContext } from './test.js'

interface ProjectSaid {
  readonly doctor: string
  readonly answers: string
}

/**
 * Graph files whose hash was forged as well. Nothing is promised here: hashes protect against damage, not
 * against somebody who may write into the project. What happens is counted and said.
 */
export async function forged(
  context: TortureContext,
  prober: Prober,
  findings: Findings,
  shop: string,
  count: number,
): Promise<void> {
  const { random, work } = context
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
    const { kind: outcome } = await prober.ask('index', { folder: copy, name })
    if (outcome === 'answer') seen.answered++
    else if (outcome === 'refused') seen.refused++
    else seen.ended++
  }
  findings.notes.push(
    `forged hashes (nothing is promised): of ${count} damaged graphs ${seen.refused} were refused, ${seen.answered} answered, ${seen.ended} ended the process`,
  )
}

/** Pages of the catalogue: refused, or answered as by the whole one. */
export async function pages(
  context: TortureContext,
  prober: Prober,
  findings: Findings,
  [shop, other]: readonly [string, string],
  count: number,
): Promise<void> {
  const { random, work, signal } = context
  const whole = await prober.ask('project', shop)
  if (whole.kind !== 'answer') throw new Error(`The undamaged project is refused: ${whole.fact}`)
  const right = (JSON.parse(whole.result) as ProjectSaid).answers
  const original = readFileSync(join(shop, 'catalog.db'))
  const foreign = readFileSync(join(other, 'catalog.db'))
  const size = original.readUInt16BE(16) === 1 ? 65_536 : original.readUInt16BE(16)
  const pages = original.length / size
  const copy = join(work, 'pages')
  const noticed = { opening: 0, asking: 0, doctor: 0, unused: 0 }
  for (let i = 0; i < count; i++) {
    signal.throwIfAborted()
    rmSync(copy, { recursive: true, force: true })
    cpSync(shop, copy, { recursive: true })
    const page = i % 10 === 0 ? 0 : random.integer(pages)
    writeFileSync(join(copy, 'catalog.db'), damagedPage(original, foreign, page, size, i, random))
    const outcome = await prober.ask('project', copy)
    findings.counts.pages++
    const said = outcome.kind === 'answer' ? (JSON.parse(outcome.result) as ProjectSaid) : undefined
    if (said?.answers.startsWith('refused')) noticed.asking++
    else if (said === undefined) noticed.opening++
    else if (said.doctor === 'healthy') noticed.unused++
    else noticed.doctor++
    if (!said?.answers.startsWith('refused'))
      findings.judge(`catalogue, page ${page}, damage ${i % 6}`, outcome, () => said?.answers === right)
  }
  findings.notes.push(
    `${count} damaged pages: ${noticed.opening} refused on opening, ${noticed.asking} on asking, ${noticed.doctor} found by the doctor alone, ${noticed.unused} changed no answer`,
  )
}

/** Files of a project that `doctor --repair` makes anew. */
export async function repairs(
  context: TortureContext,
  prober: Prober,
  findings: Findings,
  shop: string,
  count: number,
): Promise<void> {
  const { random, work, signal } = context
  const whole = await prober.ask('project', shop)
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
    const outcome = await prober.ask('repair', copy)
    findings.counts.repairs++
    if (outcome.kind === 'answer' && outcome.result === whole.result) continue
    findings.counts.unrepaired++
    const said = outcome.kind === 'answer' ? outcome.result : outcome.fact
    findings.complaints.push(`repair of ${file}: ${said.slice(0, 300)}`)
  }
}

/** The name of what is live. */
export function liveIndex(project: string): string {
  const store = Store.open(project)
  try {
    return liveState(store)?.indexId as string
  } finally {
    store.close()
  }
}

/** Its folder. */
export function indexOf(project: string): string {
  return join(project, 'indexes', liveIndex(project))
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
