import type { Graph, Value } from '../onnx/graph.js'
import type { BertShape } from './bert-config.js'
import type { LayerWeights, Linear } from './bert-weights.js'
import { type ChannelMaxima, channelsApart, smoothingDivisors } from './outliers.js'
import { quantizeLinear, transpose } from './quantize.js'
import { floatStore, type Store } from './weight-store.js'

/** The parts of an encoder layer that multiply matrices: they differ between fp32 and int8, the rest does not. */
export interface Products {
  /** Attention of every token to every other, before its output projection. */
  attention(x: Value, layer: LayerWeights, i: number): Value
  /** x W + b */
  linear(x: Value, linear: Linear): Value
  /** The feed-forward part, without the residual sum. */
  feedForward(x: Value, layer: LayerWeights, i: number): Value
}

/** Called with what goes into each product, so that a calibration run can look at it. */
export type Observe = (part: keyof ChannelMaxima, value: Value) => void

/**
 * Products in the precision of `store`.
 * @param mask int32 [batch, tokens], 1 for a token, 0 for padding; undefined where there is none
 */
export function floatProducts(
  graph: Graph,
  shape: BertShape,
  store: Store,
  mask: Value | undefined,
  observe: Observe = () => {},
): Products {
  const linear = (x: Value, part: Linear) => floatLinear(graph, x, part, store)
  return {
    linear,
    attention(x, layer) {
      observe('attention', x)
      const joined = joinLinear([layer.query, layer.key, layer.value])
      return graph.node(
        'Attention',
        [
          x,
          store('qkv', transpose(joined.weight, joined.outputs, joined.inputs), [
            joined.inputs,
            joined.outputs,
          ]),
          store('qkv_bias', joined.bias, [joined.outputs]),
          mask,
        ],
        { domain: 'com.microsoft', attributes: { num_heads: shape.heads } },
      )
    },
    feedForward(x, layer) {
      observe('up', x)
      const widened = activation(graph, shape, linear(x, layer.up))
      observe('down', widened)
      return linear(widened, layer.down)
    },
  }
}

/**
 * 8-bit products with scales found as the graph runs, except for the channels that stand out. No mask, see `takesPadding`.
 * @param limit the largest weight, see quantizeLinear.
 */
export function byteProducts(graph: Graph, shape: BertShape, limit: number, maxima: ChannelMaxima): Products {
  const linear = (x: Value, part: Linear) => byteLinear(graph, x, part, limit)
  return {
    linear,
    attention(x, layer, i) {
      const joined = joinLinear([layer.query, layer.key, layer.value])
      const smooth = smoothed(graph, x, joined, maxima.attention[i])
      const split = { attributes: { axis: -1, num_outputs: 3 } }
      const parts = graph.multi('Split', [linear(smooth.x, smooth.linear)], 3, split)
      return graph.node('MultiHeadAttention', parts, {
        domain: 'com.microsoft',
        attributes: { num_heads: shape.heads },
      })
    },
    feedForward(x, layer, i) {
      const apart = channelsApart(maxima.down[i])
      const up = withoutOutputs(layer.up, apart)
      const smooth = smoothed(graph, x, up, maxima.up[i])
      const widened = activation(graph, shape, linear(smooth.x, smooth.linear))
      const narrowed = linear(widened, withoutInputs(layer.down, apart))
      if (apart.length === 0) return narrowed
      const few = activation(
        graph,
        shape,
        floatLinear(graph, x, onlyOutputs(layer.up, apart), floatStore(graph)),
      )
      const down = graph.constant('down_apart', inputRows(layer.down, apart), [apart.length, shape.hidden])
      return graph.node('Add', [narrowed, graph.node('MatMul', [few, down])])
    },
  }
}

function activation(graph: Graph, shape: BertShape, x: Value): Value {
  if (shape.activation === 'relu') return graph.node('Relu', [x])
  const op = shape.activation === 'gelu' ? 'Gelu' : 'FastGelu'
  return graph.node(op, [x], { domain: 'com.microsoft' })
}

function floatLinear(graph: Graph, x: Value, linear: Linear, store: Store): Value {
  const { inputs, outputs } = linear
  const weight = store('weight', transpose(linear.weight, outputs, inputs), [inputs, outputs])
  return graph.node('Add', [graph.node('MatMul', [x, weight]), store('bias', linear.bias, [outputs])])
}

function byteLinear(graph: Graph, x: Value, linear: Linear, limit: number): Value {
  const { data, scales } = quantizeLinear(linear, limit)
  return graph.node(
    'DynamicQuantizeMatMul',
    [
      x,
      graph.constant('weight', data, [linear.inputs, linear.outputs]),
      graph.constant('weight_scale', scales, [linear.outputs]),
      undefined,
      graph.constant('bias', linear.bias, [linear.outputs]),
    ],
    { domain: 'com.microsoft', type: 'float32' },
  )
}

/** x / d and W * d, which give the same product with outlying inputs brought down. */
function smoothed(
  graph: Graph,
  x: Value,
  linear: Linear,
  maxima: Float32Array,
): { readonly x: Value; readonly linear: Linear } {
  const divisors = smoothingDivisors(maxima)
  if (divisors === undefined) return { x, linear }
  const inverse = graph.constant(
    'smoothing',
    divisors.map((divisor) => 1 / divisor),
    [divisors.length],
  )
  const weight = linear.weight.map((value, i) => value * divisors[i % linear.inputs])
  return { x: graph.node('Mul', [x, inverse]), linear: { ...linear, weight } }
}

/** The map with some outputs held at zero, which an activation of zero keeps at zero. */
function withoutOutputs(linear: Linear, outputs: readonly number[]): Linear {
  const weight = linear.weight.slice()
  const bias = linear.bias.slice()
  for (const output of outputs) {
    weight.fill(0, output * linear.inputs, (output + 1) * linear.inputs)
    bias[output] = 0
  }
  return { ...linear, weight, bias }
}

/** The map with some inputs left out of account. */
function withoutInputs(linear: Linear, inputs: readonly number[]): Linear {
  const weight = linear.weight.slice()
  for (const input of inputs) {
    for (let output = 0; output < linear.outputs; output++) weight[output * linear.inputs + input] = 0
  }
  return { ...linear, weight }
}

/** The map to some outputs only. */
function onlyOutputs(linear: Linear, outputs: readonly number[]): Linear {
  const weight = new Float32Array(outputs.length * linear.inputs)
  for (const [i, output] of outputs.entries()) {
    weight.set(
      linear.weight.subarray(output * linear.inputs, (output + 1) * linear.inputs),
      i * linear.inputs,
    )
  }
  return {
    weight,
    bias: Float32Array.from(outputs, (output) => linear.bias[output]),
    inputs: linear.inputs,
    outputs: outputs.length,
  }
}

/** [inputs.length, outputs]: what some inputs contribute, laid out for x W. */
function inputRows(linear: Linear, inputs: readonly number[]): Float32Array {
  const rows = new Float32Array(inputs.length * linear.outputs)
  for (const [i, input] of inputs.entries()) {
    for (let output = 0; output < linear.outputs; output++) {
      rows[i * linear.outputs + output] = linear.weight[output * linear.inputs + input]
    }
  }
  return rows
}

/** Several linear maps of one input as one: outputs side by side. */
function joinLinear(parts: readonly Linear[]): Linear {
  const inputs = parts[0].inputs
  const outputs = parts.reduce((sum, part) => sum + part.outputs, 0)
  const weight = new Float32Array(inputs * outputs)
  const bias = new Float32Array(outputs)
  let row = 0
  for (const part of parts) {
    weight.set(part.weight, row * inputs)
    bias.set(part.bias, row)
    row += part.outputs
  }
  return { weight, bias, inputs, outputs }
}
