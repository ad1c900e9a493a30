import { Graph } from '../onnx/graph.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import { placesOf, type Sample, type Scale, scaleWithout, textScale } from './scale.js'

/** People in one product: 4 MB of scores. */
export const PEOPLE_AT_ONCE = 1024

/** What `textScale` gives, for many people at once: one matrix product in place of as many loops. */
export class TextScales {
  private readonly places: ReadonlyMap<number, number>

  private constructor(
    private readonly sample: Sample,
    private readonly session: Session,
  ) {
    this.places = placesOf(sample.keys)
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
  async of(vectors: Float32Array, seen: readonly ReadonlySet<number>[]): Promise<Scale[]> {
    const { dim } = this.sample.vectors
    const result = await this.session.run({ people: tensor('float32', vectors, [seen.length, dim]) })
    const [sums, squares] = [result.sums.data as Float32Array, result.squares.data as Float32Array]
    return seen.map((keys, i) => {
      const person = vectors.subarray(i * dim, (i + 1) * dim)
      const scale = scaleWithout(this.sample, this.places, person, keys, sums[i], squares[i])
      return scale ?? textScale(this.sample, person, keys)
    })
  }

  close(): Promise<void> {
    return this.session.close()
  }
}
