import type { Interaction, Item, Review } from '../types.js'
import { AttributeCollector, type ColumnType } from './attributes.js'
import { type FieldMap, type FieldName, makePlan, type Plan, REQUIRED, SYNONYMS } from './fields.js'
import { type RecordKind, Refusal } from './rules.js'
import type { TimeRule } from './times.js'
import { isMissing, parseHelpful, parseId, parseText, parseTime, parseValue } from './values.js'

/** One record as a reader hands it on: names and values side by side, nothing interpreted yet. */
export interface SourceRecord {
  /** The line it starts on, from 1. */
  readonly line: number
  /** The same array for all records of one layout, where the format has a header: plans are kept by it. */
  readonly names: readonly string[]
  readonly values: readonly unknown[]
  /** How attribute texts are typed: one for all, or one per column. */
  readonly types: ColumnType | readonly ColumnType[]
}

export interface RecordTypes {
  items: Item
  reviews: Review
  interactions: Interaction
}

// JSON records may come in many layouts. Beyond this many, plans are made anew: slower, but bounded memory.
const MAX_PLANS = 1000

/** Turns source records of one kind into validated records. */
export class RecordBuilder<K extends RecordKind> {
  private readonly plans = new Map<string, Plan>()
  private lastNames: readonly string[] | undefined
  private lastPlan: Plan | undefined

  constructor(
    readonly kind: K,
    private readonly map: FieldMap,
    private readonly times: TimeRule,
  ) {}

  /** @throws Refusal */
  build(source: SourceRecord): RecordTypes[K] {
    const plan = this.planFor(source.names)
    const attributes = new AttributeCollector('file')
    const fields = new Map<FieldName, unknown>()
    for (const field in plan.columns) {
      const value = choose(plan.columns[field as FieldName] ?? [], source, attributes)
      if (value !== undefined) fields.set(field as FieldName, value)
    }
    for (const required of REQUIRED[this.kind]) {
      if (!fields.has(required)) throw missing(this.kind, required, source)
    }
    const get = (field: FieldName) => fields.get(field)
    const record = builders[this.kind](get)
    for (const index of plan.rest) addAttribute(attributes, source, index)
    const found = attributes.result()
    if (found !== undefined) record.attributes = found
    if (this.kind !== 'items') this.times.accept((record as Interaction).time, get('time'))
    return record as RecordTypes[K]
  }

  private planFor(names: readonly string[]): Plan {
    if (names === this.lastNames && this.lastPlan !== undefined) return this.lastPlan
    const layout = names.join('\n')
    let plan = this.plans.get(layout)
    if (plan === undefined) {
      plan = makePlan(this.kind, names, this.map)
      if (this.plans.size < MAX_PLANS && layout.length < 10_000) this.plans.set(layout, plan)
    }
    this.lastNames = names
    this.lastPlan = plan
    return plan
  }
}

/** The first column that holds a value; the other ones that do become attributes. */
function choose(columns: readonly number[], source: SourceRecord, attributes: AttributeCollector): unknown {
  let chosen: unknown
  for (const index of columns) {
    const value = source.values[index]
    if (isMissing(value)) continue
    if (chosen === undefined) chosen = value
    else addAttribute(attributes, source, index)
  }
  return chosen
}

function addAttribute(attributes: AttributeCollector, source: SourceRecord, index: number): void {
  const type = typeof source.types === 'string' ? source.types : source.types[index]
  attributes.add(source.names[index], source.values[index], type)
}

function missing(kind: RecordKind, field: FieldName, source: SourceRecord): Refusal {
  const synonyms = (SYNONYMS[kind] as { [F in FieldName]?: readonly string[] })[field] ?? []
  const names = source.names.join(', ')
  return new Refusal(field, `a value under one of: ${synonyms.join(', ')}`, `a record with ${names}`)
}

type Get = (field: FieldName) => unknown
type Draft = { -readonly [F in keyof (Item & Review & Interaction)]?: unknown }

// Absent fields are left out rather than set to undefined: records compare and serialize as they read.
const builders: { readonly [K in RecordKind]: (get: Get) => Draft } = {
  items: (get) => {
    const draft: Draft = { id: parseId('id', get('id')) }
    set(draft, 'title', parseText('title', get('title'), 'file'))
    set(draft, 'description', parseText('description', get('description'), 'file'))
    return draft
  },
  reviews: (get) => {
    const draft: Draft = {}
    if (get('id') !== undefined) draft.id = parseId('id', get('id'))
    draft.userId = parseId('userId', get('userId'))
    draft.itemId = parseId('itemId', get('itemId'))
    set(draft, 'title', parseText('title', get('title'), 'file'))
    set(draft, 'text', parseText('text', get('text'), 'file'))
    set(draft, 'rating', parseValue('rating', get('rating')))
    set(draft, 'time', parseTime('time', get('time')))
    set(draft, 'helpful', parseHelpful('helpful', get('helpful')))
    return draft
  },
  interactions: (get) => {
    const draft: Draft = {
      userId: parseId('userId', get('userId')),
      itemId: parseId('itemId', get('itemId')),
    }
    set(draft, 'value', parseValue('value', get('value')))
    set(draft, 'time', parseTime('time', get('time')))
    return draft
  },
}

function set(draft: Draft, field: keyof Draft, value: unknown): void {
  if (value !== undefined) draft[field] = value
}
