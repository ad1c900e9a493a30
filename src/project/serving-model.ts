import { join } from 'node:path'
import { Adapter } from '../adapter/adapter.js'
import { matrix, row } from '../math/matrix.js'
import type { Signal } from '../recommend/person.js'
import { SERVING_DEFAULTS, type ServingSettings } from '../recommend/serving.js'
import { FROZEN_TEXT, type Space } from '../recommend/space.js'
import type { Matrix } from '../types.js'
import type { ServedSpace } from './item-vectors.js'

/**
 * How much an event counts beside the next newer one wherever an evaluation has frozen text beside something else. (What
 * is served has its decay from validation, see decay-choice.ts.)
 */
export const FROZEN_DECAY = 0.5 ** (1 / 10)

/** The part of the live pointer that says what training has published. */
export interface LiveModel {
  /** Folder name under `adapters/`. */
  readonly id: string
  /** Fingerprint of the adapter in that folder; absent where frozen text did better. */
  readonly adapter?: string
  /** Space of the text vectors that go into the adapter, or are served as they are. */
  readonly textSpace: string
  /** Numbers per text vector. */
  readonly textDim: number
  /** What training chose on validation. Item-item scores themselves are made from these by the crowd. */
  readonly settings: ServingSettings
  /** How many people had been forgotten when its data were read; see retraining.ts. */
  readonly forgotten: number
}

/** What answers are made with: the space of the index, and how text and item-item scores are put together. */
export interface ServingModel {
  /** Of what was trained; undefined where nothing was. */
  readonly id: string | undefined
  readonly space: Space
  /** The same object as long as the model is the same. */
  readonly settings: ServingSettings
  /** Ends the adapter's worker. Safe to call twice. */
  close(): Promise<void>
}

/** Serves until something is trained: the encoder's own space and the default settings. */
export const UNTRAINED: ServingModel = {
  id: undefined,
  space: FROZEN_TEXT,
  settings: SERVING_DEFAULTS,
  close: async () => undefined,
}

/** The folder of one trained model, which holds published folders: the adapter for use, the one that was judged. */
export function modelFolder(directory: string, id: string): string {
  return join(directory, 'adapters', id)
}

export function adapterFolder(directory: string, id: string): string {
  return join(modelFolder(directory, id), 'adapter')
}

/** Space of the vectors that an adapter makes of those of `textSpace`. */
export function adaptedSpace(textSpace: string, adapter: string): string {
  return `${textSpace}/adapter-${adapter}`
}

/** Where item vectors go beside the text space, if anywhere. */
export function servedSpaceOf(space: string, model: ServingModel): ServedSpace | undefined {
  return model.space === FROZEN_TEXT ? undefined : { space, from: model.space }
}

/**
 * Opens what the live pointer names. The worker of an adapter starts with the first question.
 * @throws MODEL_INVALID if its folder is missing or not what was published
 */
export async function openServingModel(
  directory: string,
  model: LiveModel | undefined,
  threads = 0,
): Promise<ServingModel> {
  if (model === undefined) return UNTRAINED
  const { id, settings } = model
  if (model.adapter === undefined) return { ...UNTRAINED, id, settings }
  const adapter = await Adapter.load(adapterFolder(directory, id), { threads })
  return { id, settings, space: adapterSpace(adapter), close: () => adapter.close() }
}

/** The space of an adapter as answers use it. */
export function adapterSpace(adapter: Adapter): Space {
  const hasIds = adapter.parts.fitted.shape.idCount > 0
  return {
    basis: 'adapter',
    fromText: async (texts, itemIds) => {
      const index = adapter.idIndex(itemIds.map((id) => id ?? NOBODY))
      const vectors = await adapter.itemVectors(texts, index)
      for (let i = 0; i < texts.rows; i++) {
        // Neither text nor interactions: whatever the head makes of nothing says nothing.
        const isKnown = row(texts, i).some((value) => value !== 0) || (hasIds && index[i] >= 0)
        if (!isKnown) row(vectors, i).fill(0)
      }
      return vectors
    },
    person: (signals) => personOf(adapter, signals),
    people: (all) => peopleOf(adapter, all),
  }
}

/** No item has this id: ids are never empty. */
const NOBODY = ''

/**
 * The events of a history go, oldest first, through the adapter's person encoder. Likes, dislikes and words have
 * no order: they are added by their weights, against which the history counts as much as its events together.
 */
async function personOf(adapter: Adapter, signals: readonly Signal[]): Promise<Float32Array | undefined> {
  const events = signals.filter(({ event }) => event === true)
  const others = signals.filter(({ event }) => event !== true)
  const parts = others.map(({ vector }) => vector)
  const weights = others.map(({ weight }) => weight)
  if (events.length > 0) {
    const items = stack(events.map(({ vector }) => vector))
    const history = await adapter.personVectors(items, [Int32Array.from(events.keys())], [timesOf(events)])
    if (others.length === 0) return known(row(history, 0))
    parts.push(row(history, 0))
    weights.push(events.reduce((sum, { weight }) => sum + weight, 0))
  }
  return parts.length === 0 ? undefined : known(adapter.meanVector(stack(parts), weights))
}

/** Whoever is known by events alone, as all are who are asked about by the hundred, goes through the encoder together. */
async function peopleOf(
  adapter: Adapter,
  all: readonly (readonly Signal[])[],
): Promise<(Float32Array | undefined)[]> {
  const rows: Float32Array[] = []
  const histories = all.map((signals) =>
    signals.every(({ event }) => event === true)
      ? Int32Array.from(signals, ({ vector }) => rows.push(vector) - 1)
      : new Int32Array(0),
  )
  const together =
    rows.length === 0 ? undefined : await adapter.personVectors(stack(rows), histories, all.map(timesOf))
  const people: (Float32Array | undefined)[] = []
  for (const [i, signals] of all.entries()) {
    const isThere = together !== undefined && histories[i].length > 0
    people.push(isThere ? known(row(together, i)) : await personOf(adapter, signals))
  }
  return people
}

/** When events were; undefined where that is not known of each. */
function timesOf(events: readonly Signal[]): Float64Array | undefined {
  const times = events.flatMap(({ time }) => (time === undefined ? [] : [time]))
  return times.length === events.length ? Float64Array.from(times) : undefined
}

function stack(vectors: readonly Float32Array[]): Matrix {
  const stacked = matrix(vectors.length, vectors[0].length)
  for (const [i, vector] of vectors.entries()) row(stacked, i).set(vector)
  return stacked
}

/** Undefined for a vector in which everything cancels. */
function known(vector: Float32Array): Float32Array | undefined {
  return vector.some((value) => value !== 0) ? vector : undefined
}
