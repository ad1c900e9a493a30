import { expect, test } from 'vitest'
import { EncoderHolder } from '#src/project/encoder-holder.js'

test('who asks while the encoder is being opened gets the same one', async () => {
  const holder = new EncoderHolder({ device: 'cpu', dtype: 'int8', threads: 1, cacheDirectory: undefined })
  const [first, second] = await Promise.all(Array.from({ length: 2 }, () => holder.get('all-MiniLM-L6-v2')))
  expect(second).toBe(first)
  expect(await holder.get('all-MiniLM-L6-v2')).toBe(first)
  await holder.close()
})
