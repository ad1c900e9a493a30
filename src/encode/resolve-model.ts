import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { TextrecError } from '../errors.js'
import { nearest, show } from '../options.js'
import { POOLINGS } from './graph-kinds.js'
import type { HubOptions } from './hub.js'
import { type KnownModel, knownEncoders } from './known-models.js'
import { readModelFolder } from './model-folder.js'
import type { ModelSource } from './model-source.js'

/** How a model that comes from the Hugging Face hub is looked up and fetched. */
export type ResolveOptions = Omit<HubOptions, 'poolingKnown'>

/** Hugging Face's own rule for names, which leaves no room for '..', a backslash or a control character. */
const HUB_ID = /^[A-Za-z0-9](?:[\w-]|\.(?!\.))*\/[A-Za-z0-9](?:[\w-]|\.(?!\.))*$/

/**
 * Finds the files of an encoder, downloading them if need be.
 * A name that starts with '.', '/' or '~', or that exists as a folder, is a folder; then come known names; then
 * Hugging Face ids. Behind any of them '#cls', '#mean' or '#last-two' pools its tokens so, whatever the model asks for.
 * @throws MODEL_UNKNOWN for a name of no kind; MODEL_INVALID for a folder without a model; MODEL_UNREACHABLE.
 */
export async function resolveModel(name: string, options: ResolveOptions): Promise<ModelSource> {
  if (typeof name !== 'string' || name === '' || name.length > 4096 || /\p{Cc}/u.test(name)) {
    throw new TextrecError('MODEL_UNKNOWN', `${show(name)} is no name of an encoder.`, SUGGESTION)
  }
  const mark = name.lastIndexOf('#')
  const pooling = POOLINGS.find((known) => known === name.slice(mark + 1))
  if (mark > 0 && pooling !== undefined && !isFolder(name)) {
    return { ...(await resolveModel(name.slice(0, mark), options)), name, pooling }
  }
  const known = knownEncoders().find((model) => model.name === name)
  if (known !== undefined) return resolveKnown(known, options)
  if (/^[./~\\]|^[A-Za-z]:[\\/]/.test(name) || isFolder(name)) return readModelFolder(name, name)
  const byHubId = knownEncoders().find((model) => model.source.huggingFace === name)
  if (byHubId !== undefined) return resolveKnown(byHubId, options)
  if (HUB_ID.test(name)) {
    const { hubModelFolder } = await import('./hub.js')
    return readModelFolder(await hubModelFolder(name, { ...options, poolingKnown: false }), name)
  }
  const names = knownEncoders().map((model) => model.name)
  const near = nearest(name, names)
  throw new TextrecError(
    'MODEL_UNKNOWN',
    `There is no encoder ${show(name)}.`,
    near === undefined ? SUGGESTION : `Did you mean '${near}'?`,
  )
}

const SUGGESTION = "Use a known name such as 'all-MiniLM-L6-v2', a Hugging Face id 'org/name', or a folder."

async function resolveKnown(model: KnownModel, options: ResolveOptions): Promise<ModelSource> {
  const own = {
    name: model.name,
    pooling: model.pooling,
    maxTokens: model.maxTokens,
    prefixes: model.prefixes,
    sha256: model.sha256,
  }
  if (model.source.npm !== undefined && model.files !== undefined) {
    const root = packageFolder(model.source.npm)
    return {
      ...own,
      weights: {
        kind: 'safetensors',
        path: join(root, model.files.weights),
        config: join(root, model.files.config),
      },
      tokenizer: join(root, model.files.tokenizer),
      tokenizerConfig: undefined,
    }
  }
  const { hubModelFolder } = await import('./hub.js')
  const folder = await hubModelFolder(model.source.huggingFace, { ...options, poolingKnown: true })
  return { ...(await readModelFolder(folder, model.name)), ...own }
}

/** The folder of an installed package, which need not export its package.json. */
function packageFolder(name: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  const found = folders
    .map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, 'package.json')))
  if (found !== undefined) return found
  throw new TextrecError(
    'DEPENDENCY_MISSING',
    `The package ${name} with the default encoder is not installed.`,
    `Run npm install ${name}.`,
  )
}

function isFolder(name: string): boolean {
  try {
    return statSync(name).isDirectory()
  } catch {
    return false // also what is too long for a name, or a link to itself
  }
}
