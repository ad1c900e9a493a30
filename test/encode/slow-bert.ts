import type { TensorSpec } from '../../dist/scripts/toys/safetensors.js'
import { HEADS, HIDDEN, LAYERS, type TinyModel } from '../../dist/scripts/toys/tiny-bert.js'
import type { Pooling } from '../../src/encode/graph-kinds.js'

/** The encoder as its paper writes it, one number at a time in double precision; not of unit length. */
export function slowBert(model: TinyModel, ids: readonly number[], pooling: Pooling): number[] {
  const get = (name: string) => (model.tensors.get(model.prefix + name) as TensorSpec).data
  const norm = (x: number[], name: string) => {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length
    const scale = get(`${name}.weight`)
    const bias = get(`${name}.bias`)
    return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-12)) * scale[i] + bias[i])
  }
  const linear = (x: number[], name: string) => {
    const weight = get(`${name}.weight`)
    return Array.from(get(`${name}.bias`), (bias, o) =>
      x.reduce((sum, value, i) => sum + value * weight[o * x.length + i], bias),
    )
  }
  const plus = (a: number[], b: number[]) => a.map((value, i) => value + b[i])
  let x = ids.map((id, position) => {
    const at = (name: string, i: number) => Array.from(get(name).subarray(i * HIDDEN, (i + 1) * HIDDEN))
    const sum = plus(
      at('embeddings.word_embeddings.weight', id),
      at('embeddings.position_embeddings.weight', position + model.offset),
    )
    return norm(
      model.types ? plus(sum, at('embeddings.token_type_embeddings.weight', 0)) : sum,
      'embeddings.LayerNorm',
    )
  })
  let before = x
  for (let i = 0; i < LAYERS; i++) {
    before = x
    const at = (part: string) => `${model.layer}.${i}.${model.names[part]}`
    const [q, k, v] = ['q', 'k', 'v'].map((part) => x.map((token) => linear(token, at(part))))
    const size = HIDDEN / HEADS
    const context = x.map((_, a) => {
      const mixed: number[] = []
      for (let head = 0; head < HEADS; head++) {
        const part = (vector: number[]) => vector.slice(head * size, (head + 1) * size)
        const scores = k.map((key) =>
          Math.exp(part(q[a]).reduce((sum, value, j) => sum + value * part(key)[j], 0) / Math.sqrt(size)),
        )
        const total = scores.reduce((sum, value) => sum + value, 0)
        for (let j = 0; j < size; j++) {
          mixed.push(scores.reduce((sum, score, b) => sum + (score / total) * part(v[b])[j], 0))
        }
      }
      return mixed
    })
    x = x.map((token, a) => norm(plus(token, linear(context[a], at('o'))), at('n1')))
    x = x.map((token) => {
      const widened = linear(token, at('up')).map((value) => activate(value, model.activation))
      return norm(plus(token, linear(widened, at('down'))), at('n2'))
    })
  }
  if (pooling === 'cls') return x[0]
  if (pooling === 'last-two') x = x.map((token, a) => plus(token, before[a]))
  return x.reduce(plus).map((value) => value / x.length)
}

function activate(x: number, kind: string): number {
  if (kind === 'relu') return Math.max(0, x)
  if (kind === 'gelu_new') return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
  return 0.5 * x * (1 + erf(x / Math.SQRT2))
}

/** The error function by its Taylor series, which is exact enough for the small arguments here. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
