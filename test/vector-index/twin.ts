import { normalize } from '#src/math/matrix.js'
import { random } from '#src/math/random.js'
import type { Matrix } from '#src/types.js'
import type { Neighbours } from '#src/vector-index/index.js'

/** The slow, obvious index: a map, and a sort of everything. */
export class Twin {
  private readonly vectors = new Map<number, Float32Array>()

  constructor(keys: Int32Array, vectors: Matrix) {
    keys.forEach((key, i) => {
      this.upsert(key, vectors.data.slice(i * vectors.dim, (i + 1) * vectors.dim))
    })
  }

  get size(): number {
    return this.vectors.size
  }

  keys(): number[] {
    return [...this.vectors.keys()].sort((a, b) => a - b)
  }

  vector(key: number): Float32Array | undefined {
    return this.vectors.get(key)
  }

  upsert(key: number, vector: Float32Array): void {
    this.vectors.set(key, vector.slice())
  }

  remove(key: number): boolean {
    return this.vectors.delete(key)
  }

  score(query: Float32Array, key: number): number {
    const vector = this.vectors.get(key) as Float32Array
    let length = 0
    for (const value of query) length += value * value
    length = Math.sqrt(length)
    const scale = length === 0 || Math.abs(length - 1) < 1e-6 ? 1 : length
    let sum = 0
    for (let i = 0; i < vector.length; i++) sum += Math.fround(query[i] / scale) * vector[i]
    return Math.fround(sum)
  }

  search(query: Float32Array, k: number, allowed: (key: number) => boolean = () => true): Neighbours {
    const ranked = this.keys()
      .filter(allowed)
      .map((key) => ({ key, score: this.score(query, key) }))
      .sort((a, b) => b.score - a.score || a.key - b.key)
      .slice(0, k)
    return {
      keys: Int32Array.from(ranked, ({ key }) => key),
      scores: Float32Array.from(ranked, ({ score }) => score),
    }
  }
}

/** Unit vectors in clusters on a space of few dimensions, as text vectors are. */
export function clustered(rows: number, dim: number, seed: number, clusters = 40): Matrix {
  const source = random(seed)
  const latent = Math.min(dim, 12)
  const axes = Float32Array.from({ length: latent * dim }, () => source.normal())
  const centres = Float32Array.from({ length: clusters * latent }, () => source.normal())
  const data = new Float32Array(rows * dim)
  for (let i = 0; i < rows; i++) {
    const cluster = source.integer(clusters)
    const at = data.subarray(i * dim, (i + 1) * dim)
    for (let l = 0; l < latent; l++) {
      const weight = centres[cluster * latent + l] + 0.6 * source.normal()
      for (let j = 0; j < dim; j++) at[j] += weight * axes[l * dim + j]
    }
    for (let j = 0; j < dim; j++) at[j] += source.normal()
    normalize(at)
  }
  return { data, rows, dim }
}

/** 1, 2, ... */
export function countingKeys(rows: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, i) => i + 1)
}

export function rowOf({ data, dim }: Matrix, i: number): Float32Array {
  return data.slice(i * dim, (i + 1) * dim)
}

export function rowsOf({ data, dim }: Matrix, from: number, to: number): Matrix {
  return { data: data.slice(from * dim, to * dim), rows: to - from, dim }
}
