export { readScorer, writeScorer } from './files.js'
export {
  type CollaborativeKind,
  collaborativeRecipe,
  EASE_MOST_ITEMS,
  type FitOptions,
  type FittedCollaborative,
  fitCollaborative,
  fitScorer,
} from './fit.js'
export { COLLABORATIVE_SHARES, chooseShare, fusedScorer, fuseScores } from './fusion.js'
export {
  type CollaborativeParameters,
  CollaborativeScorer,
  EaseScorer,
  NeighbourScorer,
  type ScoredItems,
} from './scorer.js'
