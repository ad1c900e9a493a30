/** A seeded source of random numbers: the same seed gives the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1), 32 bits of it. */
  next(): number
  /** A whole number in [0, below). */
  integer(below: number): number
  /** Standard normal. */
  normal(): number
  /** The whole state, for checkpoints; `randomFrom` continues from it. */
  state(): readonly number[]
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by splitmix32 so that near seeds are unrelated. */
export function random(seed: number): Random {
  let mix = seed >>> 0
  const word = () => {
    mix = (mix + 0x9e3779b9) >>> 0
    let z = mix
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  const generator = randomFrom([word(), word(), word(), 1])
  for (let i = 0; i < 12; i++) generator.next()
  return generator
}

/** Continues a generator from what `state()` gave. */
export function randomFrom(state: readonly number[]): Random {
  let [a, b, c, counter] = state
  const uint32 = () => {
    const t = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = ((c << 21) | (c >>> 11)) >>> 0
    c = (c + t) >>> 0
    return t
  }
  const next = () => uint32() / 4294967296
  return {
    next,
    integer: (below) => Math.floor(next() * below),
    // Box-Muller with one of the two values thrown away: no hidden state between calls.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    state: () => [a >>> 0, b >>> 0, c >>> 0, counter >>> 0],
  }
}

/** Fisher-Yates, in place. Returns `values`. */
export function shuffle<T extends { [index: number]: unknown; length: number }>(
  values: T,
  source: Random,
): T {
  for (let i = values.length - 1; i > 0; i--) {
    const j = source.integer(i + 1)
    const held = values[i]
    values[i] = values[j]
    values[j] = held
  }
  return values
}
