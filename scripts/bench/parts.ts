import type { BenchPart } from './part.js'

/** Every part, in the order in which they run. Loaded when asked for: one part must not pay for the others. */
export const PARTS: { readonly [name: string]: () => Promise<{ readonly part: BenchPart }> } = {
  encode: () => import('./encode.js'),
  index: () => import('./index.js'),
  import: () => import('./import.js'),
  start: () => import('./start.js'),
  growth: () => import('./growth.js'),
  recommend: () => import('./recommend.js'),
  train: () => import('./train.js'),
  families: () => import('./families.js'),
}
