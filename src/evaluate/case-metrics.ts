import { averagePrecision, hitRate, ndcg, recall, reciprocalRank } from '../math/metrics.js'

/** The metrics of one ranking, by the names that reports use. Their means over people are Recall, MAP and so on. */
export const METRICS = {
  ndcg,
  recall,
  hitRate,
  mrr: reciprocalRank,
  map: averagePrecision,
} as const
export type MetricName = keyof typeof METRICS
