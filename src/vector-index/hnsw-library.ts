import { createRequire } from 'node:module'
import type * as Library from 'hnswlib-node'
import { TextrecError } from '../errors.js'

export type NativeGraph = Library.HierarchicalNSW

/** How a graph is built: M neighbours a node, and how many candidates are looked at to choose them. */
export interface GraphShape {
  readonly m: number
  readonly efConstruction: number
  /** Of the random levels. */
  readonly seed: number
}

/** hnswlib, loaded on first use. Unit vectors: the inner product is the cosine. */
export function newGraph(dim: number): NativeGraph {
  let library: typeof Library
  try {
    library = createRequire(import.meta.url)('hnswlib-node') as typeof Library
  } catch (cause) {
    throw new TextrecError(
      'DEPENDENCY_MISSING',
      'hnswlib-node could not be loaded.',
      "Install textrec again with install scripts allowed for hnswlib-node and a C++ compiler at hand, or use kind 'exact'.",
      { cause },
    )
  }
  return new library.HierarchicalNSW('ip', dim)
}
