import type { Progress } from 'textrec'

/** Milliseconds between two lines of progress. */
const LINE_EVERY = 5000

/** How far a stage was when it was first heard of: what a stopped run had done by then is no speed of this one. */
interface Start {
  readonly stage: string
  readonly time: number
  readonly done: number
  readonly share: number
}

/**
 * A line every few seconds, for logs: "encode: 512/3686 texts, 120/s, 27 s left". Rate and time left are taken
 * over the whole stage.
 * @param clock milliseconds on any clock
 */
export function progressLines(
  write: (line: string) => void,
  clock: () => number = Date.now,
): (progress: Progress) => void {
  let last = clock()
  let start: Start | undefined
  return (progress) => {
    const { stage, done, total, unit } = progress
    const time = clock()
    const share = progress.share ?? (total ? done / total : 0)
    if (start?.stage !== stage) start = { stage, time, done, share }
    if (time - last < LINE_EVERY) return
    last = time
    const seconds = (time - start.time) / 1000
    const parts = [`${stage}: ${done}${total === undefined ? '' : `/${total}`} ${unit}`]
    if (done > start.done && seconds > 0) parts.push(`${((done - start.done) / seconds).toPrecision(3)}/s`)
    if (share > start.share && seconds > 0) {
      parts.push(`${Math.round((seconds * (1 - share)) / (share - start.share))} s left`)
    }
    write(`${parts.join(', ')}\n`)
  }
}
