import type { Filter, KeySet, Store } from '../store/index.js'

/** Filters whose items are kept; the one used longest ago goes first. A byte per item of the catalogue. */
const MOST_KEPT = 64
/** And in a large catalogue as many as fit into so many bytes. */
const MOST_BYTES = 2 ** 25

/**
 * Which items pass a filter. A shop asks with the same few filters again and again: their items are kept until
 * anything in the catalogue changes, whoever changed it.
 */
export class FilterCache {
  private readonly kept = new Map<string, KeySet>()
  private counter = -1

  constructor(private readonly store: Store) {}

  /** Keys of `itemsOf`, ascending: do not change them. @throws OPTION_INVALID */
  keysOf(filter: unknown): Int32Array | undefined {
    return this.itemsOf(filter)?.keys
  }

  /** What passes. Undefined without a filter. @throws OPTION_INVALID */
  itemsOf(filter: unknown): KeySet | undefined {
    if (filter === undefined) return undefined
    const counter = this.store.changeCounter()
    if (counter !== this.counter) this.kept.clear()
    this.counter = counter
    const name = nameOf(filter)
    const known = name === undefined ? undefined : this.kept.get(name)
    const items = known ?? this.store.itemsPassing(filter as Filter)
    if (name === undefined) return items
    this.kept.delete(name)
    this.kept.set(name, items)
    const bytes = this.kept.size * items.mask.length
    if (this.kept.size > MOST_KEPT || (bytes > MOST_BYTES && this.kept.size > 1)) {
      this.kept.delete(this.kept.keys().next().value as string)
    }
    return items
  }
}

/** A name that only equal filters share; undefined for one that JSON does not carry faithfully, or not at all. */
function nameOf(filter: unknown): string | undefined {
  try {
    return faithfulJson(filter)
  } catch {
    // Big integers, circles, nesting beyond the stack: the store says what is wrong, and where.
    return undefined
  }
}

function faithfulJson(filter: unknown): string | undefined {
  let faithful = true
  const name = JSON.stringify(filter, function (this: Record<string, unknown>, key, value) {
    const given = this[key]
    const isPlain = given === null || ['string', 'boolean', 'object'].includes(typeof given)
    const isNumber = typeof given === 'number' && Number.isFinite(given) && !Object.is(given, -0)
    if (value !== given || (!isPlain && !isNumber)) faithful = false
    return value
  })
  return faithful ? name : undefined
}
