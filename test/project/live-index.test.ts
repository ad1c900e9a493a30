import { expect, test } from 'vitest'
import { type LiveState, readLive, setLiveState } from '#src/project/live-index.js'
import { Store } from '#src/store/index.js'
import { temporaryFolder } from './shelf.js'

const state = (indexId: string): LiveState => ({
  indexId,
  space: 'test',
  encoder: { name: 'none', dtype: 'fp32', fingerprint: 'none' },
  dim: 8,
})

test('what another process has replaced and removed is read again, and damage is told once', async () => {
  const store = Store.open(temporaryFolder(), { create: true })
  const seen: (string | undefined)[] = []
  const read = (at: LiveState | undefined) => {
    seen.push(at?.indexId)
    return at?.indexId === 'third' ? Promise.resolve('whole') : Promise.reject(new Error('missing'))
  }
  await expect(readLive(store, read)).rejects.toThrow('missing')
  expect(seen.splice(0)).toEqual([undefined])

  setLiveState(store, state('first'))
  const published = ['second', 'third']
  const whole = await readLive(store, (at) => {
    const next = published.shift()
    if (next !== undefined) setLiveState(store, state(next))
    return read(at)
  })
  expect(whole).toBe('whole')
  expect(seen).toEqual(['first', 'second', 'third'])
  store.close()
})
