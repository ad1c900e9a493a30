import { describe, expect, test } from 'vitest'
import { clusterNames, WordCounts } from '#src/cluster/index.js'

function telling(clusters: readonly (readonly string[])[]): string[][] {
  const counts = new WordCounts(clusters.length)
  for (const [cluster, items] of clusters.entries())
    for (const item of items) counts.add(cluster, item.split(' '))
  return counts.telling()
}

describe('telling words', () => {
  const words = telling([
    ['the sea and a ship', 'the whale and the sea', 'a ship at sea'],
    ['the murder and a clue', 'a detective and the clue', 'the detective at night'],
  ])

  test('those that a cluster has and the others have not come first', () => {
    expect(words[0].slice(0, 2).sort()).toEqual(['sea', 'ship'])
    expect(words[1].slice(0, 2).sort()).toEqual(['clue', 'detective'])
    for (const list of words) expect(list.slice(0, 3)).not.toContain('the')
  })

  test('an item counts once, however often it repeats a word', () => {
    const [first] = telling([['spam spam spam spam sea', 'ship sea', 'ship sea'], ['clue']])
    expect(first.indexOf('sea')).toBe(0)
    expect(first.indexOf('spam')).toBe(2)
  })

  test('function words that lists of stop words lack are never told, however few the items', () => {
    const [first] = telling([['she herself upon whales', 'she without whales'], ['pan']])
    expect(first).toEqual(['whales'])
  })

  test('forms of one word and numbers are told once or not at all', () => {
    const [first] = telling([['guitar guitars strings 12 mm4 x', 'guitars string strings 12'], ['pan']])
    expect(first).toHaveLength(2)
  })
})

describe('names', () => {
  test('are unlike each other', () => {
    const names = clusterNames([['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'e'], ['a', 'b', 'c'], [], []])
    expect(names).toEqual(['a b c', 'a b c e', 'a b c 3', '4', '5'])
  })
})
