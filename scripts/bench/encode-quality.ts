import { join } from 'node:path'
import { compareRankers, splitTable, textMeanRecipe } from '../../src/evaluate/index.js'
import { type ImportSources, importFiles } from '../../src/ingest/import.js'
import { dot, matrix, row } from '../../src/math/matrix.js'
import { mean } from '../../src/math/statistics.js'
import { sampleFiles } from '../../src/sample/index.js'
import { Store } from '../../src/store/index.js'
import type { InteractionTable, ItemKey, Matrix } from '../../src/types.js'
import { atLeast, type Bar } from './bars.js'
import type { Measured } from './encode.js'
import type { Engine } from './encode-engines.js'
import type { BenchContext, Cell } from './part.js'

/** What int8 costs: cosines to fp32, and rankings by text alone with vectors of either kind, paired by person. */
export async function measureQuality(context: BenchContext, int8: Engine, fp32: Engine): Promise<Measured> {
  const rows: Cell[][] = []
  const bars: Bar[] = []
  for (const set of setsOf(context.quick ? undefined : context.data)) {
    const { people, texts, cosines, figures } = await compare(context, set, int8, fp32)
    const { reference, own, low, high } = figures
    const range = `${low.toFixed(4)} to ${high.toFixed(4)}`
    rows.push([
      ...[set.name, texts, people, mean(cosines), Math.min(...cosines)],
      ...[reference.toFixed(4), own.toFixed(4), (own - reference).toFixed(4), range],
    ])
    bars.push(atLeast(`mean cosine to fp32, ${set.name}`, 0.99, mean(cosines)))
    bars.push(atLeast(`NDCG@10 less that of fp32, lower end of the interval, ${set.name}`, -0.003, low))
  }
  const table = {
    title: 'What int8 costs in quality',
    columns: [
      { name: 'set' },
      { name: 'texts' },
      { name: 'people' },
      { name: 'mean cosine to fp32' },
      { name: 'lowest' },
      { name: 'NDCG@10, fp32' },
      { name: 'NDCG@10, int8' },
      { name: 'difference' },
      { name: 'its 95 % interval' },
    ],
    rows,
    notes: [
      `Frozen text vectors, each person's last item (movielens: rated 4 or more), whole catalogue. An item is the first ${WORDS} words of title and description, or else of reviews that are not their writer's last.`,
    ],
  }
  return { tables: [table], bars }
}

interface QualitySet {
  readonly name: string
  readonly files: ImportSources
  readonly minRating?: number
}

function setsOf(data: string | undefined): readonly QualitySet[] {
  if (data === undefined) return [{ name: 'the built-in sample', files: sampleFiles() }]
  const at = (...path: string[]) => join(data, ...path)
  return [
    {
      name: 'amazon-industrial',
      files: {
        items: at('amazon-industrial', 'items.jsonl.gz'),
        interactions: at('amazon-industrial', 'interactions.csv.gz'),
      },
    },
    {
      name: 'movielens-small',
      files: {
        items: at('movielens-small', 'movies_with_overview.csv.gz'),
        interactions: at('movielens-small', 'ratings.csv.gz'),
      },
      minRating: 4,
    },
    {
      name: 'amazon-musical-instruments',
      files: { reviews: at('amazon-musical-instruments', 'Musical_instruments_reviews.csv.gz') },
    },
  ]
}

/** Words of a text that count: enough to tell items apart, few enough for three sets in two minutes. */
const WORDS = 40

async function compare(context: BenchContext, set: QualitySet, int8: Engine, fp32: Engine) {
  const store = Store.open(join(context.work, `quality-${set.name}`), { create: true })
  try {
    await importFiles(store, set.files)
    const table = store.interactions()
    const texts = itemTexts(store, table)
    context.log(`quality, ${set.name}, ${texts.length} texts with int8 and fp32`)
    const fast = await matrixOf(int8, texts)
    const exact = await matrixOf(fp32, texts)
    const recipe = (name: string, vectors: Matrix) => textMeanRecipe(name, () => vectors)
    const { results, split } = await compareRankers(
      splitTable(table, { split: 'hold-last', minRating: set.minRating }),
      [recipe('fp32', exact), recipe('int8', fast)],
    )
    const [reference, own] = results.map(({ metrics }) => metrics['ndcg@10'].mean)
    const { low, high } = results[1].difference!['ndcg@10']
    return {
      people: split.people,
      texts: texts.length,
      cosines: texts.map((_, i) => dot(row(fast, i), row(exact, i))),
      figures: { reference, own, low, high },
    }
  } finally {
    store.close()
  }
}

/** [items] What is known of each item without what a person under test wrote last. */
function itemTexts(store: Store, table: InteractionTable): string[] {
  const lastOf = new Map<string, number>()
  for (const [i, user] of table.users.entries()) {
    const id = table.userIds[user]
    lastOf.set(id, Math.max(lastOf.get(id) ?? Number.NEGATIVE_INFINITY, table.times[i]))
  }
  const items = new Map([...store.eachItem()].map((item) => [item.id, item]))
  return table.itemIds.map((id) => {
    const { key, title, description } = items.get(id) ?? {}
    const own = [title, description].filter((part) => part !== undefined)
    const parts = own.length > 0 ? own : earlierReviews(store, key as ItemKey, lastOf)
    return parts.join('\n').split(/\s+/).slice(0, WORDS).join(' ')
  })
}

function earlierReviews(store: Store, key: ItemKey, lastOf: ReadonlyMap<string, number>): string[] {
  return store
    .reviewsOf(key)
    .filter(({ userId, time }) => time === undefined || time < (lastOf.get(userId) ?? time))
    .map(({ title = '', text = '' }) => `${title} ${text}`)
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
