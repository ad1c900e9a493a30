import { type Random, shuffle } from '../math/random.js'

/** Histories laid out in rows of `length` events, several to a row where they fit: no step computes padding. */
export interface PackedEvents {
  readonly rows: number
  readonly length: number
  /** [rows * length] what was taken; `filler` where a row has room left. */
  readonly events: Int32Array
  /** [rows * length] which history of its row an event belongs to, -1 for filler. */
  readonly segments: Int32Array
  /** [rows * length] place in its history, from 0. */
  readonly positions: Int32Array
  /** [rows * length] what was taken next. */
  readonly targets: Int32Array
  /** [rows * length] 1 where there is something to predict. */
  readonly weights: Float32Array
  /** [rows * length] when the event was; where that is read. */
  readonly times?: Float64Array
}

/** Events `from` to `to` (not included) of one history; each but the last has the next one as its target. */
interface Window {
  readonly history: Int32Array
  readonly times?: Float64Array
  readonly from: number
  readonly to: number
}

/**
 * One epoch of training: every event of every history is a target once, except the first and those at the
 * start of a window. Histories longer than a row are cut into windows at a place drawn anew each epoch.
 * @param histories item numbers, oldest first @param times of each event of each history, where they are read
 */
export function packEpoch(
  histories: readonly Int32Array[],
  length: number,
  source: Random,
  times?: readonly Float64Array[],
): PackedEvents {
  const windows = histories.flatMap((history, i) => cut(history, length, source, times?.[i]))
  shuffle(windows, source)
  const rows: Window[][] = []
  // open[room] lists rows with that much room: the fullest row that still has enough takes the window.
  const open: number[][] = Array.from({ length: length + 1 }, () => [])
  for (const window of windows) {
    const size = window.to - window.from - 1
    let room = size
    while (room <= length && open[room].length === 0) room++
    let row: number
    if (room <= length) row = open[room].pop()!
    else {
      row = rows.push([]) - 1
      room = length
    }
    rows[row].push(window)
    open[room - size].push(row)
  }
  // Best fit leaves the short histories together; mixed rows make steps alike.
  shuffle(rows, source)
  const size = rows.length * length
  const packed: PackedEvents = {
    rows: rows.length,
    length,
    events: new Int32Array(size),
    segments: new Int32Array(size).fill(-1),
    positions: new Int32Array(size),
    targets: new Int32Array(size),
    weights: new Float32Array(size),
    ...(times === undefined ? {} : { times: new Float64Array(size) }),
  }
  for (const [r, row] of rows.entries()) {
    let at = r * length
    for (const [segment, { history, times: when, from, to }] of row.entries()) {
      for (let i = from; i + 1 < to; i++, at++) {
        packed.events[at] = history[i]
        packed.segments[at] = segment
        packed.positions[at] = i - from
        packed.targets[at] = history[i + 1]
        packed.weights[at] = 1
        if (packed.times !== undefined && when !== undefined) packed.times[at] = when[i]
      }
    }
  }
  return packed
}

function cut(history: Int32Array, length: number, source: Random, times: Float64Array | undefined): Window[] {
  const windows: Window[] = []
  let from = 0
  let to = history.length - 1 <= length ? history.length : 2 + source.integer(length)
  while (history.length - from >= 2) {
    windows.push({ history, times, from, to })
    from = to - 1
    to = Math.min(history.length, from + length + 1)
  }
  return windows
}

/** Rows `from` to `to` (not included), filled up to `rows` rows that predict nothing. */
export function rowsOf(packed: PackedEvents, from: number, to: number, rows: number): PackedEvents {
  const { length } = packed
  const part = <T extends Int32Array | Float32Array | Float64Array>(all: T, filler: number): T => {
    const result = new (all.constructor as new (size: number) => T)(rows * length)
    result.fill(filler)
    result.set(all.subarray(from * length, to * length))
    return result
  }
  const { times } = packed
  return {
    rows,
    length,
    events: part(packed.events, 0),
    segments: part(packed.segments, -1),
    positions: part(packed.positions, 0),
    targets: part(packed.targets, 0),
    weights: part(packed.weights, 0),
    ...(times === undefined ? {} : { times: part(times, 0) }),
  }
}

/** The ends of many histories, several to a row. */
export interface PackedTails {
  readonly rows: number
  /** [rows * length] as in PackedEvents. */
  readonly events: Int32Array
  readonly segments: Int32Array
  readonly positions: Int32Array
  /** [histories] where each history's last event lies; -1 for an empty history. */
  readonly last: Int32Array
}

/** The last `length` events of each history, in the order of the histories: a row is closed when it is full. */
export function packTails(histories: readonly Int32Array[], length: number): PackedTails {
  const tails = histories.map((history) => history.subarray(Math.max(0, history.length - length)))
  const last = new Int32Array(tails.length).fill(-1)
  const starts: number[] = []
  let at = 0
  for (const tail of tails) {
    if ((at % length) + tail.length > length) at += length - (at % length)
    starts.push(at)
    at += tail.length
  }
  const rows = Math.ceil(at / length)
  const events = new Int32Array(rows * length)
  const segments = new Int32Array(rows * length).fill(-1)
  const positions = new Int32Array(rows * length)
  for (const [h, tail] of tails.entries()) {
    for (let i = 0; i < tail.length; i++) {
      events[starts[h] + i] = tail[i]
      segments[starts[h] + i] = h
      positions[starts[h] + i] = i
    }
    if (tail.length > 0) last[h] = starts[h] + tail.length - 1
  }
  return { rows, events, segments, positions, last }
}
