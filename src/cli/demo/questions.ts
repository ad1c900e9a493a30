/** What the demo asks of the built-in bookshelf. A test holds the ids and titles to the sample. */

/** A book of the shelf that everybody knows something about. */
export const KNOWN_BOOK = 'moby-dick'

/** Free texts. */
export const SEARCHES = ['a murder in a locked room', 'a storm at sea'] as const

/** A book that the shelf does not hold, described in our own words; its author is left out on purpose. */
export const NEW_BOOK = {
  title: 'Sense and Sensibility',
  by: 'Jane Austen',
  description:
    'Two sisters, one prudent and one all feeling, lose house and fortune when their father dies. In a borrowed cottage and in London drawing rooms they learn what the promises of agreeable young men are worth, and whom to marry.',
} as const
