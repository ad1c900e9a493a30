import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { shapeOf } from './ops-shapes.js'

/** The gradient of positions `start` to `end` (not included) along one axis; the rest has none from here. */
export interface SlicePart {
  readonly kind: 'slice'
  readonly gradient: Value
  readonly axis: number
  readonly start: number
  readonly end: number
}

/** The gradient of rows that were looked up: row p of `gradient` belongs to row indices[p]. */
export interface RowsPart {
  readonly kind: 'rows'
  /** [n, ...dims] */
  readonly gradient: Value
  /** [n] (int32), with repeats. */
  readonly indices: Value
}

/** What one reader of a value adds to its gradient: all of it, or a part that is zero elsewhere. */
export type Contribution = Value | SlicePart | RowsPart

/**
 * The sum of all contributions to one value. Parts are not blown up to the whole shape one by one, which costs a
 * pass over it each: slices beside each other are put together, and looked-up rows are added into the sum of the rest.
 * @param whole the value that the gradient belongs to
 */
export function sumOf(ops: Ops, whole: Value, contributions: readonly Contribution[]): Value {
  const values: Value[] = []
  const slices: SlicePart[] = []
  const rows: RowsPart[] = []
  for (const one of contributions) {
    if (!('kind' in one)) values.push(one)
    else if (one.kind === 'slice') slices.push(one)
    else rows.push(one)
  }
  values.push(...joined(ops, whole, slices))
  const [first, ...rest] = values
  const sum = first === undefined ? undefined : rest.reduce((left, right) => ops.add(left, right), first)
  const [tableRows] = shapeOf(whole) as number[]
  const onto = (table: Value | undefined, { gradient, indices }: RowsPart) =>
    ops.scatterRows(gradient, indices, tableRows, table)
  return rows.reduce(onto, sum) as Value
}

/** Slices of the whole shape, padded with zeros; as few as can be made of them. */
function joined(ops: Ops, whole: Value, slices: readonly SlicePart[]): Value[] {
  const rows: SlicePart[][] = []
  for (const slice of [...slices].sort((a, b) => a.axis - b.axis || a.start - b.start)) {
    const row = rows.find((some) => some[0].axis === slice.axis && some[some.length - 1].end <= slice.start)
    if (row === undefined) rows.push([slice])
    else row.push(slice)
  }
  return rows.map((row) => padded(ops, whole, row))
}

/** @param row slices of one axis, in order, none over another */
function padded(ops: Ops, whole: Value, row: readonly SlicePart[]): Value {
  const shape = shapeOf(whole) as number[]
  const { axis } = row[0]
  const parts: Value[] = []
  let at = 0
  const fill = (to: number) => {
    if (to > at) parts.push(ops.zeros(shape.map((dim, i) => (i === axis ? to - at : dim))))
  }
  for (const { gradient, start, end } of row) {
    fill(start)
    parts.push(gradient)
    at = end
  }
  fill(shape[axis])
  return parts.length === 1 ? parts[0] : ops.concat(parts, axis)
}
