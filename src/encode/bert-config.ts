import { TextrecError } from '../errors.js'
import { show } from '../options.js'

/** What separates a token from its vector: every size of the encoder, read from config.json. */
export interface BertShape {
  readonly family: 'bert' | 'distilbert'
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly intermediate: number
  readonly vocabulary: number
  /** Rows of the position table, before `positionOffset` of them are left out. */
  readonly positions: number
  /** RoBERTa counts positions from padding_idx + 1; BERT from 0. */
  readonly positionOffset: number
  /** Rows of the token type table; 0 where the family has none. */
  readonly tokenTypes: number
  readonly activation: 'gelu' | 'gelu_tanh' | 'relu'
  readonly layerNormEpsilon: number
}

const ACTIVATIONS = new Map<unknown, BertShape['activation']>([
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['gelu_new', 'gelu_tanh'],
  ['gelu_fast', 'gelu_tanh'],
  ['gelu_pytorch_tanh', 'gelu_tanh'],
  ['relu', 'relu'],
])

/** Families whose layers are BERT's: the rest differ in positions or in the order of their layers. */
const SUPPORTED = ['bert', 'roberta', 'xlm-roberta', 'camembert', 'distilbert']

/** The most tokens that one input may have. */
export function maxTokensOf(shape: BertShape): number {
  return shape.positions - shape.positionOffset
}

/**
 * Reads config.json of a Hugging Face BERT, RoBERTa, XLM-RoBERTa, CamemBERT or DistilBERT.
 * @throws MODEL_INVALID naming the field for anything else, or for a size that no real encoder has.
 */
export function readBertConfig(config: unknown, source: string): BertShape {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw invalid(source, 'it is not a JSON object')
  }
  const fields = config as { readonly [name: string]: unknown }
  const type = fields.model_type
  if (typeof type !== 'string' || !SUPPORTED.includes(type)) {
    throw invalid(source, `model_type is ${show(type)}, not ${SUPPORTED.join(', ')}`)
  }
  if ((fields.position_embedding_type ?? 'absolute') !== 'absolute') {
    throw invalid(
      source,
      `position_embedding_type is ${show(fields.position_embedding_type)}, not 'absolute'`,
    )
  }
  const size = (name: string, max: number) => {
    const value = fields[name]
    if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > max) {
      throw invalid(source, `${name} is ${show(value)}, not a whole number from 1 to ${max}`)
    }
    return value as number
  }
  const distil = type === 'distilbert'
  const activation = ACTIVATIONS.get(fields[distil ? 'activation' : 'hidden_act'] ?? 'gelu')
  if (activation === undefined) {
    throw invalid(
      source,
      `the activation is ${show(fields.hidden_act ?? fields.activation)}, not a kind of gelu or relu`,
    )
  }
  const epsilon = fields.layer_norm_eps ?? 1e-12
  if (typeof epsilon !== 'number' || !(epsilon > 0 && epsilon < 1)) {
    throw invalid(source, `layer_norm_eps is ${show(epsilon)}`)
  }
  const roberta = type !== 'bert' && !distil
  const shape: BertShape = {
    family: distil ? 'distilbert' : 'bert',
    hidden: size(distil ? 'dim' : 'hidden_size', 16_384),
    layers: size(distil ? 'n_layers' : 'num_hidden_layers', 256),
    heads: size(distil ? 'n_heads' : 'num_attention_heads', 256),
    intermediate: size(distil ? 'hidden_dim' : 'intermediate_size', 65_536),
    vocabulary: size('vocab_size', 4_000_000),
    positions: size('max_position_embeddings', 65_536),
    positionOffset: roberta ? size('pad_token_id', 16) + 1 : 0,
    tokenTypes: distil ? 0 : size('type_vocab_size', 64),
    activation,
    layerNormEpsilon: epsilon,
  }
  if (shape.hidden % shape.heads !== 0) {
    throw invalid(source, `${shape.hidden} hidden units cannot be shared by ${shape.heads} heads`)
  }
  if (maxTokensOf(shape) < 8) throw invalid(source, `it has ${shape.positions} positions`)
  return shape
}

function invalid(source: string, fact: string): TextrecError {
  return new TextrecError(
    'MODEL_INVALID',
    `${source} does not describe an encoder that textrec can build: ${fact}.`,
    `Use a model of type ${SUPPORTED.join(', ')}, or a folder with its ONNX file.`,
  )
}
