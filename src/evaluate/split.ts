import { TextrecError } from '../errors.js'
import { random, shuffle } from '../math/random.js'
import { integer, number, optional, resolveOptions, show } from '../options.js'
import type { TestCase } from '../ranking.js'
import type { InteractionTable, Person } from '../types.js'
import { HeldOut } from './held-out.js'
import { itemCounts, likedOnce, rowStarts, selectRows } from './table.js'

/**
 * An honest division of what is known. Dense user and item numbers are those of `table` throughout.
 * `fitting` and `validation` lie inside `training`: choose there, then fit on `training`, then look at `test` once.
 */
export interface Split {
  readonly name: string
  readonly table: InteractionTable
  readonly training: InteractionTable
  readonly fitting: InteractionTable
  readonly test: readonly TestCase[]
  readonly validation: readonly TestCase[]
  /** [items] 1 for an item hidden from training, where the split hides items: every target is one of them. */
  readonly hidden?: Uint8Array
  /** What may not be an input while testing. */
  readonly heldOut: HeldOut
  /** What may not be an input while choosing: also what validation asks for. */
  readonly heldOutWhileFitting: HeldOut
  /** Plain sentences about what was left out, for the report. */
  readonly notes: readonly string[]
}

export interface SplitOptions {
  /** 'time=80%', 'hold-last', 'last-five', 'cold-items=10%' or 'cold-users=10%'. */
  readonly split: string
  /** From which rating an interaction counts as liked; all count when absent. */
  readonly minRating: number | undefined
  /** People with fewer distinct items are not tested. They still teach. */
  readonly minItems: number
  /** For the splits that hide at random. */
  readonly seed: number
}

const table = {
  split: {
    default: 'time=80%',
    expected: "'time=80%', 'hold-last', 'last-five', 'cold-items=10%' or 'cold-users=10%'",
    accepts: (value: unknown) => typeof value === 'string' && parse(value) !== undefined,
  },
  minRating: optional(number(0, -1e9, 1e9)),
  minItems: integer(4, 2),
  seed: integer(1, 0),
}

/** One way of dividing: what `holdOut` is given it divides into what stays known and the cases to be asked. */
interface Division {
  readonly known: InteractionTable
  readonly cases: TestCase[]
  readonly hidden?: Uint8Array
  readonly heldOut: HeldOut
  readonly notes: readonly string[]
}
type Divide = (
  table: InteractionTable,
  share: number,
  options: SplitOptions,
  step: 'test' | 'validation',
) => Division

const DIVIDE: {
  readonly [kind: string]: { readonly divide: Divide; readonly share?: number; readonly random?: true }
} = {
  time: { divide: byTime, share: 0.8 },
  'hold-last': { divide: holdLast },
  'last-five': { divide: holdLast },
  'cold-items': { divide: hideItems, share: 0.1, random: true },
  'cold-users': { divide: hideUsers, share: 0.1, random: true },
}

/** Whether another seed makes another split of that name. */
export function isDrawnAtRandom(split: string): boolean {
  return DIVIDE[parse(split)?.kind ?? '']?.random === true
}

/**
 * Divides a table for an evaluation.
 * @throws SPLIT_REFUSED for a time split of times that are no dates; NOT_ENOUGH_DATA if nothing is left to learn
 *   from or to test.
 */
export function splitTable(all: InteractionTable, given: Partial<SplitOptions> = {}): Split {
  const options = resolveOptions<SplitOptions>('split', table, given)
  const { kind, share } = parse(options.split)!
  const cleaned = likedOnce(all, options.minRating)
  if (cleaned.users.length === 0) throw nothingToSplit(all.users.length, options.minRating)
  const { divide } = DIVIDE[kind]
  const test = divide(cleaned, share, options, 'test')
  if (test.known.users.length === 0 || test.cases.length === 0) {
    throw new TextrecError(
      'NOT_ENOUGH_DATA',
      `The split '${options.split}' leaves ${test.known.users.length} interactions to learn from and ${test.cases.length} to test.`,
      'Import more interactions, or lower minItems or minRating.',
    )
  }
  const validation = divide(test.known, kind === 'time' ? 0.9 : share, options, 'validation')
  const merged = all.users.length - cleaned.users.length
  return {
    name: options.split,
    table: cleaned,
    training: test.known,
    fitting: validation.known,
    test: test.cases,
    validation: validation.cases,
    ...(test.hidden === undefined ? {} : { hidden: test.hidden }),
    heldOut: test.heldOut,
    heldOutWhileFitting: test.heldOut.and(validation.heldOut),
    notes: [
      ...(merged > 0 ? [`${merged} of ${all.users.length} interactions are repeats or rated too low.`] : []),
      `People with fewer than ${options.minItems} distinct items are not tested.`,
      ...test.notes,
    ],
  }
}

function nothingToSplit(interactions: number, minRating: number | undefined): TextrecError {
  return interactions === 0
    ? new TextrecError(
        'NOT_ENOUGH_DATA',
        'There are no interactions to learn from.',
        'Import interactions or rated reviews.',
      )
    : new TextrecError(
        'NOT_ENOUGH_DATA',
        `None of ${interactions} interactions has a rating of at least ${minRating}.`,
        'Lower minRating (--min-rating).',
      )
}

function parse(text: string): { kind: string; share: number } | undefined {
  const match = /^([a-z-]+)(?:=(\d+(?:\.\d+)?)%)?$/.exec(text)
  const entry = match === null || !Object.hasOwn(DIVIDE, match[1]) ? undefined : DIVIDE[match[1]]
  if (match === null || entry === undefined) return undefined
  if (entry.share === undefined) return match[2] === undefined ? { kind: match[1], share: 0 } : undefined
  const share = match[2] === undefined ? entry.share : Number(match[2]) / 100
  return share > 0 && share < 1 ? { kind: match[1], share } : undefined
}

/** Everything before a moment is known; what people took from then on is to be found, as one set each. */
function byTime(table: InteractionTable, share: number, { split, minItems }: SplitOptions): Division {
  if (table.timeKind !== 'date') {
    throw new TextrecError(
      'SPLIT_REFUSED',
      `The split ${show(split)} needs real dates; the times here are ${table.timeKind === 'order' ? 'only an order within each history' : 'missing'}.`,
      "Use 'hold-last'.",
    )
  }
  const dated = table.times.filter((time) => time > 0).sort()
  const moment = dated[Math.min(dated.length - 1, Math.floor(share * dated.length))]
  const isKnown = (row: number) => table.times[row] > 0 && table.times[row] < moment
  const cases: TestCase[] = []
  let strangers = 0
  eachPerson(table, (user, from, to) => {
    let known = from
    while (known < to && table.times[known] === 0) known++
    const first = known
    while (known < to && isKnown(known)) known++
    if (known === to || to - first < minItems) return
    if (known === first) strangers++
    else
      cases.push({ user, person: personOf(table, user, first, known), targets: table.items.slice(known, to) })
  })
  const undated = table.times.length - dated.length
  return {
    known: selectRows(table, isKnown),
    cases,
    heldOut: HeldOut.from(table, moment),
    notes: [
      `Known is what came before ${new Date(moment).toISOString()}.`,
      ...(strangers > 0 ? [`${strangers} people with no history before it are not tested.`] : []),
      ...(undated > 0 ? [`${undated} interactions without a date are left out.`] : []),
    ],
  }
}

/**
 * Each person's last item is to be found from all before it; for 'last-five' the last five are targets in turn,
 * each from all that came before that one. Validation asks for the ones before, in the same way.
 */
function holdLast(table: InteractionTable, _share: number, options: SplitOptions, step: string): Division {
  const most = options.split === 'last-five' ? 5 : 1
  // The test leaves two at least, one to ask validation for and one to answer it from.
  const keep = step === 'test' ? 2 : 1
  const minItems = step === 'test' ? options.minItems : 2
  const held = new Uint8Array(table.users.length)
  const cases: TestCase[] = []
  eachPerson(table, (user, from, to) => {
    if (to - from < minItems) return
    const count = Math.min(most, to - from - keep)
    for (let row = to - count; row < to; row++) {
      held[row] = 1
      cases.push({ user, person: personOf(table, user, from, row), targets: table.items.slice(row, row + 1) })
    }
  })
  return {
    known: selectRows(table, (row) => held[row] === 0),
    cases,
    heldOut: HeldOut.pairs(table, (row) => held[row] === 1),
    notes: [],
  }
}

/**
 * A share of the items is hidden from training; every interaction with a hidden item is a target, ranked against
 * the person's other, visible items. The person's other hidden items are neither ranked nor known.
 */
function hideItems(table: InteractionTable, share: number, options: SplitOptions, step: string): Division {
  const counts = itemCounts(table)
  const warm = Int32Array.from(counts.keys()).filter((item) => counts[item] > 0)
  shuffle(warm, random(options.seed + (step === 'test' ? 0 : 7919)))
  const hidden = new Uint8Array(table.itemIds.length)
  for (const item of warm.subarray(0, Math.round(share * warm.length))) hidden[item] = 1
  const minItems = step === 'test' ? options.minItems : 2
  const cases: TestCase[] = []
  let strangers = 0
  eachPerson(table, (user, from, to) => {
    const rows = Array.from({ length: to - from }, (_, i) => from + i)
    const targets = rows.filter((row) => hidden[table.items[row]] === 1).map((row) => table.items[row])
    const visible = rows.filter((row) => hidden[table.items[row]] === 0)
    if (targets.length === 0 || rows.length < minItems) return
    if (visible.length === 0) strangers++
    else {
      const person = personFromRows(table, user, visible)
      for (const target of targets) {
        const leaveOut = Int32Array.from(targets.filter((item) => item !== target))
        cases.push({ user, person, targets: Int32Array.of(target), leaveOut })
      }
    }
  })
  return {
    known: selectRows(table, (row) => hidden[table.items[row]] === 0),
    cases,
    hidden,
    heldOut: HeldOut.pairs(table, (row) => hidden[table.items[row]] === 1),
    notes: [
      `${hidden.reduce((sum, one) => sum + one, 0)} of ${warm.length} items are hidden, at random with seed ${options.seed}.`,
      ...(strangers > 0 ? [`${strangers} people with hidden items only are not tested.`] : []),
    ],
  }
}

/** A share of the people is hidden from training; their last item is to be found from all before it. */
function hideUsers(table: InteractionTable, share: number, options: SplitOptions, step: string): Division {
  const starts = rowStarts(table)
  const minItems = step === 'test' ? options.minItems : 2
  const people = Int32Array.from(table.userIds.keys()).filter((u) => starts[u + 1] - starts[u] >= minItems)
  shuffle(people, random(options.seed + (step === 'test' ? 0 : 7919)))
  const hidden = new Uint8Array(table.userIds.length)
  for (const user of people.subarray(0, Math.round(share * people.length))) hidden[user] = 1
  const cases: TestCase[] = []
  eachPerson(table, (user, from, to) => {
    if (hidden[user] === 0) return
    const { user: _, ...person } = personOf(table, user, from, to - 1)
    cases.push({ user, person, targets: table.items.slice(to - 1, to) })
  })
  return {
    known: selectRows(table, (row) => hidden[table.users[row]] === 0),
    cases,
    heldOut: HeldOut.pairs(table, (row) => hidden[table.users[row]] === 1),
    notes: [`${cases.length} of ${people.length} people are hidden, at random with seed ${options.seed}.`],
  }
}

function eachPerson(table: InteractionTable, visit: (user: number, from: number, to: number) => void): void {
  const starts = rowStarts(table)
  for (let user = 0; user + 1 < starts.length; user++) {
    if (starts[user] < starts[user + 1]) visit(user, starts[user], starts[user + 1])
  }
}

/** A person who knows the rows from `from` to `to - 1`. */
function personOf(table: InteractionTable, user: number, from: number, to: number): Person {
  return {
    user,
    items: table.items.slice(from, to),
    times: table.times.slice(from, to),
    values: table.values.slice(from, to),
  }
}

function personFromRows(table: InteractionTable, user: number, rows: readonly number[]): Person {
  return {
    user,
    items: Int32Array.from(rows, (row) => table.items[row]),
    times: Float64Array.from(rows, (row) => table.times[row]),
    values: Float32Array.from(rows, (row) => table.values[row]),
  }
}
