import {
  type FamilyName,
  type FamilyOptions,
  type FamilyRecipeOptions,
  familyRecipe,
} from '#src/families/index.js'
import { parityVectors } from '../conformance/parity.js'
import { rankerConformance } from '../conformance/ranker.js'

function conforms(family: FamilyName, settings: Partial<FamilyOptions> = {}): void {
  const options = { threads: 1, blindEpochs: 10, ...settings }
  rankerConformance({
    name: settings.start === undefined ? family : `${family}, ${settings.start}`,
    recipe: (itemCount): ReturnType<typeof familyRecipe> => {
      const given: FamilyRecipeOptions = { options, vectors: () => ({ vectors: parityVectors(itemCount) }) }
      return familyRecipe(family, given)
    },
    solvesCheckerboard: true,
    withoutInteractions: 'refused',
  })
}

conforms('mf-warp', { blindEpochs: 20 })
conforms('mf-softmax', { blindEpochs: 20 })
conforms('lightgcn')
conforms('lightgcn-text')
conforms('lightgcn-flow')
conforms('neumf')
conforms('recommendernet')
conforms('recommendernet', { start: 'frozen' })
conforms('recommendernet', { start: 'random' })
