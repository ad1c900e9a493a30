/** Learns a better space than the encoder's from interactions; see trainAdapter. */
export { ADAPTER_KIND, Adapter, type AdapterParts } from './adapter.js'
export type { Blend } from './blend.js'
/** The parts of its network, for families that train it in their own way. */
export { type Candidates, fullCandidates, sampledCandidates } from './candidates.js'
export { idIndex, withColdTexts } from './corpus.js'
export type { EpochRecord, FitReport } from './fit-types.js'
export { gruEncoder } from './gru-encoder.js'
export { hideItems } from './hidden-items.js'
export { bucketsOf, timeOf } from './intervals.js'
export { candidateLoss } from './losses.js'
export {
  type AdapterShape,
  type Dropout,
  itemHead,
  noDropout,
  type PackedHistories,
  packedHistories,
  personEncoder,
  pooledDropout,
} from './model.js'
export { ENCODERS, TRAIN_OPTIONS, type TrainOptions, withEncoderDefaults } from './options.js'
export { adapterRanker, adapterScorer } from './ranker.js'
export { type PackedEvents, packEpoch, packTails, rowsOf } from './sequences.js'
export { dropoutPool, POOL_SLACK } from './steps.js'
export { type AdapterData, historiesOf, type TrainedAdapter, timedHistories, trainAdapter } from './train.js'
export { fitWhitening, type Whitening, whiten } from './whitening.js'
