import { TextrecError } from '../errors.js'
import type { Dim, Value } from './graph.js'

export type Shape = readonly Dim[]

/** The shape of a value. @throws INTERNAL where nobody worked it out: gradients need every shape. */
export function shapeOf(value: Value): Shape {
  if (value.shape === undefined) {
    throw new TextrecError(
      'INTERNAL',
      `The shape of '${value.name}' is not known.`,
      'Build it with the functions of ops.ts, or give options.shape.',
    )
  }
  return value.shape
}

/** `axis` counted from the front: -1 is the last one. */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(front) || front < 0 || front >= rank) throw mismatch(`axis ${axis} of ${rank} axes`)
  return front
}

/** The size of one axis. @throws INTERNAL if it is only known when the graph runs. */
export function sizeOf(value: Value, axis: number): number {
  const shape = shapeOf(value)
  const dim = shape[frontAxis(axis, shape.length)]
  if (typeof dim === 'number') return dim
  throw new TextrecError(
    'INTERNAL',
    `Axis ${axis} of '${value.name}' has no fixed size ('${dim}').`,
    'A mean or a slice over it needs a number: build the graph for one size.',
  )
}

/** NumPy's rule: align at the end; equal dims stay, 1 stretches. @throws DIMENSION_MISMATCH otherwise. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1
    const right = b[i - rank + b.length] ?? 1
    if (left === right || right === 1) return left
    if (left === 1) return right
    throw mismatch(`[${a.join(', ')}] with [${b.join(', ')}]`)
  })
}

/** The axes of `to` along which `from` was stretched by `broadcast`. */
export function stretchedAxes(from: Shape, to: Shape): number[] {
  const lead = to.length - from.length
  return to.flatMap((dim, i) => (i < lead || (from[i - lead] === 1 && dim !== 1) ? [i] : []))
}

/** The shape after a reduction over `axes` (counted from the front). */
export function reducedShape(shape: Shape, axes: readonly number[], keep: boolean): Shape {
  return shape.flatMap((dim, i) => (axes.includes(i) ? (keep ? [1] : []) : [dim]))
}

/** What Reshape wants: numbers, with -1 for the one dimension that may be known by name only. */
export function reshapeTarget(shape: Shape): number[] {
  const open = shape.filter((dim) => typeof dim === 'string').length
  if (open > 1) throw mismatch(`a reshape to [${shape.join(', ')}]: more than one size is open`)
  return shape.map((dim) => (typeof dim === 'string' ? -1 : dim))
}

export function mismatch(what: string): TextrecError {
  return new TextrecError('DIMENSION_MISMATCH', `Shapes do not fit: ${what}.`, 'Check the forward pass.')
}
