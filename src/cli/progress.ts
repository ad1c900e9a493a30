import type { Progress } from '../index.js'
import { duration, ellipsis, figure, oneLine, percent } from './text.js'

/** Where progress goes. `stop` leaves the terminal as it was. */
export interface ProgressDisplay {
  report(progress: Progress): void
  stop(): void
}

/** Rates are taken over this much of the past, in seconds: long enough to be calm, short enough to be true. */
const WINDOW = 15
/** Samples closer together than this, in seconds, are not kept. */
const SPACING = 0.25

/**
 * What a progress report says about how far a stage is, from 0 to 1: its own word for it, else the count against
 * the total, else bytes.
 */
export function shareOf({ done, total, share, figures }: Progress): number | undefined {
  if (share !== undefined) return Math.min(1, Math.max(0, share))
  const [part, whole] = total === undefined ? [figures?.bytes, figures?.totalBytes] : [done, total]
  if (part === undefined || whole === undefined || whole <= 0) return undefined
  return Math.min(1, Math.max(0, part / whole))
}

interface Sample {
  /** Seconds on any clock. */
  readonly time: number
  readonly done: number
  readonly share: number | undefined
}

/**
 * How fast a stage goes and how long it has left. What was done before the first sample (a resumed run) does not
 * count as speed.
 */
export class Pace {
  private readonly samples: Sample[] = []

  sample(progress: Progress, time: number): void {
    const last = this.samples.at(-1)
    if (last !== undefined && this.samples.length > 1 && time - last.time < SPACING) this.samples.pop()
    this.samples.push({ time, done: progress.done, share: shareOf(progress) })
    while (this.samples.length > 2 && time - this.samples[1].time > WINDOW) this.samples.shift()
  }

  /** Units a second, or undefined while too little is known. */
  rate(): number | undefined {
    return this.slope(({ done }) => done)
  }

  /** Seconds left at the present speed. */
  left(): number | undefined {
    const speed = this.slope(({ share }) => share)
    const share = this.samples.at(-1)?.share
    return speed === undefined || share === undefined ? undefined : (1 - share) / speed
  }

  /** Growth a second of one figure over the window. */
  private slope(figureOf: (sample: Sample) => number | undefined): number | undefined {
    const first = this.samples[0]
    const last = this.samples.at(-1)
    if (first === undefined || last === undefined || last.time - first.time < SPACING) return undefined
    const growth = (figureOf(last) ?? 0) - (figureOf(first) ?? 0)
    return growth > 0 ? growth / (last.time - first.time) : undefined
  }
}

/** "512/1,050 texts (49 %), 231/s, 2.3 s left, loss 0.31" */
export function describeProgress(progress: Progress, pace: Pace): string {
  const { done, total, unit, figures = {} } = progress
  const share = shareOf(progress)
  const count = total === undefined ? figure(done) : `${figure(done)}/${figure(total)}`
  const parts = [share === undefined ? `${count} ${unit}` : `${count} ${unit} (${percent(share)})`]
  const rate = pace.rate()
  if (rate !== undefined) parts.push(`${figure(rate, rate < 10 ? 1 : 0)}/s`)
  const left = pace.left()
  if (left !== undefined && left > 0) parts.push(`${duration(left)} left`)
  for (const [name, value] of Object.entries(figures)) {
    if (name === 'bytes' || name === 'totalBytes') continue // told by the share
    parts.push(`${name} ${Number.isInteger(value) ? figure(value) : value.toPrecision(4)}`)
  }
  return oneLine(parts.join(', '))
}

/** Seconds between two lines where there is no terminal. */
const LINE_EVERY = 5

/** A line every few seconds, for logs; `clock` is in seconds. */
export class ProgressLines implements ProgressDisplay {
  private stage: { readonly name: string; readonly pace: Pace } | undefined
  private lastLine: number

  constructor(
    private readonly write: (text: string) => void,
    private readonly clock: () => number = () => performance.now() / 1000,
  ) {
    this.lastLine = clock()
  }

  report(progress: Progress): void {
    const now = this.clock()
    if (this.stage?.name !== progress.stage) this.stage = { name: progress.stage, pace: new Pace() }
    this.stage.pace.sample(progress, now)
    if (now - this.lastLine < LINE_EVERY) return
    this.lastLine = now
    this.write(`${oneLine(progress.stage)}: ${describeProgress(progress, this.stage.pace)}\n`)
  }

  stop(): void {}
}

/** What is used of a bar of cli-progress. */
interface Bar {
  start(total: number, value: number, payload: object): void
  update(value: number, payload: object): void
  stop(): void
}

/** Characters between the brackets. */
const BAR_WIDTH = 24

/** One bar on a terminal, redrawn in place and gone when its stage is over. */
export class ProgressBar implements ProgressDisplay {
  private stage: { readonly name: string; readonly pace: Pace; readonly bar: Bar } | undefined

  /** @param makeBar a fresh bar that draws what `format` returns for its payload */
  constructor(private readonly makeBar: (format: (line: { readonly text: string }) => string) => Bar) {}

  report(progress: Progress): void {
    if (this.stage?.name !== progress.stage) {
      this.stop()
      const bar = this.makeBar(({ text }) => text)
      this.stage = { name: progress.stage, pace: new Pace(), bar }
      bar.start(1, 0, { text: oneLine(progress.stage) })
    }
    this.stage.pace.sample(progress, performance.now() / 1000)
    // The bar's own total stays 1: counts and shares are in the text, and a total may become known late.
    this.stage.bar.update(0, { text: drawBar(progress, this.stage.pace, process.stderr.columns || 80) })
  }

  stop(): void {
    this.stage?.bar.stop()
    this.stage = undefined
  }
}

/** The bar as one line of at most `width - 1` columns; without a known share it is only counted. */
export function drawBar(progress: Progress, pace: Pace, width: number): string {
  const share = shareOf(progress)
  const full = share === undefined ? 0 : Math.round(BAR_WIDTH * share)
  const bar = share === undefined ? '' : ` [${'='.repeat(full)}${' '.repeat(BAR_WIDTH - full)}]`
  return ellipsis(`${oneLine(progress.stage)}${bar} ${describeProgress(progress, pace)}`, width - 1)
}

/** The display that fits standard error: a bar on a terminal, lines elsewhere. */
export async function openProgress(): Promise<ProgressDisplay> {
  if (!process.stderr.isTTY || process.env.TERM === 'dumb') {
    return new ProgressLines((text) => process.stderr.write(text))
  }
  const { SingleBar } = (await import('cli-progress')).default
  return new ProgressBar(
    (format) =>
      new SingleBar({
        format: (_options, _params, payload: { readonly text: string }) => format(payload),
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: true,
        emptyOnZero: true,
      }),
  )
}
