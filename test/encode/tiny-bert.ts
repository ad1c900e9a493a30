import { random } from '#src/math/random.js'
import type { TensorSpec } from './support.js'

/** A BERT with 16 hidden units and random weights, in the names of its family. */
export interface TinyModel {
  readonly config: Record<string, unknown>
  readonly tensors: Map<string, TensorSpec>
  readonly prefix: string
  readonly offset: number
  readonly activation: string
  readonly names: Record<string, string>
  readonly layer: string
  readonly types: boolean
}

const HIDDEN = 16
const HEADS = 2
const LAYERS = 2
const WIDE = 32
const WORDS = 30_522

const BERT = {
  q: 'attention.self.query',
  k: 'attention.self.key',
  v: 'attention.self.value',
  o: 'attention.output.dense',
  n1: 'attention.output.LayerNorm',
  up: 'intermediate.dense',
  down: 'output.dense',
  n2: 'output.LayerNorm',
}
const DISTIL = {
  q: 'attention.q_lin',
  k: 'attention.k_lin',
  v: 'attention.v_lin',
  o: 'attention.out_lin',
  n1: 'sa_layer_norm',
  up: 'ffn.lin1',
  down: 'ffn.lin2',
  n2: 'output_layer_norm',
}

export function tinyModel(
  family: 'bert' | 'roberta' | 'distilbert',
  prefix: string,
  activation: string,
): TinyModel {
  const distil = family === 'distilbert'
  const source = random(9)
  const tensors = new Map<string, TensorSpec>()
  const add = (name: string, shape: number[], spread: number, centre = 0) => {
    const size = shape.reduce((product, dim) => product * dim, 1)
    const data = Float32Array.from({ length: size }, () => centre + spread * source.normal())
    tensors.set(prefix + name, { shape, data })
  }
  const norm = (name: string) => {
    add(`${name}.weight`, [HIDDEN], 0.1, 1)
    add(`${name}.bias`, [HIDDEN], 0.1)
  }
  const linear = (name: string, outputs: number, inputs: number) => {
    add(`${name}.weight`, [outputs, inputs], 0.3)
    add(`${name}.bias`, [outputs], 0.1)
  }
  const names = distil ? DISTIL : BERT
  const layer = distil ? 'transformer.layer' : 'encoder.layer'
  add('embeddings.word_embeddings.weight', [WORDS, HIDDEN], 1)
  add('embeddings.position_embeddings.weight', [40, HIDDEN], 0.5)
  if (!distil) add('embeddings.token_type_embeddings.weight', [2, HIDDEN], 0.5)
  norm('embeddings.LayerNorm')
  for (let i = 0; i < LAYERS; i++) {
    const at = (name: string) => `${layer}.${i}.${name}`
    for (const part of [names.q, names.k, names.v, names.o]) linear(at(part), HIDDEN, HIDDEN)
    linear(at(names.up), WIDE, HIDDEN)
    linear(at(names.down), HIDDEN, WIDE)
    norm(at(names.n1))
    norm(at(names.n2))
  }
  const config = distil
    ? { model_type: family, dim: HIDDEN, n_layers: LAYERS, n_heads: HEADS, hidden_dim: WIDE, activation }
    : {
        model_type: family,
        hidden_size: HIDDEN,
        num_hidden_layers: LAYERS,
        num_attention_heads: HEADS,
        intermediate_size: WIDE,
        hidden_act: activation,
        type_vocab_size: 2,
        pad_token_id: 1,
      }
  return {
    config: { ...config, vocab_size: WORDS, max_position_embeddings: 40 },
    tensors,
    prefix,
    offset: family === 'roberta' ? 2 : 0,
    activation,
    names,
    layer,
    types: !distil,
  }
}

/** The encoder as its paper writes it, one number at a time in double precision; not of unit length. */
export function slowBert(model: TinyModel, ids: readonly number[], pooling: 'mean' | 'cls'): number[] {
  const get = (name: string) => (model.tensors.get(model.prefix + name) as TensorSpec).data
  const norm = (x: number[], name: string) => {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length
    const scale = get(`${name}.weight`)
    const bias = get(`${name}.bias`)
    return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-12)) * scale[i] + bias[i])
  }
  const linear = (x: number[], name: string) => {
    const weight = get(`${name}.weight`)
    return Array.from(get(`${name}.bias`), (bias, o) =>
      x.reduce((sum, value, i) => sum + value * weight[o * x.length + i], bias),
    )
  }
  const plus = (a: number[], b: number[]) => a.map((value, i) => value + b[i])
  let x = ids.map((id, position) => {
    const at = (name: string, i: number) => Array.from(get(name).subarray(i * HIDDEN, (i + 1) * HIDDEN))
    const sum = plus(
      at('embeddings.word_embeddings.weight', id),
      at('embeddings.position_embeddings.weight', position + model.offset),
    )
    return norm(
      model.types ? plus(sum, at('embeddings.token_type_embeddings.weight', 0)) : sum,
      'embeddings.LayerNorm',
    )
  })
  for (let i = 0; i < LAYERS; i++) {
    const at = (part: string) => `${model.layer}.${i}.${model.names[part]}`
    const [q, k, v] = ['q', 'k', 'v'].map((part) => x.map((token) => linear(token, at(part))))
    const size = HIDDEN / HEADS
    const context = x.map((_, a) => {
      const mixed: number[] = []
      for (let head = 0; head < HEADS; head++) {
        const part = (vector: number[]) => vector.slice(head * size, (head + 1) * size)
        const scores = k.map((key) =>
          Math.exp(part(q[a]).reduce((sum, value, j) => sum + value * part(key)[j], 0) / Math.sqrt(size)),
        )
        const total = scores.reduce((sum, value) => sum + value, 0)
        for (let j = 0; j < size; j++) {
          mixed.push(scores.reduce((sum, score, b) => sum + (score / total) * part(v[b])[j], 0))
        }
      }
      return mixed
    })
    x = x.map((token, a) => norm(plus(token, linear(context[a], at('o'))), at('n1')))
    x = x.map((token) => {
      const widened = linear(token, at('up')).map((value) => activate(value, model.activation))
      return norm(plus(token, linear(widened, at('down'))), at('n2'))
    })
  }
  if (pooling === 'cls') return x[0]
  return x.reduce(plus).map((value) => value / x.length)
}

function activate(x: number, kind: string): number {
  if (kind === 'relu') return Math.max(0, x)
  if (kind === 'gelu_new') return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
  return 0.5 * x * (1 + erf(x / Math.SQRT2))
}

/** The error function by its Taylor series, which is exact enough for the small arguments here. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
