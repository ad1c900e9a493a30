import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { safetensorsBytes } from './safetensors.js'
import { type TinyModel, tinyModel } from './tiny-bert.js'

/** All words of a tokenizer that knows letters. */
const WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
for (const letter of 'abcdefghijklmnopqrstuvwxyz') WORDS.push(letter, `##${letter}`)

/** A BERT of two layers that needs no tokenizer but the one that is written beside it. */
export function tinyLetterModel(seed?: number): TinyModel {
  return tinyModel('bert', '', 'gelu', { words: WORDS.length, seed })
}

/** The whole folder: config.json, tokenizer.json and model.safetensors, a few kilobytes in all. */
export function writeTinyModel(folder: string, seed?: number): void {
  mkdirSync(folder, { recursive: true })
  const { config, tensors } = tinyLetterModel(seed)
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
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, pad_token_id: 0 }))
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(tensors))
}
