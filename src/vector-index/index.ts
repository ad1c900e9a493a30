/** Vectors -> neighbours: exact search and HNSW behind one interface, built, published and opened here. */
export { type BuildOptions, type BuiltIndex, buildIndex, HNSW_FROM } from './build.js'
export { ExactIndex, type ExactOptions } from './exact-index.js'
export {
  ARTIFACT_KIND as INDEX_KIND,
  type IndexManifest,
  type IndexOrigin,
  readIndexManifest,
} from './manifest.js'
export { type Expected, type OpenedIndex, openIndex, verifyIndex } from './open.js'
export { publishIndex } from './publish.js'
export { RECALL_BAR, recallOf, sampleQueries } from './tune.js'
export type { Allowed, IndexKind, Neighbours, SearchOptions, Survey, VectorIndex } from './types.js'
