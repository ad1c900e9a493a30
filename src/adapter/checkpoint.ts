import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { type JsonObject, publishFolder, removeTemporary } from '../artifact/index.js'
import { isTextrecError } from '../errors.js'
import type { EpochRecord, FitData, FitMemory, StageResult } from './fit-types.js'
import type { TrainOptions } from './options.js'
import { addPrefix, readTensors, type Tensors, withPrefix, writeTensors } from './tensors.js'

const KIND = 'training-checkpoint'
/** Raise it whenever the same inputs would train differently: older checkpoints then start afresh. */
const VERSION = 4

/** Names the inputs of a run: only a run with the very same ones may go on from its checkpoint. */
export function runKey(data: FitData, options: TrainOptions): string {
  const { checkpoint: _, ...rest } = options
  const hash = createHash('sha256').update(JSON.stringify([VERSION, rest, data.texts.rows, data.texts.dim]))
  hash.update(new Uint8Array(data.texts.data.buffer, data.texts.data.byteOffset, data.texts.data.byteLength))
  for (const [name, texts] of [
    ['cold', data.coldTexts === undefined ? [] : [data.coldTexts]],
    ['without', data.textsWithout ?? []],
  ] as const) {
    for (const { data: numbers } of texts) {
      const { buffer, byteOffset, byteLength } = numbers
      hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength))
    }
  }
  const add = (items: Int32Array) => {
    hash.update(Int32Array.of(items.length))
    hash.update(new Uint8Array(items.buffer, items.byteOffset, items.byteLength))
  }
  for (const history of [...data.fitting, ...data.training]) add(history)
  const { times } = data
  if (times !== undefined) {
    hash.update(times.kind)
    const asked = data.validation.map(({ person }) => person.times ?? new Float64Array(0))
    for (const { buffer, byteOffset, byteLength } of [...times.fitting, ...times.training, ...asked]) {
      hash.update(new Uint8Array(buffer, byteOffset, byteLength))
    }
  }
  for (const { user, person, targets, leaveOut } of data.validation) {
    add(Int32Array.of(user))
    for (const items of [person.items, targets, leaveOut ?? new Int32Array(0)]) add(items)
  }
  return hash.digest('hex')
}

type StageFields = { readonly epochs: number; readonly validation: number }
type CurrentFields = {
  readonly stage: string
  readonly nextEpoch: number
  readonly steps: number
} & StageFields

/** Replaces the checkpoint in `folder` in one step. */
export async function saveCheckpoint(folder: string, key: string, memory: FitMemory): Promise<void> {
  let tensors: Tensors = {}
  const done: { [stage: string]: StageFields } = {}
  for (const [stage, { epochs, validation, weights }] of Object.entries(memory.done)) {
    done[stage] = { epochs, validation }
    tensors = { ...tensors, ...addPrefix(weights, `done/${stage}/`) }
  }
  let current: CurrentFields | null = null
  if (memory.current !== undefined) {
    const { stage, nextEpoch, best, state } = memory.current
    current = { stage, nextEpoch, steps: state.steps, epochs: best.epochs, validation: best.validation }
    tensors = { ...tensors, ...addPrefix(best.weights, 'best/'), ...addPrefix(state.tensors, 'state/') }
  }
  const fields = { key, done, current, epochs: memory.epochs } as unknown as JsonObject
  await publishFolder(folder, KIND, async (temporary) => ({
    ...fields,
    ...(await writeTensors(temporary, tensors)),
  }))
}

/** The memory of a run with this key, or undefined where there is none that can be used. */
export async function loadCheckpoint(folder: string, key: string): Promise<FitMemory | undefined> {
  await removeTemporary(dirname(folder))
  let read: Awaited<ReturnType<typeof readTensors>>
  try {
    read = await readTensors(folder, KIND, 'MODEL_INVALID')
  } catch (error) {
    // A damaged or missing checkpoint costs time, not correctness: the run starts afresh.
    if (isTextrecError(error)) return undefined
    throw error
  }
  const { manifest, tensors } = read
  if (manifest.fields.key !== key) return undefined
  const { done, current, epochs } = manifest.fields as unknown as {
    readonly done: { readonly [stage: string]: StageFields }
    readonly current: CurrentFields | null
    readonly epochs: readonly EpochRecord[]
  }
  const stages: { [stage: string]: StageResult } = {}
  for (const [stage, fields] of Object.entries(done)) {
    stages[stage] = { ...fields, weights: withPrefix(tensors, `done/${stage}/`) }
  }
  if (current === null) return { done: stages, epochs }
  const { stage, nextEpoch, steps } = current
  const best = {
    epochs: current.epochs,
    validation: current.validation,
    weights: withPrefix(tensors, 'best/'),
  }
  const state = { steps, tensors: withPrefix(tensors, 'state/') }
  return { done: stages, epochs, current: { stage, nextEpoch, best, state } }
}
