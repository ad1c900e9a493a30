import { join } from 'node:path'
import { embedTexts, openEncoder } from '../../src/encode/index.js'
import { Store } from '../../src/store/index.js'
import { below } from './bars.js'
import type { Measured } from './encode.js'
import { type ChildRun, inChild } from './measure.js'
import type { BenchContext, BenchTable } from './part.js'

interface Order {
  readonly folder: string
  readonly cacheDirectory: string
  readonly threads: number
  readonly texts: number
}

/** Runs in a process of its own: stores the vectors of so many different short texts. */
export async function embedMany({ folder, cacheDirectory, threads, texts }: Order): Promise<number> {
  const store = Store.open(folder, { create: true })
  const encoder = await openEncoder('all-MiniLM-L6-v2', {
    device: 'cpu',
    dtype: 'int8',
    threads,
    cacheDirectory,
  })
  try {
    const different = function* () {
      for (let i = 0; i < texts; i++) yield `Text ${i}`
    }
    return (await embedTexts(store, encoder, different())).encoded
  } finally {
    await encoder.close()
    store.close()
  }
}

/**
 * @param work where the graph is cached and the project goes
 * @param run tells runs of the same size apart: each starts with an empty project
 */
export function embedInChild({
  work,
  threads,
  texts,
  run = 0,
}: Pick<BenchContext, 'work' | 'threads'> & {
  readonly texts: number
  readonly run?: number
}): Promise<ChildRun<number>> {
  const order: Order = {
    folder: join(work, `texts-${texts}-${run}`),
    cacheDirectory: join(work, 'cache'),
    threads,
    texts,
  }
  return inChild<number>(new URL(import.meta.url), 'embedMany', order)
}

/** Peak memory of encoding into a project, over a growing number of texts. */
export async function measureMemory({ quick, threads, work, log, flags }: BenchContext): Promise<Measured> {
  const most = Number(flags.texts ?? (quick ? 4000 : 200_000))
  const runs = []
  for (const texts of [most / 16, most / 4, most].map(Math.round)) {
    log(`memory, ${texts} texts`)
    runs.push({ texts, ...(await embedInChild({ work, threads, texts })) })
  }
  const table: BenchTable = {
    title: 'Memory while texts are encoded and stored',
    columns: [{ name: 'texts' }, { name: 'peak memory', unit: 'MB' }, { name: 'texts', unit: '1/s' }],
    rows: runs.map(({ texts, peakBytes, milliseconds }) => [
      texts,
      peakBytes / 2 ** 20,
      (texts / milliseconds) * 1000,
    ]),
    notes: [
      "Texts of a few tokens, each different; each run in a process of its own. The store's page cache (32 MiB) is full after some 20,000 texts. --with texts=1000000 for more.",
    ],
  }
  const growth = runs[2].peakBytes / runs[1].peakBytes
  return { tables: [table], bars: [below('memory at four times the texts, times that before', 1.1, growth)] }
}
