import { TextrecError, throwIfAborted } from '../errors.js'
import { matrix, row } from '../math/matrix.js'
import { anything, type OptionTable, resolveOptions } from '../options.js'
import { type Store, textHash } from '../store/index.js'
import type { Matrix, OnProgress } from '../types.js'
import { costOf, PER_COMMIT, portionsByLength } from './batches.js'
import type { EncodedTexts, Encoder } from './encoder.js'

export interface EmbedOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

export interface EmbedReport {
  /** Texts that were asked for, repeats included. */
  readonly texts: number
  /** Texts that were computed in this call; the others had a vector, or were repeats. */
  readonly encoded: number
  /** Computed texts that were longer than the encoder's window. */
  readonly split: number
  /** Computed texts so long that evenly spread windows stand for the whole. */
  readonly sampled: number
  /** Tokens that were computed. */
  readonly tokens: number
}

/** Texts, and the time that they take. */
interface Work {
  texts: number
  cost: number
}

function workOf(texts: readonly string[]): Work {
  return { texts: texts.length, cost: texts.reduce((sum, text) => sum + costOf(text), 0) }
}

interface PlannedText {
  readonly hash: Uint8Array
  readonly text: string
}

/** Missing texts that are sorted and planned together: enough for batches of like length. */
const TEXTS_PER_PLAN = 8192
/** Batches given out ahead, so that no thread of the encoder ever waits for a commit. */
const BATCHES_AHEAD = 4

const OPTIONS: OptionTable<EmbedOptions> = {
  signal: anything<AbortSignal | undefined>(undefined, 'an AbortSignal'),
  onProgress: anything<OnProgress | undefined>(undefined, 'a function'),
}

/**
 * Gives every text a stored passage vector (`lookupTexts` reads them). Texts that have one are not computed
 * again. What is missing is planned in batches of like length, the plan is stored, and each finished batch is
 * committed; so a run that is killed or stopped loses at most the few batches in work, and the next run computes
 * the rest in the same company: the same input gives the same int8 vectors, interrupted or not.
 * @throws ABORTED when the signal fires; whatever `Encoder.encode` throws.
 */
export async function embedTexts(
  store: Store,
  encoder: Encoder,
  texts: Iterable<string>,
  options: EmbedOptions = {},
): Promise<EmbedReport> {
  const { signal, onProgress } = resolveOptions('embedTexts', OPTIONS, options)
  const run = new EmbedRun(
    store,
    encoder,
    signal,
    onProgress,
    Array.isArray(texts) ? workOf(texts) : undefined,
  )
  await run.finishPlan() // what a killed run left behind comes first
  run.forgetProgress() // those texts are met again below, and count there
  let missing = new Map<string, PlannedText>()
  let pending: string[] = []
  const lookUp = () => {
    const hashes = pending.map(textHash)
    const vectors = store.embeddings(encoder.fingerprint, hashes)
    for (const [i, text] of pending.entries()) {
      const key = Buffer.from(hashes[i]).toString('base64')
      if (vectors[i] !== undefined || missing.has(key)) run.skip(text)
      else missing.set(key, { hash: hashes[i], text })
    }
    pending = []
  }
  const compute = async () => {
    store.planBatches(encoder.fingerprint, planBatches([...missing.values()]))
    missing = new Map()
    await run.finishPlan()
  }
  for (const text of texts) {
    throwIfAborted(signal, 'Encoding')
    run.report.texts++
    pending.push(text)
    // One look-up never adds more than what is left of the plan: its size does not depend on what was known.
    if (pending.length >= Math.min(1024, TEXTS_PER_PLAN - missing.size)) {
      lookUp()
      if (missing.size === TEXTS_PER_PLAN) await compute()
    }
  }
  lookUp()
  if (missing.size > 0) await compute()
  return run.report
}

/**
 * The stored passage vectors of texts, one row each.
 * @throws NOTHING_INDEXED if a text has none: `embedTexts` comes first.
 */
export function lookupTexts(store: Store, encoder: Encoder, texts: readonly string[]): Matrix {
  const found = store.embeddings(encoder.fingerprint, texts.map(textHash))
  const result = matrix(texts.length, encoder.dim)
  for (const [i, vector] of found.entries()) {
    if (vector === undefined) {
      throw new TextrecError('NOTHING_INDEXED', 'A text has no vector yet.', 'Index the project first.')
    }
    row(result, i).set(vector)
  }
  return result
}

/** One planned batch is encoded in one call and stored by one commit: what a kill can cost is a few of them. */
function planBatches(missing: readonly PlannedText[]): PlannedText[][] {
  const portions = portionsByLength(
    missing.map(({ text }) => text),
    PER_COMMIT,
  )
  return portions.map((portion) => portion.map((i) => missing[i]))
}

/** One call of embedTexts: its counts, and the loop that computes planned batches. */
class EmbedRun {
  readonly report = { texts: 0, encoded: 0, split: 0, sampled: 0, tokens: 0 }
  private readonly done: Work = { texts: 0, cost: 0 }
  /** Cost of what has been computed of each batch that is not committed yet, by number. */
  private readonly partial = new Map<number, number>()

  constructor(
    private readonly store: Store,
    private readonly encoder: Encoder,
    private readonly signal: AbortSignal | undefined,
    private readonly onProgress: OnProgress | undefined,
    private readonly total: Work | undefined,
  ) {}

  /** Counts a text that needs no work. */
  skip(text: string): void {
    this.done.texts++
    this.done.cost += costOf(text)
  }

  forgetProgress(): void {
    this.done.texts = 0
    this.done.cost = 0
  }

  /** Computes and commits every planned batch, a few ahead in the worker. */
  async finishPlan(): Promise<void> {
    const inWork: { number: number; batch: PlannedText[]; vectors: Promise<EncodedTexts> }[] = []
    try {
      for (const number of this.store.plannedBatches(this.encoder.fingerprint)) {
        throwIfAborted(this.signal, 'Encoding')
        const batch = this.store.plannedBatch(this.encoder.fingerprint, number)
        const texts = batch.map(({ text }) => text)
        const { cost } = workOf(texts)
        const vectors = this.encoder.encode(texts, {
          signal: this.signal,
          // A single text can take half a minute: what is done of a batch counts, too.
          onProgress: ({ share = 0 }) => {
            this.partial.set(number, share * cost)
            this.tell()
          },
        })
        vectors.catch(() => {}) // awaited below, or after an earlier failure not at all
        inWork.push({ number, batch, vectors })
        if (inWork.length > BATCHES_AHEAD) await this.commit(inWork.shift() as (typeof inWork)[number])
      }
      while (inWork.length > 0) await this.commit(inWork.shift() as (typeof inWork)[number])
    } finally {
      await Promise.allSettled(inWork.map(({ vectors }) => vectors))
    }
  }

  private async commit(work: {
    number: number
    batch: PlannedText[]
    vectors: Promise<EncodedTexts>
  }): Promise<void> {
    const vectors = await work.vectors
    this.store.finishBatch(
      this.encoder.fingerprint,
      work.number,
      work.batch.map(({ hash }) => hash),
      vectors,
    )
    this.report.encoded += vectors.rows
    this.report.split += vectors.split
    this.report.sampled += vectors.sampled
    this.report.tokens += vectors.tokens
    const { texts, cost } = workOf(work.batch.map(({ text }) => text))
    this.done.texts += texts
    this.done.cost += cost
    this.partial.delete(work.number)
    this.tell()
  }

  private tell(): void {
    const { texts } = this.done
    const cost = [...this.partial.values()].reduce((sum, partial) => sum + partial, this.done.cost)
    const { total } = this
    this.onProgress?.({
      stage: 'encode',
      done: total === undefined ? texts : Math.min(texts, total.texts),
      unit: 'texts',
      ...(total === undefined
        ? {}
        : { total: total.texts, share: Math.min(1, cost / Math.max(1, total.cost)) }),
    })
  }
}
