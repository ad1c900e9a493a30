export { bm25Recipe, bm25Search, type TextSearch } from './baselines/bm25.js'
export { bprRecipe } from './baselines/bpr.js'
export { popularRecipe, randomRecipe } from './baselines/simple.js'
export { type ItemVectors, textMeanRecipe, textMeanScorer, textNeighboursRecipe } from './baselines/text.js'
export { meanWordVectors } from './baselines/word-vectors.js'
export {
  type CompareOptions,
  type Comparison,
  compareRankers,
  type Figures,
  type RankerResult,
  type SliceResult,
} from './compare.js'
export { type Evidence, evidenceOf, HeldOut, requireHonestSplit, requireNoLeak } from './held-out.js'
export { curvesPlot } from './report/curves.js'
export { comparisonPage, escapeHtml, htmlPage, htmlTable } from './report/html.js'
export { comparisonTable } from './report/table.js'
export { type Split, type SplitOptions, splitTable } from './split.js'
