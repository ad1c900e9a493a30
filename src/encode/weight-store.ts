import { TextrecError } from '../errors.js'
import type { Graph, Value } from '../onnx/graph.js'
import { floatToHalf } from './half.js'

/** Puts weights into a graph, in the precision of that graph. */
export type Store = (name: string, data: Float32Array, shape: readonly number[]) => Value

export const floatStore =
  (graph: Graph): Store =>
  (name, data, shape) =>
    graph.constant(name, data, shape)

/** @throws MODEL_INVALID, from the store, for a weight beyond the largest fp16 number. */
export const halfStore =
  (graph: Graph): Store =>
  (name, data, shape) => {
    try {
      return graph.constant(name, floatToHalf(data), shape)
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause
      throw new TextrecError(
        'MODEL_INVALID',
        `A weight is too large for fp16: ${cause.message}.`,
        "Use dtype 'fp32'.",
        {
          cause,
        },
      )
    }
  }
