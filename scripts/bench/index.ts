import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HNSW_FROM } from '../../src/vector-index/index.js'
import { realVectors } from './catalogue.js'
import { crossover } from './figures.js'
import type { Built, IndexJob, Looped, Opened } from './index-child.js'
import { inChild } from './measure.js'
import type { BenchContext, BenchPart, BenchTable, Cell } from './part.js'

const CHILD = new URL('./index-child.js', import.meta.url)

export const part: BenchPart = {
  name: 'index',
  summary: 'nearest neighbours: exact fp32, exact int8 with rescoring, HNSW',
  async run({ data, flags, log, quick, work }: BenchContext): Promise<readonly BenchTable[]> {
    log('encoding real items')
    const real = await realVectors(quick ? undefined : data, join(work, 'real'))
    const path = join(work, 'real.bin')
    writeFileSync(path, new Uint8Array(real.vectors.data.buffer as ArrayBuffer))
    const sizes = (flags.sizes ?? (quick ? '1000,4000' : '10000,100000')).split(',').map(Number)
    const rows: Cell[][] = []
    const curves: Cell[][] = []
    const single: { exact: number[]; hnsw: number[] } = { exact: [], hnsw: [] }
    for (const items of sizes) {
      const job = (kind: 'exact' | 'hnsw'): IndexJob => ({
        real: path,
        dim: real.vectors.dim,
        items,
        kind,
        folder: join(work, `${items}`),
        queries: quick ? 100 : 400,
      })
      for (const kind of ['exact', 'hnsw'] as const) {
        log(`${items} items, ${kind}`)
        const built = (await inChild<Built>(CHILD, 'build', job(kind))).result
        const opened = (await inChild<Opened>(CHILD, 'search', job(kind))).result
        single[kind].push(opened.p50)
        rows.push([
          kind === 'exact' ? 'exact int8, rescored' : 'HNSW',
          items,
          opened.p50,
          opened.p99,
          opened.inBatches,
          built.recall,
          built.seconds,
          opened.loadMilliseconds,
          opened.memoryBytes / 2 ** 20,
        ])
        if (kind === 'exact') {
          log(`${items} items, plain loop`)
          const loop = (await inChild<Looped>(CHILD, 'plain', job(kind))).result
          rows.push([
            'exact fp32, a plain loop',
            items,
            loop.p50,
            loop.p99,
            undefined,
            1,
            undefined,
            loop.loadMilliseconds,
            loop.memoryBytes / 2 ** 20,
          ])
        }
        for (const { ef, recall, p50 } of opened.curve) curves.push([`${items} items`, ef, recall, p50])
      }
    }
    const meets = crossover(sizes, single.exact, single.hnsw)
    return [
      {
        title: 'Nearest neighbours, k = 10',
        columns: [
          { name: 'index' },
          { name: 'items' },
          { name: 'p50', unit: 'ms' },
          { name: 'p99', unit: 'ms' },
          { name: 'a query in batches', unit: 'ms' },
          { name: 'recall@10' },
          { name: 'build', unit: 's' },
          { name: 'load', unit: 'ms' },
          { name: 'memory', unit: 'MB' },
        ],
        rows,
        notes: [
          `Vectors of ${real.from} with noise, ${real.vectors.dim} numbers; queries from items, near items, far from items and between two. Building includes tuning and writing.`,
          meets === undefined
            ? `Single queries do not change from exact to HNSW between these sizes; the default changes over at ${HNSW_FROM.toLocaleString('en-US')} items.`
            : `HNSW answers a single query sooner from some ${Math.round(meets).toLocaleString('en-US')} items on; the default changes over at ${HNSW_FROM.toLocaleString('en-US')}.`,
          '--size 1000000 for more: a million items need some 8 GB and the better part of an hour.',
        ],
      },
      {
        title: 'HNSW: recall against time',
        columns: [{ name: 'catalogue' }, { name: 'ef' }, { name: 'recall@10' }, { name: 'p50', unit: 'ms' }],
        rows: curves,
        notes: ['Against exact search on the same queries.'],
        curve: { x: 'p50', y: 'recall@10', of: 'catalogue', logX: true },
      },
    ]
  },
}
