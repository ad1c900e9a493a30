import { lstat, readdir, realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { TextrecError } from '../errors.js'
import { show } from '../options.js'
import { isRecord, readModelJson } from './files.js'
import type { Pooling } from './graph-kinds.js'
import type { ModelSource } from './model-source.js'

/** Where exporters put an ONNX encoder, best first. */
const ONNX_FILES = ['model.onnx', join('onnx', 'model.onnx')]

/**
 * A folder in the layout of a Hugging Face repository: config.json, tokenizer.json and one *.safetensors, or an
 * ONNX file. What sentence-transformers writes is followed where it is there: modules.json and its pooling
 * folder, sentence_bert_config.json (max_seq_length), config_sentence_transformers.json (prompts).
 * @param name what to call the model.
 * @throws MODEL_INVALID if something needed is missing or is a link that leads out of the folder.
 */
export async function readModelFolder(folder: string, name: string): Promise<ModelSource> {
  const root = folder.startsWith('~/') ? join(homedir(), folder.slice(2)) : resolve(folder)
  const files = new ModelFiles(root)
  const entries = await files.list()
  const config = await files.find('config.json')
  const safetensors = chooseSafetensors(entries, root)
  const onnx = safetensors === undefined ? await files.firstOf(ONNX_FILES) : undefined
  if (safetensors === undefined && onnx === undefined) {
    throw invalid(`${root} holds no *.safetensors file and no model.onnx`)
  }
  return {
    name,
    weights:
      safetensors === undefined
        ? { kind: 'onnx', path: onnx as string, config }
        : {
            kind: 'safetensors',
            path: await files.need(safetensors),
            config: await files.need('config.json'),
          },
    tokenizer: await files.need('tokenizer.json'),
    tokenizerConfig: await files.find('tokenizer_config.json'),
    sha256: undefined,
    pooling: await readPooling(files),
    maxTokens: await readMaxTokens(files),
    prefixes: await readPrompts(files),
  }
}

/** The files of one model folder. A link may lead to another file of the folder only. */
class ModelFiles {
  constructor(readonly root: string) {}

  async list(): Promise<string[]> {
    try {
      return await readdir(this.root)
    } catch (cause) {
      throw invalid(`the folder ${this.root} cannot be read`, cause, `${NEEDS} ${MOVED}`)
    }
  }

  /** @throws MODEL_INVALID if it is not there. */
  async need(name: string): Promise<string> {
    const path = await this.find(name)
    if (path === undefined) throw invalid(`${join(this.root, name)} is missing`)
    return path
  }

  async firstOf(names: readonly string[]): Promise<string | undefined> {
    for (const name of names) {
      const path = await this.find(name)
      if (path !== undefined) return path
    }
    return undefined
  }

  async find(name: string): Promise<string | undefined> {
    const path = join(this.root, name)
    try {
      await lstat(path)
    } catch {
      return undefined
    }
    let real: string
    let root: string
    try {
      real = await realpath(path)
      root = await realpath(this.root)
    } catch (cause) {
      throw invalid(`${path} is a link to nothing`, cause)
    }
    const inside = relative(root, real)
    if (inside.startsWith(`..${sep}`) || inside === '..' || isAbsolute(inside)) {
      throw invalid(`${path} is a link out of its folder`)
    }
    return path
  }
}

function chooseSafetensors(entries: readonly string[], root: string): string | undefined {
  const found = entries.filter((entry) => entry.endsWith('.safetensors')).sort()
  if (found.length <= 1 || found.includes('model.safetensors')) {
    return found.includes('model.safetensors') ? 'model.safetensors' : found[0]
  }
  throw invalid(`${root} holds ${found.length} safetensors files and none is model.safetensors`)
}

/** Mean of the tokens, unless the model says otherwise: what most sentence encoders were trained with. */
async function readPooling(files: ModelFiles): Promise<Pooling> {
  const modulesPath = await files.find('modules.json')
  const modules = modulesPath === undefined ? undefined : await readModelJson(modulesPath)
  let folder = '1_Pooling'
  if (Array.isArray(modules)) {
    for (const module of modules) {
      if (!isRecord(module) || typeof module.type !== 'string') continue
      if (module.type.endsWith('.Pooling') && typeof module.path === 'string') folder = module.path
      if (module.type.endsWith('.Dense')) {
        throw invalid(`${modulesPath} asks for a Dense layer after pooling, which is not supported`)
      }
    }
  }
  // The path comes from the model: it may name a folder, not a way out.
  if (!/^[\w-]+$/.test(folder)) throw invalid(`${modulesPath} names the folder ${show(folder)}`)
  const path = await files.find(join(folder, 'config.json'))
  if (path === undefined) return 'mean'
  const config = await readModelJson(path)
  if (!isRecord(config)) throw invalid(`${path} is not an object`)
  const asked = Object.keys(config).filter((key) => key.startsWith('pooling_mode_') && config[key] === true)
  if (asked.length === 0 && config.pooling_mode === undefined) return 'mean'
  const mode =
    asked.length > 0 ? asked.map((key) => key.slice('pooling_mode_'.length)).join(' + ') : config.pooling_mode
  if (mode === 'mean_tokens' || mode === 'mean') return 'mean'
  if (mode === 'cls_token' || mode === 'cls') return 'cls'
  throw invalid(`${path} asks for pooling ${show(mode)}; mean and cls are supported`)
}

async function readMaxTokens(files: ModelFiles): Promise<number | undefined> {
  const path = await files.find('sentence_bert_config.json')
  const config = path === undefined ? undefined : await readModelJson(path)
  const value = isRecord(config) ? config.max_seq_length : undefined
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : undefined
}

async function readPrompts(files: ModelFiles): Promise<ModelSource['prefixes']> {
  const path = await files.find('config_sentence_transformers.json')
  const config = path === undefined ? undefined : await readModelJson(path)
  const prompts = isRecord(config) && isRecord(config.prompts) ? config.prompts : {}
  const text = (...names: string[]) => {
    const found = names.map((name) => prompts[name]).find((value) => typeof value === 'string')
    return (found as string | undefined) ?? ''
  }
  return { query: text('query'), passage: text('passage', 'document') }
}

const NEEDS =
  'A model folder needs config.json, tokenizer.json and *.safetensors, or an ONNX file and tokenizer.json.'
const MOVED = "Where it was moved, 'textrec index --encoder' with its new place makes a project follow it."

function invalid(fact: string, cause?: unknown, remedy = NEEDS): TextrecError {
  return new TextrecError('MODEL_INVALID', `${fact[0].toUpperCase()}${fact.slice(1)}.`, remedy, { cause })
}
