import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { random } from '../../src/math/random.js'

/** What a tensor is in a safetensors header, and its bytes. */
export interface TinyTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

const HIDDEN = 16
const WIDE = 32
const LAYERS = 2
const POSITIONS = 40
const WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
for (const letter of 'abcdefghijklmnopqrstuvwxyz') WORDS.push(letter, `##${letter}`)

/** The tensors of a BERT of two layers with random weights, in the names of its family. */
export function tinyTensors(seed = 9): Map<string, TinyTensor> {
  const source = random(seed)
  const tensors = new Map<string, TinyTensor>()
  const add = (name: string, shape: readonly number[], spread: number, centre = 0) => {
    const size = shape.reduce((product, dim) => product * dim, 1)
    const data = Float32Array.from({ length: size }, () => centre + spread * source.normal())
    tensors.set(name, { dtype: 'F32', shape, bytes: new Uint8Array(data.buffer) })
  }
  const norm = (name: string) => {
    add(`${name}.weight`, [HIDDEN], 0.1, 1)
    add(`${name}.bias`, [HIDDEN], 0.1)
  }
  const linear = (name: string, outputs: number, inputs: number) => {
    add(`${name}.weight`, [outputs, inputs], 0.3)
    add(`${name}.bias`, [outputs], 0.1)
  }
  add('embeddings.word_embeddings.weight', [WORDS.length, HIDDEN], 1)
  add('embeddings.position_embeddings.weight', [POSITIONS, HIDDEN], 0.5)
  add('embeddings.token_type_embeddings.weight', [2, HIDDEN], 0.5)
  norm('embeddings.LayerNorm')
  for (let layer = 0; layer < LAYERS; layer++) {
    const at = (name: string) => `encoder.layer.${layer}.${name}`
    for (const part of ['query', 'key', 'value']) linear(at(`attention.self.${part}`), HIDDEN, HIDDEN)
    linear(at('attention.output.dense'), HIDDEN, HIDDEN)
    norm(at('attention.output.LayerNorm'))
    linear(at('intermediate.dense'), WIDE, HIDDEN)
    linear(at('output.dense'), HIDDEN, WIDE)
    norm(at('output.LayerNorm'))
  }
  return tensors
}

/** A safetensors file: length of the header, header, tensors one after the other. */
export function safetensorsBytes(tensors: ReadonlyMap<string, TinyTensor>): Buffer {
  const header: Record<string, unknown> = {}
  let at = 0
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] }
    at += bytes.length
  }
  return withHeader(JSON.stringify(header), Buffer.concat([...tensors.values()].map(({ bytes }) => bytes)))
}

/** Any header before any data. @param claimed what the file says the header's length is */
export function withHeader(header: string, data: Uint8Array, claimed?: bigint): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(claimed ?? BigInt(Buffer.byteLength(header)))
  return Buffer.concat([length, Buffer.from(header), data])
}

/** config.json and tokenizer.json of the tiny model. */
export function writeTinyFolder(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const config = {
    model_type: 'bert',
    hidden_size: HIDDEN,
    num_hidden_layers: LAYERS,
    num_attention_heads: 2,
    intermediate_size: WIDE,
    hidden_act: 'gelu',
    type_vocab_size: 2,
    vocab_size: WORDS.length,
    max_position_embeddings: POSITIONS,
  }
  const special = (token: string) => ({ id: token, ids: [WORDS.indexOf(token)], tokens: [token] })
  const tokenizer = {
    added_tokens: WORDS.slice(0, 5).map((content, id) => ({ id, content, special: true })),
    normalizer: { type: 'BertNormalizer', lowercase: true, clean_text: true, handle_chinese_chars: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: { '[CLS]': special('[CLS]'), '[SEP]': special('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
    },
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
}

/** The whole folder. */
export function writeTinyModel(folder: string, seed?: number): void {
  writeTinyFolder(folder)
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(tinyTensors(seed)))
}
