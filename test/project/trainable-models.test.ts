import { expect, test } from 'vitest'
import { modelName, TRAINABLE_MODELS, TRAINABLE_NAMES, withModel } from '#src/project/trainable-models.js'
import { TRAIN } from '#src/project/training-options.js'
import { resolveOptions } from '../../src/options.js'
import type { TrainCallOptions } from '../../src/project/training-options.js'
import { textrec } from '../cli/textrec.js'

const resolved = (given: Partial<TrainCallOptions>) => withModel(resolveOptions('train', TRAIN, given), given)

test('every model is settings that training knows, each its own', () => {
  const seen = new Set<string>()
  for (const name of TRAINABLE_NAMES) {
    const { encoder, ids } = resolved({ model: name })
    expect({ encoder, ids }).toEqual(TRAINABLE_MODELS[name])
    expect(modelName(encoder, ids === 'on')).toBe(name)
    seen.add(`${encoder} ${ids}`)
  }
  expect(seen.size).toBe(TRAINABLE_NAMES.length)
})

test('without a model the options stand as they are', () => {
  expect(resolved({ encoder: 'mean', ids: 'auto' })).toMatchObject({ encoder: 'mean', ids: 'auto' })
  expect(resolved({})).toEqual(resolveOptions('train', TRAIN, {}))
})

test('the longer memory has a length of its own, however it is asked for, and yields to what is given', () => {
  for (const given of [{ model: 'sasrec-long' }, { encoder: 'sasrec-long' }] as const) {
    expect(resolved(given)).toMatchObject({ encoder: 'sasrec-long', length: 200, rows: 8 })
    expect(resolved({ ...given, length: 50 })).toMatchObject({ length: 50, rows: 8 })
  }
  expect(resolved({ model: 'gru' })).toMatchObject({ length: 32, rows: 32 })
})

test('a model together with what it decides is refused, and so is one that there is not', () => {
  expect(() => resolved({ model: 'sasrec-text', ids: 'on' })).toThrow(/'ids' are both given/)
  expect(() => resolved({ model: 'bert4rec' as 'sasrec' })).toThrow(/'model' is "bert4rec"/)
})

test('the command line knows the same models', async () => {
  const { stdout } = await textrec(['train', '--help'])
  for (const name of TRAINABLE_NAMES) expect(stdout).toContain(`"${name}"`)
  const wrong = await textrec(['train', '--dir', '.', '--model', 'bert4rec'])
  expect(wrong.code).toBe(2)
})
