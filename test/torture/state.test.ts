import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Store } from '#src/store/index.js'
import { differences, stateOf } from '../../dist/scripts/torture/state.js'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const SPACE = 'a space'

/** A project of two items; `number` is the first of the second one's vector. */
function project(title: string, number = 0.6): string {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-torture-state-'))
  folders.push(folder)
  const store = Store.open(folder, { create: true })
  store.write({
    items: [
      { id: 'a', title: 'Atlas' },
      { id: 'b', title },
    ],
    interactions: [{ userId: 'ann', itemId: 'a', time: 1e12 }],
  })
  const [key] = store.itemKeys(['b'])
  const vector = Float32Array.of(number, Math.sqrt(1 - number * number))
  store.putItemVectors(SPACE, [{ key: key as never, textVersion: 1, vector }])
  store.close()
  return folder
}

test('equal projects are equal, however often they were written', () => {
  const again = project('Boat')
  const store = Store.open(again)
  store.write({ items: [{ id: 'a', title: 'Atlas' }] })
  store.close()
  expect(differences(stateOf(again), stateOf(project('Boat')))).toEqual([])
})

test('a different word, number or record is told by its table', () => {
  const wanted = stateOf(project('Boat'))
  expect(differences(stateOf(project('Boot')), wanted)).toEqual(['table item'])
  expect(differences(stateOf(project('Boat', 0.6000001)), wanted)).toEqual(['table item_vector'])
  const more = project('Boat')
  const store = Store.open(more)
  store.write({ interactions: [{ userId: 'ann', itemId: 'b', time: 1e12 }] })
  store.close()
  expect(differences(stateOf(more), wanted)).toContain('table event')
  expect(stateOf(more).records).toBe(wanted.records + 1)
})

test('folders that nothing points to, and temporary ones, are faults', () => {
  const folder = project('Boat')
  mkdirSync(join(folder, 'indexes', 'orphan'), { recursive: true })
  mkdirSync(join(folder, 'crowd', '.current.new-1.1-abcdefabcdef'), { recursive: true })
  writeFileSync(join(folder, 'items.jsonl.part'), '')
  expect(stateOf(folder).faults).toEqual([
    'left over: orphan',
    'left over: items.jsonl.part',
    'left over: .current.new-1.1-abcdefabcdef',
  ])
})
