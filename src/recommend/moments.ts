import { Graph } from '../onnx/graph.js'
import { serializeModel } from '../onnx/protobuf.js'
import { Session, tensor } from '../onnx/session.js'
import { placesOf, type Sample } from './scale.js'

/** From so many times `dim` rows on, sums over all of them are quicker from their products than one by one. */
const WORTH_IT_FROM = 2

/**
 * Sums over a sample's vectors from which any person's mean and variance of scores follow: with v the vectors,
 * the sum of p.v is p . sum(v), and the sum of (p.v)^2 is p' (sum(v v')) p. dim^2 / 2 products a person, where
 * one by one takes rows * dim.
 */
export class Moments {
  private constructor(
    /** Where each key is in the sample. */
    readonly places: ReadonlyMap<number, number>,
    /** [dim] */
    private readonly sums: Float64Array,
    /** [dim, dim] above the diagonal twice what the sum is; below it nothing is read. */
    private readonly products: Float32Array,
  ) {}

  static async create({ keys, vectors: { data, dim, rows } }: Sample): Promise<Moments> {
    const graph = new Graph('moments')
    const vectors = graph.input('vectors', 'float32', [rows, dim])
    const turned = graph.node('Transpose', [vectors], { attributes: { perm: [1, 0] }, shape: [dim, rows] })
    graph.output('products', graph.node('MatMul', [turned, vectors], { shape: [dim, dim] }))
    const session = await Session.create(serializeModel(graph), { threads: 1 })
    try {
      const result = await session.run({ vectors: tensor('float32', data, [rows, dim]) })
      const products = (result.products.data as Float32Array).slice()
      for (let i = 0; i < dim; i++) for (let j = i + 1; j < dim; j++) products[i * dim + j] *= 2
      const sums = new Float64Array(dim)
      for (let i = 0; i < rows; i++) for (let j = 0; j < dim; j++) sums[j] += data[i * dim + j]
      return new Moments(placesOf(keys), sums, products)
    } finally {
      await session.close()
    }
  }

  /** Sum of a person's scores over the whole sample, and of their squares. */
  of(person: Float32Array): { readonly sum: number; readonly squares: number } {
    const { products, sums } = this
    const dim = person.length
    let sum = 0
    let squares = 0
    for (let i = 0; i < dim; i++) {
      const start = i * dim
      sum += person[i] * sums[i]
      let a = 0
      let b = 0
      let j = i
      for (; j + 1 < dim; j += 2) {
        a += person[j] * products[start + j]
        b += person[j + 1] * products[start + j + 1]
      }
      if (j < dim) a += person[j] * products[start + j]
      squares += person[i] * (a + b)
    }
    return { sum, squares }
  }
}

/** The sample with its moments, where they pay: a large one, which serves many people before it is drawn anew. */
export async function withMoments(sample: Sample): Promise<Sample> {
  const { dim, rows } = sample.vectors
  return rows < WORTH_IT_FROM * dim ? sample : { ...sample, moments: await Moments.create(sample) }
}
