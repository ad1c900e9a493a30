import { addScaled, normalize, requireSameDimension } from '../math/matrix.js'

/** One review as the profile sees it: its text vector and what is known of its weight. */
export interface ReviewEvidence {
  /** [dim] unit length. */
  readonly vector: Float32Array
  /** On the source's scale; `ratingRange` says what its ends are. */
  readonly rating?: number
  /** Readers who found it helpful. */
  readonly helpful?: number
  /** Milliseconds, or a position in a history. */
  readonly time?: number
}

export interface ProfileOptions {
  /** How much all reviews together may count against the description's 1. */
  readonly reviewShare: number
  /** So many reviews reach half of that share. */
  readonly reviewsToHalf: number
  /** A review this much older than the item's newest counts half; milliseconds. Ignored for positions. */
  readonly halfLife: number
  /** At most so many reviews, those of most weight, go into one item. */
  readonly reviewsPerItem: number
}

const YEAR = 365.25 * 24 * 3600 * 1000

export const PROFILE_DEFAULTS: ProfileOptions = {
  reviewShare: 1,
  reviewsToHalf: 2,
  halfLife: 4 * YEAR,
  reviewsPerItem: 50,
}

/** Part of a vector's fingerprint: raise it whenever the same texts would give other item vectors. */
export const PROFILE_VERSION = 1

/**
 * What one review weighs before anything is read: log2(2 + helpful votes), halved with every half-life that
 * it is older than the item's newest review, and up to a third less the worse its rating is: a one-star
 * review still says what the thing is. Unknown figures cost nothing.
 * @param newest time of the item's newest review; undefined where times are unknown or mere positions
 */
export function reviewWeight(
  review: Omit<ReviewEvidence, 'vector'>,
  newest: number | undefined,
  options: ProfileOptions = PROFILE_DEFAULTS,
): number {
  const helpful = Math.log2(2 + Math.max(0, review.helpful ?? 0))
  const age = newest === undefined || review.time === undefined ? 0 : Math.max(0, newest - review.time)
  const recency = 0.5 ** (age / options.halfLife)
  const rating =
    review.rating === undefined ? 1 : 2 / 3 + Math.min(1, Math.max(0, (review.rating - 1) / 4)) / 3
  return helpful * recency * rating
}

/** The reviews that count for an item, of most weight first, at most `reviewsPerItem` of them. */
export function chooseReviews<T extends Omit<ReviewEvidence, 'vector'>>(
  reviews: readonly T[],
  options: ProfileOptions = PROFILE_DEFAULTS,
): { readonly review: T; readonly weight: number }[] {
  const newest = newestDate(reviews)
  return reviews
    .map((review) => ({ review, weight: reviewWeight(review, newest, options) }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, options.reviewsPerItem)
}

/** Below this a time is a position in somebody's history, not a date; ages mean nothing there. */
const FIRST_DATE = 1e8

function newestDate(reviews: readonly Omit<ReviewEvidence, 'vector'>[]): number | undefined {
  let newest: number | undefined
  for (const { time } of reviews) {
    if (time !== undefined && time >= FIRST_DATE && (newest === undefined || time > newest)) newest = time
  }
  return newest
}

/**
 * One unit vector for an item: description + share * weighted mean of its reviews, where
 * share = reviewShare * n / (n + reviewsToHalf), so that a single odd review cannot drown a description.
 * Only reviews: their weighted mean. Only a title: the title's vector. Nothing at all: undefined, the item
 * has no place in the text space and is reached by interactions alone.
 * @param description [dim] vector of the item's own text, undefined when it has none
 */
export function itemProfile(
  description: Float32Array | undefined,
  reviews: readonly ReviewEvidence[],
  options: ProfileOptions = PROFILE_DEFAULTS,
): Float32Array | undefined {
  const chosen = chooseReviews(reviews, options)
  const dim = description?.length ?? chosen[0]?.review.vector.length
  if (dim === undefined) return undefined
  const profile = new Float32Array(dim)
  if (chosen.length > 0) {
    const total = chosen.reduce((sum, { weight }) => sum + weight, 0)
    for (const { review, weight } of chosen) addScaled(profile, review.vector, weight / total)
    normalize(profile)
  }
  if (description !== undefined) {
    requireSameDimension(description.length, dim)
    const share = (options.reviewShare * chosen.length) / (chosen.length + options.reviewsToHalf)
    for (let i = 0; i < dim; i++) profile[i] = description[i] + share * profile[i]
    normalize(profile)
  }
  return profile.some((value) => value !== 0) ? profile : undefined
}
