import { TextrecError } from '../errors.js'
import type { TrainingModel } from '../onnx/optimizer.js'
import type { Weights } from './family.js'

/**
 * The same model, where a parameter that was learned elsewhere starts from what it was there.
 * @throws DIMENSION_MISMATCH, when its pass is built, for a parameter of another size
 */
export function startingFrom(model: TrainingModel, pretrained: Weights): TrainingModel {
  return {
    ...model,
    loss: (scope) =>
      model.loss({
        ...scope,
        parameter: (name, shape, initial, decay) => {
          const data = pretrained[name]
          if (data === undefined) return scope.parameter(name, shape, initial, decay)
          const size = shape.reduce((product, dim) => product * dim, 1)
          if (data.length === size) return scope.parameter(name, shape, { data }, decay)
          throw new TextrecError(
            'DIMENSION_MISMATCH',
            `${model.name}: '${name}' has ${size} numbers here and ${data.length} where it was learned.`,
            'Start from a model of the same sizes.',
          )
        },
      }),
  }
}

/**
 * Between what was learned here and what it started from: (1 - share) w + share w_0, for every parameter that had a start
 * (Wortsman et al. 2022, arXiv:2109.01903). A model that leaves its start by little steps can be averaged with it.
 */
export function averagedWith(weights: Weights, pretrained: Weights, share: number): Weights {
  if (share === 0) return weights
  return Object.fromEntries(
    Object.entries(weights).map(([name, own]) => {
      const start = pretrained[name]
      return [name, start === undefined ? own : own.map((w, i) => (1 - share) * w + share * start[i])]
    }),
  )
}
