import { existsSync } from 'node:fs'
import type { Attributes, InteractionTable, ItemKey, Matrix, TimeKind, UserKey } from '../types.js'
import { AttributeRows } from './attributes.js'
import { type BackupOptions, backupCatalog } from './backup.js'
import { AllItems, type KeySet } from './bits.js'
import { checkCatalog } from './check.js'
import { Columns } from './columns.js'
import { DerivedAttributes } from './derived.js'
import { Embeddings, type PlannedText } from './embeddings.js'
import { type Filter, filterItems, requireAttribute } from './filter.js'
import { type ForgetCounts, type ForgetOptions, forgetUser } from './forget.js'
import { searchText, type TextHits } from './full-text.js'
import {
  type History,
  type InteractionRange,
  readHistory,
  readInteractions,
  readRecentUsers,
} from './history.js'
import { Ids } from './ids.js'
import { type ItemVectorRow, type ItemVectors, type VectorChanges, VectorTable } from './item-vectors.js'
import { Items, type StoredItem } from './items.js'
import { KnownSound } from './known-sound.js'
import { type ItemName, ItemNames } from './names.js'
import { absolutePath, BUSY_TIMEOUT, catalogPath, type OpenOptions, openCatalog } from './open.js'
import { removeItems } from './remove.js'
import { type ReviewRange, Reviews, type StoredReview } from './reviews.js'
import { type Connection, readonlyError } from './sqlite.js'
import { ChangeWatch, State } from './state.js'
import { TimeKinds } from './time.js'
import { Spaces } from './vectors.js'
import { type Records, type WriteCounts, Writer } from './write.js'

export interface StoreCounts {
  readonly items: number
  readonly users: number
  readonly reviews: number
  /** Events: interactions and rated reviews, each person, item and time once. */
  readonly interactions: number
}

/** What an item's vector is made from, and the version of it. */
export interface ItemSource {
  readonly key: ItemKey
  readonly id: string
  readonly textVersion: number
  readonly title?: string
  readonly description?: string
  readonly attributes?: Attributes
  /** Oldest first, then in order of arrival. */
  readonly reviews: readonly StoredReview[]
}

/**
 * A project's catalogue: `<directory>/catalog.db`, the only truth that textrec keeps. One connection, for one
 * thread; any number of processes may hold a store on the same directory, and one writes at a time.
 * Every call that writes is one durable transaction: when it returns, its records survive a kill and a power
 * cut; when it throws, nothing of it is stored.
 */
export class Store {
  /** Attributes of items beside those that their records have. */
  readonly derived: DerivedAttributes
  private readonly state: State
  private readonly watch: ChangeWatch
  private readonly itemTableIds: Ids<ItemKey>
  private readonly userTableIds: Ids<UserKey>
  private readonly itemTable: Items
  private readonly reviewTable: Reviews
  private readonly writer: Writer
  private readonly cache: Embeddings
  private readonly vectors: VectorTable
  private readonly allItems: AllItems
  private readonly columns: Columns
  private readonly names: ItemNames
  private readonly sound: KnownSound

  private constructor(
    readonly directory: string,
    private readonly db: Connection,
    private readonly busyTimeout: number,
    isNew: boolean,
  ) {
    this.sound = new KnownSound(db, isNew)
    this.state = new State(db)
    this.watch = new ChangeWatch(db)
    this.itemTableIds = new Ids<ItemKey>(db, 'item')
    this.userTableIds = new Ids<UserKey>(db, 'user')
    this.itemTable = new Items(db, this.itemTableIds, new AttributeRows(db))
    this.reviewTable = new Reviews(db)
    this.writer = new Writer(
      db,
      this.state,
      this.itemTableIds,
      this.userTableIds,
      this.itemTable,
      this.reviewTable,
    )
    this.allItems = new AllItems(db, this.state)
    this.columns = new Columns(db, this.state)
    this.derived = new DerivedAttributes(db, this.state)
    this.names = new ItemNames(db, this.watch)
    const spaces = new Spaces(db)
    this.cache = new Embeddings(db, spaces)
    this.vectors = new VectorTable(db, spaces, this.state)
  }

  /**
   * @throws OPTION_INVALID for an empty name, PROJECT_MISSING without `create`, DEPENDENCY_MISSING, FILE_UNREADABLE, DATABASE_VERSION
   *   (foreign or newer), DATABASE_DAMAGED (an empty file too, without `create`), DATABASE_BUSY.
   */
  static open(directory: string, options: OpenOptions = {}): Store {
    const absolute = absolutePath(directory)
    const isNew = !existsSync(catalogPath(absolute))
    return new Store(absolute, openCatalog(absolute, options), options.busyTimeout ?? BUSY_TIMEOUT, isNew)
  }

  /** Harmless when repeated. Any other call afterwards throws PROJECT_CLOSED. */
  close(): void {
    if (!this.db.isOpen) return
    this.sound.closing()
    this.db.close()
    this.sound.closed()
  }

  /** After `close`: by its hash, a copy of the file is known wherever it is opened. */
  leaveHash(): Promise<void> {
    return this.sound.leaveHash()
  }

  /** The project may be asked, not changed: it was opened so, or its folder cannot be written. */
  get readonly(): boolean {
    return this.db.readonly
  }

  /** @throws PROJECT_READONLY: said at the start of a long step, not at its end. */
  requireWritable(): void {
    if (this.readonly) throw readonlyError(catalogPath(this.directory))
  }

  get sqliteVersion(): string {
    return this.db.prepareRaw<[string]>('SELECT sqlite_version()').get()?.[0] as string
  }

  // Records

  /**
   * Adds or replaces records: all of them in one transaction, or none. Items are known by id; reviews by id, else
   * by person, item and time; interactions by person, item and time. A record replaces the whole of its
   * predecessor. Items and people that reviews and interactions name are made where they are missing.
   * @throws RECORD_INVALID naming record and field, for an id that is empty or not well-formed, a number that is
   *   not finite, an attribute that cannot be kept, or a position among dates (or the reverse).
   */
  write(records: Records): WriteCounts {
    return this.writer.write(records)
  }

  /** Deletes items with everything said about them; unknown ids are left out. Returns how many there were. */
  removeItems(ids: readonly string[]): number {
    return removeItems(this.db, this.state, this.itemTableIds, this.vectors, ids)
  }

  /** Deletes every trace of a person; see `ForgetCounts`. Takes time in proportion to the catalogue. */
  forgetUser(id: string, options: ForgetOptions = {}): ForgetCounts {
    return forgetUser(this.db, this.state, this.userTableIds, this.reviewTable, id, options)
  }

  counts(): StoreCounts {
    const row = this.db
      .prepareRaw<[number, number, number, number]>(
        `SELECT (SELECT count(*) FROM item), (SELECT count(*) FROM user), (SELECT count(*) FROM review),
           (SELECT count(*) FROM event)`,
      )
      .get() as [number, number, number, number]
    return { items: row[0], users: row[1], reviews: row[2], interactions: row[3] }
  }

  /** What the times of the records mean: whole numbers below 100,000,000 are positions, all others dates. */
  timeKind(): TimeKind {
    return TimeKinds.fromCounter(this.state.counter('time_kind')).current
  }

  /** A stored JSON value (what is live, for example), or undefined. */
  meta<T>(name: string): T | undefined {
    return this.state.meta<T>(name)
  }

  /** Several calls as one durable transaction, which nobody else's comes between. `work` must not wait. */
  atomically<T>(work: () => T): T {
    return this.db.write(work)
  }

  /** Stores a JSON value; undefined removes it. */
  setMeta(name: string, value: unknown): void {
    this.state.setMeta(name, value)
  }

  /** Differs from the last answer exactly when something may have been committed since, here or elsewhere. */
  changeCounter(): number {
    return this.watch.counter()
  }

  /** Of the last transaction that changed records or item vectors: the same for every process. */
  changeNumber(): number {
    return this.state.counter('change')
  }

  // Ids

  itemKey(id: string): ItemKey | undefined {
    return this.itemTableIds.key(id)
  }

  /** At most so many ids that begin like this, in their order. */
  itemIdsFrom(prefix: string, most: number): string[] {
    return this.itemTableIds.beginningWith(prefix, most)
  }

  itemKeys(ids: readonly string[]): (ItemKey | undefined)[] {
    return this.itemTableIds.keys(ids)
  }

  itemId(key: number): string | undefined {
    return this.itemTableIds.id(key)
  }

  itemIds(keys: ArrayLike<number>): (string | undefined)[] {
    return this.itemTableIds.ids(keys)
  }

  userKey(id: string): UserKey | undefined {
    return this.userTableIds.key(id)
  }

  userKeys(ids: readonly string[]): (UserKey | undefined)[] {
    return this.userTableIds.keys(ids)
  }

  userId(key: number): string | undefined {
    return this.userTableIds.id(key)
  }

  userIds(keys: ArrayLike<number>): (string | undefined)[] {
    return this.userTableIds.ids(keys)
  }

  /** Everybody, in key order. */
  allUserIds(): readonly string[] {
    return this.userTableIds.all().ids
  }

  // Reading

  /** [keys] undefined where the item is gone. */
  items(keys: ArrayLike<number>): (StoredItem | undefined)[] {
    return this.itemTable.read(keys)
  }

  /** [keys] id and title, from memory where they were asked for before; undefined where the item is gone. */
  itemNames(keys: ArrayLike<number>): (ItemName | undefined)[] {
    return this.names.of(keys)
  }

  /** Every item in key order, read page by page: other calls may be made meanwhile. */
  eachItem(): Generator<StoredItem, void, undefined> {
    return this.itemTable.each()
  }

  /** An item's reviews, oldest first, then in order of arrival. */
  reviewsOf(item: ItemKey, range: ReviewRange = {}): StoredReview[] {
    return this.reviewTable.of(item, range)
  }

  /** At most so many of an item's reviews, the newest first. */
  newestReviewsOf(item: ItemKey, most: number): StoredReview[] {
    return this.reviewTable.newestOf(item, most)
  }

  /** The same for many items; those without reviews are absent. */
  reviewsOfMany(items: ArrayLike<number>, range: ReviewRange = {}): Map<ItemKey, StoredReview[]> {
    return this.reviewTable.ofMany(items, range)
  }

  /** What one person wrote, oldest first. */
  reviewsBy(user: UserKey): StoredReview[] {
    return this.reviewTable.by(user)
  }

  /** Everyone's history in columns: all items in key order, the people who have an event in key order. */
  interactions(range: InteractionRange = {}): InteractionTable {
    return this.db.read(() =>
      readInteractions(this.db, this.itemTableIds, this.userTableIds, this.timeKind(), range),
    )
  }

  /** One person's history. */
  historyOf(user: UserKey): History {
    return readHistory(this.db, user)
  }

  /** The people with the latest events, at most so many of them; equally late ones by the larger key. */
  recentUsers(most: number): UserKey[] {
    return readRecentUsers(this.db, most)
  }

  /** @param path who asks, for the message @throws OPTION_INVALID for an attribute that no item ever had */
  requireAttribute(name: string, path: string): void {
    requireAttribute(this.db, name, path)
  }

  /** The items that pass. @throws OPTION_INVALID naming the place in the filter. */
  itemsPassing(filter: Filter): KeySet {
    return filterItems(this.db, this.allItems, this.columns, filter)
  }

  /** Their keys, ascending. @throws as `itemsPassing` */
  filterItems(filter: Filter): Int32Array {
    return this.itemsPassing(filter).keys
  }

  /** Items by words (BM25 over title, description and reviews), best first, ties by the smaller key. */
  searchText(query: string, k: number, allowed?: Int32Array): TextHits {
    return searchText(this.db, query, k, allowed)
  }

  // Text vectors

  /** [hashes] the vector, or undefined where there is none. */
  embeddings(space: string, hashes: readonly Uint8Array[]): (Float32Array | undefined)[] {
    return this.cache.get(space, hashes)
  }

  /** Stores row i of `vectors` under hash i; a hash that is there keeps its vector. */
  putEmbeddings(space: string, hashes: readonly Uint8Array[], vectors: Matrix): void {
    this.cache.put(space, hashes, vectors)
  }

  /** Deletes vectors and plans of all texts but these, in every space. @returns how many vectors */
  keepEmbeddings(texts: () => Iterable<string>): number {
    return this.cache.keepOnly(texts)
  }

  countEmbeddings(space: string): number {
    return this.cache.count(space)
  }

  /** Numbers of the batches that are planned and not finished, in the order to run them. */
  plannedBatches(space: string): number[] {
    return this.cache.plannedBatches(space)
  }

  plannedBatch(space: string, batch: number): PlannedText[] {
    return this.cache.plannedBatch(space, batch)
  }

  /** Appends batches to the plan, in one transaction. */
  planBatches(space: string, batches: readonly (readonly PlannedText[])[]): void {
    this.cache.plan(space, batches)
  }

  /** Stores a batch's vectors and strikes it from the plan, in one transaction. */
  finishBatch(space: string, batch: number, hashes: readonly Uint8Array[], vectors: Matrix): void {
    this.cache.finish(space, batch, hashes, vectors)
  }

  // Item vectors

  /** Items whose texts changed since their vector in this space was made, or that have none; in key order. */
  staleItems(space: string): ItemKey[] {
    return this.vectors.stale(space)
  }

  /** Of these items, the ones that `staleItems` would name. */
  staleItemsAmong(space: string, keys: readonly ItemKey[]): ItemKey[] {
    return this.vectors.staleAmong(space, keys)
  }

  /** [keys] that still exist, in the order given. Holds all their reviews in memory: ask for some thousands. */
  itemSources(keys: ArrayLike<number>, range: ReviewRange = {}): ItemSource[] {
    return this.db.read(() => {
      const reviews = this.reviewTable.ofMany(keys, range)
      const versions = this.itemTable.textVersions(keys)
      return this.itemTable
        .read(keys)
        .filter((item) => item !== undefined)
        .map((item) => ({
          ...item,
          textVersion: versions.get(item.key) ?? 0,
          reviews: reviews.get(item.key) ?? [],
        }))
    })
  }

  /**
   * Stores vectors in one transaction; rows of items that were deleted meanwhile are left out, and so are vectors
   * of older texts than those that are there.
   */
  putItemVectors(space: string, rows: readonly ItemVectorRow[]): void {
    this.vectors.put(space, rows)
  }

  itemVectors(space: string): ItemVectors {
    return this.vectors.all(space)
  }

  /** What became of the vectors after `since`, a `sequence` that this store gave. */
  vectorChanges(space: string, since: number): VectorChanges {
    return this.vectors.changes(space, since)
  }

  countItemVectors(space: string): number {
    return this.vectors.count(space)
  }

  /** The names of all spaces that hold vectors. */
  spaces(): string[] {
    return this.vectors.spaceNames()
  }

  /** Deletes the vectors, embeddings and plans of a space that nothing live needs. */
  dropSpace(space: string): void {
    this.vectors.drop(space)
  }

  // The file

  /** Copies the catalogue as it is now into a new file, while others may write. */
  backup(target: string, options: BackupOptions = {}): Promise<void> {
    return backupCatalog(this.db.path, target, this.busyTimeout, options)
  }

  /** What is wrong with the file, in words; empty if nothing is. Reads all of it. */
  check(): string[] {
    return checkCatalog(this.db)
  }

  /** Why the file may not be what textrec left, although SQLite may find nothing wrong with it. */
  doubt(): Promise<string | undefined> {
    return this.sound.doubt()
  }

  /** Whether textrec left the file as it is now, or it has been checked since. */
  get isKnownSound(): boolean {
    return this.sound.isKnown
  }

  /**
   * Checks the file unless it is known to be sound: before the first answer from a copy, a restored backup, a file
   * that something else has touched.
   * @throws DATABASE_DAMAGED
   */
  requireSound(): Promise<void> {
    return this.sound.require()
  }

  /** Believes a file that something else has changed, if nothing else is wrong with it. @returns what is */
  accept(): string[] {
    const problems = checkCatalog(this.db)
    if (problems.length === 0) this.sound.accept()
    return problems
  }
}
