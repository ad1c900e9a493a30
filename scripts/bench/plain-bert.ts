import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BertShape, readBertConfig } from '../../src/encode/bert-config.js'
import { BertWeights, type Linear, type Norm } from '../../src/encode/bert-weights.js'
import { transpose } from '../../src/encode/quantize.js'
import { Safetensors } from '../../src/encode/safetensors.js'
import { BERT_TOKENIZER_CONFIG } from '../../src/encode/tokenizer.js'
import { Graph, type Value } from '../../src/onnx/graph.js'
import { serializeModel } from '../../src/onnx/protobuf.js'

/** Where the files of a BERT encoder lie. */
export interface ModelFiles {
  readonly weightsPath: string
  readonly tokenizerPath: string
  readonly configPath: string
}

/**
 * Writes a folder as exporters write it, for whoever reads such folders: config.json, tokenizer.json,
 * tokenizer_config.json and onnx/model.onnx, the plain fp32 graph in standard operators, from the same weights
 * that we use. What a runtime fuses in it is its own affair.
 */
export function writePlainModel(folder: string, files: ModelFiles): void {
  mkdirSync(join(folder, 'onnx'), { recursive: true })
  copyFileSync(files.configPath, join(folder, 'config.json'))
  copyFileSync(files.tokenizerPath, join(folder, 'tokenizer.json'))
  const tokenizer = { ...BERT_TOKENIZER_CONFIG, model_max_length: 256 }
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(tokenizer))
  const shape = readBertConfig(JSON.parse(readFileSync(files.configPath, 'utf8')), files.configPath)
  const tensors = Safetensors.parse(readFileSync(files.weightsPath), files.weightsPath)
  const graph = plainBert(new BertWeights(tensors, shape), shape)
  writeFileSync(join(folder, 'onnx', 'model.onnx'), serializeModel(graph))
}

/** input_ids, attention_mask and token_type_ids int64 [batch, tokens] to last_hidden_state [batch, tokens, hidden]. */
function plainBert(weights: BertWeights, shape: BertShape): Graph {
  const graph = new Graph('bert')
  const dims = ['batch', 'tokens']
  const ids = graph.input('input_ids', 'int64', dims)
  const mask = graph.input('attention_mask', 'int64', dims)
  graph.input('token_type_ids', 'int64', dims) // one type of token only, which the positions' table holds
  const words = graph.constant('words', weights.words(), [shape.vocabulary, shape.hidden])
  const table = weights.positions()
  const positions = graph.constant('positions', table, [table.length / shape.hidden, shape.hidden])
  const tokens = graph.node('Shape', [ids], { type: 'int64', attributes: { start: 1, end: 2 } })
  const used = graph.node('Slice', [positions, graph.int64([0]), tokens, graph.int64([0])])
  const sum = graph.node('Add', [graph.node('Gather', [words, ids]), used])
  const bias = attentionBias(graph, mask)
  let x = norm(graph, shape, sum, weights.embeddingNorm())
  for (let i = 0; i < shape.layers; i++) {
    const layer = weights.layer(i)
    const heads = (linear: Linear, order: readonly number[]) => splitHeads(graph, shape, linear, x, order)
    const query = heads(layer.query, [0, 2, 1, 3])
    const key = heads(layer.key, [0, 2, 3, 1])
    const value = heads(layer.value, [0, 2, 1, 3])
    const scale = graph.scalar(Math.sqrt(shape.hidden / shape.heads))
    const scores = graph.node('Div', [graph.node('MatMul', [query, key]), scale])
    const shares = graph.node('Softmax', [graph.node('Add', [scores, bias])], { attributes: { axis: -1 } })
    const mixed = graph.node('Transpose', [graph.node('MatMul', [shares, value])], {
      attributes: { perm: [0, 2, 1, 3] },
    })
    const joined = graph.node('Reshape', [mixed, graph.int64([0, 0, shape.hidden])])
    const attended = graph.node('Add', [linear(graph, joined, layer.attentionOutput), x])
    x = norm(graph, shape, attended, layer.attentionNorm)
    const wide = gelu(graph, linear(graph, x, layer.up))
    x = norm(graph, shape, graph.node('Add', [linear(graph, wide, layer.down), x]), layer.outputNorm)
  }
  graph.output('last_hidden_state', { ...x, shape: ['batch', 'tokens', shape.hidden] })
  return graph
}

/** 0 for a token and a very low number for padding: float32 [batch, 1, 1, tokens]. */
function attentionBias(graph: Graph, mask: Value): Value {
  const there = graph.node('Cast', [mask], { type: 'float32', attributes: { to: 1 } })
  const absent = graph.node('Sub', [graph.scalar(1), there])
  const low = graph.node('Mul', [absent, graph.scalar(-3.4028234663852886e38)])
  return graph.node('Unsqueeze', [low, graph.int64([1, 2])])
}

function splitHeads(graph: Graph, shape: BertShape, part: Linear, x: Value, perm: readonly number[]): Value {
  const split = graph.int64([0, 0, shape.heads, shape.hidden / shape.heads])
  const parted = graph.node('Reshape', [linear(graph, x, part), split])
  return graph.node('Transpose', [parted], { attributes: { perm } })
}

function linear(graph: Graph, x: Value, { weight, bias, inputs, outputs }: Linear): Value {
  const matrix = graph.constant('weight', transpose(weight, outputs, inputs), [inputs, outputs])
  return graph.node('Add', [graph.node('MatMul', [x, matrix]), graph.constant('bias', bias, [outputs])])
}

/** x * (1 + erf(x / sqrt 2)) / 2 in the operators that exporters use. */
function gelu(graph: Graph, x: Value): Value {
  const inner = graph.node('Erf', [graph.node('Div', [x, graph.scalar(Math.SQRT2)])])
  const sum = graph.node('Add', [inner, graph.scalar(1)])
  return graph.node('Mul', [graph.node('Mul', [x, sum]), graph.scalar(0.5)])
}

function norm(graph: Graph, shape: BertShape, x: Value, { scale, bias }: Norm): Value {
  const constants = [
    graph.constant('norm_scale', scale, [shape.hidden]),
    graph.constant('norm_bias', bias, [shape.hidden]),
  ]
  return graph.node('LayerNormalization', [x, ...constants], {
    attributes: { axis: -1, epsilon: { float: shape.layerNormEpsilon } },
  })
}
