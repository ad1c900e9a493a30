import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Item, Review } from 'textrec'
import { afterAll } from 'vitest'

/** Twelve things in three plain groups, so that the right neighbours are known beforehand. */
export const ITEMS: readonly Item[] = [
  { id: 'guitar-1', title: 'Classical guitar', description: 'A nylon string acoustic guitar for beginners.' },
  { id: 'guitar-2', title: 'Electric guitar', description: 'Solid body electric guitar with two pickups.' },
  { id: 'guitar-3', title: 'Bass guitar', description: 'Four string bass guitar with a maple neck.' },
  { id: 'guitar-4', title: 'Guitar strings', description: 'A set of bronze strings for acoustic guitars.' },
  { id: 'kitchen-1', title: 'Frying pan', description: 'Cast iron pan for frying and searing steaks.' },
  { id: 'kitchen-2', title: 'Chef knife', description: 'Sharp steel kitchen knife for chopping vegetables.' },
  {
    id: 'kitchen-3',
    title: 'Saucepan',
    description: 'Copper pot for cooking sauces and soup in the kitchen.',
  },
  { id: 'kitchen-4', title: 'Cutting board', description: 'Wooden board for cutting bread and vegetables.' },
  {
    id: 'garden-1',
    title: 'Garden hose',
    description: 'Twenty metre hose for watering lawns and flower beds.',
  },
  { id: 'garden-2', title: 'Lawn mower', description: 'Electric mower that cuts grass on small lawns.' },
  { id: 'garden-3', title: 'Pruning shears', description: 'Shears for cutting roses, hedges and branches.' },
  { id: 'garden-4', title: 'Watering can', description: 'Metal can for watering flowers and seedlings.' },
]

export const REVIEWS: readonly Review[] = [
  {
    userId: 'ann',
    itemId: 'guitar-1',
    rating: 5,
    text: 'Warm tone, easy to play.',
    time: Date.UTC(2024, 0, 3),
  },
  {
    userId: 'ann',
    itemId: 'guitar-4',
    rating: 4,
    text: 'They hold their tuning.',
    time: Date.UTC(2024, 1, 3),
  },
  {
    userId: 'bob',
    itemId: 'kitchen-1',
    rating: 5,
    text: 'Sears a steak perfectly.',
    time: Date.UTC(2024, 0, 9),
  },
  {
    userId: 'bob',
    itemId: 'garden-2',
    rating: 2,
    text: 'Weak battery, uneven grass.',
    time: Date.UTC(2024, 2, 9),
  },
  { userId: 'cem', itemId: 'mystery', rating: 4, text: 'A lovely banjo with a bright sound.' },
]

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A fresh folder that goes when the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'textrec-project-'))
  folders.push(folder)
  return folder
}

/** The group of an item id: 'guitar-1' -> 'guitar'. */
export function groupOf(id: string): string {
  return id.split('-')[0]
}
