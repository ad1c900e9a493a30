import { TextrecError } from '../errors.js'
import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { STATE_KINDS, stateName } from './step-names.js'

/**
 * Who holds the tables of which each step looks at few rows. A graph that holds them needs no more than the numbers of the
 * rows, and everything stays where it computes. But ONNX Runtime's binding copies all that a graph gives out to the CPU,
 * whole tables too: there the caller holds them, and hands over the rows and takes them back.
 */
export type TableHolder = 'graph' | 'caller'

/** A table of which each step looks at few rows; see `Scope.rows`. */
export interface Lookup {
  readonly parameter: string
  /** The part of a batch that names rows of the table. The graph is fed their places among all rows instead. */
  readonly index: string
  /** Rows that all steps of one graph look at together, and others to fill up: each once. */
  readonly count: number
  /** Rows of the table. */
  readonly tableRows: number
  /**
   * The input, [count] (int32), that names these rows, where the graph holds the table. Otherwise the inputs and outputs
   * of the parameter's state are not of the table but of these rows, [count, ...].
   */
  readonly input: string | undefined
}

/**
 * A table of which each step looks at few rows. Those that any step of the graph looks at are taken out of it once and
 * written back once, so that no step makes a copy of the table; between, `state` holds the rows of the step under way.
 */
export class TableRows {
  readonly lookup: Lookup
  private readonly rows: Value | undefined
  private readonly whole: readonly Value[]
  private taken: readonly Value[]
  private places: Value | undefined

  /**
   * @param state where the values of the table and its moments are put, by name
   * @param lookup all of it but for the input
   * @param dims of a row
   */
  constructor(
    private readonly ops: Ops,
    private readonly state: Map<string, Value>,
    lookup: Omit<Lookup, 'input'>,
    dims: readonly number[],
    holder: TableHolder,
  ) {
    const { graph } = ops
    const { parameter, count, tableRows } = lookup
    const input = holder === 'graph' ? `rows:${parameter}` : undefined
    this.lookup = { ...lookup, input }
    const shape = [input === undefined ? count : tableRows, ...dims]
    this.whole = this.names().map((name) => graph.input(name, 'float32', shape))
    this.rows = input === undefined ? undefined : graph.input(input, 'int32', [count])
    this.taken = this.whole.map((table) => (this.rows ? ops.gatherRows(table, this.rows) : table))
  }

  /** The weights of the rows that a step looks at. @param places theirs among the rows taken, [perStep] (int32) */
  open(places: Value): Value {
    this.places = places
    for (const [i, name] of this.names().entries()) {
      this.state.set(name, this.ops.gatherRows(this.taken[i], places))
    }
    return this.state.get(stateName('w', this.lookup.parameter))!
  }

  /** Keeps what a step has made of its rows. */
  close(): void {
    this.taken = this.names().map((name, i) =>
      this.ops.replaceRows(this.taken[i], this.places!, this.state.get(name)!),
    )
  }

  /** Puts all rows back, or gives them out. */
  write(): void {
    const { rows } = this
    for (const [i, name] of this.names().entries()) {
      const taken = this.taken[i]
      this.state.set(name, rows ? this.ops.replaceRows(this.whole[i], rows, taken) : taken)
    }
  }

  private names(): string[] {
    return STATE_KINDS.map((kind) => stateName(kind, this.lookup.parameter))
  }
}

/**
 * What to feed to a graph for a lookup.
 * @param indices of each step, rows of the table
 * @returns the [count] rows, and for each step the places of its own among them
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
