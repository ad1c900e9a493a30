import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Answer, Recommender } from 'textrec'
import type { Adapter } from '#src/adapter/index.js'
import { TextrecError } from '#src/errors.js'
import { matrix, row } from '#src/math/matrix.js'
import { indexFolder, setLiveState } from '#src/project/live-index.js'
import { adapterFolder, adapterSpace, type LiveModel } from '#src/project/serving-model.js'
import { SERVING_DEFAULTS } from '#src/recommend/serving.js'
import { Store } from '#src/store/index.js'
import { buildIndex, publishIndex } from '#src/vector-index/index.js'
import type { RankerRecipe } from '../../src/ranking.js'
import type { InteractionTable, ItemKey, Matrix, Person, Ranker, RankOptions } from '../../src/types.js'

export interface ServedState {
  readonly name: string
  /** Weight of item-item scores. */
  readonly share: number
  readonly adapter?: Adapter
  /** [items, dim] what the encoder would make of the items' texts. */
  readonly texts: (itemCount: number) => Matrix
}

const TEXT_SPACE = 'conformance'
const MODEL = 'model'

/** `Recommender.recommend` itself as a ranker: a project on disk with the table's interactions. */
export function servedRecipe(state: ServedState): (itemCount: number) => RankerRecipe {
  return (itemCount) => ({
    name: state.name,
    fit: async ({ training }) => {
      const folder = mkdtempSync(join(tmpdir(), 'textrec-served-'))
      await fill(folder, training, state, state.texts(itemCount))
      return new Served(await Recommender.open(folder, { threads: 1 }), folder, training)
    },
  })
}

class Served implements Ranker {
  readonly name = 'recommend'
  readonly itemCount: number

  constructor(
    private readonly shop: Recommender,
    private readonly folder: string,
    private readonly table: InteractionTable,
  ) {
    this.itemCount = table.itemIds.length
  }

  async rank(people: readonly Person[], options: RankOptions) {
    const answers = await this.answers(people, options)
    return answers.map(({ items }) => {
      if (items.some(({ rank }, i) => rank !== i + 1)) throw new Error('ranks are not 1 to k')
      return {
        items: Int32Array.from(items, ({ itemId }) => this.table.itemIds.indexOf(itemId)),
        scores: Float32Array.from(items, ({ score }) => score),
      }
    })
  }

  async close(): Promise<void> {
    await this.shop.close()
    rmSync(this.folder, { recursive: true })
  }

  /** Known people in one call, strangers by what they like. */
  private async answers(people: readonly Person[], { allowed, excludeSeen, k }: RankOptions) {
    const { itemIds, userIds } = this.table
    if (allowed !== undefined && allowed.length !== itemIds.length) {
      throw new TextrecError('OPTION_INVALID', 'ids cannot have another length.', '')
    }
    const rules = {
      k,
      ...(excludeSeen === undefined ? {} : { excludeSeen }),
      ...(allowed === undefined
        ? {}
        : { filter: { id: { $in: itemIds.filter((_, i) => allowed[i] === 1) } } }),
    }
    const known = people.map(({ user }) => user).filter((user) => user !== undefined)
    if (people.length > 1 && known.length === people.length) {
      return this.shop.recommend({ users: known.map((user) => userIds[user]), ...rules })
    }
    const answers: Answer[] = []
    for (const { items, user } of people) {
      const likes = Array.from(items, (item) => itemIds[item] ?? `no item ${item}`)
      const who = user === undefined ? { likes } : { user: userIds[user] }
      answers.push(await this.shop.recommend({ ...who, ...rules }))
    }
    return answers
  }
}

async function fill(
  folder: string,
  { itemIds, items, userIds, users }: InteractionTable,
  { adapter, share }: ServedState,
  texts: Matrix,
): Promise<void> {
  const store = Store.open(folder, { create: true })
  store.write({
    items: itemIds.map((id) => ({ id, title: `About ${id}` })),
    interactions: Array.from(items, (item, i) => ({ userId: userIds[users[i]], itemId: itemIds[item] })),
  })
  const model: LiveModel = {
    id: MODEL,
    ...(adapter === undefined ? {} : { adapter: adapter.fingerprint }),
    textSpace: TEXT_SPACE,
    textDim: texts.dim,
    settings: { ...SERVING_DEFAULTS, collaborativeShare: share },
    forgotten: 0,
  }
  let vectors = texts
  if (adapter !== undefined) {
    await adapter.save(adapterFolder(store.directory, MODEL))
    vectors = await adapterSpace(adapter).fromText(texts, itemIds)
  }
  const sources = store.itemSources(store.itemKeys(itemIds) as ItemKey[])
  const space = adapter === undefined ? TEXT_SPACE : `${TEXT_SPACE}/${adapter.fingerprint}`
  store.putItemVectors(
    space,
    sources.map(({ key, textVersion }, i) => ({ key, textVersion, vector: row(vectors, i).slice() })),
  )
  const stored = store.itemVectors(space)
  const { dim } = vectors
  const built = await buildIndex({
    keys: stored.keys,
    vectors: stored.keys.length === 0 ? matrix(0, dim) : stored.vectors,
  })
  await publishIndex(indexFolder(store.directory, 'first'), built, {
    fingerprint: space,
    sequence: stored.sequence,
  })
  const encoder = { name: 'none', dtype: 'fp32' as const, fingerprint: 'none' }
  setLiveState(store, { indexId: 'first', space, encoder, dim, model })
  store.close()
}
