/** The shared words of textrec. Types only: nothing here runs. */

/** A value of a source record that textrec keeps for filters. Dates are kept as ISO 8601 text. */
export type AttributeValue = string | number | boolean | Date | readonly string[]
export type Attributes = { readonly [name: string]: AttributeValue }

/** Something that can be recommended. Only `id` is needed; an item may be known by its reviews alone. */
export interface Item {
  readonly id: string
  readonly title?: string
  readonly description?: string
  /** Everything else that the source record said (brand, price, genres, ...). */
  readonly attributes?: Attributes
}

/** What one person wrote about one item. A review with a rating is an interaction too. */
export interface Review {
  /** The source's own id, where it has one; otherwise user, item and time identify a review. */
  readonly id?: string
  readonly userId: string
  readonly itemId: string
  /** The review's headline. */
  readonly title?: string
  readonly text?: string
  /** On the source's own scale, most often 1 to 5. */
  readonly rating?: number
  /** Milliseconds since 1970, or a position in the person's history (see TimeKind). */
  readonly time?: number
  /** How many readers found it helpful. */
  readonly helpful?: number
  readonly attributes?: Attributes
}

/** One event: this person took (bought, rated, read) this item. */
export interface Interaction {
  readonly userId: string
  readonly itemId: string
  readonly time?: number
  /** A rating or a weight; absent when the event is all there is. */
  readonly value?: number
  readonly attributes?: Attributes
}

/**
 * What the times of a project mean: real dates, only an order within each person's history, or nothing.
 * A split by global time needs 'date'.
 */
export type TimeKind = 'date' | 'order' | 'none'

declare const brand: unique symbol
/** The dense number under which the store knows an item: never reused, fits 32 bits. */
export type ItemKey = number & { readonly [brand]: 'item' }
/** The dense number under which the store knows a person. */
export type UserKey = number & { readonly [brand]: 'user' }

/** A row-major matrix: row i is data[i * dim] .. data[(i + 1) * dim - 1]. */
export interface Matrix {
  readonly data: Float32Array
  readonly rows: number
  readonly dim: number
}

/** What a long step reports. `total` is absent while it is not known. */
export interface Progress {
  readonly stage: string
  readonly done: number
  readonly total?: number
  /** What is counted: 'rows', 'texts', 'items', 'steps'. */
  readonly unit: string
  /** How much of the work is done, from 0 to 1, where counting tells it badly: texts differ in length. */
  readonly share?: number
  /** Extra figures worth showing (loss, validation metric). */
  readonly figures?: { readonly [name: string]: number }
}
export type OnProgress = (progress: Progress) => void

export type Device = 'cpu' | 'webgpu' | 'cuda'
export type DeviceChoice = Device | 'auto'
export type Dtype = 'fp32' | 'fp16' | 'int8'
export type DtypeChoice = Dtype | 'auto'

/** What an answer rests on: text alone, a trained adapter, text and collaborative scores together, popularity. */
export type Basis = 'frozen text' | 'adapter' | 'fused' | 'popular'

/** Words that stand in for a title. */
export interface Snippet {
  /** One line of at most 120 characters; … at its end says that the text goes on. */
  readonly text: string
  readonly source: 'description' | 'review'
}

export interface RecommendedItem {
  readonly itemId: string
  /** Bigger is better. Comparable within one answer only. */
  readonly score: number
  /** 1 is the best. */
  readonly rank: number
  readonly title?: string
  /** For items without a title, down to rank 100: how their own text or their most telling review begins. */
  readonly snippet?: Snippet
  /** The rules put it where it is: `score` is then at least that of what follows, so that scores descend. */
  readonly pinned?: true
  /** Why; only when asked for. */
  readonly reasons?: Reasons
}

export interface Answer {
  readonly basis: Basis
  readonly items: readonly RecommendedItem[]
}

/** One of several people's answers. */
export interface PersonAnswer extends Answer {
  readonly userId: string
}

/** What made an item score high for a person. */
export interface Reasons {
  /** What the person liked that pulled the item near, most first. */
  readonly likes: readonly LikedReason[]
  /** Words of the catalogue that made the item near, most first. */
  readonly sentences: readonly SentenceReason[]
}

export interface LikedReason {
  /** Absent for what the person said in words. */
  readonly itemId?: string
  readonly title?: string
  /** Its part of all that spoke for the item, from 0 to 1. All parts together make 1; only the largest are named. */
  readonly share: number
}

export interface SentenceReason {
  /** As it stands in the catalogue. */
  readonly text: string
  readonly source: 'description' | 'review'
  /** By how much the item's score falls when this sentence alone is taken out of the catalogue. */
  readonly drop: number
}

/** Why one item suits one person. */
export interface Explanation extends Reasons {
  readonly basis: Basis
  readonly itemId: string
  readonly title?: string
  /** The score that recommend() gives it before any rules. */
  readonly score: number
}

/** The people most likely to want an item, best first. */
export interface Audience {
  readonly basis: Basis
  readonly people: readonly {
    readonly userId: string
    /** Bigger is better. Comparable within one answer only. */
    readonly score: number
    readonly rank: number
  }[]
}

/**
 * Who did what, in columns, on dense numbers: user u is userIds[u], item i is itemIds[i].
 * Rows are sorted by user, then time, then order of arrival: one person's rows are their history, oldest first.
 */
export interface InteractionTable {
  readonly userIds: readonly string[]
  readonly itemIds: readonly string[]
  readonly timeKind: TimeKind
  /** [rows] index into userIds. */
  readonly users: Int32Array
  /** [rows] index into itemIds. */
  readonly items: Int32Array
  /** [rows] milliseconds or position; 0 where there is none. */
  readonly times: Float64Array
  /** [rows] rating or weight; NaN where there is none. */
  readonly values: Float32Array
}

/** A person as a ranker sees one: what they took, oldest first, on dense item numbers. */
export interface Person {
  /** The dense user number, where the person is one of the training table's. */
  readonly user?: number
  readonly items: Int32Array
  readonly times?: Float64Array
  readonly values?: Float32Array
}

/** The best items for one person, best first; ties are broken by the smaller item number. */
export interface Ranking {
  readonly items: Int32Array
  readonly scores: Float32Array
}

export interface RankOptions {
  readonly k: number
  /** Leave out what is in the person's history. Default true. */
  readonly excludeSeen?: boolean
  /** [items] 1 where an item may be ranked; all may when absent. */
  readonly allowed?: Uint8Array
}

/**
 * The interface that every model and every baseline implements. Rankings are over the whole catalogue.
 * A ranker is deterministic: the same people give the same rankings.
 */
export interface Ranker {
  readonly name: string
  /** How many items it can rank: the catalogue it was made for. */
  readonly itemCount: number
  rank(people: readonly Person[], options: RankOptions): Promise<Ranking[]>
  close?(): Promise<void>
}
