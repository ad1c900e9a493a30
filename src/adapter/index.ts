/** Learns a better space than the encoder's from interactions; see trainAdapter. */
export { ADAPTER_KIND, Adapter, type AdapterParts } from './adapter.js'
export type { Blend } from './blend.js'
export { type EpochRecord, type FitReport, withColdTexts } from './fit.js'
export { hideItems } from './hidden-items.js'
export { TRAIN_OPTIONS, type TrainOptions } from './options.js'
export { adapterRanker, adapterScorer } from './ranker.js'
export { type AdapterData, historiesOf, type TrainedAdapter, trainAdapter } from './train.js'
export { fitWhitening, type Whitening, whiten } from './whitening.js'
