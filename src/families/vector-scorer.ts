import { addScaled, dot, matrix, row } from '../math/matrix.js'
import { Graph } from '../onnx/graph.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import type { Scorer } from '../ranking.js'
import type { Matrix, Person } from '../types.js'
import type { Pairs } from './family.js'

/** [rows, dim + 1] one more column: `values`, or ones. An inner product of two such rows has a bias in it. */
export function withColumn({ rows, dim, data }: Matrix, values?: Float32Array): Matrix {
  const result = matrix(rows, dim + 1)
  for (let i = 0; i < rows; i++) {
    result.data.set(data.subarray(i * dim, (i + 1) * dim), i * (dim + 1))
    result.data[i * (dim + 1) + dim] = values === undefined ? 1 : values[i]
  }
  return result
}

/** Inner products of a person's vector with every item's. @param items [items, dim] */
export async function vectorScorer(
  name: string,
  items: Matrix,
  vectorOf: (person: Person) => Float32Array,
): Promise<Scorer> {
  const graph = new Graph(name)
  const people = graph.input('people', 'float32', ['people', items.dim])
  const table = graph.input('items', 'float32', [items.rows, items.dim])
  graph.output('scores', graph.node('Gemm', [people, table], { attributes: { transB: 1 } }))
  const session = await Session.create(serializeModel(graph))
  return {
    name,
    itemCount: items.rows,
    scores: async (asked) => {
      if (asked.length === 0) return matrix(0, items.rows)
      const vectors = matrix(asked.length, items.dim)
      for (const [i, person] of asked.entries()) row(vectors, i).set(vectorOf(person))
      const { scores } = await session.run({
        people: tensor('float32', vectors.data, [asked.length, items.dim]),
        items: tensor('float32', items.data, [items.rows, items.dim]),
      })
      return matrix(asked.length, items.rows, scores.data as Float32Array)
    },
    close: () => session.close(),
  }
}

/** [people] 1 for people with at least one pair. */
export function knownPeople({ users }: Pairs, people: number): Uint8Array {
  const known = new Uint8Array(people)
  for (const user of users) known[user] = 1
  return known
}

/**
 * A trained person's own row; for a stranger the mean of the rows of their items, scaled to the usual (root mean
 * square) length of a trained person.
 */
export function personOrMeanOfItems(
  people: Matrix,
  items: Matrix,
  pairs: Pairs,
): (person: Person) => Float32Array {
  const known = knownPeople(pairs, people.rows)
  const trained = Array.from(known.keys()).filter((user) => known[user] === 1)
  const squares = trained.reduce((sum, user) => sum + dot(row(people, user), row(people, user)), 0)
  const usual = Math.sqrt(squares / Math.max(1, trained.length))
  return ({ user, items: history }) => {
    if (user !== undefined && known[user] === 1) return row(people, user)
    const mean = new Float32Array(items.dim)
    for (const item of history) addScaled(mean, row(items, item), 1)
    const length = Math.sqrt(dot(mean, mean))
    return length === 0 ? mean : mean.map((value) => (value * usual) / length)
  }
}
