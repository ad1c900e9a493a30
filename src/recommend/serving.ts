import type { CollaborativeParameters } from '../collaborative/index.js'

/** How answers are put together. Training chooses these on validation; until then the defaults below serve. */
export interface ServingSettings {
  /** Weight of item-item scores against text, both standardised; from 0 (text only) to 1. */
  readonly collaborativeShare: number
  /** Events rated below this are seen, but not liked. Undefined: below the middle of the catalogue's scale. */
  readonly minRating: number | undefined
  /** How item-item scores are made; undefined chooses by the number of items with interactions. */
  readonly collaborative: CollaborativeParameters | undefined
  /** How much an event of a history counts beside the next newer one, where it is not an adapter that reads it. */
  readonly decay?: number
}

/** 0.3 did best or near best on the sparse shops of the evaluation; where nothing is trained it is a guess. */
export const SERVING_DEFAULTS: ServingSettings = {
  collaborativeShare: 0.3,
  minRating: undefined,
  collaborative: undefined,
}

/** Up to so many items with interactions the untrained default is EASE (36 MB of weights), beyond it neighbours. */
export const EASE_BY_DEFAULT_UP_TO = 3000

export const EASE_DEFAULT: CollaborativeParameters = { kind: 'ease', lambda: 100, recency: 1 }
export const NEIGHBOURS_DEFAULT: CollaborativeParameters = {
  kind: 'neighbours',
  count: 100,
  shrinkage: 10,
  recency: 1,
}

/** How item-item scores are made where training has not chosen. @param warm items with interactions */
export function defaultParameters(warm: number): CollaborativeParameters {
  return warm <= EASE_BY_DEFAULT_UP_TO ? EASE_DEFAULT : NEIGHBOURS_DEFAULT
}
