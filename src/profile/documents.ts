import type { Attributes, AttributeValue, Item } from '../types.js'

/** Attribute values longer than this are prose or data, not a label, and stay out of the item's text. */
const LONGEST_LABEL = 80
/** A list of more labels than this (also_bought, image links) describes other things than the item. */
const MOST_LABELS = 20

/**
 * The text that stands for an item itself: its title, the labels among its attributes (brand, author, genres)
 * and its description, one paragraph each. Empty when nothing is known.
 */
export function itemDocument(item: Pick<Item, 'title' | 'description' | 'attributes'>): string {
  const labels = attributeLabels(item.attributes ?? {})
  return [item.title, labels.join(', '), item.description]
    .map((part) => part?.trim() ?? '')
    .filter((part) => part !== '')
    .join('\n')
}

/** The text of one review: headline and body. */
export function reviewDocument(review: { readonly title?: string; readonly text?: string }): string {
  return [review.title, review.text]
    .map((part) => part?.trim() ?? '')
    .filter((part) => part !== '')
    .join('\n')
}

/** Words among the attributes that say what the item is. Numbers, dates, links and codes say nothing in words. */
function attributeLabels(attributes: Attributes): string[] {
  return Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([name]) => !/(^|_)(id|ids|url|urls|uri|image|images|isbn|sku|upc|hash)$/i.test(name))
    .flatMap(([, value]) => labelsOf(value))
}

function labelsOf(value: AttributeValue): readonly string[] {
  if (typeof value === 'string') return isLabel(value) ? [value.trim()] : []
  return Array.isArray(value) && value.length <= MOST_LABELS && value.every(isLabel) ? value : []
}

function isLabel(text: string): boolean {
  return (
    text.length <= LONGEST_LABEL &&
    /\p{L}{2}/u.test(text) &&
    !/^[a-z]+:\/\//i.test(text) &&
    !/\d{5}/.test(text)
  )
}
