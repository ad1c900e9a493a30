import { TextrecError } from '../errors.js'
import type { TestCase } from '../ranking.js'
import type { InteractionTable } from '../types.js'
import type { Split } from './split.js'

/** An input that says something about one person and one item: an interaction or a review. */
export interface Evidence {
  /** Dense user number in the split's table; -1 for someone who is not in it. */
  readonly user: number
  /** Dense item number. */
  readonly item: number
  /** Milliseconds since 1970, where there is a date. */
  readonly time?: number
}

/** What an evaluation keeps from a model: pairs of person and item, and everything from a moment on. */
export class HeldOut {
  private constructor(
    private readonly itemCount: number,
    private readonly keys: ReadonlySet<number>,
    /** Nothing from this moment on is known; undefined where the split has no date. */
    readonly moment: number | undefined,
  ) {}

  /** Everything from `moment` on, and every pair that occurs from then on. */
  static from(table: InteractionTable, moment: number): HeldOut {
    const held = HeldOut.pairs(table, (row) => !(table.times[row] > 0 && table.times[row] < moment))
    return new HeldOut(held.itemCount, held.keys, moment)
  }

  /** The pairs of some rows, whatever their time. */
  static pairs(table: InteractionTable, holds: (row: number) => boolean): HeldOut {
    const itemCount = table.itemIds.length
    const keys = new Set<number>()
    for (let row = 0; row < table.users.length; row++) {
      if (holds(row)) keys.add(table.users[row] * itemCount + table.items[row])
    }
    return new HeldOut(itemCount, keys, undefined)
  }

  /** Holds out what either holds out. */
  and(other: HeldOut): HeldOut {
    const moments = [this.moment, other.moment].filter((moment) => moment !== undefined)
    const moment = moments.length === 0 ? undefined : Math.min(...moments)
    return new HeldOut(this.itemCount, new Set([...this.keys, ...other.keys]), moment)
  }

  /**
   * May this be an input? An undated review is none in a split by date: nobody knows when it was written.
   * Without a date, a held-out pair's review is out for everyone.
   */
  allows({ user, item, time }: Evidence): boolean {
    if (user >= 0 && this.keys.has(user * this.itemCount + item)) return false
    return this.moment === undefined || (time !== undefined && time > 0 && time < this.moment)
  }
}

/**
 * The leakage guard: throws if an input of a model holds what it will be tested on.
 * @param what names the input in the error, such as 'the training table' or 'the review texts'.
 * @throws LEAK_FOUND naming the first person and item.
 */
export function requireNoLeak(
  heldOut: HeldOut,
  inputs: Iterable<Evidence>,
  what: string,
  table: InteractionTable,
): void {
  for (const input of inputs) {
    if (heldOut.allows(input)) continue
    throw new TextrecError(
      'LEAK_FOUND',
      `${what} holds what is to be predicted: person ${table.userIds[input.user] ?? 'unknown'}, item ${table.itemIds[input.item]}.`,
      'Build it from what the split allows (HeldOut.allows).',
    )
  }
}

/** Checks the tables and histories of a split against what it holds out. @throws LEAK_FOUND */
export function requireHonestSplit(split: Split): void {
  const { table } = split
  requireNoLeak(split.heldOut, evidenceOf(split.training), 'The training table', table)
  requireNoLeak(split.heldOutWhileFitting, evidenceOf(split.fitting), 'The fitting table', table)
  requireHonestCases(split.test, split.heldOut.moment, 'A test history', table)
  requireHonestCases(split.validation, split.heldOutWhileFitting.moment, 'A validation history', table)
  for (const { user, targets } of [...split.test, ...split.validation]) {
    for (const item of targets) {
      if (!split.heldOutWhileFitting.allows({ user, item, time: 1 })) continue
      throw new TextrecError(
        'LEAK_FOUND',
        `The split does not hold out the target ${table.itemIds[item]} of ${table.userIds[user]}.`,
        'This is a bug in the split.',
      )
    }
  }
}

/** The rows of a table as evidence. */
export function* evidenceOf(table: InteractionTable): Generator<Evidence> {
  for (let row = 0; row < table.users.length; row++) {
    yield { user: table.users[row], item: table.items[row], time: table.times[row] }
  }
}

function requireHonestCases(
  cases: readonly TestCase[],
  moment: number | undefined,
  what: string,
  table: InteractionTable,
): void {
  for (const { user, person, targets, leaveOut } of cases) {
    const wanted = new Set([...targets, ...(leaveOut ?? [])])
    for (let i = 0; i < person.items.length; i++) {
      const late = moment !== undefined && person.times !== undefined && person.times[i] >= moment
      if (!late && !wanted.has(person.items[i])) continue
      throw new TextrecError(
        'LEAK_FOUND',
        `${what} holds what is to be predicted: person ${table.userIds[user]}, item ${table.itemIds[person.items[i]]}.`,
        'A history ends before its target.',
      )
    }
  }
}
