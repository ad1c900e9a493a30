import { join } from 'node:path'
import { embedTexts, openEncoder } from '../../src/encode/index.js'
import { Store } from '../../src/store/index.js'
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

/** @param work where the graph is cached and the project goes */
export function embedInChild({
  work,
  threads,
  texts,
}: Pick<BenchContext, 'work' | 'threads'> & { readonly texts: number }): Promise<ChildRun<number>> {
  const order: Order = {
    folder: join(work, `texts-${texts}`),
    cacheDirectory: join(work, 'cache'),
    threads,
    texts,
  }
  return inChild<number>(new URL(import.meta.url), 'embedMany', order)
}

/** Peak memory of encoding into a project, over a growing number of texts. */
export async function memoryTable({ quick, threads, work, log, flags }: BenchContext): Promise<BenchTable> {
  const most = Number(flags.texts ?? (quick ? 4000 : 32_000))
  const rows = []
  for (const texts of [most / 16, most / 4, most].map(Math.round)) {
    log(`memory, ${texts} texts`)
    const { peakBytes, milliseconds } = await embedInChild({ work, threads, texts })
    rows.push([texts, peakBytes / 2 ** 20, (texts / milliseconds) * 1000])
  }
  return {
    title: 'Memory while texts are encoded and stored',
    columns: [{ name: 'texts' }, { name: 'peak memory', unit: 'MB' }, { name: 'texts', unit: '1/s' }],
    rows,
    notes: [
      'Texts of a few tokens, each different; each run in a process of its own. --with texts=1000000 for more.',
    ],
  }
}
