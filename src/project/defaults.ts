import {
  anything,
  boolean,
  choice,
  integer,
  longRunning,
  type OptionTable,
  optional,
  text,
} from '../options.js'
import type { DeviceChoice, DtypeChoice, OnProgress } from '../types.js'

/** The encoder of a new project: comes with the package, needs no network. */
export const DEFAULT_ENCODER = 'all-MiniLM-L6-v2'

const device = choice<DeviceChoice>('auto', ['auto', 'cpu', 'webgpu', 'cuda'])
const dtype = choice<DtypeChoice>('auto', ['auto', 'fp32', 'int8'])

export interface LongOptions {
  readonly signal: AbortSignal | undefined
  readonly onProgress: OnProgress | undefined
}
const long = longRunning as OptionTable<LongOptions>

export interface OpenOptions {
  /** Known name, Hugging Face id or local folder. The project's own, or all-MiniLM-L6-v2, when absent. */
  readonly encoder: string | undefined
  readonly device: DeviceChoice
  readonly dtype: DtypeChoice
  /** Threads of ONNX Runtime on the CPU; 0 takes as many as there are cores. */
  readonly threads: number
  /** Where model files and graphs are kept; the user's cache folder when absent. */
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
  ...long,
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
  signal: long.signal,
}

export interface SearchOptions extends AskOptions {
  /** 'hybrid' fuses words (BM25) with meaning (vectors); 'text' and 'vector' take one of them. */
  readonly mode: 'hybrid' | 'vector' | 'text'
}

export const SEARCH: OptionTable<SearchOptions> = {
  ...ASK,
  mode: choice('hybrid', ['hybrid', 'vector', 'text']),
}

export interface DoctorOptions {
  /** Rebuild what can be rebuilt and remove what killed processes left. */
  readonly repair: boolean
  readonly signal: AbortSignal | undefined
}

export const DOCTOR: OptionTable<DoctorOptions> = { repair: boolean(false), signal: long.signal }

/** Weight of words against meaning in hybrid search: reciprocal rank fusion needs no scale, only this. */
export const HYBRID = { rankOffset: 60, depth: 100 } as const
