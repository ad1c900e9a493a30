import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Random, random } from '../../src/math/random.js'
import type { Interaction, Item, Review } from '../../src/types.js'

/** Words of twelve subjects: enough that neighbours mean something, few enough that texts are short. */
const SUBJECTS = [
  'guitar string nylon fret tuner chord pick amplifier acoustic bridge',
  'pan knife oven skillet kettle ladle whisk spatula steel simmer',
  'garden hose mower hedge seed shears lawn rose soil spade',
  'novel chapter poem author letter story harbour voyage captain island',
  'boot tent compass summit rope trail camp ridge lantern glacier',
  'lens camera tripod flash shutter portrait film exposure filter frame',
  'yarn needle stitch quilt thimble cotton linen loom button hem',
  'bicycle chain saddle pedal helmet spoke tyre brake pump gear',
  'puzzle dice card board token castle wizard dragon quest score',
  'lamp cable switch socket bulb dimmer fuse plug wire relay',
  'piano violin flute cello drum sonata chorus opera quartet organ',
  'soap candle balm lavender towel brush comb razor sponge lotion',
].map((words) => words.split(' '))

export interface ShopSize {
  readonly items: number
  readonly people: number
  readonly reviews: number
  readonly interactions: number
}

const day = 86_400_000
const firstDay = Date.UTC(2023, 0, 1)

const wordOf = (source: Random, subject: number): string => SUBJECTS[subject][source.integer(10)]

/** A made-up item about one subject; its number decides everything but the words. */
export function madeItem(source: Random, number: number): Item {
  const subject = number % SUBJECTS.length
  const words = Array.from({ length: 9 }, () => wordOf(source, subject))
  return {
    id: `item-${number}`,
    title: `${words[0]} ${words[1]} ${number}`,
    description: `A ${words.slice(2).join(' ')}.`,
    attributes: { subject: SUBJECTS[subject][0], price: 1 + (number % 97), made: 1990 + (number % 30) },
  }
}

function takenBy(source: Random, person: number, items: number): number {
  const subject = source.next() < 0.8 ? person % SUBJECTS.length : source.integer(SUBJECTS.length)
  return Math.min(items - 1, source.integer(Math.ceil(items / SUBJECTS.length)) * SUBJECTS.length + subject)
}

export function madeReview(source: Random, number: number, size: ShopSize): Review {
  const person = source.integer(size.people)
  const item = takenBy(source, person, size.items)
  return {
    id: `review-${number}`,
    userId: `person-${person}`,
    itemId: `item-${item}`,
    rating: 1 + source.integer(5),
    time: firstDay + source.integer(700) * day,
    text: `The ${wordOf(source, item % SUBJECTS.length)} is ${source.next() < 0.5 ? 'good' : 'poor'}.`,
  }
}

export function madeInteraction(source: Random, size: ShopSize): Interaction {
  const person = source.integer(size.people)
  return {
    userId: `person-${person}`,
    itemId: `item-${takenBy(source, person, size.items)}`,
    time: firstDay + source.integer(700 * 24) * 3_600_000,
  }
}

export interface ShopFiles {
  readonly items: string
  readonly reviews: string
  readonly interactions: string
}

/** Writes a made-up shop as files to import; the same seed writes the same bytes. One line in 500 is no record. */
export function writeShop(folder: string, size: ShopSize, seed: number): ShopFiles {
  const source = random(seed)
  const files = {
    items: join(folder, 'items.jsonl'),
    reviews: join(folder, 'reviews.jsonl'),
    interactions: join(folder, 'interactions.csv'),
  }
  const lines = (count: number, line: (number: number) => string, broken: string) =>
    Array.from({ length: count }, (_, i) => `${i % 500 === 499 ? broken : line(i)}\n`).join('')
  const json = '{"id": "broken'
  writeFileSync(
    files.items,
    lines(size.items, (i) => JSON.stringify(madeItem(source, i)), json),
  )
  writeFileSync(
    files.reviews,
    lines(size.reviews, (i) => JSON.stringify(madeReview(source, i, size)), json),
  )
  const row = () => {
    const { userId, itemId, time } = madeInteraction(source, size)
    return `${userId},${itemId},${time}`
  }
  writeFileSync(files.interactions, `user,item,time\n${lines(size.interactions, row, ',,yesterday')}`)
  return files
}
