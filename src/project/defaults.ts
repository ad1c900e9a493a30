import {
  anything,
  boolean,
  choice,
  integer,
  longRunning,
  number,
  type Option,
  type OptionTable,
  optional,
  text,
} from '../options.js'
import type { DeviceChoice, DtypeChoice, OnProgress } from '../types.js'

/** The encoder of a new project: comes with the package, needs no network. */
export const DEFAULT_ENCODER = 'all-MiniLM-L6-v2'

const device = choice<DeviceChoice>('auto', ['auto', 'cpu', 'webgpu', 'cuda'])
const dtype = choice<DtypeChoice>('auto', ['auto', 'fp32', 'fp16', 'int8'])

export interface LongOptions {
  readonly signal: AbortSignal | undefined
  readonly onProgress: OnProgress | undefined
}
/** Of calls that have no other options. */
export const LONG = longRunning as OptionTable<LongOptions>

/** The same for functions inside, where both may be left out. */
export type LongRun = Partial<LongOptions>

export interface OpenOptions {
  /** Known name, Hugging Face id or local folder. The project's own, or all-MiniLM-L6-v2, when absent. */
  readonly encoder: string | undefined
  readonly device: DeviceChoice
  readonly dtype: DtypeChoice
  /** Threads of ONNX Runtime on the CPU; 0 takes as many as there are cores. */
  readonly threads: number
  /** Where graphs and downloaded models are kept; see OpenEncoderOptions for the default. */
  readonly cacheDirectory: string | undefined
  /** Make the project where there is none. */
  readonly create: boolean
}

export const OPEN: OptionTable<OpenOptions> = {
  encoder: optional(text('')),
  device,
  dtype,
  threads: integer(0, 0, 1024),
  cacheDirectory: optional(text('')),
  create: boolean(true),
}

export interface IndexOptions extends LongOptions {
  /** 'auto' is exact up to the size where it stops being faster. */
  readonly kind: 'auto' | 'exact' | 'hnsw'
  /** Build a new index even when the live one is up to date. */
  readonly rebuild: boolean
}

export const INDEX: OptionTable<IndexOptions> = {
  ...LONG,
  kind: choice('auto', ['auto', 'exact', 'hnsw']),
  rebuild: boolean(false),
}

export interface AskOptions {
  /** How many answers at most. */
  readonly k: number
  /** Keep only items whose attributes match (see Filter). */
  readonly filter: unknown
  readonly signal: AbortSignal | undefined
}

export const ASK: OptionTable<AskOptions> = {
  k: integer(10, 1, 100_000),
  filter: anything<unknown>(undefined, 'a filter document'),
  signal: LONG.signal,
}

export interface SearchOptions extends AskOptions {
  /** 'hybrid' fuses words (BM25) with meaning (vectors); 'text' and 'vector' take one of them. */
  readonly mode: 'hybrid' | 'vector' | 'text'
}

export const SEARCH: OptionTable<SearchOptions> = {
  ...ASK,
  mode: choice('hybrid', ['hybrid', 'vector', 'text']),
}

export interface DoctorOptions extends LongOptions {
  /** Rebuild what can be rebuilt and remove what killed processes left. */
  readonly repair: boolean
}

export const DOCTOR: OptionTable<DoctorOptions> = { ...LONG, repair: boolean(false) }

/** Weight of words against meaning in hybrid search: reciprocal rank fusion needs no scale, only this. */
export const HYBRID = { rankOffset: 60, depth: 100 } as const

/** One or several, where the order does not matter. */
export type OneOrMore<T> = T | readonly T[]

export interface Cap {
  /** An attribute of the items, such as `brand`. */
  readonly attribute: string
  /** So many items of each of its values at most; items without the attribute are not counted. */
  readonly n: number
}

export interface Boost {
  /** Which items (see Filter). */
  readonly filter: unknown
  /** Added to their scores, which are in standard deviations over the catalogue: 1 is much, 10 is everything. */
  readonly by: number
}

/** What the list should be like, whoever it is for. */
export interface RuleOptions extends AskOptions {
  /** Leave out what the person has, and what `likes` and `dislikes` name. */
  readonly excludeSeen: boolean
  /**
   * 0 takes the best; towards 1, items unlike those already taken (maximal marginal relevance). It chooses from more
   * items the longer the list, and the score orders what it chose: so a short list need not be the beginning of a long
   * one. To show a list page by page, ask for all of it at once. The same holds for what is popular, which is varied.
   */
  readonly diversity: number
  /** At most so many items per value of an attribute. */
  readonly atMostPer: OneOrMore<Cap> | undefined
  readonly boost: OneOrMore<Boost> | undefined
  /** Ids that come first, in this order: neither filter, history nor minimum score holds them back. */
  readonly pin: readonly string[]
  /** Ids that never come, pinned or not. */
  readonly block: readonly string[]
  /** Nothing that scores lower; scores are in standard deviations above the catalogue's mean. */
  readonly minScore: number | undefined
  /** Deviations of popularity taken off the score: 0 leaves popularity alone, 1 favours the little known. */
  readonly novelty: number
  /** Say why, for every item. Encodes sentences: some tenths of a second for ten items. */
  readonly reasons: boolean
}

export interface RecommendOptions extends RuleOptions {
  /** Somebody whom the catalogue knows. What the options below say comes on top of their history. */
  readonly user: string | undefined
  /** Several people in one call; then the answer is a list. */
  readonly users: readonly string[] | undefined
  /** Items that somebody likes. With `dislikes` and `text` it describes a person whom nobody has seen. */
  readonly likes: readonly string[]
  readonly dislikes: readonly string[]
  /** What somebody is looking for, in their own words. */
  readonly text: string | undefined
}

const idList: Option<readonly string[]> = {
  default: [],
  expected: 'a list of ids',
  accepts: (value) => Array.isArray(value) && value.every((id) => typeof id === 'string'),
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function oneOrMore<T>(
  expected: string,
  accepts: (value: unknown) => boolean,
): Option<OneOrMore<T> | undefined> {
  return {
    default: undefined,
    expected: `${expected}, or a list of such`,
    accepts: (value) => (Array.isArray(value) ? value.every(accepts) : accepts(value)),
  }
}

const cap = oneOrMore<Cap>(
  '{ attribute, n } with n of at least 1',
  (value) =>
    isObject(value) &&
    typeof value.attribute === 'string' &&
    Object.keys(value).every((name) => name === 'attribute' || name === 'n') &&
    integer(1, 1).accepts(value.n),
)

const boost = oneOrMore<Boost>(
  '{ filter, by } with by from -100 to 100',
  (value) =>
    isObject(value) &&
    value.filter !== undefined &&
    Object.keys(value).every((name) => name === 'filter' || name === 'by') &&
    number(0, -100, 100).accepts(value.by),
)

export const RULES: OptionTable<RuleOptions> = {
  ...ASK,
  excludeSeen: boolean(true),
  diversity: number(0, 0, 1),
  atMostPer: cap,
  boost,
  pin: idList,
  block: idList,
  minScore: optional(number(0, -1e9, 1e9)),
  novelty: number(0, 0, 10),
  reasons: boolean(false),
}

export const RECOMMEND: OptionTable<RecommendOptions> = {
  ...RULES,
  user: optional(text('')),
  users: optional(idList),
  likes: idList,
  dislikes: idList,
  text: optional(text('')),
}

export interface RecommendAllOptions extends RuleOptions, LongOptions {
  /** The JSON-lines file to write: one line per person, `{ userId, basis, items }`. */
  readonly out: string
}

export const RECOMMEND_ALL: OptionTable<RecommendAllOptions> = { ...RULES, ...LONG, out: text('') }

export interface ExportOptions extends LongOptions {
  /** The folder to make. It must not be there yet, nor lie inside the project. */
  readonly out: string
  /** Read the copied catalogue whole and look for damage: about as long again as copying it. */
  readonly check: boolean
}

export const EXPORT: OptionTable<ExportOptions> = { ...LONG, out: text(''), check: boolean(true) }

export interface ExplainOptions
  extends Pick<RecommendOptions, 'user' | 'likes' | 'dislikes' | 'text' | 'signal'> {
  /** The item to explain. */
  readonly item: string
}

export const EXPLAIN: OptionTable<ExplainOptions> = {
  item: text(''),
  user: RECOMMEND.user,
  likes: idList,
  dislikes: idList,
  text: RECOMMEND.text,
  signal: LONG.signal,
}

export interface AudienceOptions extends AskOptions {
  /** Leave out people who have the item. */
  readonly excludeOwners: boolean
}

/** Here `filter` keeps people who have at least one item that matches. */
export const AUDIENCE: OptionTable<AudienceOptions> = { ...ASK, excludeOwners: boolean(true) }

export const FORGET: OptionTable<{ readonly user: string }> = { user: text('') }
