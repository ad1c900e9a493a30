import { addScaled, matrix, normalize, row } from '../../math/matrix.js'
import { topK } from '../../math/top-k.js'
import { Graph } from '../../onnx/graph.js'
import { serializeModel } from '../../onnx/protobuf.js'
import { Session, tensor } from '../../onnx/session.js'
import { chooseParameters, type FitContext, type RankerRecipe, rankerOf, type Scorer } from '../../ranking.js'
import type { InteractionTable, Matrix, Person } from '../../types.js'

/**
 * [items, dim] one unit row per item, zeros for an item without text, made from what is allowed while `table`
 * (training, or fitting while parameters are chosen) is what is known.
 */
export type ItemVectors = (table: InteractionTable) => Matrix | Promise<Matrix>

/** How much each older item of a history counts beside the next newer one. */
const DECAYS = [1, 0.9, 0.8, 0.6] as const
const NEIGHBOURS = [20, 100] as const

/** Cosine of each item with the recency-weighted mean of the person's items. The decay is chosen on validation. */
export function textMeanRecipe(name: string, vectors: ItemVectors): RankerRecipe {
  return textRecipe(
    name,
    vectors,
    DECAYS.map((decay) => ({ decay })),
    async (similarity, { decay }) => meanScorer(name, similarity, decay),
  )
}

/** The same with a given decay, for rankers that add other scores to it. @param items [items, dim] */
export async function textMeanScorer(name: string, items: Matrix, decay: number): Promise<Scorer> {
  return meanScorer(name, await Similarity.create(items), decay)
}

function meanScorer(name: string, similarity: Similarity, decay: number): Scorer {
  return {
    name,
    itemCount: similarity.items.rows,
    scores: (people) => similarity.scores(recentMeans(similarity.items, people, decay)),
    close: () => similarity.close(),
  }
}

/**
 * Each item of the history votes, by recency-weighted cosine, for the items whose texts are nearest to its own.
 * Decay and number of neighbours are chosen on validation.
 */
export function textNeighboursRecipe(name: string, vectors: ItemVectors): RankerRecipe {
  const candidates = NEIGHBOURS.flatMap((count) => DECAYS.map((decay) => ({ count, decay })))
  return textRecipe(name, vectors, candidates, async (similarity, parameters) =>
    neighbourVotes(name, similarity, parameters),
  )
}

function textRecipe<P>(
  name: string,
  vectors: ItemVectors,
  candidates: readonly P[],
  scorer: (similarity: Similarity, parameters: P) => Promise<Scorer>,
): RankerRecipe {
  return {
    name,
    seedless: true,
    fit: async (context: FitContext) => {
      const fit = async (parameters: P, table: InteractionTable) =>
        rankerOf(await scorer(await Similarity.create(await made(table)), parameters))
      // One table is asked for many times while parameters are chosen.
      const cache = new Map<InteractionTable, Matrix>()
      const made = async (table: InteractionTable) => {
        const matrix = cache.get(table) ?? (await vectors(table))
        cache.set(table, matrix)
        return matrix
      }
      const { best } = await chooseParameters(candidates, fit, context)
      return fit(best, context.training)
    },
  }
}

/** [people, dim] unit length: sum over the history, newest first, of decay^age * vector. */
export function recentMeans(items: Matrix, people: readonly Person[], decay: number): Matrix {
  const means = matrix(people.length, items.dim)
  people.forEach((person, i) => {
    const target = row(means, i)
    let weight = 1
    for (let at = person.items.length - 1; at >= 0 && weight > 1e-6; at--) {
      addScaled(target, row(items, person.items[at]), weight)
      weight *= decay
    }
    normalize(target)
  })
  return means
}

async function neighbourVotes(
  name: string,
  similarity: Similarity,
  { count, decay }: { readonly count: number; readonly decay: number },
): Promise<Scorer> {
  const itemCount = similarity.items.rows
  const lists = new Map<number, { readonly items: Int32Array; readonly cosines: Float32Array }>()
  const prepare = async (wanted: readonly number[]) => {
    const queries = matrix(wanted.length, similarity.items.dim)
    wanted.forEach((item, i) => {
      queries.data.set(row(similarity.items, item), i * queries.dim)
    })
    const cosines = await similarity.scores(queries)
    wanted.forEach((item, i) => {
      const mine = row(cosines, i)
      mine[item] = Number.NaN
      const items = topK(mine, count)
      lists.set(item, { items, cosines: Float32Array.from(items, (other) => mine[other]) })
    })
  }
  return {
    name,
    itemCount,
    scores: async (people) => {
      const missing = [...new Set(people.flatMap(({ items }) => [...items]))].filter(
        (item) => !lists.has(item),
      )
      for (let at = 0; at < missing.length; at += 256) await prepare(missing.slice(at, at + 256))
      const scores = matrix(people.length, itemCount)
      people.forEach((person, i) => {
        const target = row(scores, i)
        let weight = 1
        for (let at = person.items.length - 1; at >= 0 && weight > 1e-6; at--) {
          const { items, cosines } = lists.get(person.items[at])!
          for (let j = 0; j < items.length; j++) target[items[j]] += weight * cosines[j]
          weight *= decay
        }
      })
      return scores
    },
    close: () => similarity.close(),
  }
}

/** Inner products with every item's vector. Batches are small, so the thread is never held for long. */
class Similarity {
  private constructor(
    readonly items: Matrix,
    private readonly session: Session,
  ) {}

  static async create(items: Matrix): Promise<Similarity> {
    const graph = new Graph('similarity')
    const queries = graph.input('queries', 'float32', ['people', items.dim])
    const vectors = graph.input('vectors', 'float32', [items.rows, items.dim])
    graph.output('scores', graph.node('Gemm', [queries, vectors], { attributes: { transB: 1 } }))
    return new Similarity(items, await Session.create(serializeModel(graph)))
  }

  /** [queries.rows, items] */
  async scores(queries: Matrix): Promise<Matrix> {
    if (queries.rows === 0 || this.items.rows === 0) return matrix(queries.rows, this.items.rows)
    const { scores } = await this.session.run({
      queries: tensor('float32', queries.data, [queries.rows, queries.dim]),
      vectors: tensor('float32', this.items.data, [this.items.rows, this.items.dim]),
    })
    return matrix(queries.rows, this.items.rows, scores.data as Float32Array)
  }

  close(): Promise<void> {
    return this.session.close()
  }
}
