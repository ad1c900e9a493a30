import { Graph, type Value } from '../onnx/graph.js'
import type { BertShape } from './bert-config.js'
import type { BertWeights, LayerWeights, Linear, Norm } from './bert-weights.js'
import { quantizeLinear, transpose } from './quantize.js'

/** Raised whenever the same weights would give another graph: cached graphs and stored vectors are then stale. */
export const GRAPH_VERSION = 1

export type Pooling = 'mean' | 'cls'

/**
 * fp32: every device. int8: dynamic 8-bit products, CPU only, exact where the processor multiplies bytes into
 * 32 bits (VNNI, dot product). int8-7bit: the same with weights of 7 bits, for processors that saturate.
 */
export type GraphVariant = 'fp32' | 'int8' | 'int8-7bit'

export interface BertGraphOptions {
  readonly variant: GraphVariant
  readonly pooling: Pooling
}

/**
 * Adds `x W + b` to a graph. Each variant has its own operators, the rest of the encoder is the same.
 */
interface Products {
  linear(x: Value, linear: Linear): Value
  attention(x: Value, mask: Value, layer: LayerWeights): Value
}

/**
 * The whole encoder, from token ids to unit vectors, as one ONNX graph.
 *
 * Inputs: `ids` int32 [batch, tokens], `mask` int32 [batch, tokens] (1 for a token, 0 for padding, which must
 * come last). Output: `vectors` float32 [batch, hidden], each of length 1.
 *
 * LayerNormalization and the sum before it stay two nodes: ONNX Runtime's fused form is slower on CPU, so the
 * session must run with optimization 'basic', which does not fuse them again.
 */
export function buildBertGraph(weights: BertWeights, shape: BertShape, options: BertGraphOptions): Graph {
  const graph = new Graph('bert-encoder')
  const ids = graph.input('ids', 'int32', ['batch', 'tokens'])
  const mask = graph.input('mask', 'int32', ['batch', 'tokens'])
  const products =
    options.variant === 'fp32'
      ? floatProducts(graph, shape)
      : byteProducts(graph, shape, options.variant === 'int8' ? 127 : 63)

  let x = layerNorm(graph, shape, embed(graph, shape, weights, ids), weights.embeddingNorm())
  for (let i = 0; i < shape.layers; i++) {
    const layer = weights.layer(i)
    const attended = products.linear(products.attention(x, mask, layer), layer.attentionOutput)
    x = layerNorm(graph, shape, graph.node('Add', [x, attended]), layer.attentionNorm)
    const widened = activation(graph, shape, products.linear(x, layer.up))
    x = layerNorm(
      graph,
      shape,
      graph.node('Add', [x, products.linear(widened, layer.down)]),
      layer.outputNorm,
    )
  }
  const pooled = options.pooling === 'mean' ? meanOf(graph, x, mask) : firstOf(graph, x)
  const vectors = unitLength(graph, pooled)
  graph.output('vectors', { ...vectors, shape: ['batch', shape.hidden] })
  return graph
}

/** Word vector + position vector (which holds the token type): float32 [batch, tokens, hidden]. */
function embed(graph: Graph, shape: BertShape, weights: BertWeights, ids: Value): Value {
  const words = graph.constant('words', weights.words(), [shape.vocabulary, shape.hidden])
  const table = weights.positions()
  const positions = graph.constant('positions', table, [table.length / shape.hidden, shape.hidden])
  const tokens = graph.node('Shape', [ids], { type: 'int64', attributes: { start: 1, end: 2 } })
  const used = graph.node('Slice', [positions, graph.int64([0]), tokens, graph.int64([0])])
  return graph.node('Add', [graph.node('Gather', [words, ids]), used])
}

function layerNorm(graph: Graph, shape: BertShape, x: Value, norm: Norm): Value {
  const scale = graph.constant('norm_scale', norm.scale, [shape.hidden])
  const bias = graph.constant('norm_bias', norm.bias, [shape.hidden])
  return graph.node('LayerNormalization', [x, scale, bias], {
    attributes: { axis: -1, epsilon: { float: shape.layerNormEpsilon } },
  })
}

function activation(graph: Graph, shape: BertShape, x: Value): Value {
  if (shape.activation === 'relu') return graph.node('Relu', [x])
  const op = shape.activation === 'gelu' ? 'Gelu' : 'FastGelu'
  return graph.node(op, [x], { domain: 'com.microsoft' })
}

function floatProducts(graph: Graph, shape: BertShape): Products {
  return {
    linear(x, linear) {
      const { inputs, outputs } = linear
      const weight = graph.constant('weight', transpose(linear.weight, outputs, inputs), [inputs, outputs])
      return graph.node('Add', [
        graph.node('MatMul', [x, weight]),
        graph.constant('bias', linear.bias, [outputs]),
      ])
    },
    attention(x, mask, layer) {
      const joined = joinLinear([layer.query, layer.key, layer.value])
      const weight = transpose(joined.weight, joined.outputs, joined.inputs)
      return graph.node(
        'Attention',
        [
          x,
          graph.constant('qkv', weight, [joined.inputs, joined.outputs]),
          graph.constant('qkv_bias', joined.bias, [joined.outputs]),
          mask,
        ],
        { domain: 'com.microsoft', attributes: { num_heads: shape.heads } },
      )
    },
  }
}

function byteProducts(graph: Graph, shape: BertShape, limit: number): Products {
  return {
    linear(x, linear) {
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
    },
    attention(x, mask, layer) {
      const joined = joinLinear([layer.query, layer.key, layer.value])
      const { data, scales } = quantizeLinear(joined, limit)
      const [bytes, scale, zero] = graph.multi('DynamicQuantizeLinear', [x], 3, { type: 'uint8' })
      return graph.node(
        'QAttention',
        [
          bytes,
          graph.constant('qkv', data, [joined.inputs, joined.outputs]),
          graph.constant('qkv_bias', joined.bias, [joined.outputs]),
          scale,
          graph.constant('qkv_scale', scales, [joined.outputs]),
          mask,
          zero,
        ],
        { domain: 'com.microsoft', type: 'float32', attributes: { num_heads: shape.heads } },
      )
    },
  }
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

/** Mean over the tokens that are not padding, as a product [batch, 1, tokens] x [batch, tokens, hidden]. */
function meanOf(graph: Graph, x: Value, mask: Value): Value {
  const weights = graph.node('Cast', [mask], { type: 'float32', attributes: { to: 1 } })
  const count = graph.node('ReduceSum', [weights, graph.int64([1])], { attributes: { keepdims: 1 } })
  const row = graph.node('Unsqueeze', [graph.node('Div', [weights, count]), graph.int64([1])])
  return graph.node('Squeeze', [graph.node('MatMul', [row, x]), graph.int64([1])])
}

/** The vector of the first token, [CLS]. */
function firstOf(graph: Graph, x: Value): Value {
  const first = graph.constant('first', new Int32Array([0]), [])
  return graph.node('Gather', [x, first], { attributes: { axis: 1 } })
}

function unitLength(graph: Graph, x: Value): Value {
  const squares = graph.node('ReduceSum', [graph.node('Mul', [x, x]), graph.int64([1])], {
    attributes: { keepdims: 1 },
  })
  const length = graph.node('Sqrt', [squares])
  // A zero vector would become NaN; no real encoder gives one, but a stored vector must be finite.
  return graph.node('Div', [x, graph.node('Max', [length, graph.scalar(1e-12, 'least_length')])])
}
