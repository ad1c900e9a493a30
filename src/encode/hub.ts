import { access, constants, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isTextrecError } from '../errors.js'
import { fetchFile, type HubFetchOptions, unreachable } from './hub-fetch.js'
import { type HubSettings, hubSettings } from './hub-settings.js'
import { isFile, isWholeModelFile } from './whole-file.js'

/** Without these there is no encoder, and without one of the weights, the better ones first. */
const NEEDED = ['config.json', 'tokenizer.json']
const WEIGHTS = ['model.safetensors', 'onnx/model.onnx']
/** What sentence-transformers says about a model. Not every model has them, and transformers.js fetches none. */
const POOLING = ['modules.json', '1_Pooling/config.json']
const OPTIONAL = [
  'tokenizer_config.json',
  ...POOLING,
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
]
/** Says that the hub has been asked for every optional file: one that is not there does not exist. */
const ASKED = '.textrec-asked'

export interface HubOptions extends HubFetchOptions {
  /** Where models are kept; transformers.js' own cache when absent, which is looked into in any case. */
  readonly hubDirectory: string | undefined
  /** textrec knows how the model's tokens are pooled, so that its files need not say it. */
  readonly poolingKnown: boolean
}

/**
 * The folder with the files of a Hugging Face repository: `<hubDirectory>/<org>/<name>`, or the same below
 * transformers.js' `env.cacheDir`. Both have the layout of transformers.js, so that what one program fetched
 * serves the other. A model that is there needs no network; what is missing or only half written is fetched.
 * @throws MODEL_UNREACHABLE if a needed file can be had neither from a cache nor from the network; DISK_FULL or
 *   FILE_UNREADABLE if it cannot be kept; DEPENDENCY_MISSING; ABORTED.
 */
export async function hubModelFolder(id: string, options: HubOptions): Promise<string> {
  const settings = await hubSettings(options.hubDirectory)
  const folders = settings.folders.map((folder) => join(folder, ...id.split('/')))
  for (const folder of folders) {
    if (!(await hasModel(folder))) continue
    if (!(await isFile(join(folder, ASKED)))) await completeFromHub(settings, id, folder, options)
    return folder
  }
  const [folder] = folders
  for (const file of [...OPTIONAL, ...NEEDED]) {
    const found = await fetchIfMissing(settings, id, folder, file, options)
    if (!found && NEEDED.includes(file)) throw unreachable(settings, `${id}/${file}`, 'it is not there')
  }
  for (const file of WEIGHTS) {
    if (!(await fetchIfMissing(settings, id, folder, file, options))) continue
    await writeFile(join(folder, ASKED), '')
    return folder
  }
  throw unreachable(settings, `${id}/${WEIGHTS.join(' or ')}`, 'it is not there')
}

async function hasModel(folder: string): Promise<boolean> {
  for (const file of NEEDED) if (!(await isWholeModelFile(join(folder, file)))) return false
  for (const file of WEIGHTS) if (await isWholeModelFile(join(folder, file))) return true
  return false
}

/**
 * Asks for the optional files of a model that transformers.js has fetched. Where that cannot be done the model is
 * used as it is: without a network, and in a cache that may only be read.
 */
async function completeFromHub(
  settings: HubSettings,
  id: string,
  folder: string,
  options: HubOptions,
): Promise<void> {
  try {
    await access(folder, constants.W_OK)
    for (const file of OPTIONAL) await fetchIfMissing(settings, id, folder, file, options)
    await writeFile(join(folder, ASKED), '')
  } catch (error) {
    if (isTextrecError(error) && error.code !== 'MODEL_UNREACHABLE') throw error
    const said = await Promise.all(POOLING.map((file) => isWholeModelFile(join(folder, file))))
    if (options.poolingKnown || said.includes(true)) return
    process.emitWarning(
      `${id} was found in ${folder} without its modules.json, and the hub cannot be asked: its tokens are pooled by their mean.`,
      'TextrecWarning',
    )
  }
}

/**
 * What answers 200 to everything, the login page of a network for one, is not kept: a file that the hub does not
 * have would never be fetched over it.
 * @returns whether there is such a file
 */
async function fetchIfMissing(
  settings: HubSettings,
  id: string,
  folder: string,
  file: string,
  options: HubFetchOptions,
): Promise<boolean> {
  const target = join(folder, file)
  if (await isWholeModelFile(target)) return true
  const fetched = await fetchFile(settings, id, file, target, options)
  if (fetched && file.endsWith('.json') && !(await isWholeModelFile(target))) {
    await rm(target, { force: true })
    throw unreachable(settings, `${id}/${file}`, 'what came is not JSON')
  }
  return fetched
}
