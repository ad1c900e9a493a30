import { itemDocument, reviewDocument } from '../profile/documents.js'
import type { Store } from '../store/index.js'

/** Items whose texts are in memory at a time. */
const ITEMS_AT_A_TIME = 1024

/**
 * Deletes the vectors of texts that are in no record any more: earlier wordings, and what was said of removed items.
 * Edits leave them where they are, since undoing one is common and an upsert has no time to look.
 */
export function dropSuperseded(store: Store): void {
  if (store.spaces().length > 0) store.keepEmbeddings(() => currentTexts(store))
}

/** Every text of the catalogue that vectors are made of. */
function* currentTexts(store: Store): Generator<string, void, undefined> {
  const keys = Array.from(store.eachItem(), ({ key }) => key)
  for (let start = 0; start < keys.length; start += ITEMS_AT_A_TIME) {
    for (const item of store.itemSources(keys.slice(start, start + ITEMS_AT_A_TIME))) {
      yield itemDocument(item)
      for (const review of item.reviews) yield reviewDocument(review)
    }
  }
}
