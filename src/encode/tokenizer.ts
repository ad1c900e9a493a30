import * as tokenizers from '@huggingface/tokenizers'
import { TextrecError } from '../errors.js'
import { isRecord } from './files.js'

/**
 * Long texts are tokenized in pieces of about this many characters, cut at white space: some tokenizers need
 * quadratic time or deep recursion for one very long piece.
 */
const PIECE = 8192

/** The part of the package that is used here; its own declarations do not resolve under 'nodenext'. */
interface HubTokenizer {
  encode(text: string, options?: { add_special_tokens?: boolean }): { readonly ids: readonly number[] }
}
const { Tokenizer: HubTokenizer } = tokenizers as unknown as {
  readonly Tokenizer: new (json: object, config: object) => HubTokenizer
}

/** What tokenizer_config.json says, or for tokenizers shipped without one, what BERT's has always said. */
export const BERT_TOKENIZER_CONFIG = {
  tokenizer_class: 'BertTokenizer',
  do_lower_case: true,
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
}

/** Text to token ids, without special tokens; these are added per window. */
export class Tokenizer {
  private constructor(
    private readonly inner: HubTokenizer,
    /** Goes before every window: [CLS] or <s>. */
    readonly before: readonly number[],
    /** Goes after every window: [SEP] or </s>. */
    readonly after: readonly number[],
    private readonly invalid: (fact: string) => TextrecError,
  ) {}

  /**
   * @param json tokenizer.json, parsed.
   * @param config tokenizer_config.json, parsed, where the model has one.
   * @throws MODEL_INVALID if the tokenizer is of no known kind.
   */
  static create(json: unknown, config: unknown, source: string): Tokenizer {
    const invalid = (fact: string, cause?: unknown) =>
      new TextrecError(
        'MODEL_INVALID',
        `${source}: ${fact}.`,
        "Use the tokenizer.json of the model's own folder.",
        {
          cause,
        },
      )
    if (!isRecord(json) || !isRecord(json.model)) throw invalid('it is not a tokenizer')
    let inner: HubTokenizer
    let before: number[]
    let after: number[]
    try {
      inner = new HubTokenizer(json, isRecord(config) ? config : BERT_TOKENIZER_CONFIG)
      // The post-processor adds the special tokens: what surrounds a plain word is theirs.
      const bare = inner.encode('a', { add_special_tokens: false }).ids
      const whole = inner.encode('a').ids
      const at = whole.findIndex((_, i) => bare.every((id, j) => whole[i + j] === id))
      if (bare.length === 0 || at === -1) throw new Error('special tokens are not where they should be')
      before = whole.slice(0, at)
      after = whole.slice(at + bare.length)
    } catch (cause) {
      throw invalid('it cannot be read', cause)
    }
    return new Tokenizer(inner, before, after, invalid)
  }

  /** How many tokens of a window are special ones. */
  get specialTokens(): number {
    return this.before.length + this.after.length
  }

  /**
   * The ids of a text, any length, the empty text included. Unpaired surrogates count as U+FFFD.
   * @throws MODEL_INVALID if the vocabulary numbers a token with something that is no id
   */
  ids(text: string): Int32Array {
    const sound = text.replace(/\p{Surrogate}/gu, '\ufffd')
    const ids: number[] = []
    for (const piece of pieces(sound)) {
      for (const id of this.inner.encode(piece, { add_special_tokens: false }).ids) {
        // As 32 bits it would be another token's.
        if (!Number.isInteger(id) || id < 0 || id >= 2 ** 31)
          throw this.invalid(`'${String(id)}' is no token's id`)
        ids.push(id)
      }
    }
    return Int32Array.from(ids)
  }
}

/** Cuts at the last white space before the limit, and inside a word only where there is none. */
function* pieces(text: string): Iterable<string> {
  let start = 0
  while (text.length - start > PIECE) {
    let end = start + PIECE
    let space = end
    while (space > start && !/\s/.test(text[space])) space--
    if (space > start) end = space
    else if (/[\udc00-\udfff]/.test(text[end])) end-- // not between the halves of one character
    yield text.slice(start, end)
    start = end
  }
  yield text.slice(start)
}
