/** Judges a candidate that was trained for a share (0 to 1) of a whole training. Bigger is better. */
export type Judge<C> = (candidate: C, share: number) => Promise<number>

/**
 * Shares of a whole training at which candidates are compared: each round keeps the better half and trains it twice
 * as long, until at most two have been trained in whole. 16 candidates: 1/8, 1/4, 1/2, 1.
 */
export function sharesFor(candidates: number): number[] {
  let rounds = 1
  for (let left = candidates; left > 2; left = Math.ceil(left / 2)) rounds++
  return Array.from({ length: rounds }, (_, round) => 2 ** (round - rounds + 1))
}

/**
 * Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943): much is tried for a short time, and what does well
 * is given more. Equal values go to the earlier candidate.
 * @param workers candidates that are judged at the same time; the result does not depend on it
 * @returns what was left after each round, best first
 */
export async function halve<C>(
  candidates: readonly C[],
  judge: Judge<C>,
  workers: number,
): Promise<readonly (readonly C[])[]> {
  const rounds: C[][] = []
  let left = candidates
  for (const share of sharesFor(candidates.length)) {
    const values = await pooled(left, workers, (candidate) => judge(candidate, share))
    const order = Array.from(left.keys()).sort((a, b) => values[b] - values[a] || a - b)
    left = order.slice(0, Math.ceil(left.length / 2)).map((at) => left[at])
    rounds.push([...left])
  }
  return rounds
}

/**
 * Works through `tasks`, several at a time, begun in their order. Where one fails no more are begun, and the first
 * error is thrown once those under way have ended.
 */
export async function pooled<T, R>(
  tasks: readonly T[],
  workers: number,
  work: (task: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(tasks.length)
  const errors: unknown[] = []
  let next = 0
  const worker = async () => {
    while (next < tasks.length && errors.length === 0) {
      const at = next++
      try {
        results[at] = await work(tasks[at])
      } catch (error) {
        errors.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(workers, tasks.length) }, worker))
  if (errors.length > 0) throw errors[0]
  return results
}
