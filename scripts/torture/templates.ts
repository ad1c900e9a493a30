import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Recommender, sampleFiles } from '../../src/index.js'
import { matrix, normalize, row } from '../../src/math/matrix.js'
import { random } from '../../src/math/random.js'
import { liveState, textSpaceOf } from '../../src/project/live-index.js'
import { Store } from '../../src/store/index.js'
import { madeItem, type ShopFiles, writeShop } from './shop.js'
import { SIZES, type Size, type Stage, type StageCall, type StageSize } from './stages.js'

/** Projects as each stage finds them, made once and copied for every trial. */
export class Templates {
  readonly files: ShopFiles
  private readonly made = new Map<string, Promise<string>>()
  private readonly size: StageSize

  constructor(
    private readonly folder: string,
    size: Size,
  ) {
    mkdirSync(folder, { recursive: true })
    this.size = SIZES[size]
    this.files = writeShop(folder, this.size.shop, 11)
  }

  /** A copy of the stage's project at `target`; nothing at all for 'import'. */
  async copy(stage: Stage, dtype: StageCall['dtype'], target: string): Promise<void> {
    if (stage === 'import') return
    cpSync(await this.of(stage, dtype), target, { recursive: true })
  }

  private of(stage: Stage, dtype: StageCall['dtype']): Promise<string> {
    const name = `${stage}-${dtype}`
    let made = this.made.get(name)
    if (made === undefined) {
      made = this.make(stage, dtype, join(this.folder, name)).then(() => join(this.folder, name))
      this.made.set(name, made)
    }
    return made
  }

  private async make(stage: Stage, dtype: StageCall['dtype'], folder: string): Promise<void> {
    const open = (create: boolean) => Recommender.open(folder, { dtype, threads: 1, create })
    if (stage === 'upsert') await this.copy('encode', dtype, folder)
    if (stage === 'compact') await this.copy('index', dtype, folder)
    const shop = await open(stage === 'encode' || stage === 'index' || stage === 'train')
    try {
      if (stage === 'encode') await shop.import({ items: this.files.items })
      if (stage === 'upsert') await shop.index()
      if (stage === 'train') {
        await shop.import(sampleFiles())
        await shop.index()
      }
      if (stage === 'index') await madeVectors(shop, folder, this.size.graphItems)
      if (stage === 'compact') {
        await shop.index({ kind: 'hnsw', rebuild: true })
        changeVectors(folder, this.size.changedItems, 6)
      }
    } finally {
      await shop.close()
    }
  }
}

/** A catalogue whose vectors are made up: building its graph takes time, encoding it would take more. */
async function madeVectors(shop: Recommender, folder: string, count: number): Promise<void> {
  const source = random(5)
  await shop.upsert({ items: [madeItem(source, 0)] })
  await shop.index() // names the space
  await shop.remove({ items: ['item-0'] })
  const items = Array.from({ length: count }, (_, i) => madeItem(source, i))
  const store = Store.open(folder)
  // What the removed item left goes with a rebuild, and would look like a loss.
  store.keepEmbeddings(() => [])
  store.write({ items })
  store.close()
  changeVectors(folder, count, 7)
}

/** Gives the first items of the catalogue vectors in one cloud for each subject; other ones for another seed. */
export function changeVectors(folder: string, count: number, seed: number): void {
  const store = Store.open(folder)
  try {
    const live = liveState(store)
    if (live === undefined) throw new Error('nothing is live')
    const source = random(seed)
    const centres = matrix(12, live.dim)
    for (let i = 0; i < centres.data.length; i++) centres.data[i] = source.normal()
    const keys = store.itemKeys(Array.from({ length: count }, (_, i) => `item-${i}`))
    const sources = store.itemSources(keys.filter((key) => key !== undefined))
    store.putItemVectors(
      textSpaceOf(live),
      sources.map(({ key, textVersion }) => {
        const vector = row(centres, key % 12).map((value) => value + source.normal())
        normalize(vector)
        return { key, textVersion, vector }
      }),
    )
  } finally {
    store.close()
  }
}
