import type { Pooling } from './graph-kinds.js'

/** What must stand before a text for the encoder to do its best; empty for most. */
export interface Prefixes {
  readonly query: string
  readonly passage: string
}

/** Where the files of one encoder are and how its vectors are made: all that the worker needs. Plain data. */
export interface ModelSource {
  /** As it was asked for: a known name, a Hugging Face id or a folder. */
  readonly name: string
  readonly weights:
    | { readonly kind: 'safetensors'; readonly path: string; readonly config: string }
    | { readonly kind: 'onnx'; readonly path: string; readonly config: string | undefined }
  readonly tokenizer: string
  readonly tokenizerConfig: string | undefined
  /** What the weights must hash to, where that is known. */
  readonly sha256: string | undefined
  readonly pooling: Pooling
  /** Longest window in tokens, special ones included; undefined for the most that the model can do. */
  readonly maxTokens: number | undefined
  readonly prefixes: Prefixes
}
