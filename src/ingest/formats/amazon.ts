import { normalName } from '../fields.js'
import type { RecordKind } from '../rules.js'
import type { Layout } from './format.js'
import type { JsonRecord } from './json-lines.js'

/**
 * Amazon review data, reviews and metadata: 2014 and 2018 (J. McAuley, UCSD; one JSON object a line), the Kaggle
 * CSV of 2014, 2023 (McAuley Lab: rating, title, text, parent_asin, asin, user_id, timestamp in ms), and the
 * customer reviews TSV (marketplace, customer_id, ...). The synonyms say most of it; left are:
 * - an item's description is its description paragraphs and then its features, a line each;
 * - reviewTime ('02 28, 2014') repeats unixReviewTime and is dropped where that is present.
 */
export function isAmazon(names: readonly string[]): boolean {
  const known = new Set(names.map(normalName))
  const review = known.has('reviewerid') || known.has('userid') || known.has('customerid')
  const item = known.has('asin') || known.has('parentasin')
  const metadata = ['title', 'description', 'imurl', 'maincategory', 'maincat', 'salesrank', 'related']
  return (
    (item && (review || metadata.some((name) => known.has(name)))) ||
    (known.has('customerid') && known.has('productparent'))
  )
}

const FEATURES = ['feature', 'features']

export function amazonRecord(kind: RecordKind): (record: JsonRecord) => JsonRecord {
  if (kind !== 'items') {
    return (record) => {
      if (record.unixReviewTime === undefined || record.reviewTime === undefined) return record
      const { reviewTime: _, ...rest } = record
      return rest
    }
  }
  return (record) => {
    const features = FEATURES.filter((name) => isTexts(record[name]))
    if (features.length === 0) return record
    const paragraphs = record.description ?? []
    const description = isTexts(paragraphs) ? [...paragraphs] : [paragraphs]
    for (const name of features) description.push(...(record[name] as string[]))
    const rest = Object.entries(record).filter(([name]) => !features.includes(name) && name !== 'description')
    return Object.fromEntries([...rest, ['description', description]])
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string')
}

export function amazonLayout(header: readonly string[]): Layout {
  const redundant = header.indexOf('reviewTime')
  if (redundant < 0 || !header.includes('unixReviewTime')) {
    return { names: header, types: 'content', width: header.length }
  }
  return {
    names: header.toSpliced(redundant, 1),
    types: 'content',
    width: header.length,
    values: (row) => row.toSpliced(redundant, 1),
  }
}
