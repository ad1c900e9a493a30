import type { Basis, Matrix } from '../types.js'
import { personVector, type Signal } from './person.js'

/**
 * The space in which items and people meet: the encoder's own, or one that an adapter has learnt. The index
 * holds item vectors of this space; what is asked about and not stored comes through here.
 */
export interface Space {
  readonly basis: Extract<Basis, 'frozen text' | 'adapter'>
  /**
   * Text vectors of items or of words -> vectors of this space.
   * @param texts [n, text dim] @param itemIds [n] undefined for what is not an item of the catalogue
   */
  fromText(texts: Matrix, itemIds: readonly (string | undefined)[]): Promise<Matrix>
  /** The unit vector of a person, from signals in this space, oldest first; undefined when they cancel. */
  person(signals: readonly Signal[]): Promise<Float32Array | undefined>
  /** Many of them, faster than one by one; the same but for rounding (1e-6). */
  people(signals: readonly (readonly Signal[])[]): Promise<(Float32Array | undefined)[]>
}

/** The encoder's space as it is: a person is the weighted sum of what they like. */
export const FROZEN_TEXT: Space = {
  basis: 'frozen text',
  fromText: async (texts) => texts,
  person: async (signals) => personVector(signals),
  people: async (all) => all.map((signals) => personVector(signals)),
}
