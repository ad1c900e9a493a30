import type { TrainOptions } from '../../adapter/index.js'
import { FAMILIES, type FamilyName, type FamilyOptions } from '../../families/index.js'
import type { Random } from '../../math/random.js'
import { TRAINABLE_NAMES, type TrainableModel } from '../trainable-models.js'

/** What differs from a model's own defaults. */
export type Settings = { readonly [option: string]: string | number }

/** One way of making a ranker, before it is trained. */
export interface Candidate {
  readonly model: TunedModel
  /** The encoder whose text vectors it starts from. */
  readonly encoder: string
  readonly settings: Settings
}

export type TunedModel = TrainableModel | FamilyName

/**
 * Of two ways to train a model of one name the one that can be published counts. What reads word vectors needs a file of
 * them, which a search is not given.
 */
const FAMILY_NAMES = (Object.keys(FAMILIES) as FamilyName[]).filter(
  (name) => !isTrainable(name) && !('needsWords' in FAMILIES[name]),
)

/** Every model that a search may try: first those that can be served. */
export const TUNED_MODELS: readonly TunedModel[] = [...TRAINABLE_NAMES, ...FAMILY_NAMES]

/** Whether train() can publish it; the others can be evaluated. */
export function isTrainable(model: TunedModel): model is TrainableModel {
  return (TRAINABLE_NAMES as readonly string[]).includes(model)
}

type Draw = (source: Random) => string | number

const oneOf =
  (...values: readonly (string | number)[]): Draw =>
  (source) =>
    values[source.integer(values.length)]

/** Even in the logarithm, with two digits, so that people can repeat it. */
const between =
  (low: number, high: number): Draw =>
  (source) =>
    Number((low * (high / low) ** source.next()).toPrecision(2))

type Draws<O> = { readonly [name in keyof O]?: Draw }

const HEAD: Draws<TrainOptions> = {
  learningRate: between(5e-4, 5e-3),
  weightDecay: between(1e-3, 0.2),
  dropout: oneOf(0.1, 0.2, 0.3, 0.4, 0.5),
  dim: oneOf(64, 128, 256),
  hidden: oneOf(128, 256, 512),
  textDim: oneOf(64, 128, 256),
}
const DEPTH = { layers: oneOf(1, 2, 3) }
const READERS: { readonly [reader: string]: Draws<TrainOptions> } = {
  sasrec: { ...DEPTH, heads: oneOf(1, 2, 4) },
  gru: DEPTH,
}
const IDS: Draws<TrainOptions> = { idDropout: oneOf(0.1, 0.3, 0.5) }
const FACTORS: Draws<FamilyOptions> = {
  factors: oneOf(32, 64, 128),
  learningRate: between(1e-3, 2e-2),
  regularization: between(1e-4, 0.1),
}

function drawsOf(model: TunedModel): { readonly [name: string]: Draw } {
  if (/^(lightgcn|neumf)/.test(model)) return { ...FACTORS, ...DEPTH }
  if (!isTrainable(model)) return FACTORS
  const [reader] = model.split('-')
  return { ...HEAD, ...READERS[reader], ...(model.endsWith('-text') ? {} : IDS) }
}

/** Settings at random for a model: the same source gives the same. */
export function drawSettings(model: TunedModel, source: Random): Settings {
  return Object.fromEntries(Object.entries(drawsOf(model)).map(([name, draw]) => [name, draw(source)]))
}

/** Every model with every encoder as it stands: where a search begins. */
export function standardCandidates(models: readonly TunedModel[], encoders: readonly string[]): Candidate[] {
  return encoders.flatMap((encoder) => models.map((model) => ({ model, encoder, settings: {} })))
}

/** So many candidates, of models and encoders that occur among `like`. */
export function drawCandidates(count: number, like: readonly Candidate[], source: Random): Candidate[] {
  const kinds = [...new Map(like.map((one) => [`${one.model} ${one.encoder}`, one])).values()]
  return Array.from({ length: count }, () => {
    const { model, encoder } = kinds[source.integer(kinds.length)]
    return { model, encoder, settings: drawSettings(model, source) }
  })
}
