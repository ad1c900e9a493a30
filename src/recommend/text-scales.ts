import { Graph } from '../onnx/graph.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import { innerProduct } from '../vector-index/rows.js'
import { type Sample, textScale } from './scale.js'

/** People in one product: 4 MB of scores. */
export const PEOPLE_AT_ONCE = 1024
/** Somebody who has more than one in so many of the sample's items is worked out alone. */
const LARGE_SHARE = 4
/** Sums of float32 numbers cannot tell a smaller one from none. */
const LEAST_VARIANCE = 1e-7

/** What `textScale` gives, for many people at once: one matrix product in place of as many loops. */
export class TextScales {
  private readonly rowOf: ReadonlyMap<number, number>

  private constructor(
    private readonly sample: Sample,
    private readonly session: Session,
  ) {
    this.rowOf = new Map(Array.from(sample.keys, (key, at) => [key, at]))
  }

  static async create(sample: Sample): Promise<TextScales> {
    const { data, dim, rows } = sample.vectors
    const items = new Float32Array(rows * dim)
    for (let i = 0; i < rows; i++) for (let j = 0; j < dim; j++) items[j * rows + i] = data[i * dim + j]
    const graph = new Graph('text-scales')
    const people = graph.input('people', 'float32', ['people', dim])
    const scores = graph.node('MatMul', [people, graph.constant('items', items, [dim, rows])], {
      shape: ['people', rows],
    })
    const overItems = graph.int64([1])
    const options = { attributes: { keepdims: 0 }, shape: ['people'] }
    graph.output('sums', graph.node('ReduceSum', [scores, overItems], options))
    graph.output('squares', graph.node('ReduceSumSquare', [scores, overItems], options))
    return new TextScales(sample, await Session.create(serializeModel(graph), { threads: 1 }))
  }

  /**
   * @param vectors [people, dim], at most PEOPLE_AT_ONCE people
   * @param seen [people] item keys, each once: left out of the mean and the deviation
   */
  async of(
    vectors: Float32Array,
    seen: readonly ReadonlySet<number>[],
  ): Promise<{ readonly mean: number; readonly deviation: number }[]> {
    const { data, dim, rows } = this.sample.vectors
    const result = await this.session.run({ people: tensor('float32', vectors, [seen.length, dim]) })
    return seen.map((keys, person) => {
      const vector = vectors.subarray(person * dim, (person + 1) * dim)
      const own = [...keys].map((key) => this.rowOf.get(key)).filter((at) => at !== undefined)
      // So much taken off a float32 sum would leave its rounding.
      if (own.length * LARGE_SHARE > rows) return textScale(this.sample, vector, keys)
      let sum = (result.sums.data as Float32Array)[person]
      let squares = (result.squares.data as Float32Array)[person]
      for (const at of own) {
        const score = innerProduct(vector, data, at * dim)
        sum -= score
        squares -= score * score
      }
      const count = rows - own.length
      const mean = count === 0 ? 0 : sum / count
      const variance = count === 0 ? 0 : squares / count - mean * mean
      return { mean, deviation: variance > LEAST_VARIANCE ? Math.sqrt(variance) : 1 }
    })
  }

  close(): Promise<void> {
    return this.session.close()
  }
}
