import { TextrecError } from '../errors.js'
import type { BatchSpec, TrainingStep } from './optimizer.js'
import { type Tensor, tensor } from './session.js'
import { fedName } from './step-names.js'
import { placesOf } from './table-rows.js'

/** One step's batch: a typed array per name of `TrainingStep.batch`. */
export type Batch = {
  readonly [name: string]: Float32Array | Int32Array | BigInt64Array
}

/**
 * The inputs of a graph that are not state, rate or bias.
 * @param batches one for each of its steps
 * @returns also the rows that the graph looks at of each table that it does not hold itself, by parameter
 * @throws DIMENSION_MISMATCH for a batch of another size
 */
export function batchFeeds(
  { unroll, batch: specs, lookups }: TrainingStep,
  batches: readonly Batch[],
): { readonly feeds: { [name: string]: Tensor }; readonly taken: ReadonlyMap<string, Int32Array> } {
  const feeds: { [name: string]: Tensor } = {}
  const taken = new Map<string, Int32Array>()
  const named: { [name: string]: Batch[string] } = {}
  for (const [step, batch] of batches.entries()) {
    for (const [name, data] of Object.entries(batch)) named[fedName(name, step, unroll)] = data
  }
  for (const lookup of lookups) {
    const names = batches.map((_, step) => fedName(lookup.index, step, unroll))
    const { rows, places } = placesOf(
      names.map((name) => (named[name] ?? []) as Int32Array),
      lookup,
    )
    if (lookup.input === undefined) taken.set(lookup.parameter, rows)
    else feeds[lookup.input] = tensor('int32', rows, [rows.length])
    for (const [step, name] of names.entries()) named[name] = places[step]
  }
  for (const spec of specs) feeds[spec.name] = batchTensor(spec, named)
  return { feeds, taken }
}

/** [rows, ...] a copy of some rows of a table. */
export function rowsOf({ data, dims: [, ...dims] }: Tensor, rows: Int32Array): Tensor {
  const size = sizeOf(dims)
  const some = new Float32Array(rows.length * size)
  for (const [i, row] of rows.entries()) {
    some.set((data as Float32Array).subarray(row * size, (row + 1) * size), i * size)
  }
  return tensor('float32', some, [rows.length, ...dims])
}

/** The same rows back into it. */
export function putRows({ data, dims: [, ...dims] }: Tensor, rows: Int32Array, from: Tensor): void {
  const size = sizeOf(dims)
  const some = from.data as Float32Array
  for (const [i, row] of rows.entries()) {
    ;(data as Float32Array).set(some.subarray(i * size, (i + 1) * size), row * size)
  }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1)
}

function batchTensor({ name, type, shape }: BatchSpec, batch: Batch): Tensor {
  const data = batch[name]
  if (data?.length !== sizeOf(shape)) {
    throw new TextrecError(
      'DIMENSION_MISMATCH',
      `The batch has ${data?.length ?? 'no'} numbers for '${name}' of shape [${shape.join(', ')}].`,
      'Every step needs a full batch.',
    )
  }
  return tensor(type, data, shape)
}
