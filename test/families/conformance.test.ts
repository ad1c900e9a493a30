import {
  type FamilyName,
  type FamilyOptions,
  type FamilyRecipeOptions,
  familyRecipe,
} from '#src/families/index.js'
import { parityVectors, parityWords } from '../conformance/parity.js'
import { type RankerSuite, rankerConformance } from '../conformance/ranker.js'

function conforms(
  family: FamilyName,
  settings: Partial<FamilyOptions> = {},
  promises: Partial<RankerSuite> = {},
): void {
  const options = { threads: 1, blindEpochs: 10, ...settings }
  rankerConformance({
    name: [family, settings.start, settings.inputs].filter((word) => word !== undefined).join(', '),
    recipe: (itemCount): ReturnType<typeof familyRecipe> => {
      const given: FamilyRecipeOptions = {
        options,
        vectors: () => ({ vectors: parityVectors(itemCount) }),
        words: async (length) => parityWords(itemCount, length),
      }
      return familyRecipe(family, given)
    },
    solvesCheckerboard: true,
    withoutInteractions: 'refused',
    ...promises,
  })
}

conforms('bpr', { blindEpochs: 30 })
conforms('mf-warp', { blindEpochs: 20 })
conforms('mf-softmax', { blindEpochs: 20 })
conforms('lightgcn')
conforms('lightgcn-text')
conforms('lightgcn-flow')
conforms('neumf')
conforms('recommendernet')
conforms('recommendernet', { start: 'frozen' })
conforms('recommendernet', { start: 'random' })
conforms('maml')
conforms('convmf', { factors: 8, words: 5, blindEpochs: 20 })
conforms('gru-text', { factors: 8, words: 5, blindEpochs: 20 })

// What reads the order of events finds nothing on the checkerboard, where nobody's first item is ever taken next.
const SMALL: Partial<FamilyOptions> = { factors: 8, heads: 1, layers: 1, length: 4, blindEpochs: 2 }
for (const [family, settings] of [
  ['sasrec', {}],
  ['sasrec', { inputs: 'ids' }],
  ['sasrec-long', {}],
  ['gru', {}],
] as const) {
  conforms(family, { ...SMALL, ...settings }, { solvesCheckerboard: false, oneItem: 'refused' })
}
