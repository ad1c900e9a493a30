import type { Random } from '../math/random.js'
import type { Batch } from '../onnx/optimizer-session.js'
import type { Matrix } from '../types.js'
import type { PackedEvents } from './sequences.js'

/** What each step's softmax chooses among, and how the step's events and targets are numbered among it. */
export interface Candidates {
  readonly count: number
  /** [count, textDim] where they are the same in every step; else each batch has its own. */
  readonly texts?: Float32Array
  /** A sample, whose logits are corrected by how often each item is offered. */
  readonly corrected: boolean
  /**
   * 'events' and 'targets' as rows of the candidates, 'texts' where they differ between steps, and for a sample
   * 'ids' and 'logQ'.
   * @param text which of the texts these events may know
   */
  of(part: PackedEvents, source: Random, text: number): Batch
}

/**
 * Every warm item is a candidate of every step.
 * @param texts each [items, textDim]: the whole catalogue as different events may know it
 */
export function fullCandidates(texts: readonly Matrix[], warm: Int32Array): Candidates {
  const place = placesOf(warm, texts[0].rows)
  const rows = texts.map((text) => textRows(text, warm, warm.length))
  return {
    count: warm.length,
    ...(rows.length === 1 ? { texts: rows[0] } : {}),
    corrected: false,
    of: ({ events, targets, weights }, _source, text) => ({
      events: renumber(events, weights, place),
      targets: renumber(targets, weights, place),
      ...(rows.length === 1 ? {} : { texts: rows[text] }),
    }),
  }
}

/**
 * The items of the step itself are its candidates (in-batch softmax), and random warm items fill up the rest.
 * Each item is offered once, however often the step holds it, so no event meets its own target as a wrong
 * answer (accidental hits); logQ is the log of the chance that an item is offered at all.
 * @param texts as for `fullCandidates`
 * @param most candidates per step: at least twice the events of a step
 */
export function sampledCandidates(
  texts: readonly Matrix[],
  warm: Int32Array,
  histories: readonly Int32Array[],
  most: number,
): Candidates {
  const place = placesOf(warm, texts[0].rows)
  const count = Math.min(most, warm.length)
  const counts = new Float64Array(warm.length)
  let total = 0
  for (const history of histories) {
    for (const item of history) counts[place[item]]++
    total += history.length
  }
  /** Offered by one of `events` draws after popularity, or else by the uniform filling. */
  const logOffered = (id: number, events: number, fillingChance: number) => {
    const byBatch = 1 - (1 - counts[id] / total) ** events
    return Math.log(byBatch + (1 - byBatch) * fillingChance)
  }
  return {
    count,
    corrected: true,
    of: (part, source, text) => {
      const rowOf = new Map<number, number>()
      const chosen: number[] = []
      const offer = (id: number) => {
        if (rowOf.has(id)) return
        rowOf.set(id, chosen.push(id) - 1)
      }
      for (let i = 0; i < part.events.length; i++) {
        if (part.weights[i] === 0) continue
        offer(place[part.events[i]])
        offer(place[part.targets[i]])
      }
      const drawn = chosen.length
      while (chosen.length < count) offer(source.integer(warm.length))
      const fillingChance = count === warm.length ? 1 : (count - drawn) / (warm.length - drawn)
      const ids = Int32Array.from(chosen)
      const local = (items: Int32Array) =>
        items.map((item, i) => (part.weights[i] === 0 ? 0 : rowOf.get(place[item])!))
      const events = part.weights.reduce((sum, weight) => sum + weight, 0)
      return {
        events: local(part.events),
        targets: local(part.targets),
        ids,
        texts: textRows(
          texts[text],
          ids.map((id) => warm[id]),
          count,
        ),
        logQ: Float32Array.from(ids, (id) => logOffered(id, events, fillingChance)),
      }
    },
  }
}

function placesOf(warm: Int32Array, items: number): Int32Array {
  const place = new Int32Array(items).fill(-1)
  for (let i = 0; i < warm.length; i++) place[warm[i]] = i
  return place
}

function renumber(items: Int32Array, weights: Float32Array, place: Int32Array): Int32Array {
  return items.map((item, i) => (weights[i] === 0 ? 0 : place[item]))
}

function textRows({ data, dim }: Matrix, items: Int32Array, count: number): Float32Array {
  const rows = new Float32Array(count * dim)
  for (let i = 0; i < items.length; i++)
    rows.set(data.subarray(items[i] * dim, (items[i] + 1) * dim), i * dim)
  return rows
}
