/**
 * textrec, a text-aware recommender. This file is the whole public API.
 * @module
 */

// Errors: one class, stable codes.
export { type ErrorCode, isTextrecError, TextrecError } from './errors.js'
// Comparisons, and how they look on a terminal and in a browser.
export type { Comparison, MetricName } from './evaluate/index.js'
export { comparisonPage } from './evaluate/report/html.js'
export { comparisonTable } from './evaluate/report/table.js'
export {
  attributeFromText,
  type ImportOptions,
  type ImportReport,
  type ImportSources,
} from './ingest/index.js'
export { version } from './package.js'
// The project: open, import, index, ask.
export type { NewItem } from './project/arguments.js'
export type { Cluster, ClusterOptions, ClusterReport } from './project/clusters.js'
export type {
  AskOptions,
  AudienceOptions,
  Boost,
  Cap,
  DoctorOptions,
  ExplainOptions,
  ExportOptions,
  IndexOptions,
  OpenOptions,
  RecommendAllOptions,
  RecommendOptions,
  RuleOptions,
  SearchOptions,
} from './project/defaults.js'
export type { Check, DoctorReport } from './project/doctor.js'
export type { EvaluateOptions } from './project/evaluation.js'
export type { EveryoneReport } from './project/everyone.js'
export type { ExportReport } from './project/export.js'
export type { ForgetReport } from './project/forget.js'
export type { IndexReport } from './project/index-run.js'
export type { VectorReport } from './project/item-vectors.js'
export { Recommender } from './project/recommender.js'
export type { Stats } from './project/stats.js'
export type { TrainReport } from './project/training.js'
export type { TrainCallOptions as TrainOptions } from './project/training-options.js'
export type { TuneRow } from './project/tune/table.js'
export type { TuneOptions, TuneReport } from './project/tuning.js'
export type { Records, UpsertReport } from './project/updates.js'
// The built-in sample and the package's version.
export { sampleFiles } from './sample/index.js'
export type { Filter } from './store/index.js'
// The shared words.
export type {
  Answer,
  Attributes,
  AttributeValue,
  Audience,
  Basis,
  DeviceChoice,
  DtypeChoice,
  Explanation,
  Interaction,
  Item,
  LikedReason,
  OnProgress,
  PersonAnswer,
  Progress,
  Reasons,
  RecommendedItem,
  Review,
  SentenceReason,
  Snippet,
} from './types.js'
