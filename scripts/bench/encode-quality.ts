import { join } from 'node:path'
import { compareRankers, splitTable, textMeanRecipe } from '../../src/evaluate/index.js'
import { importFiles } from '../../src/ingest/import.js'
import { matrix, row } from '../../src/math/matrix.js'
import { mean } from '../../src/math/statistics.js'
import { sampleFiles } from '../../src/sample/index.js'
import { Store } from '../../src/store/index.js'
import type { Matrix } from '../../src/types.js'
import type { Engine } from './encode-engines.js'
import type { BenchContext, BenchTable } from './part.js'

/** What int8 costs: cosines to fp32, and rankings by text alone with vectors of either kind, paired by person. */
export async function qualityTable(context: BenchContext, int8: Engine, fp32: Engine): Promise<BenchTable> {
  const { data, work, quick } = context
  const files =
    data === undefined
      ? sampleFiles()
      : {
          items: join(data, 'amazon-industrial', 'items.jsonl.gz'),
          interactions: join(data, 'amazon-industrial', 'interactions.csv.gz'),
        }
  const store = Store.open(join(work, 'quality'), { create: true })
  try {
    await importFiles(store, files)
    const table = store.interactions()
    const titled = new Map<string, string>()
    for (const { id, title = '', description = '' } of store.eachItem())
      titled.set(id, quick ? title : `${title}\n${description}`)
    const texts = table.itemIds.map((id) => titled.get(id) ?? '')
    context.log(`quality, ${texts.length} texts with int8 and fp32`)
    const fast = await matrixOf(int8, texts)
    const exact = await matrixOf(fp32, texts)
    const cosines = texts.map((_, i) =>
      row(fast, i).reduce((sum, value, j) => sum + value * row(exact, i)[j], 0),
    )
    const recipe = (name: string, vectors: Matrix) => textMeanRecipe(name, () => vectors)
    const { results, split } = await compareRankers(splitTable(table, { split: 'hold-last' }), [
      recipe('fp32', exact),
      recipe('int8', fast),
    ])
    const [reference, own] = results.map(({ metrics }) => metrics['ndcg@10'].mean)
    const { low, high } = results[1].difference!['ndcg@10']
    return {
      title: 'What int8 costs in quality',
      columns: [{ name: 'figure' }, { name: 'value' }],
      rows: [
        ['mean cosine to fp32', mean(cosines)],
        ['lowest cosine to fp32', Math.min(...cosines)],
        ['NDCG@10, fp32', reference],
        ['NDCG@10, int8', own],
        ['difference', own - reference],
        ['its 95 % interval, from', low],
        ['to', high],
      ],
      notes: [
        `${data === undefined ? 'The built-in sample' : 'amazon-industrial'}, ${quick ? 'titles alone' : 'titles and descriptions'}, frozen text vectors, each of ${split.people} people's last item, whole catalogue.`,
      ],
    }
  } finally {
    store.close()
  }
}

/** [texts, dim], computed in portions. */
async function matrixOf(engine: Engine, texts: readonly string[]): Promise<Matrix> {
  let result: Matrix | undefined
  for (let start = 0; start < texts.length; start += 1024) {
    const vectors = await engine.encode(texts.slice(start, start + 1024))
    result ??= matrix(texts.length, vectors[0].length)
    for (const [i, vector] of vectors.entries()) row(result, start + i).set(vector)
  }
  return result ?? matrix(0, 0)
}
