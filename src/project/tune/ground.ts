import { createHash } from 'node:crypto'
import { hideItems, timedHistories } from '../../adapter/index.js'
import { TextrecError } from '../../errors.js'
import type { Split } from '../../evaluate/index.js'
import { random, shuffle } from '../../math/random.js'
import { version } from '../../package.js'
import type { TestCase } from '../../ranking.js'
import type { InteractionTable, Matrix } from '../../types.js'
import type { KnownTexts } from '../known-texts.js'
import { provenanceOf } from '../live-contender.js'
import { textsWithoutOwn } from '../own-reviews.js'

/**
 * What every candidate of a search is fitted on and judged by. The rows that the guard decides by afterwards (the test
 * of `split`) are no part of it: what was searched for on some rows must not be judged on them.
 */
export interface Ground {
  readonly split: Split
  /** What candidates may learn from. */
  readonly fitting: InteractionTable
  /** Half of the people of validation: they say when to stop, which blend and which share. */
  readonly choosing: readonly TestCase[]
  /** The other half: they compare the candidates, and nobody chooses anything by them before. */
  readonly judging: readonly TestCase[]
  /** Items hidden from `fitting`, and who should find them. */
  readonly hidden: {
    readonly items: Int32Array
    /** `fitting` without them. */
    readonly visible: InteractionTable
    readonly cases: readonly TestCase[]
  }
}

/** With fewer people in one half of validation, any comparison would be chance. */
const FEWEST_PEOPLE = 10
/** More cases than this are sampled: the intervals are narrow enough, and rankings cost time. */
const MOST_CASES = 5000

/** @throws NOT_ENOUGH_DATA */
export function groundOf(split: Split, coldShare: number, seed: number): Ground {
  const { fitting, validation } = split
  const people = [...new Set(validation.map(({ user }) => user))]
  if (people.length < 2 * FEWEST_PEOPLE) {
    throw new TextrecError(
      'NOT_ENOUGH_DATA',
      `Only ${people.length} people have enough interactions to compare settings by.`,
      `It takes ${2 * FEWEST_PEOPLE}; import more, or train with the settings as they are.`,
    )
  }
  shuffle(people, random(seed + 0x7e57))
  const choosers = new Set(people.slice(0, people.length >> 1))
  const { histories, times } = timedHistories(fitting)
  const { hidden, cases, visible } = hideItems(histories, coldShare, seed, times)
  return {
    split,
    fitting,
    choosing: sample(
      validation.filter(({ user }) => choosers.has(user)),
      seed,
    ),
    judging: sample(
      validation.filter(({ user }) => !choosers.has(user)),
      seed,
    ),
    hidden: { items: hidden, visible: tableOf(fitting, visible), cases: sample(cases, seed) },
  }
}

function sample(cases: readonly TestCase[], seed: number): readonly TestCase[] {
  return cases.length <= MOST_CASES ? cases : shuffle([...cases], random(seed)).slice(0, MOST_CASES)
}

/** The rows of `table` whose item is still in the history of its person. */
function tableOf(table: InteractionTable, histories: readonly Int32Array[]): InteractionTable {
  const left = histories.map((history) => new Set(history))
  const rows = Int32Array.from(table.users.keys()).filter((row) =>
    left[table.users[row]].has(table.items[row]),
  )
  return {
    ...table,
    users: rows.map((row) => table.users[row]),
    items: rows.map((row) => table.items[row]),
    times: Float64Array.from(rows, (row) => table.times[row]),
    values: Float32Array.from(rows, (row) => table.values[row]),
  }
}

/** The text vectors of one encoder, without what validation and test hold out. */
export interface TextGround {
  /** The encoder's name. */
  readonly encoder: string
  /** Fingerprint of what made them. */
  readonly space: string
  readonly texts: Matrix
  /** As items look before anybody has taken or reviewed them. */
  readonly coldTexts: Matrix
  /** See `AdapterData.textsWithout`. */
  readonly textsWithout: readonly Matrix[] | undefined
  /** Short hash of `texts`. */
  readonly digest: string
}

export async function textGround(
  encoder: string,
  space: string,
  known: KnownTexts,
  { heldOutWhileFitting, table }: Split,
): Promise<TextGround> {
  const texts = await known.vectors(heldOutWhileFitting)
  return {
    encoder,
    space,
    texts,
    coldTexts: await known.vectors(heldOutWhileFitting, () => false),
    textsWithout: await textsWithoutOwn(known, heldOutWhileFitting, table),
    digest: createHash('sha256')
      .update(`${encoder} ${space}`)
      .update(new Uint8Array(texts.data.buffer, texts.data.byteOffset, texts.data.byteLength))
      .digest('hex')
      .slice(0, 16),
  }
}

/** Names a search: only one on the same interactions, texts and seed may go on from its table. */
export function searchKey({ split }: Ground, { digest }: TextGround, seed: number): string {
  return createHash('sha256')
    .update(JSON.stringify([version, provenanceOf(split).data, digest, seed]))
    .digest('hex')
}
