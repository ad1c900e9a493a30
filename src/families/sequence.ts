import {
  type AdapterShape,
  type Dropout,
  dropoutPool,
  idIndex,
  noDropout,
  POOL_SLACK,
  pooledDropout,
} from '../adapter/index.js'
import { TextrecError } from '../errors.js'
import { Graph } from '../onnx/graph.js'
import { Ops } from '../onnx/ops.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import type { Family, FamilyData, FamilyModel } from './family.js'
import type { FamilyOptions } from './options.js'
import { SequenceSampler } from './sequence-batches.js'
import { type SequenceReader, sequenceModel } from './sequence-network.js'
import { sequenceScorer } from './sequence-scorer.js'

/** Masks of dropout are cut out of one pool, which has to be longer than the largest of them. */
function poolFor(
  shape: AdapterShape,
  { rows, candidates }: SequenceSampler,
  { dropout, seed }: FamilyOptions,
) {
  if (dropout === 0) return new Float32Array(0)
  const { hidden, length, dim, heads } = shape
  const largest = Math.max(candidates.count * hidden, rows * length * 2 * dim, rows * heads * length ** 2)
  return dropoutPool(largest + POOL_SLACK, dropout, seed)
}

/** The names of what says where each mask starts. */
function dropoutsOf({ name, loss }: TrainingModel): string[] {
  const graph = new Graph(name)
  const names: string[] = []
  loss({
    ops: new Ops(graph),
    parameter: (parameter, size) => graph.input(`w:${parameter}`, 'float32', size),
    batch: (fed, type, size) => {
      if (fed.startsWith('dropout')) names.push(fed)
      return graph.input(fed, type, size)
    },
    rows: (table, [_rows, ...size], _initial, _index, count) =>
      graph.input(`w:${table}`, 'float32', [count, ...size]),
  })
  return names
}

function shapeOf(
  name: string,
  { vectors }: FamilyData,
  { factors, hidden, layers, heads, length, inputs }: FamilyOptions,
  warm: number,
): AdapterShape {
  if (factors % heads !== 0) {
    throw new TextrecError(
      'OPTION_INVALID',
      `${name}: option 'factors' is ${factors} with ${heads} heads.`,
      "'factors' must be a multiple of 'heads'.",
    )
  }
  return {
    textDim: inputs === 'ids' ? 0 : vectors!.dim,
    dim: factors,
    hidden: hidden === 0 ? 2 * factors : hidden,
    layers,
    heads,
    length,
    idCount: inputs === 'text' ? 0 : warm,
    encoder: 'sasrec',
  }
}

/** A family that reads histories in order. */
export function sequenceFamily(
  name: string,
  reader: SequenceReader,
  defaults: Partial<FamilyOptions> = {},
): Family {
  return {
    name,
    needsVectors: ({ inputs }) => inputs !== 'ids',
    defaults: {
      ...{ factors: 128, layers: 2, epochs: 60, blindEpochs: 20, patience: 6 },
      ...{ learningRate: 2e-3, weightDecay: 0.01, clipNorm: 1 },
      ...defaults,
    },
    candidates: [],
    prepare: (data, options): FamilyModel => {
      const sampler = new SequenceSampler(data, options, reader.readsTimes)
      const { warm, steps: warmUpSteps } = sampler
      const shape = shapeOf(name, data, options, warm.length)
      const { dropout, inputs } = options
      const pool = poolFor(shape, sampler, options)
      const model = (dropoutOf: (scope: Scope) => Dropout) =>
        sequenceModel(name, reader, shape, sampler, inputs, dropoutOf)
      const training = model((scope) => pooledDropout(scope, { dropout, pool }))
      const dropouts = dropoutsOf(training)
      const catalogue = {
        text: inputs === 'ids' ? undefined : data.vectors,
        index: inputs === 'text' ? undefined : idIndex(warm, data.items),
        items: data.items,
        timeKind: data.timeKind,
      }
      return {
        training,
        evaluation: model(() => noDropout),
        warmUpSteps,
        batches: (pairs, source) => sampler.batches(pairs, source, dropouts),
        scorer: (weights) => sequenceScorer(name, reader, shape, catalogue, weights, options.threads),
      }
    },
  }
}
