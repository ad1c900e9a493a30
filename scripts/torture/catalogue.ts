import type { TortureTest } from './test.js'

/** A test's name, and its file; files are loaded when their test is asked for. */
export interface CatalogueEntry {
  readonly name: string
  readonly load: () => Promise<{ readonly test: TortureTest }>
}

/** Every test, in the order in which they run: quick ones first. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  { name: 'regex', load: () => import('./regex.js') },
  { name: 'records', load: () => import('./records.js') },
  { name: 'damaged', load: () => import('./damaged.js') },
  { name: 'hostile', load: () => import('./hostile.js') },
  { name: 'network', load: () => import('./network.js') },
  { name: 'export', load: () => import('./export.js') },
  { name: 'kill', load: () => import('./kill.js') },
  { name: 'judging', load: () => import('./judging.js') },
  { name: 'points', load: () => import('./points.js') },
  { name: 'disk', load: () => import('./disk.js') },
  { name: 'stop', load: () => import('./stop.js') },
  { name: 'again', load: () => import('./again.js') },
  { name: 'together', load: () => import('./together.js') },
  { name: 'soak', load: () => import('./soak.js') },
  { name: 'large', load: () => import('./large.js') },
]
