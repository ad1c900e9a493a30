import { expect, test } from 'vitest'
import { EncoderHolder } from '#src/project/encoder-holder.js'

test('who asks while the encoder is being opened gets the same one', async () => {
  const holder = new EncoderHolder({ device: 'cpu', dtype: 'int8', threads: 1, cacheDirectory: undefined })
  const [first, second] = await Promise.all(Array.from({ length: 2 }, () => holder.get('all-MiniLM-L6-v2')))
  expect(second).toBe(first)
  expect(await holder.get('all-MiniLM-L6-v2')).toBe(first)
  await holder.close()
})

test('one that is being opened is held, one that could not be opened is not', async () => {
  const holder = new EncoderHolder({ device: 'cpu', dtype: 'int8', threads: 1, cacheDirectory: undefined })
  expect(holder.isHeld).toBe(false)
  const failing = holder.get('/nowhere/at/all')
  expect(holder.isHeld).toBe(true)
  await expect(failing).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  expect(holder.isHeld).toBe(false)
})
