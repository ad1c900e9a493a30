import { addScaled, length, matrix, row } from '../math/matrix.js'
import { random } from '../math/random.js'
import type { Value } from '../onnx/graph.js'
import type { Scope } from '../onnx/optimizer.js'
import type { Batch } from '../onnx/optimizer-session.js'
import type { Matrix } from '../types.js'
import type { PairStep } from './batches.js'
import type { FamilyData } from './family.js'

/**
 * Numbers that are known before anything is learned. Where people wrote some of them, each part of the people is taught
 * with a table of its own that leaves out what they wrote (FamilyData.vectorsWithout); scores come from the whole one.
 */
export class GivenTable {
  /** @param parts one table per part of the people, or none: then `whole` serves all */
  constructor(
    private readonly name: string,
    private readonly shape: readonly number[],
    private readonly whole: Float32Array,
    private readonly parts: readonly Float32Array[] = [],
  ) {}

  static of(name: string, whole: Matrix, parts: readonly Matrix[] = []): GivenTable {
    return new GivenTable(
      name,
      [whole.rows, whole.dim],
      whole.data,
      parts.map(({ data }) => data),
    )
  }

  /** In a training step: a constant, or fed with each batch. */
  inTraining(scope: Scope): Value {
    return this.parts.length === 0 ? this.inScoring(scope) : scope.batch(this.name, 'float32', this.shape)
  }

  inScoring({ ops }: Scope): Value {
    return ops.graph.constant(this.name, this.whole, this.shape)
  }

  /** What a step about this part of the people is fed. */
  of(part: number): Batch {
    return this.parts.length === 0 ? {} : { [this.name]: this.parts[part] }
  }
}

/** Batches of pairs, each with what its part of the people may know. */
export function* withGiven(steps: Iterable<PairStep>, given: readonly GivenTable[]): Generator<Batch> {
  for (const { part, batch } of steps) {
    yield Object.assign({}, batch, ...given.map((table) => table.of(part))) as Batch
  }
}

/** Tables of people and items, made of vectors. */
export interface StartTables {
  readonly people: Matrix
  readonly items: Matrix
}

/**
 * Tables that start from vectors made beforehand: each item as the first `factors` numbers of its own, at the length
 * that a random row would have, or at random where it has none; each person as the mean of their items.
 * @param deviation of a random row's numbers
 */
export function startFromVectors(
  data: FamilyData,
  factors: number,
  deviation: number,
  seed: number,
): { readonly whole: StartTables; readonly parts: readonly StartTables[] } {
  const tables = (vectors: Matrix) => tablesOf(data, vectors, factors, deviation, seed)
  return {
    whole: tables(data.vectors ?? matrix(data.items, 0)),
    parts: (data.vectorsWithout ?? []).map(tables),
  }
}

function tablesOf(
  { people, items, users, taken }: FamilyData,
  vectors: Matrix,
  factors: number,
  deviation: number,
  seed: number,
): StartTables {
  const source = random(seed)
  const kept = Math.min(vectors.dim, factors)
  const itemTable = matrix(items, factors)
  for (let i = 0; i < items; i++) {
    const [from, to] = [row(vectors, i).subarray(0, kept), row(itemTable, i)]
    // Drawn for every item, so that one without text starts alike in every part.
    for (let d = 0; d < factors; d++) to[d] = source.normal() * deviation
    const known = length(from)
    if (known === 0) continue
    to.fill(0)
    addScaled(to.subarray(0, kept), from, (deviation * Math.sqrt(factors)) / known)
  }
  const counts = new Int32Array(people)
  for (const user of users) counts[user]++
  const peopleTable = matrix(people, factors)
  for (const [i, user] of users.entries()) {
    addScaled(row(peopleTable, user), row(itemTable, taken[i]), 1 / counts[user])
  }
  return { people: peopleTable, items: itemTable }
}

/** What was given plus what is learned, from nothing: how a table learns that has a start for each part. */
export function learnedFrom({ ops, parameter }: Scope, name: string, given: Value): Value {
  return ops.add(given, parameter(name, given.shape as readonly number[], { fill: 0 }))
}
