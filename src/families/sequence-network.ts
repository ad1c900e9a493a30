import {
  type AdapterShape,
  candidateLoss,
  type Dropout,
  itemHead,
  type PackedHistories,
  packedHistories,
} from '../adapter/index.js'
import type { Value } from '../onnx/graph.js'
import { l2Normalize } from '../onnx/ops-layers.js'
import type { Scope, TrainingModel } from '../onnx/optimizer.js'
import type { FamilyOptions } from './options.js'
import type { SequenceSampler } from './sequence-batches.js'

/*
 * What sequence models share: items in, people out, and a softmax over what is taken next. An item is a unit vector made of
 * its whitened text (a residual perceptron), of an ID embedding, or of both, the ID being hidden at random in training so
 * that text learns to stand alone; a person after each event is a unit vector that the model reads from the events
 * so far; logits are their products over a learned temperature. Letters: R rows of L events, D = factors.
 */

/** How a model reads: the person's vector after each event. */
export interface SequenceReader {
  /** @param events [R * L, D] unit item vectors @returns [R * L, D] unit rows */
  readonly read: (
    scope: Scope,
    shape: AdapterShape,
    events: Value,
    rows: PackedHistories,
    dropout: Dropout,
  ) => Value
  readonly readsTimes: boolean
}

/** How items enter: whitened text [n, W], and rows of the ID table with a mask. */
export interface ItemInputs {
  readonly text?: Value
  /** [n] rows of the ID table; its rows in order when absent. */
  readonly index?: Value
  /** [n, 1] 0 where an ID is not to be used. */
  readonly mask?: Value
}

/** @returns [n, D] unit rows */
export function itemVectors(
  scope: Scope,
  shape: AdapterShape,
  { text, index, mask }: ItemInputs,
  dropout: Dropout,
): Value {
  if (text !== undefined) {
    return itemHead(scope, shape, text, dropout, mask === undefined ? undefined : { index, mask })
  }
  const { ops, parameter } = scope
  const { idCount, dim } = shape
  const table = parameter('item.ids', [idCount, dim], { deviation: 1 / Math.sqrt(dim) })
  const rows = l2Normalize(ops, index === undefined ? table : ops.gatherRows(table, index))
  return mask === undefined ? rows : ops.mul(rows, mask)
}

/** The forward pass of a training step. @param dropoutOf the same pass without dropout serves validation */
export function sequenceModel(
  name: string,
  reader: SequenceReader,
  shape: AdapterShape,
  { rows, candidates }: Pick<SequenceSampler, 'rows' | 'candidates'>,
  inputs: FamilyOptions['inputs'],
  dropoutOf: (scope: Scope) => Dropout,
): TrainingModel {
  return {
    name,
    loss: (scope) => {
      const { ops, batch } = scope
      const { count, corrected, texts } = candidates
      const { length, textDim } = shape
      const dropout = dropoutOf(scope)
      const size = [count, textDim]
      const given = () =>
        texts === undefined ? batch('texts', 'float32', size) : ops.graph.constant('texts', texts, size)
      const items = itemVectors(
        scope,
        shape,
        {
          text: inputs === 'ids' ? undefined : given(),
          index: corrected && inputs !== 'text' ? batch('ids', 'int32', [count]) : undefined,
          mask: inputs === 'both' ? batch('idMask', 'float32', [count, 1]) : undefined,
        },
        dropout,
      )
      const events = ops.gatherRows(items, batch('events', 'int32', [rows * length]))
      const histories = packedHistories(scope, rows, length, reader.readsTimes)
      const people = reader.read(scope, shape, events, histories, dropout)
      const targets = batch('targets', 'int32', [rows * length])
      const weights = batch('weights', 'float32', [rows * length, 1])
      const logQ = corrected ? batch('logQ', 'float32', [1, count]) : undefined
      return candidateLoss(scope, people, items, targets, weights, logQ)
    },
  }
}
