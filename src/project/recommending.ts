import type { Encoder } from '../encode/index.js'
import { TextrecError, throwIfAborted } from '../errors.js'
import { row } from '../math/matrix.js'
import { resolveOptions, show } from '../options.js'
import { requireItem } from '../recommend/answers.js'
import { Everyone, nearestPeople } from '../recommend/audience.js'
import { reasonsFor } from '../recommend/explain.js'
import { textScore } from '../recommend/pool.js'
import { type Question, recommendFor, type Shelf, toItems } from '../recommend/recommend.js'
import { scoreOf, type Taste, tasteOf } from '../recommend/taste.js'
import type { Store } from '../store/index.js'
import type { Answer, Audience, Explanation, PersonAnswer, UserKey } from '../types.js'
import type { Compactor } from './compact.js'
import { CrowdHolder } from './crowd-holder.js'
import {
  AUDIENCE,
  type AudienceOptions,
  EXPLAIN,
  type ExplainOptions,
  type LongRun,
  type OneOrMore,
  RECOMMEND,
  RECOMMEND_ALL,
  type RecommendAllOptions,
  type RecommendOptions,
  type RuleOptions,
} from './defaults.js'
import { answerEveryone, type EveryoneReport } from './everyone.js'
import type { FilterCache } from './filter-cache.js'
import { type Live, type LiveIndex, type LiveState, liveState } from './live-index.js'
import { People } from './people.js'
import { type Ground, KEEP_FROM, PeopleKeeper } from './people-keeper.js'

type Who = Pick<RecommendOptions, 'user' | 'likes' | 'dislikes' | 'text' | 'signal'>

/** Everything at hand for one question. */
interface Desk extends Shelf, Ground {}

/** The half of a project that answers for people: recommendations, audiences, reasons. */
export class Recommending {
  readonly crowd: CrowdHolder
  private readonly keeper: PeopleKeeper
  private readonly people: People
  private readonly everyone: Everyone

  constructor(
    private readonly store: Store,
    private readonly live: LiveIndex,
    private readonly compactor: Compactor,
    private readonly filters: FilterCache,
    private readonly encoderOf: (state: LiveState) => Promise<Encoder>,
  ) {
    this.crowd = new CrowdHolder(store)
    this.keeper = new PeopleKeeper(store)
    this.people = new People(store, this.keeper)
    this.everyone = new Everyone(store)
  }

  async recommend(options: Partial<RecommendOptions>): Promise<Answer | PersonAnswer[]> {
    const resolved = resolveOptions('recommend', RECOMMEND, options)
    const { users } = resolved
    checkWho(resolved)
    return this.ask(async (desk) => {
      if (users === undefined) {
        const taste = await this.tasteFor(desk, resolved)
        return (await this.answer(desk, [taste], resolved))[0]
      }
      const keys = users.map((id) => this.requireUser(id))
      const tastes: Taste[] = []
      for (const key of keys) tastes.push(await this.people.tasteOf(key, desk))
      const answers = await this.answer(desk, tastes, resolved)
      return answers.map((answer, i) => ({ userId: users[i], ...answer }))
    })
  }

  async recommendAll(options: Partial<RecommendAllOptions>): Promise<EveryoneReport> {
    const resolved = resolveOptions('recommendAll', RECOMMEND_ALL, options)
    const { out, signal, onProgress, ...rules } = resolved
    if (resolved.out === '') {
      throw new TextrecError(
        'OPTION_INVALID',
        'recommendAll: option out is missing.',
        'Name a file to write.',
      )
    }
    // Asked once beforehand, so that unknown ids and bad filters are refused before a file is touched.
    const indexId = await this.ask(async (desk) => {
      this.question(resolved)
      return desk.state.indexId
    })
    const asOf = this.store.changeNumber()
    return answerEveryone(this.store, {
      out,
      signal,
      onProgress,
      userIds: this.store.allUserIds(),
      fingerprint: JSON.stringify([indexId, asOf, rules]),
      answer: async (userIds) => this.answersFor(userIds, resolved),
    })
  }

  async explain(options: Partial<ExplainOptions>): Promise<Explanation> {
    const resolved = resolveOptions('explain', EXPLAIN, options)
    if (resolved.item === '') {
      throw new TextrecError(
        'OPTION_INVALID',
        'explain: option item is missing.',
        'Name the item to explain.',
      )
    }
    throwIfAborted(resolved.signal, 'explain')
    const key = requireItem(this.store, resolved.item)
    return this.ask(async (desk) => {
      const taste = await this.tasteFor(desk, resolved)
      const [reasons] = await this.reasons(desk, taste, [key], resolved.signal)
      const title = this.store.items([key])[0]?.title
      return {
        basis: taste.basis,
        itemId: resolved.item,
        ...(title === undefined ? {} : { title }),
        score: scoreOf(taste, key, textScore(desk.index, taste.vector, key)),
        ...reasons,
      }
    })
  }

  /** @param vectorOf the item's vector, and its key if it is stored */
  async audienceOf(
    vectorOf: (live: Live) => Promise<{ readonly vector: Float32Array; readonly key: number | undefined }>,
    options: Partial<AudienceOptions>,
  ): Promise<Audience> {
    const { excludeOwners, filter, k, signal } = resolveOptions('audience', AUDIENCE, options)
    throwIfAborted(signal, 'audience')
    const having = this.filters.keysOf(filter)
    return this.ask(async ({ changes, source }, live) => {
      const { key, vector } = await vectorOf(live)
      const all = await this.everyone.upToDate(source, changes, signal)
      const people = await nearestPeople(all, source, { k, having, vector, key, excludeOwners })
      const { crowd, settings, space } = source
      const isTaken = key !== undefined && crowd.position(key) !== -1 && settings.collaborativeShare > 0
      return { basis: isTaken ? 'fused' : space.basis, people }
    })
  }

  /**
   * Keeps on disk what a first question about each known person needs, where that takes long to find.
   * @throws ABORTED, DISK_FULL
   */
  async keepPeople(long: LongRun): Promise<void> {
    if (liveState(this.store) === undefined) return
    const { interactions, items } = this.store.counts()
    if (interactions === 0 || items < KEEP_FROM) return this.keeper.remove()
    await this.ask((desk) => this.keeper.update(desk, long))
  }

  /** Drops what is kept about people, in memory and on disk. */
  async forgetPeople(): Promise<void> {
    this.people.forget()
    this.everyone.forget()
    await this.keeper.remove()
  }

  async close(): Promise<void> {
    await this.crowd.close()
  }

  private async ask<T>(question: (desk: Desk, live: Live) => Promise<T>): Promise<T> {
    return this.live.use(async (live) => {
      this.compactor.consider(live)
      const crowd = await this.crowd.get(live.model.settings)
      const source = await this.people.sourceOf(live, crowd)
      const { changes, index, state } = live
      return question({ store: this.store, index, crowd, source, state, changes }, live)
    })
  }

  private async answersFor(userIds: readonly string[], rules: RuleOptions): Promise<PersonAnswer[]> {
    return this.ask(async (desk) => {
      // Somebody may have been forgotten since the list was made.
      const keys = this.store.userKeys(userIds)
      const known = userIds.filter((_, i) => keys[i] !== undefined)
      const tastes: Taste[] = []
      for (const key of keys) if (key !== undefined) tastes.push(await this.people.tasteOf(key, desk))
      const answers = await this.answer(desk, tastes, rules)
      return answers.map((answer, i) => ({ userId: known[i], ...answer }))
    })
  }

  private async answer(desk: Desk, tastes: readonly Taste[], options: RuleOptions): Promise<Answer[]> {
    throwIfAborted(options.signal, 'Recommending')
    const found = await recommendFor(desk, tastes, this.question(options))
    const answers: Answer[] = []
    for (const [i, { basis, picks }] of found.entries()) {
      const items = toItems(this.store, picks)
      if (!options.reasons) {
        answers.push({ basis, items })
        continue
      }
      const keys = picks.map(({ key }) => key)
      const reasons = await this.reasons(desk, tastes[i], keys, options.signal)
      answers.push({ basis, items: items.map((item, at) => ({ ...item, reasons: reasons[at] })) })
    }
    return answers
  }

  private reasons(desk: Desk, taste: Taste, keys: readonly number[], signal: AbortSignal | undefined) {
    const { source, state } = desk
    const { crowd, index, sample, space } = source
    const encoder = () => this.encoderOf(state)
    return reasonsFor({ crowd, index, sample, space, store: this.store, encoder }, taste, keys, signal)
  }

  private async tasteFor(desk: Desk, who: Who): Promise<Taste> {
    const { dislikes, likes, signal, text, user } = who
    const words = text?.trim() ?? ''
    const key = user === undefined ? undefined : this.requireUser(user)
    const says = likes.length > 0 || dislikes.length > 0 || words !== ''
    if (key !== undefined && !says) return this.people.tasteOf(key, desk)
    const said = {
      likes: likes.map((id) => requireItem(this.store, id)),
      dislikes: dislikes.map((id) => requireItem(this.store, id)),
      text: words === '' ? undefined : await this.vectorOfWords(desk, words, signal),
    }
    const nothing = { items: new Int32Array(0), values: new Float32Array(0) }
    return tasteOf(desk.source, key === undefined ? nothing : this.store.historyOf(key), said)
  }

  private async vectorOfWords(
    { source, state }: Desk,
    words: string,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array> {
    const encoder = await this.encoderOf(state)
    const texts = await encoder.encode([words], { kind: 'query', signal })
    return row(await source.space.fromText(texts, [undefined]), 0)
  }

  private question(options: RuleOptions): Question {
    const { block, boost, diversity, excludeSeen, filter, k, minScore, novelty, pin } = options
    const atMostPer = list(options.atMostPer)
    for (const { attribute } of atMostPer) this.store.requireAttribute(attribute, 'atMostPer')
    const blocked = new Set<number>(block.map((id) => requireItem(this.store, id)))
    return {
      k,
      allowed: this.filters.itemsOf(filter),
      excludeSeen,
      diversity,
      atMostPer,
      boosts: list(boost).map((one) => ({ keys: this.filters.keysOf(one.filter) as Int32Array, by: one.by })),
      pins: [...new Set(pin)].map((id) => requireItem(this.store, id)).filter((key) => !blocked.has(key)),
      blocked,
      minScore,
      novelty,
    }
  }

  private requireUser(id: string): UserKey {
    const key = this.store.userKey(id)
    if (key !== undefined) return key
    throw new TextrecError(
      'NOT_FOUND',
      `There is nobody called ${show(id)}.`,
      'Ids are taken as they stand in the files; likes, dislikes and text describe somebody who is not stored.',
    )
  }
}

function checkWho({ dislikes, likes, text, user, users }: RecommendOptions): void {
  if (users === undefined) return
  if (user === undefined && likes.length === 0 && dislikes.length === 0 && text === undefined) return
  throw new TextrecError(
    'OPTION_INVALID',
    'recommend: users was given together with user, likes, dislikes or text.',
    'Ask about many known people, or about one person.',
  )
}

function list<T>(given: OneOrMore<T> | undefined): readonly T[] {
  if (given === undefined) return []
  return Array.isArray(given) ? (given as readonly T[]) : [given as T]
}
