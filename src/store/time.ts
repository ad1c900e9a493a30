import { TextrecError } from '../errors.js'
import { show } from '../options.js'
import type { TimeKind } from '../types.js'
import { NO_TIME } from './schema.js'

/** Whole numbers from 0 up to here are positions; as milliseconds they would all be 1 January 1970. */
const ORDER_LIMIT = 1e8

/** The furthest a Date reaches, milliseconds either side of 1970. */
const DATE_LIMIT = 8.64e15

const KINDS: readonly TimeKind[] = ['none', 'order', 'date']

/** What one time can only be: a position in a history, or a date in milliseconds. */
export function timeKindOf(time: number): 'order' | 'date' {
  return Number.isInteger(time) && time >= 0 && time < ORDER_LIMIT ? 'order' : 'date'
}

/** The stored time; NO_TIME where absent. @throws RECORD_INVALID outside what a Date can hold. */
export function storedTime(time: number | undefined, record: string): number {
  if (time === undefined) return NO_TIME
  if (Math.abs(time) <= DATE_LIMIT) return time
  throw new TextrecError(
    'RECORD_INVALID',
    `${record}: time is ${show(time)}.`,
    'It must be milliseconds since 1970, or a position in the history.',
  )
}

/** The time a record is given back with. */
export function givenTime(time: number): number | undefined {
  return time === NO_TIME ? undefined : time
}

/** Holds a catalogue to one kind of time. */
export class TimeKinds {
  constructor(private kind: TimeKind) {}

  static fromCounter(value: number): TimeKinds {
    return new TimeKinds(KINDS[value] ?? 'none')
  }

  get current(): TimeKind {
    return this.kind
  }

  get asCounter(): number {
    return KINDS.indexOf(this.kind)
  }

  /** @throws RECORD_INVALID when a stored time is not of the kind that the others are. */
  accept(time: number, record: string): void {
    if (time === NO_TIME) return
    const kind = timeKindOf(time)
    if (this.kind === 'none') this.kind = kind
    else if (kind !== this.kind) {
      throw new TextrecError(
        'RECORD_INVALID',
        `${record}: time ${time} is a ${describe(kind)}, but the times before it are ${describe(this.kind)}s.`,
        'Give all times as milliseconds since 1970, or all as positions below 100,000,000.',
      )
    }
  }
}

function describe(kind: TimeKind): string {
  return kind === 'order' ? 'position' : 'date'
}
