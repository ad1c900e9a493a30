import { HeldOut } from '../evaluate/index.js'
import type { InteractionTable, Matrix } from '../types.js'
import type { KnownTexts } from './known-texts.js'

/** So many parts of the people are left out in turn: each training step knows four fifths of the reviews. */
const PARTS = 5

/**
 * The text vectors that training may show to each part of the people, none of which holds a review that one of them
 * wrote of something they took; see `AdapterData.textsWithout`. Undefined where there are no reviews.
 * @throws LEAK_FOUND
 */
export async function textsWithoutOwn(
  known: KnownTexts,
  heldOut: HeldOut,
  table: InteractionTable,
): Promise<Matrix[] | undefined> {
  if (!known.hasReviews) return undefined
  const texts: Matrix[] = []
  for (const part of withoutOwn(heldOut, table)) texts.push(await known.vectors(part))
  return texts
}

/** The words of the items in the same way. */
export function documentsWithoutOwn(
  known: KnownTexts,
  heldOut: HeldOut,
  table: InteractionTable,
): string[][] | undefined {
  if (!known.hasReviews) return undefined
  return withoutOwn(heldOut, table).map((part) => known.documents(part).documents)
}

/** What is held out, with what each part of the people wrote of something they took. */
function withoutOwn(heldOut: HeldOut, table: InteractionTable): HeldOut[] {
  return Array.from({ length: PARTS }, (_, part) =>
    heldOut.and(HeldOut.pairs(table, (row) => table.users[row] % PARTS === part)),
  )
}
