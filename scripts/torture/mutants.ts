import type { Random } from '../../src/math/random.js'

/** The ways in which files go wrong: cut off, bits turned, parts written twice, exchanged, another file's bytes. */
export const DAMAGES = ['truncate', 'flip', 'splice', 'swap', 'foreign'] as const
export type Damage = (typeof DAMAGES)[number]

/** Damaged bytes, never equal to `bytes`. @param foreign other files' bytes, one of which is taken whole or in part */
export function mutant(bytes: Buffer, damage: Damage, foreign: readonly Buffer[], random: Random): Buffer {
  for (let attempt = 0; attempt < 100; attempt++) {
    const damaged = damagedOnce(bytes, damage, foreign, random)
    if (!damaged.equals(bytes)) return damaged
  }
  throw new Error(`No ${damage} changes these ${bytes.length} bytes.`)
}

function damagedOnce(bytes: Buffer, damage: Damage, foreign: readonly Buffer[], random: Random): Buffer {
  const { length } = bytes
  if (damage === 'truncate') {
    // Most often near a power of two, where file systems cut.
    const at =
      random.next() < 0.5 ? random.integer(length) : 2 ** random.integer(Math.ceil(Math.log2(length)))
    return Buffer.from(bytes.subarray(0, Math.min(at, length - 1)))
  }
  const copy = Buffer.from(bytes)
  const span = 1 + random.integer(Math.max(1, Math.min(4096, length >> 1)))
  const from = random.integer(Math.max(1, length - span))
  const to = random.integer(Math.max(1, length - span))
  if (damage === 'flip') {
    for (let flips = 1 + random.integer(3); flips > 0; flips--)
      copy[random.integer(length)] ^= 1 << random.integer(8)
  } else if (damage === 'splice') {
    bytes.copy(copy, to, from, from + span)
  } else if (damage === 'swap') {
    bytes.copy(copy, to, from, from + span)
    bytes.copy(copy, from, to, to + span)
  } else {
    const other = foreign[random.integer(foreign.length)]
    if (random.next() < 0.5) return Buffer.from(other)
    other.copy(copy, to, 0, Math.min(span, other.length))
  }
  return copy
}
