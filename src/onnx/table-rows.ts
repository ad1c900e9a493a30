import { TextrecError } from '../errors.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { shapeOf } from './ops-shapes.js'
import { STATE_KINDS, stateName } from './step-names.js'

/** A table of which each step looks at few rows; see `Scope.rows`. */
export interface Lookup {
  /** The part of a batch that names rows of the table. The graph is fed their places in `input` instead. */
  readonly index: string
  /** The input, int32, that names all rows that the steps of one graph look at, and others to fill it: each once. */
  readonly input: string
  /** Rows that `input` names. */
  readonly count: number
  /** Rows of the table. */
  readonly tableRows: number
}

/**
 * A table of which each step looks at few rows. Those that any step of the graph looks at are taken out of it once and
 * written back once, so that no step makes a copy of the table; between, `state` holds the rows of the step under way.
 */
export class TableRows {
  readonly lookup: Lookup
  private readonly input: Value
  private readonly whole: readonly Value[]
  private taken: readonly Value[]
  private places: Value | undefined

  /**
   * @param state the values of the table and its moments, by name
   * @param index names the part of the batch that names rows
   * @param steps in the graph
   * @param perStep rows that each of them looks at
   */
  constructor(
    private readonly ops: Ops,
    private readonly name: string,
    private readonly state: Map<string, Value>,
    index: string,
    steps: number,
    perStep: number,
  ) {
    this.whole = this.names().map((one) => state.get(one)!)
    const [tableRows] = shapeOf(this.whole[0]) as number[]
    this.lookup = { index, input: `rows:${name}`, count: Math.min(steps * perStep, tableRows), tableRows }
    this.input = ops.graph.input(this.lookup.input, 'int32', [this.lookup.count])
    this.taken = this.whole.map((table) => ops.gatherRows(table, this.input))
  }

  /** The weights of the rows that a step looks at. @param places theirs among the rows taken, [perStep] (int32) */
  open(places: Value): Value {
    this.places = places
    for (const [i, name] of this.names().entries()) {
      this.state.set(name, this.ops.gatherRows(this.taken[i], places))
    }
    return this.state.get(stateName('w', this.name))!
  }

  /** Keeps what a step has made of its rows. */
  close(): void {
    this.taken = this.names().map((name, i) =>
      this.ops.replaceRows(this.taken[i], this.places!, this.state.get(name)!),
    )
  }

  /** Puts all rows back. */
  write(): void {
    for (const [i, name] of this.names().entries()) {
      this.state.set(name, this.ops.replaceRows(this.whole[i], this.input, this.taken[i]))
    }
  }

  private names(): string[] {
    return STATE_KINDS.map((kind) => stateName(kind, this.name))
  }
}

/**
 * What to feed to a graph for a lookup.
 * @param indices of each step, rows of the table
 * @returns `rows` for `Lookup.input`, and for each step the places of its rows among them
 * @throws INTERNAL for a step that names a row twice: it would be trained for one of them alone
 */
export function placesOf(
  indices: readonly ArrayLike<number>[],
  { index, count, tableRows }: Lookup,
): { readonly rows: Int32Array; readonly places: readonly Int32Array[] } {
  const placeOf = new Map<number, number>()
  const place = (row: number) => {
    const known = placeOf.get(row) ?? placeOf.size
    placeOf.set(row, known)
    return known
  }
  const places = indices.map((named) => Int32Array.from(named, place))
  if (places.some((some) => new Set(some).size < some.length)) {
    throw new TextrecError('INTERNAL', `A step names a row twice in '${index}'.`, 'Name each row once.')
  }
  for (let row = 0; placeOf.size < count && row < tableRows; row++) place(row)
  return { rows: Int32Array.from(placeOf.keys()), places }
}
