import { TextrecError } from '../errors.js'
import type { BertShape } from './bert-config.js'
import type { Safetensors } from './safetensors.js'

/** y = x W^T + b as PyTorch stores it: weight [outputs, inputs], row-major. */
export interface Linear {
  readonly weight: Float32Array
  readonly bias: Float32Array
  readonly inputs: number
  readonly outputs: number
}

export interface Norm {
  readonly scale: Float32Array
  readonly bias: Float32Array
}

export interface LayerWeights {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly attentionOutput: Linear
  readonly attentionNorm: Norm
  readonly up: Linear
  readonly down: Linear
  readonly outputNorm: Norm
}

/** Where a family keeps what every encoder of BERT's kind has. */
interface Names {
  readonly layer: string
  readonly query: string
  readonly key: string
  readonly value: string
  readonly attentionOutput: string
  readonly attentionNorm: string
  readonly up: string
  readonly down: string
  readonly outputNorm: string
}

const NAMES: { readonly [family in BertShape['family']]: Names } = {
  bert: {
    layer: 'encoder.layer',
    query: 'attention.self.query',
    key: 'attention.self.key',
    value: 'attention.self.value',
    attentionOutput: 'attention.output.dense',
    attentionNorm: 'attention.output.LayerNorm',
    up: 'intermediate.dense',
    down: 'output.dense',
    outputNorm: 'output.LayerNorm',
  },
  distilbert: {
    layer: 'transformer.layer',
    query: 'attention.q_lin',
    key: 'attention.k_lin',
    value: 'attention.v_lin',
    attentionOutput: 'attention.out_lin',
    attentionNorm: 'sa_layer_norm',
    up: 'ffn.lin1',
    down: 'ffn.lin2',
    outputNorm: 'output_layer_norm',
  },
}

const WORDS = 'embeddings.word_embeddings.weight'

/** The tensors of one encoder, by role; whatever prefix ('bert.', 'roberta.', none) the file gives them. */
export class BertWeights {
  private readonly prefix: string

  /** @throws MODEL_INVALID if the file holds no encoder of this kind. */
  constructor(
    private readonly file: Safetensors,
    private readonly shape: BertShape,
  ) {
    const found = file.names().filter((name) => name === WORDS || name.endsWith(`.${WORDS}`))
    if (found.length !== 1) {
      throw new TextrecError(
        'MODEL_INVALID',
        `The weights have ${found.length} tensors named '${WORDS}'.`,
        'Use the safetensors file of one BERT-family encoder.',
      )
    }
    this.prefix = found[0].slice(0, -WORDS.length)
  }

  /** [vocabulary, hidden] */
  words(): Float32Array {
    return this.read(WORDS, [this.shape.vocabulary, this.shape.hidden])
  }

  /**
   * [maxTokens, hidden]: what is added to the token at each position. The vector of token type 0 is in it,
   * because a single text has no other type.
   */
  positions(): Float32Array {
    const { positions, hidden, positionOffset, tokenTypes } = this.shape
    const table = this.read('embeddings.position_embeddings.weight', [positions, hidden]).slice(
      positionOffset * hidden,
    )
    if (tokenTypes > 0) {
      const type = this.read('embeddings.token_type_embeddings.weight', [tokenTypes, hidden])
      for (let i = 0; i < table.length; i++) table[i] += type[i % hidden]
    }
    return table
  }

  embeddingNorm(): Norm {
    return this.norm('embeddings.LayerNorm')
  }

  /** Read when asked for, so that only one layer is held at a time. */
  layer(i: number): LayerWeights {
    const { hidden, intermediate } = this.shape
    const names = NAMES[this.shape.family]
    const at = (name: string) => `${names.layer}.${i}.${name}`
    return {
      query: this.linear(at(names.query), hidden, hidden),
      key: this.linear(at(names.key), hidden, hidden),
      value: this.linear(at(names.value), hidden, hidden),
      attentionOutput: this.linear(at(names.attentionOutput), hidden, hidden),
      attentionNorm: this.norm(at(names.attentionNorm)),
      up: this.linear(at(names.up), hidden, intermediate),
      down: this.linear(at(names.down), intermediate, hidden),
      outputNorm: this.norm(at(names.outputNorm)),
    }
  }

  private linear(name: string, inputs: number, outputs: number): Linear {
    return {
      weight: this.read(`${name}.weight`, [outputs, inputs]),
      bias: this.read(`${name}.bias`, [outputs]),
      inputs,
      outputs,
    }
  }

  /** Weights converted from TensorFlow call scale and bias gamma and beta. */
  private norm(name: string): Norm {
    const old = this.file.has(`${this.prefix}${name}.gamma`)
    return {
      scale: this.read(`${name}.${old ? 'gamma' : 'weight'}`, [this.shape.hidden]),
      bias: this.read(`${name}.${old ? 'beta' : 'bias'}`, [this.shape.hidden]),
    }
  }

  private read(name: string, shape: readonly number[]): Float32Array {
    return this.file.read(this.prefix + name, shape)
  }
}
