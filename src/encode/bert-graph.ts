import { Graph, type Value } from '../onnx/graph.js'
import type { BertShape } from './bert-config.js'
import type { BertWeights, Norm } from './bert-weights.js'
import { type Pooling, takesPadding } from './graph-kinds.js'
import type { ChannelMaxima } from './outliers.js'
import { byteProducts, floatProducts, type Products } from './products.js'
import { floatStore, halfStore, type Store } from './weight-store.js'

/** The largest weight: 8 bits and sign, or 7 where pairs of products are added in 16 bits. */
const LARGEST_BYTE = { int8: 127, 'int8-7bit': 63 }

/** What a Cast to single precision says of itself. */
const FLOAT32 = { type: 'float32', attributes: { to: 1 } } as const

export type BertGraphOptions = { readonly pooling: Pooling } & (
  | { readonly variant: 'fp32' | 'fp16' }
  /** `maxima` comes from a run of the calibration graph. */
  | { readonly variant: 'int8' | 'int8-7bit'; readonly maxima: ChannelMaxima }
)

/**
 * The whole encoder, from token ids to unit vectors, as one ONNX graph.
 *
 * Inputs: `ids` int32 [batch, tokens] and, except in int8, which takes no padding, `mask` int32 [batch, tokens] (1 for a
 * token, 0 for padding, which must come last). Output: `vectors` float32 [batch, hidden], each of length 1.
 *
 * LayerNormalization and the sum before it stay two nodes: ONNX Runtime's fused form is slower on CPU, so the
 * session must run with optimization 'basic', which does not fuse them again.
 */
export function buildBertGraph(weights: BertWeights, shape: BertShape, options: BertGraphOptions): Graph {
  const graph = new Graph('bert-encoder')
  const store = options.variant === 'fp16' ? halfStore(graph) : floatStore(graph)
  const mask = takesPadding(options.variant) ? maskOf(graph) : undefined
  const products =
    options.variant === 'int8' || options.variant === 'int8-7bit'
      ? byteProducts(graph, shape, LARGEST_BYTE[options.variant], options.maxima)
      : floatProducts(graph, shape, store, mask)
  const states = addLayers(graph, weights, shape, products, store)
  const [before, top] = states.slice(-2)
  const last = options.pooling === 'last-two' ? graph.node('Add', [before, top]) : top
  // Sums over a whole text are left to fp32.
  const x = options.variant === 'fp16' ? graph.node('Cast', [last], FLOAT32) : last
  const pooled = options.pooling === 'cls' ? firstOf(graph, x) : meanOf(graph, x, mask)
  graph.output('vectors', { ...unitLength(graph, pooled), shape: ['batch', shape.hidden] })
  return graph
}

/**
 * The same encoder in fp32, with the ChannelMaxima of what it is fed as outputs: 'attention0', 'up0', 'down0',
 * 'attention1', ..., each float32 [channels].
 */
export function buildCalibrationGraph(weights: BertWeights, shape: BertShape): Graph {
  const graph = new Graph('bert-calibration')
  const seen = { attention: 0, up: 0, down: 0 }
  const store = floatStore(graph)
  const products = floatProducts(graph, shape, store, undefined, (part, value) => {
    const most = graph.node('ReduceMax', [graph.node('Abs', [value]), graph.int64([0, 1])], {
      attributes: { keepdims: 0 },
    })
    graph.output(`${part}${seen[part]++}`, most)
  })
  addLayers(graph, weights, shape, products, store)
  return graph
}

/** Which tokens are text: 1, and which are padding: 0. */
const maskOf = (graph: Graph) => graph.input('mask', 'int32', ['batch', 'tokens'])

/** Token ids, embeddings and all layers, each [batch, tokens, hidden] of the type that weights are stored in. */
function addLayers(
  graph: Graph,
  weights: BertWeights,
  shape: BertShape,
  products: Products,
  store: Store,
): readonly Value[] {
  const ids = graph.input('ids', 'int32', ['batch', 'tokens'])
  const normalized = (value: Value, norm: Norm) => layerNorm(graph, shape, value, norm, store)
  let x = normalized(embed(graph, shape, weights, ids, store), weights.embeddingNorm())
  const states = [x]
  for (let i = 0; i < shape.layers; i++) {
    const layer = weights.layer(i)
    const attended = products.linear(products.attention(x, layer, i), layer.attentionOutput)
    x = normalized(graph.node('Add', [x, attended]), layer.attentionNorm)
    x = normalized(graph.node('Add', [x, products.feedForward(x, layer, i)]), layer.outputNorm)
    states.push(x)
  }
  return states
}

/** Word vector + position vector (which holds the token type): [batch, tokens, hidden]. */
function embed(graph: Graph, shape: BertShape, weights: BertWeights, ids: Value, store: Store): Value {
  const words = store('words', weights.words(), [shape.vocabulary, shape.hidden])
  const table = weights.positions()
  const positions = store('positions', table, [table.length / shape.hidden, shape.hidden])
  const tokens = graph.node('Shape', [ids], { type: 'int64', attributes: { start: 1, end: 2 } })
  const used = graph.node('Slice', [positions, graph.int64([0]), tokens, graph.int64([0])])
  return graph.node('Add', [graph.node('Gather', [words, ids]), used])
}

function layerNorm(graph: Graph, shape: BertShape, x: Value, norm: Norm, store: Store): Value {
  const scale = store('norm_scale', norm.scale, [shape.hidden])
  const bias = store('norm_bias', norm.bias, [shape.hidden])
  return graph.node('LayerNormalization', [x, scale, bias], {
    attributes: { axis: -1, epsilon: { float: shape.layerNormEpsilon } },
  })
}

/** Mean over the tokens that are not padding, as a product [batch, 1, tokens] x [batch, tokens, hidden]. */
function meanOf(graph: Graph, x: Value, mask: Value | undefined): Value {
  if (mask === undefined) {
    return graph.node('ReduceMean', [x, graph.int64([1])], { attributes: { keepdims: 0 } })
  }
  const weights = graph.node('Cast', [mask], FLOAT32)
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
