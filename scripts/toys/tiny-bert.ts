import { random } from '../../src/math/random.js'
import type { TensorSpec } from './safetensors.js'

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

export const HIDDEN = 16
export const HEADS = 2
export const LAYERS = 2
const WIDE = 32
const POSITIONS = 40

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

/** @param words of its vocabulary; by default as many as all-MiniLM-L6-v2 knows */
export function tinyModel(
  family: 'bert' | 'roberta' | 'distilbert',
  prefix: string,
  activation: string,
  { words = 30_522, seed = 9 } = {},
): TinyModel {
  const distil = family === 'distilbert'
  const source = random(seed)
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
  add('embeddings.word_embeddings.weight', [words, HIDDEN], 1)
  add('embeddings.position_embeddings.weight', [POSITIONS, HIDDEN], 0.5)
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
    config: { ...config, vocab_size: words, max_position_embeddings: POSITIONS },
    tensors,
    prefix,
    offset: family === 'roberta' ? 2 : 0,
    activation,
    names,
    layer,
    types: !distil,
  }
}
