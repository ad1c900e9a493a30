/**
 * The child process in which graphs are built and published ones are tried out: building takes minutes and would
 * block the event loop, and a graph file that is not sound can take its process down with it. Started by
 * `hnsw-client.ts` only. Ends when its parent does.
 */
import { statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isTextrecError } from '../errors.js'
import { random, shuffle } from '../math/random.js'
import { ExactIndex } from './exact-index.js'
import type { Answer, Call, Methods } from './hnsw-client.js'
import { HnswIndex } from './hnsw-index.js'
import { type GraphShape, type NativeGraph, newGraph } from './hnsw-library.js'
import { openIndex } from './open.js'
import { Rows } from './rows.js'
import { tuneEf } from './tune.js'

/** Milliseconds of building between two looks at the messages. */
const SLICE = 100

let dim = 0
let data = new Float32Array(0)
let graph: NativeGraph | undefined

const rowCount = () => data.length / dim
const rowNumbers = () => Int32Array.from({ length: rowCount() }, (_, row) => row + 1)

const methods: Methods = {
  async begin({ rows, dim: width }) {
    dim = width
    data = new Float32Array(rows * dim)
  },

  async rows({ first, values }) {
    data.set(values, first * dim)
  },

  async build(shape) {
    graph = newGraph(dim)
    await fill(graph, shape)
  },

  async tune({ seed, bar }) {
    const exact = await ExactIndex.trusted(rowNumbers(), { data, rows: rowCount(), dim })
    const index = new HnswIndex(new Rows(dim, rowNumbers(), data), built(), 0)
    try {
      return await tuneEf(index, exact, seed, bar)
    } finally {
      await exact.close()
    }
  },

  async save({ path }) {
    // Nothing can be added meanwhile: this process does one thing at a time, and nobody else has the graph.
    built().writeIndexSync(path)
    return { bytes: statSync(path).size }
  },

  async tryOut({ folder }) {
    const { index } = await openIndex(folder, {})
    const { keys, vectors } = index.entries()
    const source = random(1)
    let wrong = 0
    const trials = Math.min(64, keys.length)
    for (let trial = 0; trial < trials; trial++) {
      const i = source.integer(keys.length)
      const query = vectors.data.subarray(i * index.dim, (i + 1) * index.dim)
      const { scores } = await index.search(query, 1)
      if (!(scores[0] > 0.999)) wrong++
    }
    await index.close()
    return { size: keys.length, wrong, trials }
  },
}

function built(): NativeGraph {
  if (graph === undefined) throw new Error('no graph has been built')
  return graph
}

async function fill(target: NativeGraph, { m, efConstruction, seed }: GraphShape): Promise<void> {
  const rows = rowCount()
  target.initIndex(Math.max(1, rows), m, efConstruction, seed)
  // Keys come in the order in which items were stored, like next to like: a graph of shuffled rows is better
  // connected (on copies of few vectors by up to 0.02 of recall).
  const order = shuffle(
    Int32Array.from({ length: rows }, (_, row) => row),
    random(seed),
  )
  let pause = performance.now() + SLICE
  for (let done = 0; done < rows; done++) {
    const row = order[done]
    target.addPoint(Array.from(data.subarray(row * dim, (row + 1) * dim)), row)
    if (performance.now() < pause) continue
    send({ kind: 'progress', done: done + 1 })
    await nextTurn()
    pause = performance.now() + SLICE
  }
}

function send(answer: Answer): void {
  process.send?.(answer)
}

async function answer(call: Call): Promise<void> {
  try {
    const method = methods[call.method] as (argument: unknown) => Promise<unknown>
    send({ kind: 'result', id: call.id, result: await method(call.argument) })
  } catch (error) {
    const known = isTextrecError(error) ? error : undefined
    send({
      kind: 'error',
      id: call.id,
      code: known?.code,
      fact: known?.fact ?? (error instanceof Error ? error.message : String(error)),
      remedy: known?.remedy ?? '',
    })
  }
}

// An interrupt at the terminal reaches the whole group: the parent decides what it means.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(0))
process.on('message', (call: Call) => void answer(call))
